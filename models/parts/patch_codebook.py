"""Patch codebook: features learnt without labels, from k-means centroids of small patches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from features.rows import IMAGE_SIDE, as_images

CONTRAST_FLOOR = 10.0
EIGENVALUE_FLOOR = 0.1
KMEANS_ROUNDS = 15


class PatchCodebook(TransformerMixin, BaseEstimator):
    """K-means codebook of whitened patches with triangle coding.

    Every patch of a face loses its mean, is divided by its standard deviation and whitened. Its code for a word of the
    codebook is how much nearer than the average word that word is, 0 for those farther off. Codes are summed over the
    cells of a grid; the square root of the sums keeps large ones from ruling.

    Parameters
    ----------
    side : int
        Of a square patch, pixels.
    n_words : int
        Centroids.
    grid : int
        Cells along each side of the face.
    n_patches : int
        Patches drawn from the training faces to learn from.
    random_state : int

    Attributes
    ----------
    mean_ : ndarray of shape (side * side,), dtype float32
    whitening_ : ndarray of shape (side * side, side * side), dtype float32
    words_ : ndarray of shape (n_words, side * side), dtype float32

    References
    ----------
    A. Coates, H. Lee and A. Y. Ng, "An analysis of single-layer networks in unsupervised feature learning", AISTATS
    2011. https://proceedings.mlr.press/v15/coates11a.html
    """

    def __init__(
        self, side: int = 7, n_words: int = 500, grid: int = 5, n_patches: int = 200_000, random_state: int = 0
    ) -> None:
        self.side = side
        self.n_words = n_words
        self.grid = grid
        self.n_patches = n_patches
        self.random_state = random_state

    def fit(self, X: NDArray[np.uint8], y: None = None) -> PatchCodebook:
        """Learn the whitening and the codebook from rows `X` of shape (n_faces, 2304)."""
        rng = np.random.default_rng(self.random_state)
        n_places = IMAGE_SIDE - self.side + 1
        faces, rows, columns = (rng.integers(0, high, self.n_patches) for high in (len(X), n_places, n_places))
        patches = _normalized(_patches(as_images(X), self.side)[faces, rows, columns])
        self.mean_ = patches.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((patches - self.mean_).T))
        self.whitening_ = ((vectors / np.sqrt(values + EIGENVALUE_FLOOR)) @ vectors.T).astype(np.float32)
        white = (patches - self.mean_) @ self.whitening_
        kmeans = KMeans(self.n_words, init="random", n_init=1, max_iter=KMEANS_ROUNDS, random_state=self.random_state)
        self.words_ = kmeans.fit(white).cluster_centers_.astype(np.float32)
        return self

    def transform(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the codes of rows `X`, shape (n_faces, grid * grid * n_words), on all cores."""
        images = as_images(X)
        # A face at a time stays in the processor's cache; larger blocks wait for memory.
        with threadpool_limits(1):
            codes = Parallel(n_jobs=cpu_count(), prefer="threads")(
                delayed(self._code)(block) for block in np.array_split(images, max(1, min(len(images), 64)))
            )
        return np.concatenate(codes)

    def _code(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        n_places = IMAGE_SIDE - self.side + 1
        edges = np.linspace(0, n_places, self.grid + 1).round().astype(int)
        codes = np.empty((len(images), self.grid, self.grid, self.n_words), np.float32)
        # Squared distances as one matrix product: |z - w|^2 = (z, |z|^2, 1) . (-2 w, 1, |w|^2)
        squares = (self.words_**2).sum(axis=1)
        weights = np.vstack([-2 * self.words_.T, np.ones_like(squares), squares])
        for face, image in enumerate(images):
            patches = _patches(image[None], self.side)[0]
            for row, (top, bottom) in enumerate(pairwise(edges)):
                band = patches[top:bottom].reshape(-1, self.side, self.side)
                white = (_normalized(band) - self.mean_) @ self.whitening_
                ones = np.ones((len(white), 1), np.float32)
                near = np.hstack([white, (white**2).sum(axis=1, keepdims=True), ones]) @ weights
                np.sqrt(np.maximum(near, 0, out=near), out=near)
                np.maximum(np.subtract(near.mean(axis=1, keepdims=True), near, out=near), 0, out=near)
                columns = near.reshape(bottom - top, n_places, -1).sum(axis=0)
                codes[face, row] = np.add.reduceat(columns, edges[:-1], axis=0)
        return np.sqrt(codes, out=codes).reshape(len(images), -1)


def _patches(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a view of all patches, shape (n_faces, places, places, side, side)."""
    return np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(1, 2))


def _normalized(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return patches as rows of mean 0 and a standard deviation of nearly 1."""
    rows = patches.reshape(len(patches), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.sqrt(rows.var(axis=1, keepdims=True) + CONTRAST_FLOOR)
    return rows
