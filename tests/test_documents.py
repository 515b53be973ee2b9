"""The documents: their links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / name
    for name in (
        *("README.md", "CONTRIBUTING.md", "models/README.md", "benchmark/README.md"),
        *("results/fer2013/README.md", "results/fer2013/trials.md"),
    )
]


def anchors(document):
    """Return the names of the headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.S)
    titles = [re.sub(r"[^\w\- ]", "", title.lower()) for title in re.findall(r"^#+ (.+)$", text, re.M)]
    return {title.replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text("utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
