"""Base of the networks: a Keras 3 network as a recognizer. Keras is imported only to build or read a network."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.rows import IMAGE_SIDE, as_images
from models.base import BaseRecognizer
from models.files.arrays import cache_dir
from models.files.code_digest import code_digest
from models.networks.checkpoint import Checkpoint
from models.networks.cpu import has_bfloat16
from models.networks.keras_import import gpu_is_seen, import_keras, keras_settings
from models.networks.shuffled_batches import ShuffledBatches
from models.networks.training import train

PREDICT_BATCH = 256


class KerasRecognizer(BaseRecognizer):
    """Base of the networks: Adam, cross-entropy, averaged weights, early stopping by validation accuracy.

    A subclass implements ``build(n_classes, policy)``, which returns the network from images of shape
    (48, 48, 1) with grey levels 0-255 to probabilities, its layers under the given dtype policy. A training that
    was interrupted goes on after its last whole epoch, and ends with the same weights as one that was not.

    Parameters
    ----------
    learning_rate : float
        Of Adam.
    batch_size : int
    epochs : int
        At most.
    patience : int
        Epochs without a higher validation accuracy after which training stops.
    ema_epochs : float
        Time constant, in epochs, of the exponential moving average of the weights that is validated and kept; 0 keeps
        the weights as Adam leaves them, whose validation accuracy jumps by points from epoch to epoch.
    precision : str
        Keras dtype policy of the training: ``float32``, ``mixed_bfloat16``, or ``auto``: ``mixed_bfloat16`` on a GPU
        and where the processor multiplies bfloat16 numbers, else ``float32``, ten times as fast there. The fitted
        network always predicts in float32, so that its file gives the same probabilities on every processor.
    random_state : int
        Seed of the weights, the order of the faces and the dropout.

    Attributes
    ----------
    network_ : keras.Model
    history_ : dict of str to list of float
        ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy`` of every epoch. The training ones are weighted by the
        class weights (the loss) and measured while the weights change.

    References
    ----------
    B. T. Polyak and A. B. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim.
    30(4), 1992. https://doi.org/10.1137/0330046
    """

    suffix = ".h5"
    uses_soft_labels = True
    half_precision_kernels = False  # of the fitted network, whose file is then half as large

    def __init__(
        self,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        epochs: int = 200,
        patience: int = 10,
        ema_epochs: float = 2.0,
        precision: str = "auto",
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.ema_epochs = ema_epochs
        self.precision = precision
        self.random_state = random_state

    def build(self, n_classes: int, policy: str) -> Any:
        """Return the uncompiled network."""
        raise NotImplementedError

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
        soft_labels: ArrayLike | None = None,
    ) -> BaseRecognizer:
        """Fit on the training split, as `BaseRecognizer.fit` says."""
        with keras_settings():
            return super().fit(X, y, sample_weight, validation, soft_labels)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float32]:
        """Return the probability of every class, as `BaseRecognizer.predict_proba` says."""
        with keras_settings():
            return super().predict_proba(X)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "network_" in state:  # by itself, since unpickling it would import Keras in another way than this project
            with keras_settings():
                state["network_"] = pickle.dumps(state["network_"])
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        state = dict(state)
        if "network_" in state:
            with keras_settings():
                state["network_"] = pickle.loads(state["network_"])
        super().__setstate__(state)

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        keras = import_keras()
        keras.utils.set_random_seed(self.random_state)
        network = self.build(len(self.classes_), self._policy())
        averaging, callbacks = {}, []
        if self.ema_epochs:
            steps = self.ema_epochs * -(-len(X) // self.batch_size)
            averaging = {"use_ema": True, "ema_momentum": max(0.0, 1 - 1 / steps)}
            callbacks.append(keras.callbacks.SwapEMAWeights(swap_on_epoch=True))
        network.compile(
            optimizer=keras.optimizers.Adam(self.learning_rate, **averaging),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
        )
        checkpoint = Checkpoint(self._checkpoint_path(X, y, sample_weight, X_valid, y_valid), network)
        faces = ShuffledBatches(as_images(X), y, sample_weight, self.batch_size, self.random_state)
        validation = network_input(X_valid), y_valid
        train(keras, faces, validation, self.epochs, checkpoint, self.patience, callbacks)
        self._keep(checkpoint)

    def _policy(self) -> str:
        if self.precision != "auto":
            return self.precision
        return "mixed_bfloat16" if gpu_is_seen() or has_bfloat16() else "float32"

    def _keep(self, checkpoint: Checkpoint) -> None:
        """Copy the trained weights into a network that predicts in float32."""
        self.history_ = checkpoint.history
        self.network_ = self.build(len(self.classes_), "float32")
        weights = checkpoint.network.get_weights()
        if self.half_precision_kernels:
            weights = [each.astype(np.float16) if each.ndim > 1 else each for each in weights]
        self.network_.set_weights(weights)
        checkpoint.mark_finished()

    def _checkpoint_path(self, *arrays: NDArray) -> Path:
        """Name everything that the training depends on."""
        code, backend = code_digest(type(self).__module__), import_keras().backend.backend()
        digest = hashlib.sha256(repr([self.get_params(), self._policy(), code, backend]).encode())
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        return cache_dir() / f"training-{digest.hexdigest()[:16]}.npz"

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return np.concatenate([self._predict_batch(faces) for faces in batches(X)])

    def _predict_batch(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(self.network_(faces, training=False))


def network_input(X: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return rows of shape (n_faces, 2304) as networks take them: shape (n_faces, 48, 48, 1), grey levels 0-255."""
    return as_images(X).reshape(-1, IMAGE_SIDE, IMAGE_SIDE, 1).astype(np.float32)


def batches(X: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """Yield `network_input` of some hundred rows at a time."""
    for start in range(0, len(X), PREDICT_BATCH):
        yield network_input(X[start : start + PREDICT_BATCH])
