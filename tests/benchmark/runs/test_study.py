import importlib
import sys

import numpy as np
import pytest

import models.recognizers
from benchmark.data import Dataset, Split
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs import study as study_module
from benchmark.runs.fit import environment, peak_memory_mb, run_ensemble
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities
from benchmark.runs.study import Study
from models import load
from models.calibration import apply_temperature
from models.networks.keras_import import import_keras
from models.recognizers.soft_voting import SoftVoting
from models.registry import Entry, recognizers


def make_study(faces, root, names=("majority",), seeds=(0,), **setting):
    entries = [entry for name, entry in recognizers().items() if name in names]
    return Study(entries, seeds, faces, Setting(PROTOCOLS["kaggle"], **setting), root)


def test_every_recognizer_leaves_a_complete_record(done, fewer):
    store, records = done
    assert [record["status"] for record in records] == ["ok"] * len(records)
    for record in records:
        stored = store.probabilities(record)
        np.testing.assert_array_equal(stored.y_test, fewer["PrivateTest"].y)
        assert record["test"] == evaluate(stored.y_test, stored.test)
        assert record["valid"] == evaluate(stored.y_valid, stored.valid)
        cost = record["cost"]
        assert min(cost["ms_per_face"], cost["peak_memory_mb"], cost["artifact_mb"]) > 0
        loaded = load(store.root / "models" / record["artifact"])
        np.testing.assert_allclose(loaded.predict_proba(fewer["PrivateTest"].X), stored.test, atol=1e-6)
        assert loaded.card_["valid"] == record["valid"]
        assert "test" not in loaded.card_


def test_the_ensemble_is_made_from_the_members_stored_probabilities(done):
    store, records = done
    by_name = {record["recognizer"]: record for record in records}
    members = [store.probabilities(by_name[name]).test for name in ("cnn", "hog_svm", "lbp_xgb")]
    voted = store.probabilities(by_name["soft_voting"]).test
    temperature = by_name["soft_voting"]["calibration"]["temperature"]
    np.testing.assert_allclose(voted, apply_temperature(np.mean(members, axis=0), temperature), atol=1e-6)
    costs = [by_name[name]["cost"]["ms_per_face"] for name in ("cnn", "hog_svm", "lbp_xgb")]
    assert by_name["soft_voting"]["cost"]["ms_per_face"] == pytest.approx(sum(costs))


def test_a_tuned_vote_keeps_its_weights_and_costs_only_those_who_vote(done):
    store, records = done
    by_name = {record["recognizer"]: record for record in records}
    record = by_name["soft_voting_tuned"]
    card = load(store.root / "models" / record["artifact"]).card_
    weights = record["ensemble"]["weights"]
    assert record["ensemble"] == card["ensemble"]
    assert sum(weights.values()) == pytest.approx(1)
    assert record["cost"]["ms_per_face"] == pytest.approx(sum(by_name[n]["cost"]["ms_per_face"] for n in weights))
    members = [by_name[name]["cost"]["fit_seconds"] for name in record["members"]]
    assert record["cost"]["fit_seconds"] == pytest.approx(sum(members))


class MemorizingVote(SoftVoting):
    """Knows every face that it was fitted on by heart."""

    def _fit(self, probabilities, y):
        keys = probabilities["a"][:, 0].tolist()
        self.known_ = dict(zip(keys, y.tolist(), strict=True))

    def _combine(self, probabilities):
        labels = [self.known_.get(key, 0) for key in probabilities["a"][:, 0].tolist()]
        return np.eye(7)[labels]


def test_an_ensemble_is_never_ranked_by_faces_that_it_learnt_from():
    y = np.arange(70) % 6 + 1
    valid = np.linspace(0.1, 0.9, 70 * 7, dtype=np.float32).reshape(70, 7)
    stored = Probabilities(valid, valid, y, y)
    cost = {"fit_seconds": 1.0, "ms_per_face": 1.0, "artifact_mb": 1.0, "peak_memory_mb": 1.0}
    outcome = run_ensemble(MemorizingVote(), {"a": ({"cost": cost}, stored)})
    assert (outcome.probabilities.valid.argmax(axis=1) == 0).all(), "no face may help to predict itself"
    assert (outcome.probabilities.test.argmax(axis=1) == y).all()


def test_a_finished_member_is_enough_for_an_ensemble_where_it_cannot_run(faces, tmp_path):
    study = make_study(faces, tmp_path)
    list(study.execute())
    lost = Entry("majority", "floor", study.entries["majority"].factory, requires=("no_such_package",))
    ensemble = Entry("soft_voting", "ensemble", SoftVoting, members=("majority",))
    records = [record for _, _, record in Study([lost, ensemble], [0], faces, study.setting, tmp_path).execute()]
    assert [record["status"] for record in records] == ["ok", "ok"]


def test_fresh_records_are_reused(faces, tmp_path, monkeypatch):
    list(make_study(faces, tmp_path).execute())
    monkeypatch.setattr(study_module, "run_recognizer", lambda *args: pytest.fail("ran again"))
    assert [state for _, state, _ in make_study(faces, tmp_path).execute()] == ["fresh"]


class NoValidation(type(recognizers()["majority"].make())):
    """The majority, which counts its fits and learns nothing from validation faces."""

    uses_validation = False
    fits = 0

    def _fit(self, *arrays):
        super()._fit(*arrays)
        NoValidation.fits += 1


def test_a_recognizer_that_uses_no_validation_faces_is_fitted_once_for_both_protocols(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(NoValidation, "fits", 0)
    monkeypatch.setattr("models.registry.find_recognizer", lambda name: entry)
    monkeypatch.setattr("benchmark.runs.freshness.find_recognizer", lambda name: entry)
    entry = Entry("majority", "floor", NoValidation)

    def run(protocol, **options):
        setting = Setting(PROTOCOLS[protocol], **options)
        study = Study([entry], [0], faces, setting, tmp_path / setting.folder)
        return study, next(study.execute())[2]

    _, first = run("kaggle")
    study, second = run("course")
    assert NoValidation.fits == 1
    assert second["cost"]["fit_seconds"] == first["cost"]["fit_seconds"]
    assert second["protocol"]["report"] == "PublicTest"
    assert second["test"]["confusion"] == first["valid"]["confusion"]
    study.rerun = ["majority"]
    list(study.execute())
    assert NoValidation.fits == 2, "--rerun fits anew"
    study.rerun = ()
    run("course", class_weight="none")
    assert NoValidation.fits == 3, "other class weights are another fit"
    run("ferplus")
    assert NoValidation.fits == 4, "other labels are another fit"
    artifact = tmp_path / "kaggle" / "models" / first["artifact"]
    artifact.write_bytes(b"damaged")
    study.store.path("majority", 0).unlink()
    list(study.execute())
    assert NoValidation.fits == 5, "a damaged model is not reused"


def test_what_a_record_depends_on_makes_it_stale(faces, tmp_path, monkeypatch):
    first = make_study(faces, tmp_path)
    list(first.execute())
    (run,) = first.runs
    assert first.state(run) == "fresh"
    assert Study([run.entry], [0], faces, first.setting, tmp_path, rerun=["majority"]).state(run) == "rerun"
    assert make_study(faces, tmp_path, class_weight="none").state(run) == "stale"
    assert make_study(faces.limited(200), tmp_path).state(run) == "stale"
    course = Study([run.entry], [0], faces, Setting(PROTOCOLS["course"]), tmp_path)
    assert course.state(run) == "stale"
    assert make_study(faces, tmp_path, overrides={"majority": {"random_state": 3}}).state(run) == "stale"
    monkeypatch.setattr(study_module, "code_digest", lambda module: "edited")
    assert first.state(run) == "fresh", "what was imported runs, whatever the files say now"
    assert make_study(faces, tmp_path).state(run) == "stale"


def test_new_member_probabilities_make_the_ensemble_stale(faces, tmp_path):
    study = make_study(faces, tmp_path, ("majority",))
    ensemble = Entry("soft_voting", "ensemble", SoftVoting, members=("majority",))
    study = Study([study.entries["majority"], ensemble], [0], faces, study.setting, tmp_path)
    assert [record["status"] for _, _, record in study.execute()] == ["ok", "ok"]
    assert study.state(study.runs[1]) == "fresh"
    record = study.store.read("majority", 0)
    stored = study.store.probabilities(record)
    stored.test[0] = 1 / 7
    study.store.write(record, stored)
    assert study.state(study.runs[1]) == "stale"


class Broken:
    suffix = ".joblib"

    def get_params(self):
        return {}

    def set_params(self, **params):
        return self

    def fit(self, *args, **kwargs):
        raise RuntimeError("no luck\nsecond line")


def test_a_failure_is_a_row_and_not_the_end(faces, tmp_path):
    broken = Entry("majority", "floor", lambda random_state: Broken())
    ensemble = Entry("soft_voting", "ensemble", SoftVoting, members=("majority",))
    study = Study([broken, ensemble], [0], faces, Setting(PROTOCOLS["kaggle"]), tmp_path)
    records = [record for _, _, record in study.execute()]
    assert [record["status"] for record in records] == ["failed", "failed"]
    assert records[0]["error"] == "RuntimeError: no luck"
    assert "Traceback" in records[0]["traceback"]
    assert "its member majority has no finished run" in records[1]["error"]
    assert study.state(study.runs[0]) == "failed"


def test_a_failure_never_takes_the_place_of_a_finished_run(faces, tmp_path):
    list(make_study(faces, tmp_path).execute())
    setting = Setting(PROTOCOLS["kaggle"])
    for entry in (
        Entry("majority", "floor", lambda random_state: Broken()),
        Entry("majority", "floor", lambda random_state: Broken(), requires=("no_such_package",)),
        Entry("majority", error="ImportError: torn"),
    ):
        study = Study([entry], [0], faces, setting, tmp_path, rerun=["majority"])
        ((_, _, record),) = study.execute()
        assert record["status"] in {"failed", "skipped"}
        assert study.store.read("majority", 0)["status"] == "ok"


def test_an_ensemble_of_a_skipped_member_is_skipped(faces, tmp_path):
    member = Entry("majority", "floor", lambda random_state: Broken(), requires=("no_such_package",))
    ensemble = Entry("soft_voting", "ensemble", SoftVoting, members=("majority",))
    study = Study([member, ensemble], [0], faces, Setting(PROTOCOLS["kaggle"]), tmp_path)
    assert [record["status"] for _, _, record in study.execute()] == ["skipped", "skipped"]


def test_a_missing_package_is_a_skip_with_its_reason(faces, tmp_path):
    entry = Entry("majority", "floor", lambda random_state: Broken(), requires=("no_such_package",))
    study = Study([entry], [0], faces, Setting(PROTOCOLS["kaggle"]), tmp_path)
    ((_, _, record),) = study.execute()
    assert record["status"] == "skipped"
    assert record["error"] == "needs no_such_package: pip install no_such_package"


def test_a_package_that_cannot_be_imported_is_a_skip_with_its_reason(faces, tmp_path):
    entry = Entry("mine", error="ImportError: torn", package="fer-mine")
    study = Study([entry], [0], faces, Setting(PROTOCOLS["kaggle"]), tmp_path)
    ((_, state, record),) = study.execute()
    assert (state, record["status"], record["package"]) == ("broken", "skipped", "fer-mine")
    assert record["error"] == "fer-mine cannot be imported (ImportError: torn): update it, or pip uninstall fer-mine"


def test_a_file_that_cannot_be_imported_is_reported(tmp_path, monkeypatch, faces):
    (tmp_path / "torn.py").write_text("import no_such_package\n\n@recognizer(family='classical')\ndef torn(): ...\n")
    monkeypatch.setattr(models.recognizers, "__path__", [*models.recognizers.__path__, str(tmp_path)])
    importlib.invalidate_caches()
    entry = recognizers()["torn"]
    assert "no_such_package" in entry.error
    study = Study([entry], [0], faces, Setting(PROTOCOLS["kaggle"]), tmp_path / "results")
    ((_, state, record),) = study.execute()
    assert state == "broken"
    assert record["status"] == "failed"
    assert "no_such_package" in record["error"]
    sys.modules.pop("models.recognizers.torn", None)


@pytest.mark.slow
def test_a_training_is_kept_until_its_record_is_stored(faces, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "cache"))
    study = make_study(faces.limited(70), tmp_path / "results", ["cnn"], overrides={"cnn": {"epochs": 2}})

    def full(*arguments):
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(study_module, "save", full)
        ((_, _, record),) = study.execute()
    assert record["error"] == "OSError: no space left on device"
    (kept,) = (tmp_path / "cache").glob("training-*.npz")
    ((_, _, record),) = study.execute()
    assert record["status"] == "ok"
    assert not kept.exists()


def test_an_emotion_that_training_lacks_has_probability_zero(faces, tmp_path):
    without = {
        usage: Split(faces[usage].X[faces[usage].y != 1], faces[usage].y[faces[usage].y != 1]) for usage in faces
    }
    data = Dataset("x", {**without, "PrivateTest": faces["PrivateTest"]}, "")
    study = make_study(data, tmp_path)
    ((_, _, record),) = study.execute()
    assert record["status"] == "ok"
    assert (study.store.probabilities(record).test[:, 1] == 0).all()


def test_peak_memory_sees_a_large_array():
    before = peak_memory_mb()
    # More than any test before may have asked for.
    assert np.ones(int((before + 200) * 1e6 / 8)).sum() > 0
    assert before + 150 < peak_memory_mb() < 3 * before + 500


def test_the_environment_names_a_backend_other_than_tensorflow_on_the_processor(monkeypatch):
    import_keras()
    assert not {"backend", "gpu"} & set(environment())
    monkeypatch.setattr("benchmark.runs.fit.gpu_is_seen", lambda: True)
    assert environment()["gpu"] is True
    assert environment()["backend"].startswith("tensorflow 2.")
