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


@pytest.mark.parametrize("form", sorted(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")), ids=lambda path: path.stem)
def test_forms_of_issues_are_as_github_wants_them(form):
    yaml = pytest.importorskip("yaml")
    content = yaml.safe_load(form.read_text("utf-8"))
    assert content["name"] and content["description"]
    fields = [field for field in content["body"] if field["type"] != "markdown"]
    assert all(field["type"] in {"input", "textarea", "checkboxes"} for field in fields)
    for values in ([field["id"] for field in fields], [field["attributes"]["label"] for field in fields]):
        assert len(set(values)) == len(values)
    for anchor in re.findall(r"CONTRIBUTING\.md#([\w-]+)", form.read_text("utf-8")):
        assert anchor in anchors(ROOT / "CONTRIBUTING.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text("utf-8")):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path) if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
