"""The command that scores models from elsewhere."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark import score
from benchmark.analysis.findings import read_findings
from benchmark.analysis.leaderboard import leaderboard
from benchmark.analysis.published import beside_tools
from benchmark.derive import derive
from benchmark.external.predictions import face_digests
from benchmark.runs.external_store import ExternalStore
from benchmark.runs.record_store import Store, checksum
from models.labels import EMOTIONS

GOOD = "def predict(rows):\n    return rows[:, :7] / 255.0\n"
ROWS = {"input": "rows", "size": None, "channels": None, "range": None}
ALONE = dict.fromkeys(("model", "classes", "size", "channels", "range"))


@pytest.fixture
def run(tmp_path, monkeypatch, coded):
    """Return the command on coded faces, which runs models in this process and does not time them."""
    data = coded()

    class Here:
        def __init__(self, *args, **options): ...
        def __enter__(self):
            return self

        def __exit__(self, *error): ...
        def submit(self, function, *args):
            answer = function(*args)
            return type("Done", (), {"result": lambda self: answer})()

    monkeypatch.setattr(score, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(score, "measure", lambda *args: {"batch_ms": 1.0, "memory_mb": 100.0})
    monkeypatch.setattr(score, "load_data", lambda *args, **options: data)
    # What is derived from the records takes most of the time.
    monkeypatch.setattr(score, "write_side_tables", lambda *args: None)
    monkeypatch.setattr(score, "derive", lambda root: SimpleNamespace(board=leaderboard(ExternalStore(root).records())))
    command = lambda *args: score.main([*map(str, args), "--results", str(tmp_path / "results")])  # noqa: E731
    return command, data, tmp_path / "results" / "custom-coded" / "kaggle-external"


def test_a_model_gets_a_record_and_a_row(run, declare, capsys):
    command, _, root = run
    assert command(declare(GOOD, extra_data="AffectNet", views=2, **ROWS)) == 0
    derive(root)
    record = Store(root).read("theirs", 0)
    assert record["checksum"] == checksum(record)
    assert (record["family"], record["params"]["licence"], record["leak"]["verdict"]) == ("external", "MIT", "not seen")
    assert record["cost"] == {"fit_seconds": None, "ms_per_face": 1.0, "peak_memory_mb": 100.0, "artifact_mb": None}
    board = pd.read_csv(root / "leaderboard.csv").set_index("recognizer")
    assert board.loc["theirs", ["extra_data", "views", "status"]].tolist() == ["AffectNet", 2, "ok"]
    assert board.loc["theirs", "test_accuracy"] == pytest.approx(2 / 3, abs=0.01)
    assert "| extra_data | views |" in (root / "leaderboard.md").read_text()
    page = (root / "report.html").read_text("utf-8")
    assert "Models from elsewhere" in page and "AffectNet" in page and "not seen" in page
    assert "python -m benchmark.score theirs.toml" in page
    assert (root / "confusion" / "theirs.csv").exists()
    assert not (root / "best.json").exists() and not (root / "models").exists()
    assert "theirs: not seen" in capsys.readouterr().out


def test_it_stands_beside_the_runs_of_the_folder_beside_it(run, declare, record):
    command, data, root = run
    ours = Store(root.with_name("kaggle"))
    y = data["PrivateTest"].y
    proba = np.full((140, 7), 0.01, np.float32) + 0.93 * np.eye(7, dtype=np.float32)[np.roll(y, 5)]
    facts = record("hog_svm", [*range(7)], [*range(7)], data_fingerprint=data.fingerprint)
    facts["test"] = facts["valid"] = score.evaluate(y, proba)
    facts["protocol"] = facts["protocol"] | {"labels": "fer2013"}
    ours.write(facts, score.Probabilities(proba, proba, y, y))
    before = {path: path.read_bytes() for path in ours.root.rglob("*") if path.is_file()}
    assert command(declare(GOOD, **ROWS)) == 0
    findings = read_findings(root)
    assert set(findings.board["recognizer"]) == {"theirs", "hog_svm"}
    assert set(findings.tables["versus_best"].index) | {findings.done[0]["recognizer"]} == {"theirs", "hog_svm"}
    assert findings.board.set_index("recognizer")["extra_data"].to_dict() == {"theirs": "none", "hog_svm": "none"}
    assert not any("stale" in text for row in findings.done for text in row["remarks"] if row["family"] == "external")
    assert {path: path.read_bytes() for path in ours.root.rglob("*") if path.is_file()} == before
    beside = read_findings(ours.root)
    assert beside.board["recognizer"].tolist() == ["hog_svm"] and "extra_data" not in beside.board
    tools = beside_tools(beside)
    assert tools["what"].tolist() == ["hog_svm", "theirs (version 1.0)"]
    assert tools["verdict"].tolist() == ["", "not seen"]
    assert float(tools["without_training_copies"][1]) == pytest.approx(2 / 3, abs=0.01)
    assert not (root / "best.json").exists()


def test_a_fresh_record_stays_until_the_model_or_its_declaration_changes(run, declare, tmp_path, capsys):
    command, _, root = run
    path = declare(GOOD, **ROWS)
    assert command(path) == 0
    first = Store(root).path("theirs", 0).read_bytes()
    assert command(path) == 0
    assert Store(root).path("theirs", 0).read_bytes() == first
    path.write_text(path.read_text().replace('version = "1.0"', 'version = "1.1"'))
    assert command(path) == 0
    assert json.loads(Store(root).path("theirs", 0).read_text())["params"]["version"] == "1.1"


def test_predictions_alone(run, declare, tmp_path):
    command, data, root = run
    parts = [data[usage] for usage in ("PublicTest", "PrivateTest")]
    table = pd.DataFrame(np.concatenate([part.X[:, :7] for part in parts]) / 255, columns=EMOTIONS)
    table.insert(0, "digest", face_digests(np.concatenate([part.X for part in parts])))
    table.to_csv(tmp_path / "p.csv", index=False)
    assert command(declare(predictions="p.csv", **ALONE)) == 0
    record = Store(root).read("theirs", 0)
    assert (record["leak"]["verdict"], record["leak"]["training"]) == ("unknown", None)
    assert set(record["cost"].values()) == {None}
    assert record["test"]["accuracy"] == pytest.approx(2 / 3, abs=0.01)
    table.iloc[:200].to_csv(tmp_path / "p.csv", index=False)
    assert command(declare(predictions="p.csv", **ALONE)) == 1


@pytest.mark.parametrize(
    ("code", "changes", "message"),
    [
        ("def predict(rows):\n    return rows[:, [1, 2, 3, 4, 5, 6, 0]] / 255.0\n", {}, "wrong order"),
        ("def predict(rows):\n    raise SystemError('no')\n", {}, "the model fails (SystemError: no)"),
        (GOOD, {"output": "logits"}, 'output = "probabilities"'),
        (GOOD, {"name": "cnn"}, "is a recognizer of this project"),
        (GOOD, {"model": "none_x:predict"}, "needs none_x"),
    ],
)
def test_a_model_that_fails_does_not_end_the_others(run, declare, capsys, code, changes, message):
    command, _, root = run
    bad = declare(code, **{"name": "bad", **ROWS, **changes})
    good = declare(GOOD, **ROWS)
    assert command(bad, good) == 1
    assert message in capsys.readouterr().err
    assert [record["recognizer"] for record in Store(root).records()] == ["theirs"]


def test_tools_that_are_not_installed_are_skipped_with_a_note(run, tmp_path, monkeypatch, capsys):
    command, _, root = run
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    monkeypatch.setattr("models.registry.Entry._missing", lambda entry: [])
    assert command("--installed") == 0
    notes = capsys.readouterr().err.splitlines()
    assert len([line for line in notes if line.startswith("note: ") and "is not installed" in line]) == 9
    assert not root.exists()


def test_digests_are_written(run, tmp_path):
    command, _, _ = run
    assert command("--digests", tmp_path / "d.csv") == 0
    assert len(pd.read_csv(tmp_path / "d.csv")) == 560
    with pytest.raises(SystemExit):
        command()


def test_no_other_command_meets_a_model_from_elsewhere(run, declare):
    command, _, root = run
    assert command(declare(GOOD, **ROWS)) == 0
    assert Store(root.with_name("kaggle")).records() == []
    assert [record["recognizer"] for record in ExternalStore(root).records()] == ["theirs"]
    assert Path(root).name == "kaggle-external"


@pytest.mark.alone
@pytest.mark.slow
def test_a_model_runs_in_a_process_of_its_own_and_is_timed(tmp_path, monkeypatch, coded, declare, capsys):
    data = coded()
    monkeypatch.setattr(score, "load_data", lambda *args, **options: data)
    good = declare(GOOD, output="scores", **ROWS)
    killed = declare("import os\ndef predict(rows):\n    os._exit(3)\n", name="killed", **ROWS)
    leaving = declare("import sys\nsys.exit('bye')\n", name="leaving", **ROWS)
    assert score.main([*map(str, (killed, leaving, good)), "--results", str(tmp_path / "results")]) == 1
    errors = capsys.readouterr().err
    assert "killed.toml: the model ended its process" in errors
    assert "leaving.toml: the model cannot be loaded (SystemExit: bye)" in errors
    record = Store(tmp_path / "results" / "custom-coded" / "kaggle-external").read("theirs", 0)
    assert record["cost"]["ms_per_face"] > 0 and record["cost"]["peak_memory_mb"] > 0
