"""Runs of several seeds, and votes of several seeds of one recognizer."""

import shutil

import numpy as np
import pytest

from benchmark.analysis.stored_models import choose, load_recognizers
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.record_store import current_records
from benchmark.runs.run_list import list_runs
from benchmark.runs.study import Study
from benchmark.speed import formats
from models import ArtifactError, load
from models.calibration import apply_temperature
from models.recognizers.soft_voting import SoftVoting
from models.registry import Entry, recognizers
from tests.recipes import Guesses

# Under the names of recognizers, so that models can be loaded.
GUESSES = Entry("cnn", "neural", Guesses)
OF_SEEDS = Entry("deep_ensemble", "ensemble", SoftVoting, ("cnn-seed0", "cnn-seed1", "cnn-seed2"), uses_seed=False)
PLAIN = Entry("soft_voting", "ensemble", SoftVoting, ("cnn", "majority-seed0"))
SETTING = Setting(PROTOCOLS["kaggle"])


@pytest.fixture(autouse=True, scope="module")
def _trusted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.artifacts.formats.TRUSTED_TYPES", (f"{Guesses.__module__}.Guesses",))
        yield


def study(faces, root, *entries, seeds=(0, 1, 2)):
    return Study(entries, seeds, faces.limited(100), SETTING, root)


@pytest.fixture(scope="module")
def voted(faces, tmp_path_factory):
    """A study of three seeds that is done, and its records by the names of their runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.runs.study.do_alone", lambda study, run: study.do(run))
        entries = recognizers()["majority"], GUESSES, PLAIN, OF_SEEDS
        done = study(faces, tmp_path_factory.mktemp("seeds") / "kaggle", *entries)
        return done, {run.stem: record for run, _, record in done.execute()}


def test_what_uses_no_seed_runs_once_and_a_vote_of_seeds_last():
    known = recognizers()
    entries = [known[name] for name in ("hog_svm", "cnn", "soft_voting", "deep_ensemble")]
    order = [(run.entry.name, run.seed) for run in list_runs([*entries[:2], entries[3], entries[2]], [3, 1])]
    assert order == [
        *[("hog_svm", 0), ("cnn", 3), ("soft_voting", 3)],
        *[("cnn", 1), ("soft_voting", 1), ("deep_ensemble", 0)],
    ]


def test_every_run_has_an_artifact_of_its_own(voted):
    _, records = voted
    stems = ["majority", "cnn", "soft_voting", "deep_ensemble"]
    stems += [f"{name}-seed{seed}" for name in ("cnn", "soft_voting") for seed in (1, 2)]
    assert {stem: record["artifact"] for stem, record in records.items()} == {stem: f"{stem}.joblib" for stem in stems}


def test_a_vote_of_seeds_is_the_mean_of_them_calibrated(voted):
    done, records = voted
    members = ["cnn", "cnn-seed1", "cnn-seed2"]
    record = records["deep_ensemble"]
    assert record["seed"] == 0
    assert record["members"] == {stem: records[stem]["probabilities_sha256"] for stem in members}
    assert record["ensemble"]["weights"] == pytest.approx(dict.fromkeys(members, 1 / 3))
    for cost in ("fit_seconds", "ms_per_face"):
        assert record["cost"][cost] == pytest.approx(sum(records[stem]["cost"][cost] for stem in members))
    probabilities = [done.store.probabilities(records[stem]).test for stem in members]
    assert not np.array_equal(*probabilities[:2])
    expected = apply_temperature(np.mean(probabilities, axis=0), record["calibration"]["temperature"])
    voted_test = done.store.probabilities(record).test
    np.testing.assert_allclose(voted_test, expected, atol=1e-6)
    loaded = load(done.store.root / "models" / record["artifact"])
    assert loaded.card_["members"] == {stem: stem for stem in members}
    X = done.data["PrivateTest"].X
    np.testing.assert_allclose(loaded.predict_proba(X), voted_test, atol=1e-6)


def test_a_vote_of_another_seed_has_the_members_of_that_seed_and_those_without(voted):
    done, records = voted
    assert list(records["soft_voting-seed2"]["members"]) == ["cnn-seed2", "majority"]
    loaded = load(done.store.root / "models" / "soft_voting-seed2.joblib")
    stored = done.store.probabilities(records["soft_voting-seed2"]).test
    np.testing.assert_allclose(loaded.predict_proba(done.data["PrivateTest"].X), stored, atol=1e-6)


def test_commands_on_stored_models_know_the_seeds_of_members(voted, monkeypatch):
    done, records = voted
    root = done.store.root
    assert {record["status"] for record in current_records(done.store)} == {"ok"}
    assert {name: record["seed"] for name, record in choose(root, None).items()} == dict.fromkeys(done.entries, 0)
    vote = {"vote": records["soft_voting-seed1"]}
    monkeypatch.setattr("benchmark.runs.freshness.code_digest", lambda module: done.code[module.rpartition(".")[-1]])
    assert list(load_recognizers(root, vote)["vote"].members_) == ["cnn-seed1", "majority"]
    assert [name for name, _, _ in formats(root, records["deep_ensemble"])] == ["exact"]


def test_without_the_seeds_a_vote_of_them_is_skipped_with_the_command(faces, tmp_path):
    first = study(faces, tmp_path, GUESSES, OF_SEEDS, seeds=[0])
    (_, _, guesses), (_, state, record) = first.execute()
    assert (guesses["status"], state, record["status"]) == ("ok", "missing", "skipped")
    assert record["error"] == ("needs cnn-seed1, cnn-seed2: python -m benchmark.run --only deep_ensemble --seeds 0 1 2")
    assert [state for _, state, _ in study(faces, tmp_path, GUESSES, OF_SEEDS).execute()] == [
        *("fresh", "missing", "missing"),
        "skipped",
    ]
    # The seeds are there by now, whatever is asked for.
    assert [state for _, state, _ in study(faces, tmp_path, GUESSES, OF_SEEDS, seeds=[0]).execute()] == ["fresh"] * 2


def test_a_seed_that_failed_fails_the_vote_of_it(faces, tmp_path, monkeypatch):
    first = study(faces, tmp_path, GUESSES, OF_SEEDS)
    monkeypatch.setattr(
        "benchmark.runs.study.run_recognizer", lambda *arguments: (_ for _ in ()).throw(RuntimeError("no luck"))
    )
    *_, (_, _, record) = first.execute()
    assert record["status"] == "failed"
    assert "its member cnn has no finished run: RuntimeError: no luck" in record["error"]


@pytest.fixture
def copied(voted, tmp_path):
    """The same study over a copy of its folder."""
    done, _ = voted
    shutil.copytree(done.store.root, tmp_path, dirs_exist_ok=True)
    return Study([*done.entries.values()], (0, 1, 2), done.data, SETTING, tmp_path)


def test_a_seed_that_ran_again_makes_the_votes_of_it_stale(copied):
    assert copied.state(copied.runs[-1]) == "fresh"
    record = copied.store.read("cnn", 2)
    changed = copied.store.probabilities(record)
    changed.test[0] = 1 / 7
    copied.store.write(record, changed)
    assert copied.state(copied.runs[-1]) == "stale"
    stale = {record["recognizer"]: record["error"] for record in current_records(copied.store) if record["error"]}
    assert stale == dict.fromkeys(("deep_ensemble", "soft_voting"), "a member ran again since, run it again")


def test_a_seed_whose_file_is_gone_is_named_with_its_command(copied, tmp_path):
    for path in (tmp_path / "models").glob("cnn-seed2.*"):
        path.unlink()
    with pytest.raises(ArtifactError, match=r"python -m benchmark.run --only cnn --seeds 2 --rerun makes it"):
        load(tmp_path / "models" / "deep_ensemble.joblib")
