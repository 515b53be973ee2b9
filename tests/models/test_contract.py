"""What every recognizer of the registry promises, on synthetic faces."""

from functools import partial

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.utils.estimator_checks import (
    check_get_params_invariance,
    check_no_attributes_set_in_init,
    check_parameters_default_constructible,
    check_set_params,
)

from benchmark.data.synthetic import draw_face
from models import EMOTIONS, load
from models.artifacts import save_load as artifacts
from models.artifacts.formats import COPY_SUFFIXES, HDF5, SKOPS
from models.calibration import apply_temperature, best_temperature
from models.networks.cpu import has_bfloat16
from models.parts.patch_codebook import PatchCodebook
from models.registry import recognizers, run_of

pytestmark = pytest.mark.trains

# What is for a GPU shares its base with the others, and has a test file of its own.
ENTRIES = {name: entry for name, entry in recognizers().items() if entry.tier == "cpu"}
HAPPY, SURPRISE = 3, 5
# Few rounds, where the tests ask whether it works, not how well; and as many as it takes to learn something easy.
QUICK = {
    "cnn": {"epochs": 3, "batch_size": 8},
    "cnn_aug": {"epochs": 3, "batch_size": 8},
    "cnn_deep": {"epochs": 1, "batch_size": 32},
    "hog_svm": {"pixels_per_cell": 12},
    "lbp_xgb": {"n_estimators": 40},
    "patch_svm": {"patch_size": 9, "n_words": 20},
}
ENOUGH = {
    "cnn": {"epochs": 5, "batch_size": 4, "ema_epochs": 0.5},
    "cnn_aug": {"epochs": 6, "batch_size": 4},
    "cnn_deep": {"epochs": 16, "batch_size": 4},
}
SINGLE = [name for name, entry in ENTRIES.items() if not entry.members]


def recognizer_of(member):
    return run_of(member)[0]


def but_the_longest(names):
    """Leave the network that takes as long as all others, and what votes with it, to the slow tests."""
    longest = {name for name in ENTRIES if "cnn_deep" in (name, *map(recognizer_of, ENTRIES[name].members))}
    return [pytest.param(name, marks=pytest.mark.slow) if name in longest else name for name in names]


def make(name, seed=0):
    entry = ENTRIES[name]
    recognizer = entry.make() if entry.members else entry.make(random_state=seed)
    return recognizer.set_params(**QUICK.get(name, {}))


def taught(name, faces):
    """Return the faces to fit a recognizer on: networks, which take longest, do with fewer."""
    return faces.limited(160) if ENTRIES[name].family == "neural" else faces


def fit(recognizer, faces):
    train, valid = faces["Training"], faces["PublicTest"]
    weight = np.random.default_rng(0).uniform(0.5, 2, len(train))
    return recognizer.fit(train.X, train.y, sample_weight=weight, validation=(valid.X, valid.y))


class Fitted(dict):
    """Every recognizer by what its run is called, fitted when it is first asked for; ensembles from the others."""

    def __init__(self, faces):
        super().__init__()
        self.faces = faces

    def __missing__(self, stem):
        name, seed = run_of(stem)
        entry, valid = ENTRIES[name], self.faces["PublicTest"]
        if entry.skip_reason():
            pytest.skip(entry.skip_reason())
        if entry.members:
            members = {member: self[member] for member in entry.member_stems(seed)}
            probabilities = {member: each.predict_proba(valid.X) for member, each in members.items()}
            self[stem] = make(name).fit(probabilities, valid.y, np.arange(7)).attach(members)
        elif seed and entry.family == "neural":
            self[stem] = self[name]  # which a vote over seeds cannot tell from another training
        else:
            faces = taught(name, self.faces)
            before = faces["Training"].X.copy()
            self[stem] = fit(make(name, seed), faces)
            np.testing.assert_array_equal(faces["Training"].X, before)
        return self[stem]


class Saved(dict):
    """The file of every run by its name, written with those of its members when it is first asked for."""

    def __init__(self, fitted, folder):
        super().__init__()
        self.fitted, self.folder = fitted, folder

    def __missing__(self, stem):
        name, seed = run_of(stem)
        for member in ENTRIES[name].member_stems(seed):
            self[member]
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(COPY_SUFFIXES, HDF5, ())  # which tests of their own look at
            card = artifacts.save(self.fitted[stem], self.folder, stem, {"recognizer": name})
        self[stem] = self.folder / card["artifact"]
        return self[stem]


@pytest.fixture(scope="module", autouse=True)
def _few_patches():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.recognizers.patch_svm.PatchCodebook", partial(PatchCodebook, n_patches=10_000))
        yield


@pytest.fixture(scope="module")
def fitted(faces):
    return Fitted(faces)


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    return Saved(fitted, tmp_path_factory.mktemp("saved"))


def test_the_registry_has_the_reference_recognizers():
    assert {"cnn", "hog_svm", "lbp_xgb", "majority", "soft_voting"} <= set(ENTRIES)
    assert not [entry.error for entry in ENTRIES.values() if entry.error]


@pytest.mark.parametrize("name", but_the_longest(ENTRIES))
def test_it_is_a_scikit_learn_estimator(name):
    recognizer = make(name)
    assert is_classifier(recognizer)
    assert clone(recognizer).get_params() == recognizer.get_params()
    for check in (check_no_attributes_set_in_init, check_get_params_invariance, check_set_params):
        check(type(recognizer).__name__, recognizer)
    check_parameters_default_constructible(type(recognizer).__name__, recognizer)


@pytest.mark.parametrize("name", but_the_longest(ENTRIES))
def test_probabilities(name, fitted, faces):
    X = faces["PrivateTest"].X
    before = X.copy()
    proba = fitted[name].predict_proba(X)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(fitted[name].classes_, np.arange(7))
    assert proba.shape == (len(X), 7)
    assert proba.dtype == np.float32
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(fitted[name].predict(X), proba.argmax(axis=1))
    np.testing.assert_allclose(fitted[name].predict_proba(X[7:8])[0], proba[7], atol=1e-4)
    assert fitted[name].predict_proba(X[:0]).shape == (0, 7)


CLASSICAL = [name for name in SINGLE if ENTRIES[name].family == "classical"]


@pytest.mark.parametrize(
    "name",
    but_the_longest(n for n, each in ENTRIES.items() if {n, *map(recognizer_of, each.members)} & set(CLASSICAL)),
)
def test_it_beats_the_majority(name, fitted, faces):
    test = faces["PrivateTest"]
    floor = np.bincount(test.y).max() / len(test)
    assert (fitted[name].predict(test.X) == test.y).mean() > floor + 0.1


def mouths(n_faces, seed):
    """Return mouths of Happy and of Surprise, so large that no training stays on its plateau for long."""
    y = np.array([HAPPY, SURPRISE])[np.arange(n_faces) % 2]
    generators = [np.random.default_rng((seed, number)) for number in range(n_faces)]
    faces = [draw_face(EMOTIONS[label], each, clean=True) for label, each in zip(y, generators, strict=True)]
    return np.stack([face[24:, 12:36].repeat(2, axis=0).repeat(2, axis=1).ravel() for face in faces]), y


@pytest.mark.parametrize("name", but_the_longest(name for name in SINGLE if ENTRIES[name].family == "neural"))
def test_a_network_learns_to_tell_two_clear_emotions(name, precision):
    if precision == "mixed_bfloat16" and not has_bfloat16():
        pytest.skip("takes ten times as long where bfloat16 is emulated")
    X, y = mouths(60, seed=1)
    network = make(name).set_params(**ENOUGH[name], precision=precision).fit(*mouths(96, seed=0), validation=(X, y))
    assert (network.predict(X) == y).mean() > 0.8
    assert network.predict_proba(X).shape == (60, 2)
    assert network.classes_.tolist() == [HAPPY, SURPRISE]


class Sure:
    """A member that is sure of the label that is the face's first pixel."""

    classes_ = np.array([HAPPY, SURPRISE])

    def predict_proba(self, X):
        return 0.98 * np.equal.outer(X[:, 0], self.classes_).astype(np.float32) + 0.01


@pytest.mark.parametrize("name", [name for name, each in ENTRIES.items() if each.family != "neural"])
def test_two_emotions_are_enough_and_one_is_too_few(name, faces):
    """Of the networks a test above says so."""
    two = {usage: faces[usage].y % 2 * (SURPRISE - HAPPY) + HAPPY for usage in ("Training", "PublicTest")}
    X, y = faces["Training"].X[:60].copy(), two["Training"][:60]
    valid = faces["PublicTest"].X[:20], two["PublicTest"][:20]
    if ENTRIES[name].members:
        X[:, 0] = y
        members = dict.fromkeys(ENTRIES[name].members, Sure())
        probabilities = {member: each.predict_proba(X) for member, each in members.items()}
        recognizer = make(name).fit(probabilities, y, [HAPPY, SURPRISE]).attach(members)
        assert (recognizer.predict(X) == y).all()
        with pytest.raises(ValueError, match="at least two"):
            make(name).fit({member: proba[:, :1] for member, proba in probabilities.items()}, y, [HAPPY])
        for labels, match in ((y[:-1], "row a label"), (y + 1, "other labels"), (y - HAPPY, "other labels")):
            with pytest.raises(ValueError, match=match):
                make(name).fit(probabilities, labels, [HAPPY, SURPRISE])
        seven = {member: np.eye(7)[y] for member in members}  # as a run gives them, whose members know two emotions
        assert (make(name).fit(seven, y, range(7)).attach(members).predict(X) == y).all()
    else:
        recognizer = make(name).fit(X, y, validation=valid)
    proba = recognizer.predict_proba(X)
    assert proba.shape == (60, 2)
    assert set(recognizer.predict(X)) <= {HAPPY, SURPRISE}
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("name", but_the_longest(SINGLE))
def test_the_seed_decides_everything(name, fitted, faces):
    again = fit(clone(fitted[name]), taught(name, faces))
    X = faces["PrivateTest"].X
    np.testing.assert_array_equal(again.predict_proba(X), fitted[name].predict_proba(X))


@pytest.mark.parametrize("name", [name for name in SINGLE if ENTRIES[name].family != "neural"])
def test_another_seed_is_another_fit_of_those_alone_that_use_it(name, fitted, faces):
    """Networks draw their first weights."""
    again = fit(make(name, seed=1), taught(name, faces)).predict_proba(faces["PrivateTest"].X)
    is_same = np.array_equal(again, fitted[name].predict_proba(faces["PrivateTest"].X))
    assert is_same != ENTRIES[name].uses_seed


@pytest.mark.parametrize("name", but_the_longest(name for name in SINGLE if name != "majority"))
def test_weights_count(name, fitted, faces):
    train, valid = taught(name, faces)["Training"], faces["PublicTest"]
    weight = np.where(train.y == 3, 100.0, 0.001)
    happy = make(name).fit(train.X, train.y, sample_weight=weight, validation=(valid.X, valid.y)).predict(valid.X) == 3
    assert happy.mean() >= (fitted[name].predict(valid.X) == 3).mean()
    assert happy.mean() > 0.5


@pytest.mark.parametrize("name", but_the_longest(ENTRIES))
def test_a_wrong_pixel_count_is_explained(name, fitted):
    with pytest.raises(ValueError, match="2304 pixels"):
        fitted[name].predict_proba(np.zeros((2, 100), np.uint8))


@pytest.mark.parametrize("name", but_the_longest(SINGLE))
def test_bad_training_data_is_explained(name, faces):
    X, y = faces["Training"].X, faces["Training"].y
    with pytest.raises(ValueError, match="one label a face"):
        make(name).fit(X, y[1:])
    with pytest.raises(ValueError, match="at least two"):
        make(name).fit(X, np.full(len(X), HAPPY), validation=(X, np.full(len(X), HAPPY)))
    with pytest.raises(ValueError, match="not among the training labels"):
        make(name).fit(X[y < 3], y[y < 3], validation=(X, y))


def test_without_validation_a_part_of_training_is_set_aside(faces):
    train = faces["Training"]
    recognizer = make("hog_svm").fit(train.X, train.y)
    assert recognizer.predict_proba(train.X[:3]).shape == (3, 7)


def test_unfitted_and_unattached_say_so(faces):
    from sklearn.exceptions import NotFittedError

    for name in ENTRIES:
        with pytest.raises(NotFittedError):
            make(name).predict_proba(faces["PrivateTest"].X)
    voting = make("soft_voting").fit({"hog_svm": np.full((2, 7), 1 / 7)}, [0, 1], np.arange(7))
    with pytest.raises(ValueError, match="member hog_svm is missing"):
        voting.attach({})


@pytest.mark.parametrize("name", but_the_longest(ENTRIES))
def test_saved_and_loaded_gives_the_same(name, fitted, saved, faces):
    loaded = load(saved[name])
    X = faces["PrivateTest"].X
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted[name].predict_proba(X))
    assert loaded.card_["emotions"][1] == "Disgust"
    assert not list(saved.folder.glob("*partial*"))
    assert set(loaded.card_["copies"]) == (set() if ENTRIES[name].family == "neural" else {SKOPS})


def test_soft_voting_is_the_mean_calibrated(fitted, faces):
    X, voting = faces["PrivateTest"].X, fitted["soft_voting"]
    mean = np.mean([fitted[name].predict_proba(X) for name in ("cnn", "hog_svm", "lbp_xgb")], axis=0)
    np.testing.assert_allclose(voting.predict_proba(X), apply_temperature(mean, voting.temperature_), atol=1e-6)


@pytest.mark.parametrize("name", CLASSICAL)
def test_its_probabilities_have_the_best_temperature(name, fitted, faces):
    valid = faces["PublicTest"]
    assert fitted[name].temperature_ != 1
    assert best_temperature(fitted[name].predict_proba(valid.X), valid.y) == pytest.approx(1, abs=0.02)


def test_the_floor_is_left_as_it_is(fitted):
    assert fitted["majority"].temperature_ == 1
