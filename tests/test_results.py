"""The committed results are what the records say, and the README shows them."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmark.analysis.class_weight_ablation import scheme_roots
from benchmark.analysis.releases import RELEASES, losses, scores
from benchmark.derive import derive, update_readme
from benchmark.figures.catalogue import displays
from benchmark.runs.latency import SPEED
from benchmark.runs.record_store import EXTERNAL, Store
from benchmark.runs.validation import KnownData, doubts, record_flaws
from benchmark.validate import changed_files

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "results" / "fer2013" / "README.md", ROOT / "models" / "README.md"]
FOLDERS = sorted(path.parent for path in ROOT.glob("results/fer2013/*/runs"))
BOARDS = [ROOT / "results" / "fer2013" / name for name in ("kaggle", "course", "ferplus")]
PROTOCOLS = BOARDS[:2]  # with all recognizers, and with pages and tables of their own


NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def assert_same(path, other):
    """Assert that texts are equal but for the last digits of numbers, which another processor may round otherwise."""
    first, second = path.read_text("utf-8"), other.read_text("utf-8")
    assert NUMBER.sub("#", first) == NUMBER.sub("#", second), other
    numbers = [[float(number) for number in NUMBER.findall(text)] for text in (first, second)]
    rounded = 1.1e-3 if path.suffix == ".md" else 1e-9
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-6, abs=rounded), other


@pytest.fixture(scope="module")
def derived(tmp_path_factory):
    """Derive everything anew from the records of a folder, those of other class weights beside it; once for each."""
    made = {}

    def find_again(root):
        if root not in made:
            parent = tmp_path_factory.mktemp("derived")
            beside = root.with_name(root.name.removesuffix(f"-{EXTERNAL}"))
            for folder in (root, beside, *scheme_roots(root).values()):
                shutil.copytree(folder / "runs", parent / folder.name / "runs", dirs_exist_ok=True)
            shutil.copy(root.parent / SPEED, parent)
            made[root] = derive(parent / root.name)
        return made[root]

    return find_again


@pytest.fixture(scope="module")
def known():
    return KnownData(FOLDERS)


@pytest.mark.parametrize("root", FOLDERS, ids=lambda root: root.name)
def test_records_are_what_runs_of_this_code_wrote(root, known):
    paths = changed_files(root, None)
    assert paths
    assert not {path.as_posix(): flaws for path in paths if (flaws := record_flaws(path, known))}
    assert not [text for path in paths for text in doubts(path)]


@pytest.mark.parametrize(
    "root",
    [root if root.name == "kaggle" else pytest.param(root, marks=pytest.mark.slow) for root in FOLDERS],
    ids=lambda root: root.name,
)
def test_derived_tables_are_what_the_records_say(root, derived):
    copy = derived(root).root
    tables = sorted(path.relative_to(root) for path in root.rglob("*") if path.suffix in {".csv", ".md"})
    assert tables
    assert Path("leaderboard.csv") in tables
    for path in tables:
        assert_same(copy / path, root / path)


@pytest.mark.parametrize(
    "root", [PROTOCOLS[0], pytest.param(PROTOCOLS[1], marks=pytest.mark.slow)], ids=lambda root: root.name
)
def test_a_protocol_has_every_derived_file(root, derived):
    copy = derived(root).root

    def files(folder, kind):
        """Return what is committed: of the second protocol, no figures."""
        paths = {path.relative_to(folder) for path in folder.rglob(kind) if path.name != "report_faces.html"}
        drawn = ("figures", "confusion") if root.name == "course" else ()
        return {path for path in paths if path.parts[0] not in drawn}

    figures = {Path(f"{stem}.png") for stem in displays(derived(root))}
    assert files(root, "*.png") == (set() if root.name == "course" else figures)
    for kind in ("*.csv", "*.html", "best.json"):
        assert files(copy, kind) == files(root, kind)
    assert_same(copy / "best.json", root / "best.json")
    shown, expected = (
        re.search(r'id="numbers">(.*?)</script>', (folder / "report.html").read_text("utf-8"))[1]
        for folder in (root, copy)
    )
    assert json.loads(shown) == json.loads(expected)


@pytest.mark.parametrize("root", PROTOCOLS, ids=lambda root: root.name)
def test_both_protocols_are_complete(root):
    names = {record["recognizer"] for record in Store(root).records()}
    assert names >= {"cnn", "hog_svm", "lbp_xgb", "majority", "soft_voting"}
    assert len({record["data_fingerprint"] for record in Store(root).records()}) == 1


@pytest.mark.slow
def test_the_documents_show_the_tables(tmp_path, derived):
    emptied = [tmp_path / f"{place}.md" for place in range(len(DOCUMENTS))]
    for document, copy in zip(DOCUMENTS, emptied, strict=True):
        text = document.read_text("utf-8")
        copy.write_text(re.sub(r"( -->\n)\|.*?(<!-- end -->)", r"\1\2", text, flags=re.S), "utf-8")
        assert "<!-- end -->" in text
        assert copy.read_text("utf-8") != text
    update_readme(emptied, [replace(derived(path), root=path.relative_to(ROOT)) for path in BOARDS])
    for document, copy in zip(DOCUMENTS, emptied, strict=True):
        assert_same(copy, document)


@pytest.mark.slow
def test_no_score_is_lower_than_the_last_versions_without_a_reason(derived):
    released = pd.read_csv(ROOT / "results" / "fer2013" / RELEASES, dtype={"version": str})
    last = released["version"].iloc[-1]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{last}]" in changes
    reasons = re.findall(r"### Lower scores\n(.*?)(?=\n##|\Z)", changes.split(f"## [{last}]")[0], re.S)
    said = {name for name, _ in re.findall(r"^- `(\w+)`\W+(\w.{20,})", "\n".join(reasons), re.M)}
    lost = losses(released, pd.concat(scores(derived(root)) for root in PROTOCOLS))
    assert not {name: what for name, what in lost.items() if name not in said}, "CHANGELOG.md does not say why"


def test_committed_models_load():
    from models import load

    path = PROTOCOLS[0] / "models" / "cnn.h5"
    assert load(path).card_["protocol"]["name"] == "kaggle"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.parent.name)
def test_the_documents_have_no_empty_table(document):
    assert not re.search(r"<!-- \w[^>]* -->\s*<!-- end -->", document.read_text("utf-8"))


def test_the_readme_is_short():
    assert len(DOCUMENTS[0].read_text("utf-8").splitlines()) <= 160
