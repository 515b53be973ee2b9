"""What all descriptors share: checks, parallel description, progress and the cache."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from features.cache import cached_arrays
from features.rows import IMAGE_SIDE, N_PIXELS, as_images, check_rows
from features.source import code_digest

BATCH = 256
# Below this a description is cheaper than the file that would keep it.
CACHED_FROM = 1000


class Descriptor(TransformerMixin, BaseEstimator):
    """Base of the descriptors: a scikit-learn transformer on flat rows that learns nothing.

    A subclass takes its parameters and `n_jobs` in ``__init__`` and implements ``_describe``.
    """

    n_jobs: int | None

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
            Large sets come from the cache where they were described before by the same code.
        """
        rows = check_rows(X)
        if len(rows) < CACHED_FROM:
            return self._describe_all(rows)
        return cached_arrays(self._cache_key(rows), lambda: {"vectors": self._describe_all(rows)})["vectors"]

    def _cache_key(self, rows: NDArray[np.uint8]) -> str:
        params = {name: value for name, value in self.get_params().items() if name != "n_jobs"}
        digest = hashlib.sha256(repr((sorted(params.items()), code_digest(type(self).__module__), rows.shape)).encode())
        digest.update(np.ascontiguousarray(rows).data)
        return f"{type(self).__name__}-{digest.hexdigest()[:32]}"

    def _describe_all(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        images = as_images(rows)
        if not len(images):
            blank = np.zeros((1, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
            return self._describe(blank)[:0]
        starts = range(0, len(images), BATCH)
        jobs = (delayed(self._describe)(images[start : start + BATCH]) for start in starts)
        done = Parallel(n_jobs=self.n_jobs if len(starts) > 1 else 1, return_as="generator")(jobs)
        bar = tqdm(done, total=len(starts), desc=type(self).__name__, unit="batch", disable=None, leave=False)
        return np.concatenate(list(bar))

    def _describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the vectors, shape (n_faces, n_features), of uint8 images of shape (n_faces, 48, 48)."""
        raise NotImplementedError
