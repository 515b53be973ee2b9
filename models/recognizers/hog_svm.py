"""HOG and an RBF support vector machine: the classical pipeline of the field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from features.hog import HogDescriptor
from models.base import BaseRecognizer
from models.parts.pairwise_coupling import PairwiseCalibrator
from models.parts.rbf_svm import RbfSVM
from models.parts.rounded_rows import RoundedRows
from models.registry import Range, recognizer

STEPS = 127  # up to the largest value of a principal direction


class HogSVM(BaseRecognizer):
    """HOG vectors, principal components, RBF support vector machine, pairwise calibration.

    Parameters
    ----------
    pixels_per_cell, orientations : int
        Of the HOG descriptor.
    n_components : int
        Principal components kept.
    C : float
        Penalty of a margin violation.
    random_state : int
        Seed of the validation part that is set aside where none is given.

    Notes
    -----
    The probabilities are calibrated on the validation split, 42 numbers on 3,589 faces of FER2013, instead of by five
    more fits. Its validation log loss is therefore slightly optimistic; the test split is not touched. Principal
    directions and their components are in eight bits from the fit on, so that the file predicts the same and is small.
    """

    def __init__(
        self,
        pixels_per_cell: int = 6,
        orientations: int = 9,
        n_components: int = 400,
        C: float = 5.0,
        random_state: int = 0,
    ) -> None:
        self.pixels_per_cell = pixels_per_cell
        self.orientations = orientations
        self.n_components = n_components
        self.C = C
        self.random_state = random_state

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        self.descriptor_ = HogDescriptor(self.orientations, self.pixels_per_cell).fit(X)
        vectors = self.descriptor_.transform(X)
        n_components = min(self.n_components, *vectors.shape)
        # Exact and deterministic, and fast while there are fewer features than faces.
        pca = PCA(n_components, svd_solver="covariance_eigh").fit(vectors)
        self.mean_, self.directions_ = pca.mean_, RoundedRows(STEPS).fit(pca.components_)
        self.svm_ = RbfSVM(self.C).fit(self._project(vectors), y, sample_weight)
        self.calibrator_ = PairwiseCalibrator().fit(self._decision_values(X_valid), y_valid, len(self.classes_))

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return self.calibrator_.predict_proba(self._decision_values(X))

    def _decision_values(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.svm_.decision_function(self._project(self.descriptor_.transform(X)))

    def _project(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        directions = self.directions_.values.T
        return vectors @ directions - self.mean_ @ directions


@recognizer(
    family="classical",
    uses_seed=False,
    space={
        "pixels_per_cell": (5, 6, 8),
        "orientations": (8, 9, 12),
        "n_components": Range(100, 600),
        "C": Range(0.5, 50.0, log=True),
    },
)
def hog_svm(random_state: int = 0) -> HogSVM:
    """HOG, PCA and an RBF support vector machine."""
    # The best of 20 trials of `python -m benchmark.tune hog_svm`: results/fer2013/tuning/kaggle-hog_svm-seed0.csv
    return HogSVM(C=17.96, n_components=237, orientations=12, random_state=random_state)
