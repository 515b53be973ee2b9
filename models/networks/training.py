"""The training loop of a network: epoch by epoch, continued from its checkpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from models.networks.checkpoint import Checkpoint
from models.networks.jax_blocks import Blocks, blockwise_train_function
from models.networks.shuffled_batches import ShuffledBatches, changed_batch

VALIDATION_BATCH = 256


def train(
    keras: Any,
    batches: ShuffledBatches,
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
    batches : ShuffledBatches
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

    if keras.backend.backend() == "jax":
        # This builds loss and metrics, which `fit` would build from a block, in which a face lies an axis deeper.
        network.evaluate(*(each[:VALIDATION_BATCH] for each in validation), batch_size=VALIDATION_BATCH, verbose=0)
        network.train_function = blockwise_train_function(keras, network)
        blocks = Blocks(batches)
        dataset = _dataset(keras, len(blocks), blocks.__getitem__)
    else:
        dataset = _dataset(keras, len(batches), lambda place: changed_batch(batches[place]))
    network.fit(
        dataset,
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


def _dataset(keras: Any, length: int, item: Callable[[int], tuple[Any, Any, Any]]) -> Any:
    class Dataset(keras.utils.PyDataset):
        def __init__(self) -> None:
            # With one, tf.data's own tuning makes the end of an epoch wait, for as long as the epoch took at worst.
            super().__init__(workers=2)

        def __len__(self) -> int:
            return length

        def __getitem__(self, place: int) -> tuple[Any, Any, Any]:
            return item(place)

    return Dataset()


def _progress(keras: Any, epochs: int) -> Any:
    """Return a callback with a bar over epochs on standard error, silent where that is no terminal, or missing."""
    from tqdm.auto import tqdm

    bar = tqdm(total=epochs, desc="epochs at most", unit="epoch", disable=sys.stderr is None or None, leave=False)

    def show(epoch: int, logs: Mapping[str, float]) -> None:
        bar.set_postfix(val_accuracy=f"{logs['val_accuracy']:.3f}")
        bar.update()

    return keras.callbacks.LambdaCallback(on_epoch_end=show, on_train_end=lambda logs: bar.close())
