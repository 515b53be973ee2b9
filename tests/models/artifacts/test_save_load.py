import json
import os
import pathlib
import pickle
import shutil
import subprocess

import numpy as np
import pytest
import skops.io

from features.rows import N_PIXELS
from models import ArtifactError, load
from models.artifacts import lookup
from models.artifacts import save_load as artifacts
from models.artifacts.cards import read_card
from models.files.atomic import sha256, write_whole
from models.recognizers.majority import Majority

ROWS = np.zeros((4, N_PIXELS), np.uint8)


@pytest.fixture
def saved(tmp_path):
    recognizer = Majority().fit(ROWS, [0, 0, 1, 2], validation=(ROWS, [0, 0, 1, 2]))
    card = artifacts.save(recognizer, tmp_path / "models", "majority", {"recognizer": "majority"})
    return tmp_path / "models" / card["artifact"]


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["BOMB"],)


def test_a_card_says_what_the_artifact_is(saved):
    card = read_card(saved)
    assert card["sha256"] == sha256(saved)
    assert card["classes"] == [0, 1, 2]
    assert card["emotions"][3] == "Happy"
    assert "48x48" in card["preprocessing"]
    assert {"python", "numpy", "scikit-learn"} <= set(card["versions"])


def test_a_changed_artifact_is_refused_before_it_is_unpickled(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    saved.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ArtifactError, match=r"SHA-256 differs.*--rerun"):
        load(saved)
    assert not (tmp_path / "exploded").exists()
    pickle.loads(saved.read_bytes())
    assert (tmp_path / "exploded").exists(), "the check above would pass with a dud"


def test_every_byte_counts(saved):
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ArtifactError, match="differs"):
        load(saved)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a valid card"),
        ("[]", "not a valid card"),
        ("{}", "not a valid card"),
        ('{"format": 2}', "not a valid card"),
        ('{"format": 3}', "card format 3"),
    ],
)
def test_a_bad_card_is_explained(saved, text, words):
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(ArtifactError, match=words):
        load(saved)


def test_missing_files_are_explained(saved):
    with pytest.raises(ArtifactError, match=r"no such file; in that folder are majority\.joblib"):
        load(saved.with_name("hog_svm.joblib"))
    saved.with_suffix(".json").unlink()
    with pytest.raises(ArtifactError, match="copy the two files together"):
        load(saved)


def test_an_unknown_recognizer_is_explained(saved):
    path = saved.with_suffix(".json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "recognizer": "majorit"}))
    with pytest.raises(ArtifactError, match="did you mean majority"):
        load(saved)


def test_best_is_the_first_of_the_ranking_that_is_here(saved, tmp_path):
    def rank(*names):
        ranking = [{"recognizer": name, "artifact": f"{name}.joblib"} for name in names]
        (tmp_path / "best.json").write_text(json.dumps({"ranking": ranking}))

    rank("majority")
    assert load("best", results=tmp_path).card_["recognizer"] == "majority"
    rank("hog_svm", "majority")
    with pytest.warns(UserWarning, match="hog_svm \\(no hog_svm.joblib\\)"):
        assert load("best", results=tmp_path).card_["recognizer"] == "majority"
    rank("hog_svm")
    with pytest.raises(ArtifactError, match="none of the ranked models"):
        load("best", results=tmp_path)
    with pytest.raises(ArtifactError, match=r"python -m benchmark\.run --all"):
        load("best", results=tmp_path / "nowhere")


def test_a_slow_model_is_the_default_only_where_no_quick_one_is(saved, tmp_path):
    def rank(**one_ms):
        ranking = [{"recognizer": name, "artifact": f"{name}.joblib", "one_ms": ms} for name, ms in one_ms.items()]
        (tmp_path / "best.json").write_text(json.dumps({"ranking": ranking}))

    for file in saved.parent.glob("majority*"):
        shutil.copy(file, file.with_name(file.name.replace("majority", "other")))
    rank(majority=20.5, other=19.5)
    assert lookup.find_artifact("best", tmp_path, exact=False).stem == "other"
    assert lookup.find_artifact("best", tmp_path, exact=True).stem == "majority"
    rank(majority=20.5, missing=19.5)
    with pytest.warns(UserWarning, match="missing"):
        assert lookup.find_artifact("best", tmp_path, exact=False).stem == "majority"


@pytest.mark.parametrize(
    "content",
    [
        '{"ranking": [{"artifact": "x.joblib", "recognizer": "x", "one_ms": "fast"}]}',
        "[]",
        '{"ranking": [{}]}',
        '{"ranking": 7}',
        '{"ranking": [{"artifact": "../x.joblib", "recognizer": "x"}]}',
    ],
)
def test_a_ranking_that_is_none_is_explained(content, tmp_path):
    (tmp_path / "best.json").write_text(content)
    with pytest.raises(ArtifactError, match="cannot be read"):
        load("best", results=tmp_path, exact=False)


@pytest.mark.parametrize("stem", ["../majority", "/etc/majority", 7])
def test_members_lie_beside_their_ensemble(saved, stem):
    path = saved.with_suffix(".json")
    card = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**card, "members": {"majority": stem}}), "utf-8")
    with pytest.raises(ArtifactError, match="not a valid card"):
        load(saved)


def test_a_model_that_its_card_does_not_describe_is_an_error(saved, monkeypatch):
    def read(path, trusted_types):
        raise TypeError("unexpected parameter")

    monkeypatch.setattr("models.artifacts.formats.read_skops", read)
    with pytest.raises(ArtifactError, match="does not match its card"):
        load(saved)


class LibraryError(ValueError):
    """As XGBoost raises where a library of the system is missing."""


@pytest.mark.parametrize("error", [LibraryError("no libomp"), AttributeError("'W' object has no attribute 'flush'")])
def test_what_a_library_cannot_do_here_is_not_said_of_the_file(saved, monkeypatch, error):
    def read(path, trusted_types):
        raise error

    monkeypatch.setattr("models.artifacts.formats.read_skops", read)
    with pytest.raises(ArtifactError, match=r"libraries here cannot read it .*: install those that made it: python"):
        load(saved)


def test_the_copy_that_runs_no_code_is_loaded_and_the_same(saved, monkeypatch):
    monkeypatch.setattr("joblib.load", lambda path: pytest.fail("unpickled"))
    assert load(saved).predict(ROWS).tolist() == [0] * 4
    saved.unlink()
    for path in (saved.with_suffix(".skops"), saved):
        assert load(path).predict(ROWS).tolist() == [0] * 4, "the copy alone is enough, by either name"


def test_a_changed_copy_is_refused(saved):
    copy = saved.with_suffix(".skops")
    copy.write_bytes(copy.read_bytes() + b"0")
    with pytest.raises(ArtifactError, match="skops: does not match its card"):
        load(saved)


@pytest.mark.parametrize("hostile", [subprocess.Popen, write_whole, os.system])
def test_of_what_no_model_has_nothing_is_made(saved, hostile):
    with_copy(saved, lambda copy: skops.io.dump({"model": Majority(), "bomb": hostile}, copy))
    with pytest.raises(ArtifactError, match="do not use this file"):
        load(saved)


def test_a_copy_that_is_no_skops_file_is_refused(saved):
    with_copy(saved, lambda copy: copy.write_bytes(b"junk"))
    with pytest.raises(ArtifactError, match="damaged"):
        load(saved)


def with_copy(saved, write):
    """Put another safe copy beside a model, and its digest into the card."""
    copy = saved.with_suffix(".skops")
    write(copy)
    path = saved.with_suffix(".json")
    card = {**json.loads(path.read_text("utf-8")), "copies": {".skops": sha256(copy)}}
    path.write_text(json.dumps(card), "utf-8")


def test_a_copy_that_would_not_load_is_not_written(saved):
    recognizer = load(saved)
    recognizer.extra = pathlib.PurePosixPath
    with pytest.warns(UserWarning, match=r"the model holds pathlib\.PurePosixPath"):
        card = artifacts.save(recognizer, saved.parent, "majority", {"recognizer": "majority"})
    assert card["copies"] == {}
    assert not list(saved.parent.glob("*.skops"))
    assert load(saved).predict(ROWS).tolist() == [0] * 4


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("converter"), MemoryError()])
def test_a_copy_that_cannot_be_made_is_said_and_the_training_saved(saved, monkeypatch, error):
    def fail(recognizer, path, trusted_types):
        path.write_bytes(b"half")
        raise error

    recognizer = load(saved)
    monkeypatch.setattr("models.artifacts.formats.write_skops", fail)
    with pytest.warns(UserWarning, match=r"majority\.joblib is saved, but not its copy majority\.skops .*--rerun"):
        artifacts.save(recognizer, saved.parent, "majority", {"recognizer": "majority"})
    assert sorted(path.name for path in saved.parent.iterdir()) == ["majority.joblib", "majority.json"]
    assert load(saved).predict(ROWS).tolist() == [0] * 4


def test_an_earlier_model_stays_whole_until_the_new_one_is(saved, monkeypatch):
    def full(recognizer, path, compress):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    recognizer = load(saved)
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}
    monkeypatch.setattr("joblib.dump", full)
    with pytest.raises(OSError, match="space"):
        artifacts.save(recognizer, saved.parent, "majority", {"recognizer": "majority"})
    assert {path.name: path.read_bytes() for path in saved.parent.iterdir()} == before


def test_the_default_results_are_found_from_every_folder(saved, tmp_path, monkeypatch):
    def results(folder):
        (folder / artifacts.DEFAULT_RESULTS / "models").mkdir(parents=True)
        for path in saved.parent.iterdir():
            shutil.copy(path, folder / artifacts.DEFAULT_RESULTS / "models")
        ranking = [{"recognizer": "majority", "artifact": "majority.joblib"}]
        (folder / artifacts.DEFAULT_RESULTS / "best.json").write_text(json.dumps({"ranking": ranking}))

    tree, elsewhere = tmp_path / "tree", tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(lookup, "SOURCE_TREE", tree)
    monkeypatch.setattr(lookup, "PACKAGED", tmp_path / "no wheel")
    with pytest.raises(ArtifactError, match="clone the repository, name a model"):
        load()
    results(tree)
    assert load().predict(ROWS).tolist() == [0] * 4
    with pytest.raises(ArtifactError, match="no such file"):
        load(results="results")
    (elsewhere / artifacts.DEFAULT_RESULTS).mkdir(parents=True)
    with pytest.raises(ArtifactError, match=r"^results.*best\.json: no such file"):
        load()


def test_a_recognizer_of_the_results_folder_is_found_by_its_name(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("majority", results=tmp_path).predict(ROWS).tolist() == [0] * 4
    with pytest.raises(ArtifactError, match=r"majorit: no such file, and .*models has majority\.joblib"):
        load("majorit", results=tmp_path)
    (tmp_path / "majority").write_bytes(b"")
    with pytest.raises(ArtifactError, match="card is missing"):
        load("majority", results=tmp_path)


def test_the_home_folder_has_its_short_name(saved, monkeypatch):
    monkeypatch.setenv("HOME", str(saved.parent.parent))
    monkeypatch.setenv("USERPROFILE", str(saved.parent.parent))
    assert load("~/models/majority.joblib").predict(ROWS).tolist() == [0] * 4
    ranking = [{"recognizer": "majority", "artifact": "majority.joblib"}]
    (saved.parent.parent / "best.json").write_text(json.dumps({"ranking": ranking}))
    assert load(results="~").predict(ROWS).tolist() == [0] * 4


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_what_is_wrong_with_the_machine_is_not_said_of_the_file(saved, monkeypatch, error):
    def fail(file):
        raise error

    monkeypatch.setattr("skops.io.get_untrusted_types", fail)
    with pytest.raises(type(error)):
        load(saved)
