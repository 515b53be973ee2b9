"""Patch codebooks and HOG at three scales in one support vector machine: the strongest classical pipeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.hog import HogDescriptor
from models.base import BaseRecognizer
from models.parts.mirror_symmetry import MirroredPCA, MirroredRbfSVM
from models.parts.pairwise_coupling import PairwiseCalibrator
from models.parts.patch_codebook import PatchCodebook
from models.registry import Range, recognizer


class PatchSVM(BaseRecognizer):
    """Patch codebooks of two sizes and HOG of three cell sizes, principal components, RBF support vector machine.

    Each description is reduced by itself; then the strongest components of all stand side by side. It is fitted on
    faces and their mirror images.

    Parameters
    ----------
    patch_sizes : tuple of int
        Patch sizes, pixels; a codebook each.
    n_words : int
        Centroids of a codebook.
    pixels_per_cell : tuple of int
        Of the HOG descriptors.
    n_components : int
        Principal components kept, the strongest of all descriptions together.
    C, gamma : float
        Of the support vector machine.
    random_state : int
        Seed of the codebooks.

    Notes
    -----
    The probabilities are calibrated on the validation split, as those of `models.recognizers.hog_svm.HogSVM`.
    Patch sizes, cell sizes, the number of components, C and gamma were chosen by the trials in
    results/fer2013/trials.md ("Classical descriptors").
    """

    def __init__(
        self,
        patch_sizes: tuple[int, ...] = (7, 11),
        n_words: int = 500,
        pixels_per_cell: tuple[int, ...] = (6, 8, 12),
        n_components: int = 500,
        C: float = 3.0,
        gamma: float = 1.5,
        random_state: int = 0,
    ) -> None:
        self.patch_sizes = patch_sizes
        self.n_words = n_words
        self.pixels_per_cell = pixels_per_cell
        self.n_components = n_components
        self.C = C
        self.gamma = gamma
        self.random_state = random_state

    def _fit(
        self, X: NDArray[np.uint8], y: NDArray, sample_weight: NDArray, X_valid: NDArray[np.uint8], y_valid: NDArray
    ) -> None:
        books = [PatchCodebook(size, self.n_words, random_state=self.random_state).fit(X) for size in self.patch_sizes]
        hogs = [HogDescriptor(pixels_per_cell=side).fit(X) for side in self.pixels_per_cell]
        n, seed = self.n_components, self.random_state
        self.parts_ = [MirroredPCA(book, n, standardize=True, random_state=seed) for book in books]
        # The HOG of all scales weigh as much as one codebook.
        self.parts_ += [MirroredPCA(hog, n, variance=1 / len(hogs), random_state=seed) for hog in hogs]
        components = [part.fit_transform(X) for part in self.parts_]
        spreads = [[(part**2).mean(axis=0) for part in pair] for pair in components]
        weakest = np.sort(np.concatenate([spread for pair in spreads for spread in pair]))[-self.n_components :][0]
        masks = [[spread >= weakest for spread in pair] for pair in spreads]
        for part, (even, odd) in zip(self.parts_, masks, strict=True):
            part.select_components(even, odd)
        strongest = [
            [part[:, mask] for part, mask in zip(pair, pair_masks, strict=True)]
            for pair, pair_masks in zip(components, masks, strict=True)
        ]
        self.svm_ = MirroredRbfSVM(self.C, self.gamma).fit(*_stacked(strongest), y, sample_weight)
        self.calibrator_ = PairwiseCalibrator().fit(self._decision_values(X_valid), y_valid, len(self.classes_))

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return self.calibrator_.predict_proba(self._decision_values(X))

    def _decision_values(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.svm_.decision_function(*_stacked([part.transform(X) for part in self.parts_]))


def _stacked(components: Sequence[Sequence[NDArray[np.float32]]]) -> tuple[NDArray, NDArray]:
    """Return the even parts of all descriptions in one array, and the odd parts in another."""
    even, odd = zip(*components, strict=True)
    return np.hstack(even), np.hstack(odd)


@recognizer(
    family="classical",
    space={
        "n_words": (250, 500, 1000),
        "n_components": Range(200, 800),
        "C": Range(1.0, 10.0, log=True),
        "gamma": Range(0.5, 3.0, log=True),
    },
)
def patch_svm(random_state: int = 0) -> PatchSVM:
    """Patch codebooks and HOG of several scales, mirrored, PCA and an RBF support vector machine."""
    return PatchSVM(random_state=random_state)
