"""Soft voting over the reference network and two classical recognizers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.parts.ensemble import Ensemble, MemberProbabilities
from models.registry import recognizer


class SoftVoting(Ensemble):
    """Plain average of the members' probabilities.

    Attributes
    ----------
    weights_ : dict of str to float
        Equal.

    References
    ----------
    J. Kittler, M. Hatef, R. P. W. Duin and J. Matas, "On combining classifiers", IEEE TPAMI 20(3), 1998.
    https://doi.org/10.1109/34.667881
    """

    def _fit(self, probabilities: MemberProbabilities, y: NDArray) -> None:
        self.weights_ = dict.fromkeys(probabilities, 1 / len(probabilities))

    def _combine(self, probabilities: MemberProbabilities) -> NDArray[np.floating]:
        return np.mean([np.asarray(proba, dtype=np.float64) for proba in probabilities.values()], axis=0)


@recognizer(family="ensemble", members=("cnn", "hog_svm", "lbp_xgb"))
def soft_voting() -> SoftVoting:
    """Average of the probabilities of cnn, hog_svm and lbp_xgb."""
    return SoftVoting()
