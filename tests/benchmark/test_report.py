import html
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from benchmark.analysis.findings import read_findings
from benchmark.figures.catalogue import displays
from benchmark.report.__main__ import main
from benchmark.report.page import render
from benchmark.report.reproduction import commands
from benchmark.run import main as run
from benchmark.runs.record_store import Probabilities, Store
from models.labels import EMOTIONS

RIGHT, WRONG = [0, 1, 2, 3, 4, 5, 6], [1, 0, 0, 0, 0, 0, 0]


@pytest.fixture
def root(tmp_path, record):
    """Two finished recognizers and one that failed with a hostile message."""
    store = Store(tmp_path / "kaggle")
    y, sure = np.arange(7), np.eye(7, dtype=np.float32)
    for name, test in (("good", RIGHT), ("bad", WRONG)):
        probabilities = Probabilities(sure[test] * 0.93 + 0.01, sure[test] * 0.93 + 0.01, y, y)
        store.write(record(name, test, test), probabilities)
    store.write(record("lost", RIGHT, RIGHT, status="failed", error="<script>alert(1)</script>"))
    return store.root


@pytest.mark.drawn
def test_the_page_needs_nothing_from_elsewhere(root):
    page = render(read_findings(root), displays(read_findings(root)))
    assert page == render(read_findings(root), displays(read_findings(root)))
    loaded = re.findall(r"<(?:script|img|link|iframe|source|use|image)[^>]*?(?:src|href)=\"([^\"]*)", page)
    assert all(address.startswith(("data:", "#")) for address in loaded), loaded
    assert "default-src 'none'" in page
    assert not re.search(r"@import|url\((?!#)", page)
    assert len(page.encode()) < 5_000_000


def test_what_records_say_is_escaped(root):
    page = render(read_findings(root), displays(read_findings(root)))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page


def test_the_numbers_of_the_page_are_those_of_the_records(root):
    page = render(read_findings(root), displays(read_findings(root)))
    numbers = json.loads(re.search(r'<script type="application/json" id="numbers">(.*?)</script>', page, re.S)[1])
    assert numbers["emotions"] == list(EMOTIONS)
    assert numbers["recall"]["good"][2][0] == 1
    assert numbers["recall"]["bad"][2][0] == 0
    assert numbers["confusion"]["bad"][0] == [0, 1, 0, 0, 0, 0, 0]
    assert numbers["mcnemar"]["good"]["bad"] == pytest.approx(2 * 0.5**7, rel=1e-3)


@pytest.mark.drawn
def test_every_figure_has_a_text_alternative(root):
    found = read_findings(root)
    page = render(found, displays(found))
    figures = re.findall(r"<figure id=.*?</figure>", page, re.S)
    assert len(figures) == len([stem for stem in displays(found) if stem.startswith("figures/")])
    for figure in figures:
        assert re.search(r'role="img" aria-label="[^"]{20,}"', figure)
        assert "<figcaption>" in figure


@pytest.mark.parametrize(
    ("folder", "entries", "command"),
    [
        ("kaggle", {}, "--only a"),
        ("kaggle-none", {"class_weight": "none"}, "--only a --class-weight none"),
        ("kaggle-limit50", {"limit": 50, "seed": 3}, "--only a --seeds 3 --limit 50"),
        ("kaggle-a.x=-1", {"changes": ["a.x=-1", "a.y=b c"]}, "--only a --set a.x=-1 'a.y=b c'"),
        ("kaggle-a.x=-1", {}, None),
    ],
)
def test_the_page_says_how_to_make_its_records(tmp_path, record, probabilities, folder, entries, command):
    store = Store(tmp_path / folder)
    store.write(record("a", RIGHT, RIGHT, **entries), probabilities)
    page = html.unescape(render(found := read_findings(store.root), displays(found)))
    assert [line for line in page.splitlines() if "benchmark.run -" in line] == (
        [f"python -m benchmark.run {command}"] if command else []
    )
    assert ("the records do not say" in page) == (command is None)


def test_the_command_names_what_the_page_shows(tmp_path, record, probabilities):
    for folder, scheme in (("kaggle", "balanced"), ("kaggle-none", "none")):
        Store(tmp_path / folder).write(record("a", RIGHT, RIGHT, class_weight=scheme), probabilities)
    Store(tmp_path / "kaggle").write(record("b", RIGHT, RIGHT), probabilities)
    assert commands(read_findings(tmp_path / "kaggle")) == [
        "python -m benchmark.run --only a b",
        "python -m benchmark.run --only a --class-weight none",
    ]


def test_the_commands_name_the_seeds_of_what_uses_one(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    for name, seed in (("a", 0), ("b", 0), ("b", 1), ("hog_svm", 0)):
        store.write(record(name, RIGHT, RIGHT, seed=seed), probabilities)
    assert commands(read_findings(store.root)) == [
        "python -m benchmark.run --only a",
        "python -m benchmark.run --only b hog_svm --seeds 0 1",
    ]


@pytest.mark.slow
def test_the_printed_commands_name_exactly_these_runs_as_fresh(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FER2013", raising=False)
    monkeypatch.chdir(tmp_path)
    base = ["--limit", "60", "--results", "my results"]
    for arguments in (
        ["--only", "hog_svm", "--set", "lbp_xgb.n_estimators=5", "--seeds", "0"],
        ["--only", "lbp_xgb", "--set", "lbp_xgb.n_estimators=5", "--seeds", "0", "2"],
    ):
        assert run([*arguments, *base]) == 0
    (root,) = Path("my results/synthetic").iterdir()
    capsys.readouterr()
    printed = commands(read_findings(root))
    assert len(printed) == 1, "another seed changes nothing in hog_svm"
    for command in printed:
        python, _, module, *options = shlex.split(command)
        assert (python, module) == ("python", "benchmark.run")
        assert run([*options, "--dry-run"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert sorted(lines) == [
        ["hog_svm", "seed", "0", "fresh"],
        ["lbp_xgb", "seed", "0", "fresh"],
        ["lbp_xgb", "seed", "2", "fresh"],
    ]


def test_the_page_says_which_numbers_are_of_the_first_seed(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    store.write(record("a", RIGHT, RIGHT), probabilities)
    assert "of the first seed" not in render(read_findings(store.root), displays(read_findings(store.root)))
    store.write(record("a", RIGHT, WRONG, seed=1), probabilities)
    page = render(read_findings(store.root), displays(read_findings(store.root)))
    assert "of the first seed" in page
    assert "Mean and standard deviation over seeds" in page


@pytest.mark.slow
@pytest.mark.drawn
def test_the_command_writes_the_page_and_nothing_else(root, tmp_path, capsys):
    before = sorted(root.rglob("*"))
    assert main([str(root), "--output", str(tmp_path / "out.html")]) == 0
    assert (tmp_path / "out.html").read_text() == render(read_findings(root), displays(read_findings(root)))
    assert sorted(root.rglob("*")) == before
    assert capsys.readouterr().out.strip() == str(tmp_path / "out.html")


def test_errors_are_one_line_with_the_fix(root, tmp_path, capsys, record, monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    Store(tmp_path / "failed").write(record("a", RIGHT, RIGHT, status="failed", error="no"))
    for arguments, words in (
        ([str(tmp_path / "nowhere")], "python -m benchmark.run makes them"),
        ([str(tmp_path / "failed")], "no finished run"),
        ([str(root), "--output", str(tmp_path / "no" / "out.html")], "give another --output"),
        ([str(root), "--faces", "--data", str(tmp_path / "no.csv")], "no.csv"),
        ([str(root), "--faces"], "made from other data"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1
        assert words in error
    assert not list(root.glob("*.html"))


def test_faces_are_the_most_confident_errors_of_the_data(done, fewer, monkeypatch, capsys):
    store, records = done
    monkeypatch.setattr("benchmark.report.__main__.data_of", lambda record, args: fewer)
    assert main([str(store.root), "--faces"]) == 0
    assert "do not publish it" in capsys.readouterr().err
    page = (store.root / "report_faces.html").read_text()
    assert "This copy shows faces of the data" in page
    from benchmark.report.error_gallery import confident_errors

    shown = {each["recognizer"]: each["faces"] for each in confident_errors(read_findings(store.root), fewer, n=3)}
    assert "majority" not in shown
    for record in records:
        if record["recognizer"] in shown:
            stored = store.probabilities(record)
            wrong = stored.test.argmax(axis=1) != stored.y_test
            expected = np.sort(stored.test.max(axis=1)[wrong])[::-1][:3]
            assert [face["probability"] for face in shown[record["recognizer"]]] == pytest.approx(expected)


def test_a_page_with_faces_is_ignored_by_git(root):
    patterns = (Path(__file__).parents[2] / ".gitignore").read_text().splitlines()
    assert "report_faces.html" in patterns
