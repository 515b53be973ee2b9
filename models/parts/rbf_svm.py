"""Support vector machine with the RBF kernel: fitted by a library, evaluated by two matrix products."""

from __future__ import annotations

import importlib.util

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from models.parts.rounded_rows import RoundedRows

BLOCK = 512  # rows whose kernel is in memory at once
STEPS = 127  # up to the largest value of all


class RbfSVM(BaseEstimator):
    """One-against-one RBF support vector machine that keeps only what its decision values need.

    The fit is scikit-learn's `SVC`, or scikit-learn-intelex's where that is installed: the same machine within the
    solver's tolerance, many times faster. The file of a fitted machine needs neither of them, and a batch is evaluated
    as kernel matrix times coefficients, on all cores, where libsvm goes face by face. The vectors are rounded to eight
    bits before the fit, so that the support vectors of the file are those of the fit.

    Parameters
    ----------
    C : float
        Penalty of a margin violation, multiplied by each row's weight.
    gamma : float or None
        Width of the kernel, ``exp(-gamma |x - z|^2)``; None takes ``1 / (n_features * variance)``.
    cache_mb : float
        Kernel cache of the solver in MB.

    References
    ----------
    C.-C. Chang and C.-J. Lin, "LIBSVM: a library for support vector machines", ACM TIST 2(3), 2011.
    https://doi.org/10.1145/1961189.1961199
    """

    def __init__(self, C: float = 1.0, gamma: float | None = None, cache_mb: float = 2000) -> None:
        self.C = C
        self.gamma = gamma
        self.cache_mb = cache_mb

    def fit(self, X: NDArray[np.float32], y: NDArray[np.intp], sample_weight: NDArray[np.float64]) -> RbfSVM:
        """Fit on vectors `X` of shape (n, n_features) with codes `y` 0..n_classes-1 and a weight a row."""
        columns = RoundedRows(STEPS, common_step=True).fit(X.T)
        X = columns.values.T
        self.gamma_ = float(self.gamma or 1.0 / (X.shape[1] * X.var()))
        svc = svc_class()(C=self.C, gamma=self.gamma_, cache_size=self.cache_mb, decision_function_shape="ovo")
        svc.fit(X, y, sample_weight=sample_weight)
        self.n_classes_ = len(svc.classes_)
        self.support_vectors_ = columns.columns(svc.support_)
        self.coefficients_ = pairwise_coefficients(svc.dual_coef_, svc.n_support_).astype(np.float32)
        self.intercepts_ = np.asarray(svc.intercept_, dtype=np.float32)
        return self

    def decision_function(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the decision value of every pair of classes, shape (n, n_classes (n_classes - 1) / 2).

        Pairs (i, j), i < j, in lexicographic order; positive values speak for i.
        """
        vectors, blocks = self.support_vectors_, []
        for start in range(0, len(X), BLOCK):
            block = X[start : start + BLOCK]
            distances = (block**2).sum(axis=1)[:, None] + vectors.squares - 2 * block @ vectors.values
            blocks.append(np.exp(-self.gamma_ * distances) @ self.coefficients_)
        return np.concatenate(blocks) + self.intercepts_


def svc_class() -> type:
    """Return scikit-learn-intelex's `SVC` where it is installed, else scikit-learn's."""
    if importlib.util.find_spec("sklearnex"):
        from sklearnex.svm import SVC
    else:
        from sklearn.svm import SVC
    return SVC


def pairwise_coefficients(dual_coef: NDArray, n_support: NDArray) -> NDArray:
    """Unfold libsvm's dual coefficients into a column a pair of classes.

    Parameters
    ----------
    dual_coef : ndarray of shape (n_classes - 1, n_support_vectors)
        Support vectors are grouped by class; row j - 1 of class i's group holds its coefficients against class j > i,
        row j those against class j < i.
    n_support : ndarray of shape (n_classes,)
        Support vectors of each class.

    Returns
    -------
    ndarray of shape (n_support_vectors, n_classes (n_classes - 1) / 2)
    """
    ends = np.cumsum(n_support)
    groups = [slice(end - count, end) for end, count in zip(ends, n_support, strict=True)]
    pairs = [(i, j) for i in range(len(groups)) for j in range(i + 1, len(groups))]
    columns = np.zeros((dual_coef.shape[1], len(pairs)), order="F")  # a pair after the other is compressed better
    for column, (i, j) in enumerate(pairs):
        columns[groups[i], column] = dual_coef[j - 1, groups[i]]
        columns[groups[j], column] = dual_coef[i, groups[j]]
    return columns
