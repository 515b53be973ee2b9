"""The reference network, trained with augmentation."""

from __future__ import annotations

from models.networks.augmented_network import AugmentedNetwork
from models.recognizers.cnn import CNN
from models.registry import Range, recognizer

SPACE = {
    "learning_rate": Range(3e-4, 5e-3, log=True),
    "weight_decay": Range(0.005, 0.2, log=True),
    "label_smoothing": Range(0.0, 0.2),
    "weight_power": Range(0.0, 1.0),
    "zoom": Range(0.0, 0.2),
    "erase_prob": Range(0.0, 0.5),
}


class AugmentedCNN(AugmentedNetwork):
    """The network of `models.recognizers.cnn.CNN`, layer for layer, trained as `AugmentedNetwork` says."""

    build = CNN.build


@recognizer(family="neural", requires=("keras",), space=SPACE)
def cnn_aug(random_state: int = 0) -> AugmentedCNN:
    """The reference CNN on augmented faces with milder class weights and a decaying learning rate."""
    return AugmentedCNN(
        learning_rate=1e-3, zoom=0.1, gamma=0.0, blur_noise_prob=0.0, erase_prob=0.25, random_state=random_state
    )
