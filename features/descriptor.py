"""Base class of the descriptors: checks, and description of a few faces at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from features.rows import IMAGE_SIDE, N_PIXELS, as_images, check_rows

# Few faces, so that the intermediate arrays stay in the processor's cache.
BATCH = 32


class Descriptor(TransformerMixin, BaseEstimator):
    """Base of the descriptors: a scikit-learn transformer on flat rows that learns nothing.

    A subclass takes its parameters in ``__init__`` and implements ``_describe``.
    """

    def fit(self, X: ArrayLike, y: Any = None) -> Descriptor:
        """Check the rows `X` of shape (n_faces, 2304); nothing is learnt."""
        check_rows(X)
        self.n_features_in_ = N_PIXELS
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Describe every face.

        Parameters
        ----------
        X : array-like of shape (n_faces, 2304), dtype uint8
            Grey levels 0-255.

        Returns
        -------
        ndarray of shape (n_faces, n_features), dtype float32
        """
        images = as_images(X)
        if not len(images):
            return self._describe(np.zeros((1, IMAGE_SIDE, IMAGE_SIDE), np.uint8))[:0]
        return np.concatenate([self._describe(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])

    def _describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vectors, shape (n_faces, n_features), of uint8 images of shape (n_faces, 48, 48)."""
        raise NotImplementedError
