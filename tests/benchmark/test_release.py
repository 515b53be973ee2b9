"""The folder of a release: complete, checked, and nothing in it that is not to be published."""

import hashlib
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from benchmark.derive import main
from benchmark.report import release
from benchmark.runs.record_store import Store
from models import load
from models.artifacts import save_load as artifacts
from models.recognizers.majority import Majority

ROOT = Path(__file__).parents[2]
RIGHT, HALF = [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 0, 0, 0, 0]


@pytest.fixture
def root(tmp_path, record, probabilities):
    """A results folder with a model, and beside it what must not be published."""
    root = tmp_path / "results" / "kaggle"
    rows = np.zeros((7, 2304), np.uint8)
    recognizer = Majority().fit(rows, range(7), validation=(rows, range(7)))
    artifacts.save(recognizer, root / "models", "majority", {"recognizer": "majority"})
    Store(root).write(record("majority", HALF, HALF), probabilities)
    Store(root).write(record("other", RIGHT, RIGHT), probabilities)
    (root / "report_faces.html").write_text("faces")
    (root / "models" / "notes.txt").write_text("mine")
    return root


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_release_has_all_that_is_to_be_published_and_no_more(root, tmp_path, capsys):
    target = tmp_path / "new" / "release"
    assert main([str(root), "--release", str(target)]) == 0
    assert str(target) in capsys.readouterr().out
    place = "custom-1234/kaggle"
    assert files_below(target) == {
        *("README.md", "CITATION.cff", "LICENSE", "SHA256SUMS"),
        *(f"{place}/{name}" for name in ("best.json", "leaderboard.csv", "leaderboard.md")),
        *(f"{place}/runs/{name}/seed0{suffix}" for name in ("majority", "other") for suffix in (".json", ".npz")),
        *(f"{place}/models/{name}" for name in ("README.md", "majority.json", "majority.skops")),
    }
    sums = dict(reversed(line.split("  ")) for line in (target / "SHA256SUMS").read_text("utf-8").splitlines())
    assert set(sums) == files_below(target) - {"SHA256SUMS"}
    assert all(hashlib.sha256((target / name).read_bytes()).hexdigest() == digest for name, digest in sums.items())
    assert load("majority", results=target / place).card_["recognizer"] == "majority"
    assert [path.name for path in target.parent.iterdir()] == ["release"]


def test_the_card_has_the_metadata_of_the_hub(root, tmp_path):
    assert main([str(root), "--release", str(tmp_path / "release")]) == 0
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


def test_a_folder_with_something_in_it_is_left_as_it_is(root, tmp_path, capsys):
    target = tmp_path / "release"
    target.mkdir()
    assert main([str(root), "--release", str(target)]) == 0, "an empty folder may be there"
    before = files_below(target)
    assert main([str(root), "--release", str(target)]) == 2
    assert "has something in it: give a new or an empty folder" in capsys.readouterr().err
    assert files_below(target) == before


def test_a_model_that_was_changed_is_not_released(root, tmp_path, capsys):
    (root / "models" / "majority.skops").write_bytes(b"another")
    assert main([str(root), "--release", str(tmp_path / "release")]) == 2
    assert "majority.skops: does not match its card" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


def test_citation_and_package_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert release.release_version() == project["version"]
