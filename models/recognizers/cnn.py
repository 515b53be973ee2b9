"""The reference network of the original course project."""

from __future__ import annotations

from typing import Any

from features.rows import IMAGE_SIDE
from models.networks.keras_recognizer import KerasRecognizer, import_keras
from models.registry import Range, recognizer


class CNN(KerasRecognizer):
    """Four convolutions with max pooling, three dense layers, 506,183 parameters.

    Conv 64, Conv 64, Conv 128, Conv 256, each 3x3 'valid' with relu and followed by 2x2 max pooling; Dense 256,
    Dense 128, Dropout 0.25, softmax. The scaling by 1/255 is its first layer, so that the file takes raw grey levels.
    """

    def build(self, n_classes: int, policy: str) -> Any:
        """Return the uncompiled network."""
        keras = import_keras()
        layers = [keras.Input((IMAGE_SIDE, IMAGE_SIDE, 1)), keras.layers.Rescaling(1 / 255, dtype=policy)]
        for filters in (64, 64, 128, 256):
            layers.append(keras.layers.Conv2D(filters, 3, activation="relu", dtype=policy))
            layers.append(keras.layers.MaxPooling2D(2, dtype=policy))
        layers.append(keras.layers.Flatten(dtype=policy))
        for units in (256, 128):
            layers.append(keras.layers.Dense(units, activation="relu", dtype=policy))
        layers.append(keras.layers.Dropout(0.25, dtype=policy))
        layers.append(keras.layers.Dense(n_classes, activation="softmax", dtype="float32"))
        return keras.Sequential(layers)


@recognizer(
    family="neural",
    requires=("keras",),
    space={
        "learning_rate": Range(3e-4, 3e-3, log=True),
        "batch_size": (32, 64, 128),
        "ema_epochs": (0.0, 1.0, 2.0, 4.0),
    },
)
def cnn(random_state: int = 0) -> CNN:
    """Reference CNN of the original project, layer for layer."""
    return CNN(random_state=random_state)
