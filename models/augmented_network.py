"""A network trained for a fixed number of epochs on faces that are changed at random every time they are seen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.cache import cache_dir
from features.rows import as_images
from features.source import code_digest
from models.augmentation import augment, views
from models.checkpoint import Checkpoint
from models.keras_recognizer import PREDICT_BATCH, KerasRecognizer, _images, _progress, import_keras

VALIDATION_BATCH = 256
CHANGES = ("shift", "rotation", "zoom", "gamma", "degrading", "erasing")


class AugmentedNetwork(KerasRecognizer):
    """Base of the networks trained with augmentation: AdamW, a warm-up and a cosine to zero, the last weights kept.

    The length of the training is fixed, so that validation faces choose nothing in it. A training that was interrupted
    goes on after its last whole epoch, and ends with the same weights as one that was not. The probabilities are the
    mean over views of a face: smaller, as it is and larger, each and its mirror image.

    Parameters
    ----------
    learning_rate : float
        Highest, after the warm-up.
    warmup_epochs : float
    weight_decay : float
        Of kernels, not of biases and normalizations; in units of the learning rate.
    batch_size : int
    epochs : int
    label_smoothing : float
        Share of each label that is spread over all classes.
    weight_power : float
        The weights of the faces are raised to this power: 1 takes class weights as they are, 0.5 their square root,
        0 none.
    shift, rotation, zoom, gamma, degrading, erasing : float
        As of `models.augmentation.augment`. The views for prediction are zoomed as far as `zoom` says.
    precision : str
        Keras dtype policy of the training, ``float32`` or ``mixed_bfloat16``; the fitted network predicts in float32.
    random_state : int
        Seed of the weights, the order and the changes of the faces, and the dropout.

    Attributes
    ----------
    network_ : keras.Model
    history_ : dict of str to list of float
        ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy`` of every epoch, those of validation without mirror
        images. The training ones are of changed faces and measured while the weights change; the losses are with label
        smoothing, that of training with the weights of the faces too.

    References
    ----------
    I. Loshchilov and F. Hutter, "Decoupled weight decay regularization", ICLR 2019. https://arxiv.org/abs/1711.05101
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the Inception architecture for computer
    vision", CVPR 2016 (label smoothing). https://doi.org/10.1109/CVPR.2016.308
    """

    uses_validation = False

    def __init__(
        self,
        learning_rate: float = 2e-3,
        warmup_epochs: float = 2.0,
        weight_decay: float = 0.05,
        batch_size: int = 64,
        epochs: int = 60,
        label_smoothing: float = 0.1,
        weight_power: float = 0.5,
        shift: float = 4.0,
        rotation: float = 10.0,
        zoom: float = 0.15,
        gamma: float = 0.3,
        degrading: float = 0.25,
        erasing: float = 0.5,
        precision: str = "mixed_bfloat16",
        random_state: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.warmup_epochs = warmup_epochs
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.epochs = epochs
        self.label_smoothing = label_smoothing
        self.weight_power = weight_power
        self.shift = shift
        self.rotation = rotation
        self.zoom = zoom
        self.gamma = gamma
        self.degrading = degrading
        self.erasing = erasing
        self.precision = precision
        self.random_state = random_state

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        keras = import_keras()
        keras.utils.set_random_seed(self.random_state)
        n_classes = len(self.classes_)
        network = self.build(n_classes, self.precision)
        network.compile(
            optimizer=self._optimizer(keras, steps=-(-len(X) // self.batch_size)),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing),
            metrics=["accuracy"],
        )
        labels = np.eye(n_classes, dtype=np.float32)
        weight = sample_weight**self.weight_power
        checkpoint = Checkpoint(self._checkpoint_path(X, y, sample_weight, X_valid, y_valid), network)
        history = checkpoint.read()
        done = len(history.get("loss", ()))
        faces = self._changed_faces(keras, as_images(X), labels[y], weight / weight.mean())

        def before_epoch(epoch: int, logs: Mapping[str, float]) -> None:
            faces.begin(epoch)

        def after_epoch(epoch: int, logs: Mapping[str, float]) -> None:
            for name, value in logs.items():
                history.setdefault(name, []).append(float(value))
            checkpoint.write(history)

        network.fit(
            faces,
            shuffle=False,
            initial_epoch=done,
            epochs=self.epochs,
            validation_data=(_images(X_valid), labels[y_valid]),
            validation_batch_size=VALIDATION_BATCH,
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_begin=before_epoch, on_epoch_end=after_epoch),
                _progress(keras, self.epochs - done),
            ],
            verbose=0,
        )
        self.history_ = history
        self.network_ = self.build(n_classes, "float32")
        self.network_.set_weights(network.get_weights())
        checkpoint.forget()

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return np.concatenate(
            [
                self._mean_over_views(_images(X[start : start + PREDICT_BATCH]))
                for start in range(0, len(X), PREDICT_BATCH)
            ]
        )

    def _mean_over_views(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.mean([np.asarray(self.network_(view, training=False)) for view in views(faces, self.zoom)], axis=0)

    def _optimizer(self, keras: Any, steps: int) -> Any:
        warmup = max(1, round(self.warmup_epochs * steps))
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, self.epochs * steps - warmup), warmup_target=self.learning_rate, warmup_steps=warmup
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer

    def _changed_faces(self, keras: Any, images: NDArray[np.uint8], y: NDArray[np.float32], weight: NDArray) -> Any:
        """Return a `keras.utils.PyDataset` of shuffled batches; a batch depends on seed, epoch and place alone."""
        recognizer = self

        class ChangedFaces(keras.utils.PyDataset):
            def __init__(self) -> None:
                super().__init__()
                self.begin(0)

            def begin(self, epoch: int) -> None:
                self.epoch = epoch
                self.order = self.generator().permutation(len(images))

            def generator(self, *place: int) -> np.random.Generator:
                return np.random.default_rng((recognizer.random_state, self.epoch, *place))

            def __len__(self) -> int:
                return -(-len(images) // recognizer.batch_size)  # noqa: PLE0303

            def __getitem__(self, batch: int) -> tuple[NDArray, NDArray, NDArray]:
                chosen = self.order[batch * recognizer.batch_size : (batch + 1) * recognizer.batch_size]
                faces = images[chosen, :, :, None].astype(np.float32)
                changes = {name: getattr(recognizer, name) for name in CHANGES}
                return augment(faces, self.generator(batch), **changes), y[chosen], weight[chosen]

        return ChangedFaces()

    def _checkpoint_path(self, *arrays: NDArray) -> Path:
        """Name everything that the training depends on."""
        digest = hashlib.sha256(
            repr([self.get_params(), code_digest(type(self).__module__), import_keras().backend.backend()]).encode()
        )
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
        return cache_dir() / f"training-{digest.hexdigest()[:16]}.npz"
