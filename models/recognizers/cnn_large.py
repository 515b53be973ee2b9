"""A residual network with squeeze-and-excitation, to be trained on a GPU."""

from __future__ import annotations

from typing import Any

from models.networks.augmented_network import AugmentedNetwork
from models.networks.keras_recognizer import import_keras
from models.networks.layers import normalized_faces
from models.recognizers.cnn_aug import SPACE
from models.registry import recognizer

STAGES = ((64, 2), (128, 3), (256, 3))  # filters and blocks
SQUEEZE = 16


class LargeCNN(AugmentedNetwork):
    """Eight residual blocks in three stages, global average pooling, 4.3 M parameters, 1.3 G multiply-adds a face.

    A block has two 3x3 convolutions with batch normalization, and squeeze-and-excitation before the sum. A stage but
    the first starts with a stride of two. The last normalization of a block starts at zero, so that at first every
    block passes its input on. The fitted network has kernels rounded to 16 bits, so that its file takes 9 MB.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", CVPR 2016.
    https://doi.org/10.1109/CVPR.2016.90
    J. Hu, L. Shen and G. Sun, "Squeeze-and-excitation networks", CVPR 2018.
    https://doi.org/10.1109/CVPR.2018.00745
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017 (normalizations that start at
    zero). https://arxiv.org/abs/1706.02677
    """

    half_precision_kernels = True

    def build(self, n_classes: int, policy: str) -> Any:
        """Return the uncompiled network."""
        keras = import_keras()
        layers = keras.layers
        inputs, x = normalized_faces(policy)
        x = layers.ReLU(dtype=policy)(_normalized(_convolution(x, STAGES[0][0], 3, 1, policy), policy))
        for stage, (filters, blocks) in enumerate(STAGES):
            for block in range(blocks):
                x = _block(x, filters, 2 if stage and not block else 1, policy)
        x = layers.GlobalAveragePooling2D(dtype=policy)(x)
        x = layers.Dropout(0.4, dtype=policy)(x)
        return keras.Model(inputs, layers.Dense(n_classes, activation="softmax", dtype="float32")(x))


def _block(x: Any, filters: int, stride: int, policy: str) -> Any:
    layers = import_keras().layers
    shortcut = x
    if stride > 1:
        shortcut = _normalized(_convolution(x, filters, 1, stride, policy), policy)
    x = layers.ReLU(dtype=policy)(_normalized(_convolution(x, filters, 3, stride, policy), policy))
    x = _normalized(_convolution(x, filters, 3, 1, policy), policy, gamma_initializer="zeros")
    weight = layers.GlobalAveragePooling2D(keepdims=True, dtype=policy)(x)
    weight = layers.Dense(filters // SQUEEZE, activation="relu", dtype=policy)(weight)
    weight = layers.Dense(filters, activation="sigmoid", dtype=policy)(weight)
    x = layers.Multiply(dtype=policy)([x, weight])
    return layers.ReLU(dtype=policy)(layers.Add(dtype=policy)([x, shortcut]))


def _convolution(x: Any, filters: int, size: int, stride: int, policy: str) -> Any:
    options = {"strides": stride, "padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    return import_keras().layers.Conv2D(filters, size, **options, dtype=policy)(x)


def _normalized(x: Any, policy: str, **options: Any) -> Any:
    return import_keras().layers.BatchNormalization(**options, dtype=policy)(x)


@recognizer(family="neural", requires=("keras",), tier="gpu", space=SPACE)
def cnn_large(random_state: int = 0) -> LargeCNN:
    """Residual CNN with squeeze-and-excitation, 4.3 M parameters, trained on augmented faces on a GPU."""
    return LargeCNN(epochs=120, random_state=random_state)
