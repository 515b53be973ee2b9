"""Records carried over to edited code."""

import json
import shutil

import numpy as np
import pytest

from benchmark import carry
from benchmark.carry import main
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.record_store import Probabilities
from benchmark.runs.study import Study
from models import load
from models.files.atomic import write_json
from models.registry import recognizers


def study_of(faces, root):
    return Study([recognizers()["hog_svm"]], [0], faces, Setting(PROTOCOLS["kaggle"]), root)


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    root = tmp_path_factory.mktemp("finished")
    list(study_of(faces, root).execute())
    return root


@pytest.fixture
def study(faces, finished, tmp_path, monkeypatch):
    """A copy of a finished study, to do with as a test likes."""
    monkeypatch.setattr(carry, "data_of", lambda record, args: faces)
    monkeypatch.setattr(carry, "_commit", lambda: "abc123")
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return study_of(faces, tmp_path)


def make_stale(study, **changes):
    record = study.store.read("hog_svm", 0)
    return study.store.write({**record, "digest": "old", **changes}, study.store.probabilities(record))


def carried(study, *options):
    words = ["--reason", "an edit of words", "--evidence", "tried on ten faces"]
    return main([str(study.store.root), "--only", "hog_svm", *words, *options])


def test_a_record_is_fresh_again_and_says_from_where_why_and_on_what_evidence(study):
    stale = make_stale(study)
    before = study.store.probabilities(stale)
    assert study.state(study.runs[0]) == "stale"
    assert carried(study) == 0
    record = study.store.read("hog_svm", 0)
    assert study.state(study.runs[0]) == "fresh"
    (entry,) = record["carried"]
    assert entry["digest"] == "old"
    assert entry["commit"] == "abc123"
    assert record["cost"] == stale["cost"], "a vote that sums it would not follow"
    assert entry["reason"] == "an edit of words"
    assert entry["evidence"].startswith("tried on ten faces; the saved model predicts the same within ")
    after = study.store.probabilities(record)
    np.testing.assert_allclose(after.test, before.test, atol=1e-5)
    artifact = study.store.root / "models" / record["artifact"]
    assert load(artifact).card_["temperature"] == record["calibration"]["temperature"]


@pytest.mark.slow
def test_what_is_fresh_is_left_alone_and_a_second_entry_comes_behind_the_first(study, capsys):
    assert carried(study) == 0
    assert "fresh" in capsys.readouterr().out
    assert "carried" not in study.store.read("hog_svm", 0)
    for _ in range(2):
        make_stale(study)
        assert carried(study) == 0
    assert [entry["digest"] for entry in study.store.read("hog_svm", 0)["carried"]] == ["old", "old"]


def test_a_model_that_predicts_otherwise_is_refused(study, capsys):
    record = make_stale(study)
    stored = study.store.probabilities(record)
    other = Probabilities(stored.valid, np.roll(stored.test, 1, axis=0), stored.y_valid, stored.y_test)
    study.store.write(record, other)
    assert carried(study) == 1
    assert "its probabilities differ from its record" in capsys.readouterr().err
    assert study.store.read("hog_svm", 0)["digest"] == "old"


def test_without_a_model_the_recorded_probabilities_are_calibrated(study):
    record = make_stale(study)
    (study.store.root / "models" / record["artifact"]).unlink()
    assert carried(study) == 0
    assert "the recorded ones" in study.store.read("hog_svm", 0)["carried"][0]["evidence"]
    assert study.state(study.runs[0]) == "fresh"


def test_other_parameters_are_named(study, capsys):
    make_stale(study, params={"C": 17.96, "random_state": 0})
    assert carried(study) == 1
    assert "--set" in capsys.readouterr().err
    assert carried(study, "--set", "hog_svm.no_such=1") == 2
    rest = {
        name: value
        for name, value in study.make(study.runs[0]).get_params().items()
        if name not in ("C", "random_state")
    }
    assert carried(study, "--set", *(f"hog_svm.{name}={value}" for name, value in rest.items())) == 0
    record = study.store.read("hog_svm", 0)
    assert "parameters that mean the same now: " in record["carried"][0]["evidence"]
    assert "n_components=237" in record["carried"][0]["evidence"]
    assert study.state(study.runs[0]) == "fresh"


def test_a_renamed_parameter_keeps_its_value_and_one_that_is_gone_is_named(study, capsys):
    params = study.make(study.runs[0]).get_params()
    earlier = {**params, "cost": params["C"], "margin": 0}
    del earlier["C"]
    record = make_stale(study, params=earlier)
    card = study.store.root / "models" / "hog_svm.json"
    write_json(card, {**json.loads(card.read_text()), "params": earlier})
    assert carried(study) == 1
    assert "--rename" in capsys.readouterr().err
    assert carried(study, "--rename", "hog_svm.cost") == 2
    assert json.loads(card.read_text())["params"] == earlier
    assert carried(study, "--rename", "hog_svm.cost=C", "hog_svm.margin=") == 0
    record = study.store.read("hog_svm", 0)
    assert record["params"] == params
    assert "cost is called C now; margin, which was 0, is gone" in record["carried"][0]["evidence"]
    assert load(study.store.root / "models" / record["artifact"]).get_params() == params
    assert study.state(study.runs[0]) == "fresh"


def test_a_protocol_is_called_as_it_is_now(study):
    now = study.facts(study.runs[0])["protocol"]
    make_stale(study, protocol={**now, "name": "earlier", "summary": "other words"})
    assert carried(study) == 0
    assert study.store.read("hog_svm", 0)["protocol"] == now


def test_a_run_that_is_not_there_is_an_error(study, capsys):
    assert main([str(study.store.root), "--only", "cnn", "--reason", "r", "--evidence", "e"]) == 2
    assert "cnn" in capsys.readouterr().err


def test_code_that_is_not_committed_names_no_commit(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(carry, "ROOT", tmp_path)
    assert main([str(tmp_path), "--only", "cnn", "--reason", "r", "--evidence", "e"]) == 2
    assert "no git repository" in capsys.readouterr().err
