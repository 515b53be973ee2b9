"""Pairwise coupling: class probabilities from one-against-one decision values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

SMALLEST = 1e-6


class PairwiseCalibrator(BaseEstimator):
    """A sigmoid for every pair of classes (Platt), coupled into one distribution (Wu, Lin and Weng).

    This is how libsvm makes probabilities, but for where the sigmoids are fitted: on validation faces that the machine
    never saw, instead of on five more machines' cross-validated values. Two numbers a pair are learnt.

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", Advances in Large Margin Classifiers, 1999.

    T.-F. Wu, C.-J. Lin and R. C. Weng, "Probability estimates for multi-class classification by pairwise coupling",
    JMLR 5, 2004, section 4.2. https://www.jmlr.org/papers/v5/wu04a.html
    """

    def fit(self, decisions: NDArray, y: NDArray[np.intp], n_classes: int) -> PairwiseCalibrator:
        """Fit on `decisions` of shape (n, n_classes (n_classes - 1) / 2) in lexicographic order of the pairs."""
        self.n_classes_ = n_classes
        self.sigmoids_ = np.array(
            [
                _sigmoid(decisions[:, column], y == i, y == j)
                for column, (i, j) in enumerate(combinations(range(n_classes), 2))
            ]
        )
        return self

    def predict_proba(self, decisions: NDArray) -> NDArray[np.float64]:
        """Return probabilities of shape (n, n_classes) of decision values as in `fit`."""
        slopes, offsets = self.sigmoids_.T
        wins = expit(decisions * slopes + offsets)
        pairwise = np.zeros((len(decisions), self.n_classes_, self.n_classes_))
        for column, (i, j) in enumerate(combinations(range(self.n_classes_), 2)):
            pairwise[:, i, j] = wins[:, column]
            pairwise[:, j, i] = 1 - wins[:, column]
        return couple_pairwise(np.clip(pairwise, SMALLEST, 1 - SMALLEST))


def couple_pairwise(pairwise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distributions p that best agree with pairwise probabilities.

    Parameters
    ----------
    pairwise : ndarray of shape (n, n_classes, n_classes)
        ``r[i, j]``, the probability of class i given that it is i or j; the diagonal is not read.

    Returns
    -------
    ndarray of shape (n, n_classes)
        The minimiser of the sum over i, j of ``(r[j, i] p[i] - r[i, j] p[j])**2`` with sum 1 (Wu et al., equation 21).
    """
    n, k = pairwise.shape[:2]
    off_diagonal = 1 - np.eye(k)
    swapped = pairwise.transpose(0, 2, 1)
    quadratic = -swapped * pairwise * off_diagonal
    quadratic[:, np.arange(k), np.arange(k)] = (swapped**2 * off_diagonal).sum(axis=2)
    system = np.ones((n, k + 1, k + 1))
    system[:, :k, :k] = quadratic
    system[:, k, k] = 0
    target = np.zeros((n, k + 1, 1))
    target[:, k] = 1
    solution = np.clip(np.linalg.solve(system, target)[:, :k, 0], SMALLEST, None)
    return solution / solution.sum(axis=1, keepdims=True)


def _sigmoid(values: NDArray, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and offset of the probability of the first class; slope 1 where one of the two has no face."""
    if not (first.any() and second.any()):
        return 1.0, 0.0
    either = first | second
    # A weak penalty keeps the slope finite where few validation faces are separated without error.
    model = LogisticRegression(C=100.0).fit(values[either, None], first[either])
    return float(model.coef_[0, 0]), float(model.intercept_[0])
