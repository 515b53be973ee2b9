"""PCA and SVM that learn from faces and their mirror images at the cost of the faces alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.extmath import randomized_svd

from models.parts.patch_codebook import PatchCodebook
from models.parts.rbf_svm import BLOCK, pairwise_coefficients, svc_class
from models.parts.rounded_rows import RoundedRows

SVD_ROUNDS = 3
SMALLEST_SPREAD = 0.01  # of the mean one, for values that are nearly always 0
STEPS = 15  # up to the largest value of a row: few, so that the file is compressed well


class MirroredPCA(BaseEstimator):
    """Principal components of the codes of faces and their mirror images.

    With f(x) of a face and f(x') of its mirror image, the even part f(x) + f(x') stays and the odd part f(x) - f(x')
    changes its sign when a face is mirrored. The covariance over faces and mirror images falls into one block each, so
    that the components of the two parts are computed separately, from half the rows. Every value is scaled to the same
    variance first, all components together to a variance of 1 at last.

    Parameters
    ----------
    codebook : PatchCodebook
        Fitted.
    n_components : int
        Components kept, the strongest of both parts together.
    random_state : int
        Of the randomized decomposition.

    Notes
    -----
    The directions are rounded to 31 values before anything is projected on them, so that the file is small and predicts
    with what was fitted.

    References
    ----------
    M. Kirby and L. Sirovich, "Application of the Karhunen-Loeve procedure for the characterization of human faces",
    IEEE TPAMI 12(1), 1990. https://doi.org/10.1109/34.41390 (there for the even and odd parts of the faces.)
    N. Halko, P. G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011.
    https://doi.org/10.1137/090771806
    """

    def __init__(self, codebook: PatchCodebook, n_components: int, random_state: int = 0) -> None:
        self.codebook = codebook
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: NDArray[np.uint8], y: None = None) -> MirroredPCA:
        """Fit on rows `X` of shape (n_faces, 2304)."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Fit on rows `X`; return their components as `transform` does."""
        even, odd = self.codebook.even_odd(X)
        self.mean_ = even.mean(axis=0)
        even -= self.mean_
        # A value and its mirror image share their spread. Squared without a copy of the largest arrays.
        squares = np.einsum("ij,ij->j", even, even) + np.einsum("ij,ij->j", odd, odd)
        spread = np.sqrt(squares / (2 * len(X)))
        self.spread_ = spread + np.float32(SMALLEST_SPREAD) * spread.mean()
        even /= self.spread_
        odd /= self.spread_
        decompositions = []
        for part in (even, odd):
            most = min(self.n_components, *part.shape)
            _, values, vectors = randomized_svd(part, most, n_iter=SVD_ROUNDS, random_state=self.random_state)
            decompositions.append((values, vectors))
        largest_first = np.sort(np.concatenate([values for values, _ in decompositions]))[::-1]
        least = largest_first[min(self.n_components, len(largest_first)) - 1]
        scale = np.sqrt((largest_first[largest_first >= least] ** 2).sum() / len(X))
        self.even_, self.odd_ = (
            RoundedRows(STEPS).fit(vectors[values >= least] / scale) for values, vectors in decompositions
        )
        return self._project(even, odd)

    def transform(self, X: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the even and the odd components of rows `X`, shapes (n_faces, n_even) and (n_faces, n_odd)."""
        even, odd = self.codebook.even_odd(X)
        even -= self.mean_
        even /= self.spread_
        odd /= self.spread_
        return self._project(even, odd)

    def _project(
        self, even: NDArray[np.float32], odd: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return even @ self.even_.values.T, odd @ self.odd_.values.T


class MirroredRbfSVM(BaseEstimator):
    """RBF support vector machine on even and odd components that decides alike on a face and its mirror image.

    It is fitted on faces and mirror images, whose components are rounded to 31 values each: the support vectors of its
    file are those of the fit. By symmetry both have the same coefficients, so that those of the faces are kept alone,
    and their kernel is the sum of the kernels with the face and with its mirror image.

    Parameters
    ----------
    C : float
        Penalty of a margin violation, multiplied by each row's weight.
    gamma : float
        Width of the kernel in units of 1 / total variance.
    cache_mb : float
        Kernel cache of the solver in MB.

    References
    ----------
    B. Haasdonk and H. Burkhardt, "Invariant kernel functions for pattern analysis and machine learning", Machine
    Learning 68, 2007. https://doi.org/10.1007/s10994-007-5009-7
    """

    def __init__(self, C: float = 3.0, gamma: float = 1.5, cache_mb: float = 4000) -> None:
        self.C = C
        self.gamma = gamma
        self.cache_mb = cache_mb

    def fit(
        self, even: NDArray[np.float32], odd: NDArray[np.float32], y: NDArray[np.intp], weight: NDArray[np.float64]
    ) -> MirroredRbfSVM:
        """Fit on components as `MirroredPCA` gives them, codes `y` 0..n_classes-1 and a weight a face."""
        n_faces = len(y)
        components = RoundedRows(STEPS).fit(even.T), RoundedRows(STEPS).fit(odd.T)
        even, odd = (part.values.T for part in components)
        rows = np.vstack([np.hstack([even, odd]), np.hstack([even, -odd])])
        self.gamma_ = float(self.gamma / rows.var(axis=0).sum())
        svc = svc_class()(C=self.C, gamma=self.gamma_, cache_size=self.cache_mb, decision_function_shape="ovo")
        svc.fit(rows, np.tile(y, 2), sample_weight=np.tile(weight, 2))
        coefficients = np.zeros((2 * n_faces, len(svc.intercept_)), np.float32)
        coefficients[svc.support_] = pairwise_coefficients(svc.dual_coef_, svc.n_support_)
        both = (coefficients[:n_faces] + coefficients[n_faces:]) / 2
        is_support = np.flatnonzero(both.any(axis=1))
        self.coefficients_ = both[is_support]
        self.intercepts_ = np.asarray(svc.intercept_, dtype=np.float32)
        self.even_, self.odd_ = (part.columns(is_support) for part in components)
        return self

    def decision_function(self, even: NDArray[np.float32], odd: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the decision value of every pair of classes, as `models.parts.rbf_svm.RbfSVM` does."""
        blocks = []
        for start in range(0, len(even), BLOCK):
            block = slice(start, start + BLOCK)
            squares = (even[block] ** 2).sum(axis=1) + (odd[block] ** 2).sum(axis=1)
            apart = 2 * even[block] @ self.even_.values - squares[:, None] - (self.even_.squares + self.odd_.squares)
            turned = 2 * odd[block] @ self.odd_.values
            kernel = np.exp(self.gamma_ * (apart + turned)) + np.exp(self.gamma_ * (apart - turned))
            blocks.append(kernel @ self.coefficients_)
        return np.concatenate(blocks) + self.intercepts_
