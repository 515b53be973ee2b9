"""Soft voting with weights chosen on the validation split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.calibration import TINY
from models.parts.ensemble import Ensemble, MemberProbabilities


class TunedVoting(Ensemble):
    """Weighted average of the members' probabilities.

    The weights come from greedy selection with replacement: every round adds the member whose vote lowers the log loss
    on the validation split most, and a member's weight is its share of the rounds. While some weight is below
    `min_weight`, the member with the smallest weight is left out and selection starts again: a vote that changes little
    is not worth its member's time and size. One member always stays.

    Parameters
    ----------
    n_rounds : int
        A weight is a multiple of 1 / n_rounds.
    min_weight : float
        Smallest weight that stays.

    Attributes
    ----------
    weights_ : dict of str to float
        Of the members that have a vote; their sum is 1.

    Notes
    -----
    The weights see the validation labels, as do the calibration of all members and the early stopping of some, whose
    weights are therefore a little too high.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    https://doi.org/10.1145/1015330.1015432
    """

    def __init__(self, n_rounds: int = 100, min_weight: float = 0.05) -> None:
        self.n_rounds = n_rounds
        self.min_weight = min_weight

    def _fit(self, probabilities: MemberProbabilities, y: NDArray[np.intp]) -> None:
        votes = {name: np.asarray(proba, dtype=float)[np.arange(len(y)), y] for name, proba in probabilities.items()}
        while True:
            chosen = greedy_selection(np.stack(list(votes.values())), self.n_rounds)
            self.weights_ = dict(zip(votes, (chosen / self.n_rounds).tolist(), strict=True))
            smallest = min(self.weights_, key=self.weights_.__getitem__)
            if self.weights_[smallest] >= self.min_weight or len(votes) == 1:
                break
            del votes[smallest]
        self.names_ = tuple(self.weights_)

    def _combine(self, probabilities: MemberProbabilities) -> NDArray[np.floating]:
        return np.sum([share * probabilities[name].astype(float) for name, share in self.weights_.items()], axis=0)


def greedy_selection(proba_true: NDArray[np.float64], n_rounds: int) -> NDArray[np.intp]:
    """Return how often each member is chosen.

    Parameters
    ----------
    proba_true : ndarray of shape (n_members, n_faces)
        The probability that each member gives to the true class.
    n_rounds : int
        Members chosen in all, with replacement.

    Returns
    -------
    ndarray of shape (n_members,)
    """
    chosen = np.zeros(len(proba_true), dtype=np.intp)
    pooled = np.zeros(proba_true.shape[1])
    for _ in range(n_rounds):
        gain = np.log(np.maximum(pooled + proba_true, TINY)).mean(axis=1)
        best = int(gain.argmax())
        chosen[best] += 1
        pooled += proba_true[best]
    return chosen
