"""What only holds on JAX; `tests/models/test_backends.py` runs it in a process of its own."""

from contextlib import contextmanager

import jax
import numpy as np
import pytest
from sklearn.base import clone

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


X, Y = np.random.default_rng(0).integers(0, 256, (60, 2304), dtype=np.uint8), np.arange(60) % 3


@contextmanager
def device():
    """Blocks as on a GPU: a loop over several batches, not a batch alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax_blocks, "on_cpu", lambda: False)
        patch.setattr(jax_blocks, "STEPS_PER_CALL", 2)
        yield


def fitted(recognizer):
    """Return a fitted copy, for which JAX compiles everything anew."""
    copy = clone(recognizer).fit(X, Y, np.where(Y == 0, 2.0, 0.5), validation=(X[:20], Y[:20]))
    delete_finished_checkpoints()
    return copy


@pytest.fixture(scope="module", params=[Augmented(**COMMON), Averaged(**COMMON, learning_rate=0.01)], ids=type)
def recognizer(request):
    return request.param


@pytest.fixture(scope="module")
def on_device(recognizer):
    with device():
        return fitted(recognizer)


def losses_step_by_step(recognizer, monkeypatch):
    """Return the training loss of every epoch, the steps done by Keras one at a time."""
    losses = []

    def train(keras, batches, validation, epochs, checkpoint, *options):
        for epoch in range(epochs):
            batches.begin(epoch)
            each = [checkpoint.network.train_on_batch(*changed_batch(batches[place]))[0] for place in range(4)]
            losses.append(np.average(each, weights=[16, 16, 16, 12]))

    for module in ("keras_recognizer", "augmented_network"):
        monkeypatch.setattr(f"models.networks.{module}.train", train)
    fitted(recognizer)
    return losses


def test_blocks_of_steps_train_as_one_step_after_the_other(recognizer, on_device, monkeypatch):
    histories = [on_device.history_, fitted(recognizer).history_]
    expected = losses_step_by_step(recognizer, monkeypatch)
    for history in histories:
        np.testing.assert_allclose(history["loss"], expected, rtol=2e-3)
        assert set(history) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_a_smaller_last_batch_is_a_block_of_its_own():
    with device():
        blocks = jax_blocks.Blocks(ShuffledBatches(X.reshape(-1, 48, 48), Y, np.ones(60), 16, 0))
    assert [blocks[number][1].shape for number in range(len(blocks))] == [(2, 16), (1, 16), (1, 12)]


def test_whether_there_is_a_gpu_is_known():
    assert gpu_is_seen() is (jax.default_backend() == "gpu")


def test_an_interrupted_training_ends_with_the_same_weights(recognizer, on_device, monkeypatch):
    write = Checkpoint.write

    def stop(self):
        write(self)
        raise KeyboardInterrupt

    with device():
        with monkeypatch.context() as patched:
            patched.setattr(Checkpoint, "write", stop)
            with pytest.raises(KeyboardInterrupt):
                fitted(recognizer)
        resumed = fitted(recognizer)
    assert len(resumed.history_["loss"]) == 3
    np.testing.assert_allclose(resumed.history_["loss"], on_device.history_["loss"], rtol=1e-5)
    for ours, theirs in zip(resumed.network_.get_weights(), on_device.network_.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
