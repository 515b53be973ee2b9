"""The training loop of a network: epoch by epoch, continued from its checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.networks.augmentation import Changes, apply_changes
from models.networks.checkpoint import Checkpoint

VALIDATION_BATCH = 256
Draw = Callable[[int, np.random.Generator], Changes]


def shuffled_batches(
    keras: Any,
    images: NDArray[np.uint8],
    y: NDArray,
    weight: NDArray,
    batch_size: int,
    random_state: int,
    draw: Draw | None = None,
) -> Any:
    """Return a `keras.utils.PyDataset` of shuffled batches; a batch depends on seed, epoch and place alone.

    Parameters
    ----------
    keras : module
    images : ndarray of shape (n_faces, 48, 48), dtype uint8
    y : ndarray of shape (n_faces, ...)
        Labels as the loss takes them.
    weight : ndarray of shape (n_faces,), dtype float64
    batch_size : int
    random_state : int
    draw : callable, optional
        Takes the number of faces in a batch and a generator, and returns their `Changes`.
    """

    class Shuffled(keras.utils.PyDataset):
        def __init__(self) -> None:
            # With one, tf.data's own tuning makes the end of an epoch wait, for as long as the epoch took at worst.
            super().__init__(workers=2)
            self.begin(0)

        def begin(self, epoch: int) -> None:
            self.epoch = epoch
            self.order = self.generator().permutation(len(images))

        def generator(self, *place: int) -> np.random.Generator:
            return np.random.default_rng((random_state, self.epoch, *place))

        def __len__(self) -> int:
            return -(-len(images) // batch_size)  # noqa: PLE0303

        def __getitem__(self, batch: int) -> tuple[NDArray, NDArray, NDArray]:
            chosen = self.order[batch * batch_size : (batch + 1) * batch_size]
            faces = images[chosen, :, :, None].astype(np.float32)
            if draw is not None:
                faces = apply_changes(faces, draw(len(faces), self.generator(batch)))
            return faces, y[chosen], weight[chosen]

    return Shuffled()


def train(
    keras: Any,
    batches: Any,
    validation: tuple[NDArray, NDArray],
    epochs: int,
    checkpoint: Checkpoint,
    patience: int | None = None,
    callbacks: Sequence[Any] = (),
) -> None:
    """Train the network of a checkpoint up to an epoch, from the last finished one on.

    Parameters
    ----------
    keras : module
    batches : keras.utils.PyDataset
        As of `shuffled_batches`.
    validation : tuple (images, y)
        Images of shape (n_faces, side, side, 1), dtype float32, grey levels 0-255, and labels as the loss takes them.
    epochs : int
        At most.
    checkpoint : Checkpoint
        Its network is left with the weights of the last epoch, or of the best one where there is a `patience`; its
        history gets what Keras logs of every epoch.
    patience : int, optional
        Epochs without a higher validation accuracy after which training stops.
    callbacks : sequence of keras.callbacks.Callback
    """
    network, history, done = checkpoint.network, checkpoint.history, checkpoint.epochs
    if done >= epochs:
        return

    def before_epoch(epoch: int, logs: Mapping[str, float]) -> None:
        # Not at the end of the epoch before: then averaged weights may stand in the place of those that are trained.
        if epoch > done:
            checkpoint.write()
        batches.begin(epoch)

    def after_epoch(epoch: int, logs: Mapping[str, float]) -> None:
        for name, value in logs.items():
            history.setdefault(name, []).append(float(value))
        if patience is not None:
            accuracy = history["val_accuracy"]
            best = accuracy.index(max(accuracy))
            if best == epoch:
                checkpoint.best = network.get_weights()
            network.stop_training = epoch - best >= patience

    network.fit(
        batches,
        shuffle=False,
        initial_epoch=done,
        epochs=epochs,
        validation_data=validation,
        validation_batch_size=VALIDATION_BATCH,
        callbacks=[
            *callbacks,
            keras.callbacks.LambdaCallback(on_epoch_begin=before_epoch, on_epoch_end=after_epoch),
            _progress(keras, epochs - done),
        ],
        verbose=0,
    )
    if patience is not None:
        network.set_weights(checkpoint.best)


def _progress(keras: Any, epochs: int) -> Any:
    """Return a callback with a bar over epochs on standard error, silent where that is no terminal, or missing."""
    from tqdm.auto import tqdm

    bar = tqdm(total=epochs, desc="epochs at most", unit="epoch", disable=sys.stderr is None or None, leave=False)

    def show(epoch: int, logs: Mapping[str, float]) -> None:
        bar.set_postfix(val_accuracy=f"{logs['val_accuracy']:.3f}")
        bar.update()

    return keras.callbacks.LambdaCallback(on_epoch_end=show, on_train_end=lambda logs: bar.close())
