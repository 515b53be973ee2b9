"""Base of the networks that are trained with augmentation, for a fixed number of epochs."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.rows import as_images
from models.networks.augmentation import draw_changes, views
from models.networks.checkpoint import Checkpoint
from models.networks.keras_recognizer import KerasRecognizer, import_keras, network_input
from models.networks.shuffled_batches import ShuffledBatches
from models.networks.training import train

AUGMENTATIONS = ("shift", "rotation", "zoom", "gamma", "blur_noise_prob", "erase_prob")


class AugmentedNetwork(KerasRecognizer):
    """Base of the networks trained with augmentation: AdamW, a warm-up and a cosine to zero, the last weights kept.

    The length of the training is fixed, so that validation faces choose nothing in it. The probabilities are the mean
    over views of a face: smaller, as it is and larger, each and its mirror image.

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
    shift, rotation, zoom, gamma, blur_noise_prob, erase_prob : float
        As of `models.networks.augmentation.draw_changes`. The views for prediction are zoomed as far as `zoom` says.
    precision : str
        Keras dtype policy of the training: ``float32``, ``mixed_bfloat16``, or ``auto``: ``mixed_bfloat16`` on a GPU
        and where the processor multiplies bfloat16 numbers, else ``float32``. The fitted network predicts in float32.
    random_state : int
        Seed of the weights, the order and the changes of the faces, and the dropout.

    Attributes
    ----------
    network_ : keras.Model
    history_ : dict of str to list of float
        ``loss``, ``accuracy``, ``val_loss`` and ``val_accuracy`` of every epoch, those of validation without mirror
        images. The training ones are of changed faces and measured while the weights change; the
        losses are with label smoothing, that of training with the weights of the faces too.

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
        blur_noise_prob: float = 0.25,
        erase_prob: float = 0.5,
        precision: str = "auto",
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
        self.blur_noise_prob = blur_noise_prob
        self.erase_prob = erase_prob
        self.precision = precision
        self.random_state = random_state

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        keras = import_keras()
        keras.utils.set_random_seed(self.random_state)
        weight = sample_weight**self.weight_power
        weight /= weight.mean()
        network = self.build(len(self.classes_), self._policy())
        network.compile(
            optimizer=self._optimizer(keras, steps=-(-len(X) // self.batch_size)),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=self.label_smoothing),
            metrics=["accuracy"],
        )
        checkpoint = Checkpoint(self._checkpoint_path(X, y, sample_weight, X_valid, y_valid), network)
        draw = partial(draw_changes, **{name: getattr(self, name) for name in AUGMENTATIONS})
        faces = ShuffledBatches(as_images(X), y, weight, self.batch_size, self.random_state, draw)
        train(keras, faces, (network_input(X_valid), y_valid), self.epochs, checkpoint)
        self._keep(checkpoint)

    def _predict_batch(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.mean([np.asarray(self.network_(view, training=False)) for view in views(faces, self.zoom)], axis=0)

    def _optimizer(self, keras: Any, steps: int) -> Any:
        warmup = max(1, round(self.warmup_epochs * steps))
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, self.epochs * steps - warmup), warmup_target=self.learning_rate, warmup_steps=warmup
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=self.weight_decay)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        return optimizer
