"""What only holds on JAX; `tests/models/test_backends.py` runs it in a process of its own."""

import jax
import numpy as np
import pytest

from models.networks import jax_blocks
from models.networks.augmented_network import AugmentedNetwork
from models.networks.checkpoint import Checkpoint, delete_finished_checkpoints
from models.networks.keras_import import gpu_is_seen, import_keras
from models.networks.keras_recognizer import KerasRecognizer
from models.networks.shuffled_batches import ShuffledBatches, changed_batch

keras = import_keras()
assert keras.backend.backend() == "jax"
COMMON = {"epochs": 3, "batch_size": 16, "precision": "float32"}


def build(self, n_classes, policy):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((48, 48, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, strides=4),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )


class Augmented(AugmentedNetwork):
    """AdamW with a schedule, on changed faces."""

    build = build


class Averaged(KerasRecognizer):
    """Adam with averaged weights, on the faces as they are."""

    build = build


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path))


@pytest.fixture
def device(monkeypatch):
    """Blocks as on a GPU: a loop over several batches, not a batch alone."""
    monkeypatch.setattr(jax_blocks, "on_cpu", lambda: False)
    monkeypatch.setattr(jax_blocks, "STEPS_PER_CALL", 2)


@pytest.fixture
def faces():
    X = np.random.default_rng(0).integers(0, 256, (60, 2304), dtype=np.uint8)
    return X, np.arange(60) % 3


def fitted(faces, recognizer):
    X, y = faces
    return recognizer.fit(X, y, np.where(y == 0, 2.0, 0.5), validation=(X[:20], y[:20]))


def losses_step_by_step(faces, recognizer, monkeypatch):
    """Return the training loss of every epoch, the steps done by Keras one at a time."""
    losses = []

    def train(keras, batches, validation, epochs, checkpoint, *options):
        for epoch in range(epochs):
            batches.begin(epoch)
            each = [checkpoint.network.train_on_batch(*changed_batch(batches[place]))[0] for place in range(4)]
            losses.append(np.average(each, weights=[16, 16, 16, 12]))

    for module in ("keras_recognizer", "augmented_network"):
        monkeypatch.setattr(f"models.networks.{module}.train", train)
    delete_finished_checkpoints()
    fitted(faces, recognizer)
    return losses


@pytest.mark.parametrize("recognizer", [Augmented(**COMMON), Averaged(**COMMON, learning_rate=0.01)], ids=type)
@pytest.mark.parametrize("on_gpu", [False, True])
def test_blocks_of_steps_train_as_one_step_after_the_other(faces, recognizer, on_gpu, monkeypatch, request):
    if on_gpu:
        request.getfixturevalue("device")
    history = fitted(faces, recognizer).history_
    np.testing.assert_allclose(history["loss"], losses_step_by_step(faces, recognizer, monkeypatch), rtol=2e-3)
    assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_a_smaller_last_batch_is_a_block_of_its_own(faces, device):
    X, y = faces
    blocks = jax_blocks.Blocks(ShuffledBatches(X.reshape(-1, 48, 48), y, np.ones(60), 16, 0))
    assert [blocks[number][1].shape for number in range(len(blocks))] == [(2, 16), (1, 16), (1, 12)]


def test_whether_there_is_a_gpu_is_known():
    assert gpu_is_seen() is (jax.default_backend() == "gpu")


@pytest.mark.parametrize("kind", [Augmented, Averaged])
def test_an_interrupted_training_ends_with_the_same_weights(faces, kind, device, monkeypatch):
    undisturbed = fitted(faces, kind(**COMMON))
    delete_finished_checkpoints()
    write = Checkpoint.write

    def stop(self):
        write(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "write", stop)
        with pytest.raises(KeyboardInterrupt):
            fitted(faces, kind(**COMMON))
    resumed = fitted(faces, kind(**COMMON))
    assert len(resumed.history_["loss"]) == 3
    np.testing.assert_allclose(resumed.history_["loss"], undisturbed.history_["loss"], rtol=1e-5)
    for ours, theirs in zip(resumed.network_.get_weights(), undisturbed.network_.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
