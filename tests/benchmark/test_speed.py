import json

import pandas as pd
import pytest

from benchmark import speed
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.data.synthetic import synthetic_dataset
from benchmark.runs import latency
from benchmark.runs.study import Study
from models import ArtifactError
from models.registry import recognizers


@pytest.fixture(
    scope="module",
    params=[
        ["majority", "cnn"],
        pytest.param(["majority", "cnn", "cnn_aug", "cnn_deep", "soft_voting_networks"], marks=pytest.mark.long),
    ],
    ids=len,
)
def finished(request, tmp_path_factory):
    """A store of networks that were trained for an epoch, and the names of its recognizers."""
    faces, known = synthetic_dataset(140), recognizers()
    setting = Setting(PROTOCOLS["kaggle"], overrides={name: {"epochs": 1} for name in request.param if "cnn" in name})
    root = tmp_path_factory.mktemp("results") / "synthetic" / "kaggle"
    study = Study([known[name] for name in known if name in request.param], [0], faces, setting, root)
    assert all(record["status"] == "ok" for _, _, record in study.execute())
    return study.store, request.param


@pytest.mark.slow
def test_every_form_of_a_model_is_timed(finished, capsys):
    store, names = finished
    assert speed.main([str(store.root)]) == 0
    table = pd.read_csv(store.root.parent / speed.SPEED, index_col=["recognizer", "format"])
    expected = {(name, "exact") for name in names}
    expected |= {(name, form) for name in names if name.startswith("cnn") for form in ("32 bits", "8 bits")}
    expected |= {(name, "8 bits") for name in names if name.startswith("soft")}
    assert set(table.index) == expected
    assert list(table) == ["load_seconds", "one_ms", "batch_ms", "memory_mb", "processor"]
    assert (table.drop(columns="processor") > 0).all(axis=None)
    assert "32 bits" in capsys.readouterr().out


def test_a_face_at_a_time_and_in_batches(finished, capsys):
    store, _ = finished
    assert latency.main([str(store.root / "models" / "majority.joblib")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"load_seconds", "one_ms", "batch_ms", "memory_mb"}
    assert found["batch_ms"] < found["one_ms"]


def test_a_declared_model_is_timed_on_rows(declare, capsys):
    path = declare("import numpy as np\ndef predict(faces):\n    return np.full((len(faces), 7), 1 / 7)\n", size=64)
    assert latency.main([str(path)]) == 0
    assert json.loads(capsys.readouterr().out)["one_ms"] > 0
    assert latency.main([str(declare(model="none.onnx"))]) == 2
    assert "no such file" in capsys.readouterr().err


def test_folders_without_runs_or_models_are_explained(tmp_path, record, probabilities, capsys):
    assert speed.main([str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err
    store = speed.Store(tmp_path)
    store.write(record("a", [*range(7)], [*range(7)]), probabilities)
    assert speed.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "note: without a, exact: " in error and "no model of a finished run" in error


def test_a_model_that_cannot_be_timed_is_an_error(tmp_path, capsys):
    assert latency.main([str(tmp_path / "none.h5")]) == 2
    assert "error: " in capsys.readouterr().err
    with pytest.raises(ArtifactError, match="cannot be timed"):
        latency.measure(tmp_path / "none.h5")
