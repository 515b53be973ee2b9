"""The folder of a release: complete, checked, and nothing in it that is not to be published."""

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.analysis.findings import Findings
from benchmark.data import DataError
from benchmark.derive import main
from benchmark.report import release
from benchmark.report.release import write_release
from benchmark.runs.record_store import Store
from models import EMOTIONS, load
from models.artifacts import save_load as artifacts
from models.recognizers.majority import Majority

ROOT = Path(__file__).parents[2]
RIGHT, HALF = [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 0, 0, 0, 0]


@pytest.fixture
def findings(tmp_path, record, probabilities):
    """What a results folder with a model says. Beside the model lies what must not be published."""
    root = tmp_path / "results" / "kaggle"
    rows = np.zeros((7, 2304), np.uint8)
    recognizer = Majority().fit(rows, range(7), validation=(rows, range(7)))
    artifacts.save(recognizer, root / "models", "majority", {"recognizer": "majority"})
    records = [record("other", RIGHT, RIGHT), record("majority", HALF, HALF)]
    for each in records:
        Store(root).write(each, probabilities)
    for name in ("report_faces.html", "models/notes.txt", "runs/derive.lock"):
        (root / name).write_text("mine")
    (root / "best.json").write_text("{}")
    names, metrics = ("other", "majority"), ("accuracy", "macro_f1", *(f"recall_{name}" for name in EMOTIONS))
    index = pd.MultiIndex.from_product([names, metrics], names=["recognizer", "metric"])
    intervals = pd.DataFrame({"estimate": [1.0] * 9 + [3 / 7] * 9, "low": 0.1, "high": 1.0}, index)
    return Findings(root, records, records, {"intervals": intervals}, pd.DataFrame(), {})


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_release_has_all_that_is_to_be_published_and_no_more(findings, tmp_path):
    target = tmp_path / "new" / "release"
    write_release(target, [findings])
    place = "custom-1234/kaggle"
    assert files_below(target) == {
        *("README.md", "CITATION.cff", "LICENSE", "SHA256SUMS"),
        f"{place}/best.json",
        *(f"{place}/runs/{name}/seed0{suffix}" for name in ("majority", "other") for suffix in (".json", ".npz")),
        *(f"{place}/models/{name}" for name in ("majority.json", "majority.skops")),
    }
    lines = [line.split("  ") for line in (target / "SHA256SUMS").read_text("utf-8").splitlines()]
    assert {name for _, name in lines} == files_below(target) - {"SHA256SUMS"}
    assert all(hashlib.sha256((target / name).read_bytes()).hexdigest() == digest for digest, name in lines)
    assert load("majority", results=target / place).card_["recognizer"] == "majority"
    assert [path.name for path in target.parent.iterdir()] == ["release"]


def test_the_card_has_the_metadata_of_the_hub(findings, tmp_path):
    write_release(tmp_path / "release", [findings])
    nothing, front, card = (tmp_path / "release" / "README.md").read_text("utf-8").split("---\n", 2)
    about = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in front.splitlines())}
    assert nothing == ""
    assert (about["license"], about["pipeline_tag"]) == ("mit", "image-classification")
    assert about["version"] == release.release_version()
    best, second = about["model-index"]
    assert (best["name"], second["name"]) == ("other", "majority")
    assert best["results"][0]["dataset"]["split"] == "PrivateTest"
    assert {each["type"]: each["value"] for each in second["results"][0]["metrics"]}["accuracy"] == 0.4286
    assert card.lstrip().startswith("# Models: custom-1234, kaggle")
    assert "## Not intended" in card
    assert "`custom-1234/kaggle/runs/`" in card


def test_a_folder_with_something_in_it_is_left_as_it_is(findings, tmp_path):
    target = tmp_path / "release"
    target.mkdir()
    write_release(target, [findings])  # since it is empty
    before = files_below(target)
    with pytest.raises(DataError, match="has something in it: give a new or an empty folder"):
        write_release(target, [findings])
    assert files_below(target) == before


def test_a_model_that_was_changed_is_not_released(findings, tmp_path):
    (findings.root / "models" / "majority.skops").write_bytes(b"another")
    with pytest.raises(DataError, match=r"majority\.skops: does not match its card"):
        write_release(tmp_path / "release", [findings])
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_the_command_writes_a_release_after_deriving(findings, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmark.derive.derive", lambda root: findings)
    target = tmp_path / "release"
    assert main([str(findings.root), "--release", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    assert main([str(findings.root), "--release", str(target)]) == 2
    assert "has something in it" in capsys.readouterr().err


def test_citation_and_package_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert release.release_version() == project["version"]
