"""Soft voting with temperatures and weights that were chosen on the validation split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from models.ensemble import Ensemble, Probabilities

TINY = np.finfo(np.float32).tiny
LOG_TEMPERATURES = (-2.0, 2.0)


class TunedVoting(Ensemble):
    """Weighted average of the members' probabilities, each brought to its own temperature before.

    A temperature is the one with the least log loss on the validation split. The weights are found by greedy selection
    with replacement: in every round the member joins whose vote lowers the log loss most, and a member's weight is its
    share of the rounds. While some weight is below `least`, the member with the smallest is left out and the weights
    are found anew: a vote that changes little is not worth its member's time and size. One member always stays.

    Parameters
    ----------
    rounds : int
        A weight is a multiple of 1 / rounds.
    least : float
        Smallest weight that stays.

    Attributes
    ----------
    weights_ : dict of str to float
        Of the members that have a vote; their sum is 1.
    temperatures_ : dict of str to float
        Of these members: above 1 makes probabilities milder, below 1 sharper.

    Notes
    -----
    Weights and temperatures see the validation labels, as do the calibration and the early stopping of some members,
    whose weights are therefore a little too high.

    References
    ----------
    R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection from libraries of models", ICML 2004.
    https://doi.org/10.1145/1015330.1015432
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    https://arxiv.org/abs/1706.04599
    """

    def __init__(self, rounds: int = 100, least: float = 0.05) -> None:
        self.rounds = rounds
        self.least = least

    def _fit(self, probabilities: Probabilities, y: NDArray) -> None:
        codes = np.searchsorted(self.classes_, y)
        temperatures = {name: temperature(each, codes) for name, each in probabilities.items()}
        votes = {
            name: tempered(each, temperatures[name])[np.arange(len(codes)), codes]
            for name, each in probabilities.items()
        }
        while True:
            chosen = greedy_selection(np.stack(list(votes.values())), self.rounds)
            self.weights_ = dict(zip(votes, (chosen / self.rounds).tolist(), strict=True))
            smallest = min(self.weights_, key=self.weights_.__getitem__)
            if self.weights_[smallest] >= self.least or len(votes) == 1:
                break
            del votes[smallest]
        self.names_ = tuple(self.weights_)
        self.temperatures_ = {name: temperatures[name] for name in self.names_}

    def _combine(self, probabilities: Probabilities) -> NDArray[np.floating]:
        votes = (
            share * tempered(probabilities[name], self.temperatures_[name]) for name, share in self.weights_.items()
        )
        return np.sum(list(votes), axis=0)


def tempered(proba: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return probabilities of shape (n_faces, n_classes) raised to 1 / temperature, rows summing to 1."""
    return softmax(_log(proba) / temperature, axis=1)


def temperature(proba: NDArray[np.floating], y: NDArray[np.intp]) -> float:
    """Return the temperature, from 0.14 to 7.4, with the least log loss for codes `y` of shape (n_faces,)."""
    logs, rows = _log(proba), np.arange(len(y))

    def log_loss(log_temperature: float) -> float:
        return -float(log_softmax(logs / np.exp(log_temperature), axis=1)[rows, y].mean())

    return float(np.exp(minimize_scalar(log_loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def greedy_selection(proba_true: NDArray[np.float64], rounds: int) -> NDArray[np.intp]:
    """Return how often each member is chosen.

    Parameters
    ----------
    proba_true : ndarray of shape (n_members, n_faces)
        The probability that each member gives to the true class.
    rounds : int
        Members chosen in all, with replacement.

    Returns
    -------
    ndarray of shape (n_members,)
    """
    chosen = np.zeros(len(proba_true), dtype=np.intp)
    pooled = np.zeros(proba_true.shape[1])
    for _ in range(rounds):
        gain = np.log(np.maximum(pooled + proba_true, TINY)).mean(axis=1)
        best = int(gain.argmax())
        chosen[best] += 1
        pooled += proba_true[best]
    return chosen


def _log(proba: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.log(np.maximum(proba.astype(float), TINY))
