"""The reference network, trained better."""

from __future__ import annotations

from models.augmented_network import SPACE, AugmentedNetwork
from models.cnn import CNN
from models.registry import recognizer


class AugmentedCNN(AugmentedNetwork):
    """The network of `models.cnn.CNN`, layer for layer, trained as `AugmentedNetwork` says."""

    build = CNN.build


@recognizer(family="neural", requires=("keras",), space=SPACE)
def cnn_aug(random_state: int = 0) -> AugmentedCNN:
    """The reference CNN on augmented faces with milder class weights and a decaying learning rate."""
    return AugmentedCNN(learning_rate=1e-3, zoom=0.1, gamma=0.0, degrading=0.0, erasing=0.25, random_state=random_state)
