"""The reference network, trained better."""

from __future__ import annotations

from typing import Any

from models.augmented_network import AugmentedNetwork
from models.cnn import CNN
from models.registry import recognizer


class AugmentedCNN(AugmentedNetwork):
    """The network of `models.cnn.CNN`, layer for layer, trained as `AugmentedNetwork` says."""

    def build(self, n_classes: int, policy: str) -> Any:
        """Return the uncompiled network."""
        return CNN.build(self, n_classes, policy)


@recognizer(family="neural", requires=("keras",))
def cnn_aug(random_state: int = 0) -> AugmentedCNN:
    """The reference CNN on augmented faces with milder class weights and a decaying learning rate."""
    return AugmentedCNN(learning_rate=1e-3, erasing=0.25, random_state=random_state)
