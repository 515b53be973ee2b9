"""A codebook of patches and a support vector machine: the strongest classical pipeline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.base import BaseRecognizer
from models.parts.mirror_symmetry import MirroredPCA, MirroredRbfSVM
from models.parts.pairwise_coupling import PairwiseCalibrator
from models.parts.patch_codebook import PatchCodebook
from models.registry import Range, recognizer


class PatchSVM(BaseRecognizer):
    """Patch codebook, principal components, RBF support vector machine, fitted on faces and their mirror images.

    Parameters
    ----------
    patch_size : int
        Side of a patch, pixels.
    n_words : int
        Words of the codebook.
    n_components : int
        Principal components kept.
    C, gamma : float
        Of the support vector machine.
    random_state : int
        Seed of the codebook.

    Notes
    -----
    The probabilities are calibrated on the validation split, as those of `models.recognizers.hog_svm.HogSVM`.
    The parameters were chosen by the trials in results/fer2013/trials.md ("Classical descriptors").
    """

    uses_validation = False  # to fit; the calibration does

    def __init__(
        self,
        patch_size: int = 7,
        n_words: int = 2048,
        n_components: int = 600,
        C: float = 3.0,
        gamma: float = 1.5,
        random_state: int = 0,
    ) -> None:
        self.patch_size = patch_size
        self.n_words = n_words
        self.n_components = n_components
        self.C = C
        self.gamma = gamma
        self.random_state = random_state

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        codebook = PatchCodebook(self.patch_size, self.n_words, random_state=self.random_state).fit(X)
        self.pca_ = MirroredPCA(codebook, self.n_components, random_state=self.random_state)
        self.svm_ = MirroredRbfSVM(self.C, self.gamma).fit(*self.pca_.fit_transform(X), y, sample_weight)

    def _calibrate(self, X: NDArray[np.uint8], y: NDArray[np.intp]) -> None:
        self.calibrator_ = PairwiseCalibrator().fit(self._decision_values(X), y, len(self.classes_))
        super()._calibrate(X, y)

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return self.calibrator_.predict_proba(self._decision_values(X))

    def _decision_values(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.svm_.decision_function(*self.pca_.transform(X))


@recognizer(
    family="classical",
    space={
        "n_words": (512, 1024, 2048),
        "n_components": Range(200, 800),
        "C": Range(1.0, 10.0, log=True),
        "gamma": Range(0.5, 3.0, log=True),
    },
)
def patch_svm(random_state: int = 0) -> PatchSVM:
    """Patch codebook, mirrored, PCA and an RBF support vector machine."""
    return PatchSVM(random_state=random_state)
