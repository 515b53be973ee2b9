import json

import numpy as np
import pandas as pd
import pytest

from benchmark import latency, speed, steps
from benchmark.data.synthetic import synthetic_dataset
from benchmark.figures import SpeedDisplay, save_figure
from benchmark.protocol import PROTOCOLS, Setting
from benchmark.study import Study
from models import ArtifactError, load
from models.keras_recognizer import import_keras
from models.registry import recognizers


@pytest.fixture(
    scope="module",
    params=[
        ["majority", "cnn"],
        pytest.param(["majority", "cnn", "cnn_aug", "cnn_deep", "soft_voting_networks"], marks=pytest.mark.slow),
    ],
    ids=len,
)
def finished(request, tmp_path_factory):
    """A store of networks that were trained for an epoch, their data and their records."""
    faces, known = synthetic_dataset(140), recognizers()
    setting = Setting(PROTOCOLS["kaggle"], overrides={name: {"epochs": 1} for name in request.param if "cnn" in name})
    root = tmp_path_factory.mktemp("results") / "synthetic" / "kaggle"
    study = Study([known[name] for name in known if name in request.param], [0], faces, setting, root)
    return study.store, faces, {run.entry.name: record for run, _, record in study.execute()}


def test_what_everything_costs(finished, tmp_path, monkeypatch, capsys):
    store, faces, records = finished
    monkeypatch.delenv("FER2013", raising=False)
    monkeypatch.setattr("benchmark.stored.load_dataset", lambda path, limit: faces)
    monkeypatch.setattr(speed, "starts", lambda root: iter([{"step": "start", "what": "nothing", "seconds": 0.5}]))
    monkeypatch.setattr(steps, "PatchCodebook", lambda: steps_book)
    keras = import_keras()
    network = keras.Sequential([keras.Input((64, 64, 1)), keras.layers.Flatten(), keras.layers.Dense(7)])
    network.save(tmp_path / "theirs.h5")
    assert speed.main([str(store.root), "--beside", f"theirs={tmp_path / 'theirs.h5'}"]) == 0
    folder = store.root.parent / "speed"
    models = pd.read_csv(folder / "models.csv", keep_default_na=False, index_col=["recognizer", "form"])
    forms = {(name, form) for name in records if name.startswith("cnn") for form in ("", "32 bits", "8 bits")}
    forms |= {(name, form) for name in records if name.startswith("soft") for form in ("", "8 bits")}
    assert set(models.index) == {("majority", ""), *forms, ("theirs", "not ours")}
    assert (models[["load_seconds", "one_ms", "batch_ms", "memory_mb", "per_second"]].astype(float) > 0).all(axis=None)
    difference = models["difference"].replace("", np.nan).astype(float)
    assert difference["cnn", "32 bits"] < 1e-5 < difference["cnn", "8 bits"] < 0.1
    for form in ("", "32 bits"):
        assert float(models["test_accuracy"]["cnn", form]) == pytest.approx(
            records["cnn"]["test"]["accuracy"], abs=1e-3
        )
    table = pd.read_csv(folder / "steps.csv").set_index("what")
    assert table["times"]["HOG"] > 1
    assert table["difference"]["HOG"] < 1e-6
    assert table["difference"]["LBP"] < 1e-6
    assert table["difference"]["RBF SVM"] < 0.05
    assert table["faces"]["cnn"] == len(faces["Training"])
    facts = json.loads((folder / "machine.json").read_text("utf-8"))
    assert min(facts["gflops_float32"], facts["gflops_bfloat16"], facts["memory_gb_per_second"]) > 0
    assert (folder / "models.png").stat().st_size > 10_000
    assert "theirs" in capsys.readouterr().out


class steps_book:  # learning a codebook takes its time on any number of faces
    fit = transform = staticmethod(len)


def test_commands_are_started(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(steps, "_run", called.append)
    rows = list(steps.starts(tmp_path))
    assert [row["what"] for row in rows][-2:] == ["models.predict face.png", "models.predict --exact face.png"]
    assert called[-1][-1] == "--exact"
    assert len(called) == steps.REPEATS * len(rows)


def test_a_command_that_fails_is_an_error():
    with pytest.raises(steps.DataError, match="gone"):
        steps._run(["-c", "raise SystemExit('gone')"])


def test_votes_are_those_of_libsvm():
    data = synthetic_dataset(400)
    X, y = data["Training"].X.astype(float), data["Training"].y
    machine = steps.SVC(decision_function_shape="ovo").fit(X, y)
    np.testing.assert_array_equal(steps._votes(machine.decision_function(X)), machine.predict(X))


def test_a_face_at_a_time_and_in_batches(finished, capsys):
    store, *_ = finished
    assert latency.main([str(store.root / "models" / "majority.joblib")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"load_seconds", "one_ms", "batch_ms", "memory_mb"}
    assert found["batch_ms"] < found["one_ms"]


def test_bad_input_is_explained(tmp_path, capsys):
    assert speed.main([str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err
    assert speed.main([str(tmp_path), "--beside", "theirs=nowhere.h5"]) == 2
    assert "NAME=FILE" in capsys.readouterr().err


def test_the_figure_has_a_bar_each(tmp_path):
    table = pd.DataFrame({"recognizer": ["a", "a", "b"], "form": ["", "8 bits", "not ours"], "per_second": [9, 99, 50]})
    save_figure(SpeedDisplay(table, "title"), tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size > 10_000


def test_votes_of_copies_are_cross_fitted_as_the_ensemble_is(done, fewer, monkeypatch):
    store, records = done
    known = {record["recognizer"]: record for record in records}
    quick = speed._Quick(store.root, fewer)
    monkeypatch.setattr(quick, "of_copy", lambda record, suffix: vars(store.probabilities(record)))
    ensemble = load(store.root / "models" / known["soft_voting_tuned"]["artifact"])
    found = quick.combined(ensemble, [known[name] for name in ensemble.members_])
    stored = store.probabilities(known["soft_voting_tuned"])
    np.testing.assert_allclose(found["valid"], stored.valid, atol=1e-6)
    np.testing.assert_allclose(found["test"], stored.test, atol=1e-6)


def test_what_is_recorded_of_a_fit():
    facts = {"n_faces": {"fit": 70}, "cost": {"fit_seconds": 5.0}, "ensemble": {}}
    records = [
        {**facts, "recognizer": "trained", "history": {"loss": [2.0, 1.0]}, "params": {"epochs": 200}},
        {**facts, "recognizer": "trained_elsewhere", "history": {}, "params": {"epochs": 68}},
        {**facts, "recognizer": "machine", "history": {}, "params": {}},
        {**facts, "recognizer": "vote", "history": {}, "params": {}, "ensemble": {"weights": {}}},
    ]
    rows = {row["what"]: row["faces"] for row in steps.recorded(records)}
    assert rows == {"trained, 2 epochs": 140, "trained_elsewhere, 68 epochs": 70 * 68, "machine": 70}


def test_a_model_that_cannot_be_timed_is_an_error(tmp_path, capsys):
    assert latency.main([str(tmp_path / "none.h5")]) == 2
    assert "error: " in capsys.readouterr().err
    with pytest.raises(ArtifactError, match="cannot be timed"):
        speed._timed(tmp_path / "none.h5")
