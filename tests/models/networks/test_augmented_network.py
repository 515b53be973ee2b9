import numpy as np
import pytest
from sklearn.base import clone

from models.calibration import apply_temperature
from models.files.arrays import seconds_saved
from models.networks.augmentation import views
from models.networks.augmented_network import AugmentedNetwork
from models.networks.checkpoint import Checkpoint, delete_finished_checkpoints
from models.networks.keras_recognizer import KerasRecognizer, import_keras

pytestmark = pytest.mark.trains


class TinyNetwork(AugmentedNetwork):
    """One convolution, normalization and dropout: everything that a checkpoint has to keep."""

    def build(self, n_classes, policy):
        keras = import_keras()
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input((48, 48, 1)),
                layers.Rescaling(1 / 255, dtype=policy),
                layers.Conv2D(4, 3, strides=2, dtype=policy),
                layers.BatchNormalization(dtype=policy),
                layers.GlobalAveragePooling2D(dtype=policy),
                layers.Dropout(0.5, dtype=policy),
                layers.Dense(n_classes, activation="softmax", dtype="float32"),
            ]
        )


@pytest.fixture(scope="module")
def split():
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (40, 2304), dtype=np.uint8)
    return X, np.arange(40) % 2


def fitted(split, **params):
    X, y = split
    return TinyNetwork(epochs=4, batch_size=16, **params).fit(X, y, validation=(X[:10], y[:10]))


@pytest.fixture(scope="module")
def trained(split):
    return fitted(split)


class AveragedNetwork(KerasRecognizer):
    """The same, with early stopping and averaged weights."""

    build = TinyNetwork.build


def fit_averaged(split, **params):
    X, y = split
    network = AveragedNetwork(epochs=9, batch_size=16, patience=4, learning_rate=0.03, **params)
    return network.fit(X, y, validation=(X[:10], y[:10]))


@pytest.mark.parametrize(
    ("fit", "precision"),
    [
        (fitted, "float32"),
        pytest.param(fitted, "mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param(fit_averaged, "float32", marks=pytest.mark.slow),
        pytest.param(fit_averaged, "mixed_bfloat16", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_training_ends_with_the_same_weights(split, tmp_path, monkeypatch, fit, precision):
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "undisturbed"))
    undisturbed = fit(split, precision=precision)
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "interrupted"))
    write = Checkpoint.write

    def stop(self):
        write(self)
        if self.epochs == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("models.networks.checkpoint.Checkpoint.write", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(split, precision=precision)
    assert len(list((tmp_path / "interrupted").glob("training-*.npz"))) == 1
    before = seconds_saved()
    resumed = fit(split, precision=precision)
    assert seconds_saved() > before, "the epochs that were done before count in the cost"
    assert resumed.history_ == undisturbed.history_
    assert len(resumed.history_["loss"]) >= 4
    for ours, theirs in zip(resumed.network_.get_weights(), undisturbed.network_.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert list((tmp_path / "interrupted").iterdir()), "what was trained is not stored yet"
    delete_finished_checkpoints()
    assert not list((tmp_path / "interrupted").iterdir())


def test_training_needs_no_standard_error(split, monkeypatch):
    import_keras()
    monkeypatch.setattr("sys.stderr", None)
    X, y = split
    assert len(TinyNetwork(epochs=1).fit(X, y, validation=(X, y)).history_["loss"]) == 1


def test_a_face_and_its_mirror_image_have_the_same_probabilities(split, trained):
    X = split[0]
    mirrored = X.reshape(-1, 48, 48)[:, :, ::-1].reshape(X.shape)
    np.testing.assert_allclose(trained.predict_proba(mirrored), trained.predict_proba(X), atol=1e-6)


def test_the_probabilities_are_the_mean_over_the_views(split, trained):
    faces = split[0].reshape(-1, 48, 48, 1).astype(np.float32)
    each = [np.asarray(trained.network_(view)) for view in views(faces, trained.zoom)]
    assert not np.allclose(each[0], each[2], atol=1e-4)
    expected = apply_temperature(np.mean(each, axis=0), trained.temperature_)
    np.testing.assert_allclose(trained.predict_proba(split[0]), expected, atol=1e-6)


def test_validation_faces_change_nothing_but_the_history(split, trained):
    X, y = split
    other = clone(trained).fit(X, y, validation=(X, 1 - y))
    assert other.history_ != trained.history_
    assert not trained.uses_validation
    for ours, theirs in zip(trained.network_.get_weights(), other.network_.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_the_power_of_the_weights_counts(split):
    X, y = split
    weight = np.where(y == 0, 9.0, 1.0)

    def probabilities(power, weight=weight):
        network = TinyNetwork(epochs=15, batch_size=8, learning_rate=0.05, weight_power=power)
        network.fit(X, y, sample_weight=weight, validation=(X[:10], y[:10])).temperature_ = 1.0
        return network.predict_proba(X)

    none, root, full = map(probabilities, (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, probabilities(1.0, weight=None))
    assert none[:, 0].mean() + 0.1 < root[:, 0].mean() < full[:, 0].mean()


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_or_read_stops_no_training(split, tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(blocked))
    whole = fitted(split)
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path))
    name = next(iter(_checkpoints(split, tmp_path)))
    name.write_bytes(b"junk")
    again = fitted(split)
    for ours, theirs in zip(again.network_.get_weights(), whole.network_.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _checkpoints(split, folder):
    """Yield the paths that a training writes its checkpoints to."""
    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.networks.checkpoint.Checkpoint.write", lambda self: written.append(self.path))
        fitted(split)
    assert all(path.parent == folder for path in written)
    return written


def test_the_learning_rate_warms_up_and_falls_to_zero():
    keras = import_keras()
    recognizer = TinyNetwork(epochs=10, warmup_epochs=2, learning_rate=0.01)
    optimizer = recognizer._optimizer(keras, steps=5)
    rates = [float(optimizer._learning_rate(step)) for step in (0, 5, 10, 30, 50)]
    assert rates == pytest.approx([0, 0.005, 0.01, 0.005, 0], abs=1e-6)


def test_biases_and_normalizations_do_not_decay(split):
    keras = import_keras()
    recognizer = TinyNetwork()
    network = recognizer.build(2, "float32")
    optimizer = recognizer._optimizer(keras, steps=5)
    optimizer.build(network.trainable_variables)
    decayed = [
        variable.path.split("/")[-1]
        for variable in network.trainable_variables
        if optimizer._use_weight_decay(variable)
    ]
    assert decayed == ["kernel", "kernel"]
