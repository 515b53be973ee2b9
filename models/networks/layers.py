"""Layers that networks share."""

from __future__ import annotations

from typing import Any

from features.rows import IMAGE_SIDE
from models.networks.keras_import import import_keras


def normalized_faces(policy: str) -> tuple[Any, Any]:
    """Return the input of a network, grey levels 0-255, and the face brought to zero mean and unit variance.

    Then brightness and contrast do not count.

    Parameters
    ----------
    policy : str
        Keras dtype policy of the layers that need no float32.

    Returns
    -------
    tuple of two keras.KerasTensor, of shape (n_faces, 48, 48, 1)
    """
    keras = import_keras()
    layers = keras.layers
    inputs = keras.Input((IMAGE_SIDE, IMAGE_SIDE, 1))
    x = layers.Rescaling(1 / 255, dtype=policy)(inputs)
    # Over the flat face, since an HDF5 file keeps one axis only.
    x = layers.Reshape((IMAGE_SIDE**2,), dtype="float32")(x)
    x = layers.LayerNormalization(center=False, scale=False, dtype="float32")(x)
    return inputs, layers.Reshape((IMAGE_SIDE, IMAGE_SIDE, 1), dtype="float32")(x)
