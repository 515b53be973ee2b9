"""Soft labels: networks learn them, other recognizers ignore them, and what is wrong with them is said."""

import numpy as np
import pytest

from models.base import BaseRecognizer
from models.networks.augmented_network import AugmentedNetwork
from models.networks.keras_recognizer import KerasRecognizer, import_keras
from models.registry import recognizers

DARK, BRIGHT = 2, 5


class Probe(BaseRecognizer):
    """Remembers what it was fitted on."""

    uses_soft_labels = True

    def __init__(self, random_state=0):
        self.random_state = random_state

    def _fit(self, X, y, sample_weight, X_valid, y_valid):
        self.X_, self.y_, self.y_valid_ = X, y, y_valid

    def _predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class Brightness(KerasRecognizer):
    """Mean grey level, then one layer."""

    def build(self, n_classes, policy):
        keras = import_keras()
        pooling, scaling = keras.layers.GlobalAveragePooling2D(dtype=policy), keras.layers.Rescaling(1 / 64, -2)
        dense = keras.layers.Dense(n_classes, activation="softmax", dtype="float32")
        return keras.Sequential([keras.Input((48, 48, 1)), scaling, pooling, dense])


class AugmentedBrightness(AugmentedNetwork):
    build = Brightness.build


QUICK = {"epochs": 8, "batch_size": 8, "learning_rate": 0.1}
NETWORKS = [
    pytest.param(Brightness(**QUICK, ema_epochs=0), id="KerasRecognizer"),
    pytest.param(AugmentedBrightness(**QUICK, warmup_epochs=0), id="AugmentedNetwork"),
]


@pytest.fixture
def dark_and_bright():
    y = np.arange(40) % 2
    noise = np.random.default_rng(0).integers(0, 100, (40, 2304))
    return (noise + 150 * y[:, None]).astype(np.uint8), np.array([DARK, BRIGHT])[y], np.eye(2)[y]


def test_the_rows_stay_with_their_faces_where_a_part_is_set_aside():
    X = np.zeros((100, 2304), np.uint8)
    X[:, 0] = np.arange(100)
    shares = np.stack([np.arange(100) / 100, 1 - np.arange(100) / 100], axis=1)
    probe = Probe().fit(X, np.arange(100) % 2, soft_labels=shares)
    assert len(probe.X_) == 90
    np.testing.assert_allclose(probe.y_[:, 0], probe.X_[:, 0] / 100, atol=1e-6)
    assert probe.y_valid_.shape == (10, 2)


def test_without_them_a_face_is_all_of_its_label(dark_and_bright):
    X, y, one_hot = dark_and_bright
    probe = Probe().fit(X, y, validation=(X[:3], y[:3]))
    np.testing.assert_array_equal(probe.y_, one_hot)
    np.testing.assert_array_equal(probe.y_valid_, one_hot[:3])


@pytest.mark.trains
@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_learns_them_instead_of_the_labels(network, dark_and_bright, tmp_path, monkeypatch):
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path))
    X, y, one_hot = dark_and_bright
    other = np.where(y == DARK, BRIGHT, DARK)
    assert (network.fit(X, y, validation=(X, other), soft_labels=1 - one_hot).predict(X) == other).all()
    mild = network.fit(X, y, validation=(X, y), soft_labels=0.5 + 0.1 * (one_hot - 0.5))
    mild.temperature_ = 1.0
    assert mild.predict_proba(X).max() < 0.8
    assert len(list(tmp_path.glob("training-*.npz"))) == 2, "each has a checkpoint of its own"


def test_networks_learn_them_and_no_others():
    single = {name: entry for name, entry in recognizers().items() if not entry.members}
    learning = {name for name, entry in single.items() if entry.make().uses_soft_labels}
    assert learning == {name for name, entry in single.items() if entry.family == "neural"}


def test_other_recognizers_take_the_labels(dark_and_bright, monkeypatch):
    monkeypatch.setattr(Probe, "uses_soft_labels", False)
    X, y, one_hot = dark_and_bright
    probe = Probe().fit(X, y, validation=(X[:3], y[:3]), soft_labels=one_hot / 2 + 1 / 4)
    np.testing.assert_array_equal(probe.y_, one_hot.argmax(axis=1))
    np.testing.assert_array_equal(probe.y_valid_, one_hot[:3].argmax(axis=1))


SOFT = np.eye(2)[np.arange(40) % 2]


@pytest.mark.parametrize(
    ("soft", "words"),
    [
        (SOFT[1:], r"shape \(39, 2\) for 40 faces and 2 classes"),
        (np.eye(7)[np.arange(40) % 7], r"shape \(40, 7\) for 40 faces and 2 classes in y: give a row a face"),
        (SOFT[:, 0], r"shape \(40,\)"),
        ("balanced", "not numbers"),
        ([[1, 0], [1]], "not numbers"),
        (2 * SOFT, "do not sum to 1: divide each row by its sum"),
        (np.where(SOFT, np.inf, 0), "do not sum to 1"),
        (np.where(SOFT, np.nan, 0), "NaN or negative"),
        (3 * SOFT - 1, "negative"),
    ],
)
@pytest.mark.parametrize("name", ["majority", "cnn"])
def test_what_is_wrong_with_them_is_said(name, soft, words, dark_and_bright):
    X, y, _ = dark_and_bright
    with pytest.raises(ValueError, match=f"soft_labels.*{words}"):
        recognizers()[name].make().fit(X, y, validation=(X, y), soft_labels=soft)
