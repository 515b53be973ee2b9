"""The floor of the benchmark: the frequencies of the training labels, for every face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.base import BaseRecognizer
from models.registry import recognizer


class Majority(BaseRecognizer):
    """Predict the training frequencies for every face, whatever its weight.

    Class weights are ignored: under balanced ones every class would be as frequent, and the floor would be chance.
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def _fit(self, X: NDArray, y: NDArray, sample_weight: NDArray, X_valid: NDArray, y_valid: NDArray) -> None:
        self.frequencies_ = np.bincount(y, minlength=len(self.classes_)) / len(y)

    def _calibrate(self, X: NDArray, y: NDArray) -> None:
        """Leave the training frequencies as they are."""

    def _predict_proba(self, X: NDArray) -> NDArray:
        return np.tile(self.frequencies_, (len(X), 1))


@recognizer(family="floor", uses_seed=False)
def majority(random_state: int = 0) -> Majority:
    """Always the most frequent training emotion."""
    return Majority(random_state)
