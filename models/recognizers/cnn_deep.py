"""A VGG-like network, trained from scratch on two cores in an hour or more."""

from __future__ import annotations

from typing import Any

from models.networks.augmented_network import AugmentedNetwork
from models.networks.keras_recognizer import import_keras
from models.networks.layers import normalized_faces
from models.recognizers.cnn_aug import SPACE
from models.registry import recognizer

STAGES = ((32,), (64, 64), (128, 128, 128), (256, 256, 256))


class DeepCNN(AugmentedNetwork):
    """Nine convolutions in four stages, global average pooling, 1.9 M parameters, 139 M multiply-adds a face.

    Each convolution is 3x3 without bias, followed by batch normalization and relu. At the end of a stage, but the last,
    2x2 max pooling comes first, so that less is left to normalize: a seventh of the training time. The first layers
    bring every face to zero mean and unit variance, so that brightness and contrast do not count.

    References
    ----------
    K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015.
    https://arxiv.org/abs/1409.1556
    C. Pramerdorfer and M. Kampel, "Facial expression recognition using convolutional neural networks: state of the
    art", 2016 (VGG and ResNet of this depth on FER2013). https://arxiv.org/abs/1612.02903
    """

    def build(self, n_classes: int, policy: str) -> Any:
        """Return the uncompiled network."""
        keras = import_keras()
        layers = keras.layers
        inputs, x = normalized_faces(policy)
        for stage in STAGES:
            for place, filters in enumerate(stage, start=1):
                x = layers.Conv2D(filters, 3, padding="same", use_bias=False, dtype=policy)(x)
                if place == len(stage) and stage is not STAGES[-1]:
                    x = layers.MaxPooling2D(2, dtype=policy)(x)
                x = layers.BatchNormalization(dtype=policy)(x)
                x = layers.ReLU(dtype=policy)(x)
        x = layers.GlobalAveragePooling2D(dtype=policy)(x)
        x = layers.Dropout(0.4, dtype=policy)(x)
        return keras.Model(inputs, layers.Dense(n_classes, activation="softmax", dtype="float32")(x))


@recognizer(family="neural", requires=("keras",), space=SPACE)
def cnn_deep(random_state: int = 0) -> DeepCNN:
    """VGG-like CNN of nine convolutions with batch normalization, trained on augmented faces."""
    return DeepCNN(epochs=68, random_state=random_state)
