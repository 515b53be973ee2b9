"""Patch codebook: features learnt without labels, from cluster centres of small patches."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from features.rows import IMAGE_SIDE, as_images

CONTRAST_FLOOR = 10.0
EIGENVALUE_FLOOR = 0.02
SMALLEST_NORM = 1e-6
ROUNDS = 6
BLOCK = 64  # words whose similarities stay in the processor's cache


class PatchCodebook(BaseEstimator):
    """Codebook of whitened patches of length one, with every word's mirror image among the words.

    Every patch of a face loses its mean, is divided by its standard deviation, whitened and scaled to length one. Its
    code for a word of the codebook is by how much their cosine is above `threshold`. Codes are summed around the points
    of a grid, with weights that fall linearly from 1 at a point to 0 at its neighbours; the square root of the sums
    keeps large ones from ruling. The words are the centres of spherical k-means. Since the mirror image of a word is a
    word, the codes of a mirrored face are those of the face in another order, and need no computation of their own.

    Parameters
    ----------
    side : int
        Of a square patch, pixels.
    n_words : int
        Half of them are learnt, the others are their mirror images.
    grid : int
        Points along each side of the face.
    threshold : float
        Least cosine that counts.
    n_patches : int
        Patches drawn from the training faces to learn from.
    random_state : int

    Attributes
    ----------
    mean_ : ndarray of shape (side * side,), dtype float32
    whitening_ : ndarray of shape (side * side, side * side), dtype float32
    words_ : ndarray of shape (n_words, side * side), dtype float32
        The second half are the mirror images of the first.

    References
    ----------
    A. Coates, H. Lee and A. Y. Ng, "An analysis of single-layer networks in unsupervised feature learning", AISTATS
    2011. https://proceedings.mlr.press/v15/coates11a.html
    A. Coates and A. Y. Ng, "Learning feature representations with k-means", 2012 (spherical k-means, the codes with a
    threshold). https://doi.org/10.1007/978-3-642-35289-8_30
    """

    def __init__(
        self,
        side: int = 7,
        n_words: int = 2048,
        grid: int = 5,
        threshold: float = 0.4,
        n_patches: int = 300_000,
        random_state: int = 0,
    ) -> None:
        self.side = side
        self.n_words = n_words
        self.grid = grid
        self.threshold = threshold
        self.n_patches = n_patches
        self.random_state = random_state

    def fit(self, X: NDArray[np.uint8], y: None = None) -> PatchCodebook:
        """Learn the whitening and the words from rows `X` of shape (n_faces, 2304)."""
        rng = np.random.default_rng(self.random_state)
        n_places = IMAGE_SIDE - self.side + 1
        faces, rows, columns = (rng.integers(0, high, self.n_patches) for high in (len(X), n_places, n_places))
        patches = _normalized(_patches(as_images(X), self.side)[faces, rows, columns])
        # Patches and their mirror images together, so that whitening a mirrored patch mirrors the whitened one.
        self.mean_ = (patches.mean(axis=0) + self._mirrored(patches).mean(axis=0)) / 2
        patches -= self.mean_
        covariance = patches.T @ patches / len(patches)
        covariance = (covariance + self._mirrored(self._mirrored(covariance).T).T) / 2
        values, vectors = np.linalg.eigh(covariance)
        self.whitening_ = ((vectors / np.sqrt(values + EIGENVALUE_FLOOR)) @ vectors.T).astype(np.float32)
        self.words_ = self._cluster(_unit(patches @ self.whitening_), rng)
        return self

    def _cluster(self, white: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """Return the words that a few rounds of spherical k-means find, first the learnt ones."""
        half = self.n_words // 2
        words = white[rng.permutation(len(white))[:half]]
        for _ in range(ROUNDS):
            both = np.vstack([words, self._mirrored(words)]).T
            blocks = np.array_split(white, max(1, len(white) // 5000))
            nearest = np.concatenate([(block @ both).argmax(axis=1) for block in blocks])
            is_mirrored = nearest >= half
            turned = np.where(is_mirrored[:, None], self._mirrored(white), white)
            sums = np.zeros_like(words)
            np.add.at(sums, nearest % half, turned)
            # A word without a patch stays.
            words = np.where(sums.any(axis=1, keepdims=True), _unit(sums), words)
        return np.vstack([words, self._mirrored(words)])

    def _mirrored(self, patches: NDArray[np.floating]) -> NDArray[Any]:
        return patches.reshape(-1, self.side, self.side)[:, :, ::-1].reshape(patches.shape)

    def even_odd(self, X: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the even and the odd part of the codes of rows `X`, as `models.parts.mirror_symmetry` defines them.

        Returns
        -------
        tuple of two ndarray of shape (n_faces, grid * grid * n_words / 2)
            Each value once: those for the second half of the words would repeat them.
        """
        images = as_images(X)
        even, odd = np.empty((2, len(images), self.grid, self.grid, len(self.words_) // 2), np.float32)

        def code(face: int) -> None:
            codes = self._code(images[face])
            there, back = np.split(codes, 2, axis=-1)
            np.add(there, back[:, ::-1], out=even[face])
            np.subtract(there, back[:, ::-1], out=odd[face])

        # A face a core: larger products wait for memory.
        with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
            list(pool.map(code, range(len(images)), chunksize=16))
        even *= np.float32(0.5**0.5)
        odd *= np.float32(0.5**0.5)
        return even.reshape(len(images), -1), odd.reshape(len(images), -1)

    def _code(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the codes of a face, shape (grid, grid, n_words)."""
        n_places = IMAGE_SIDE - self.side + 1
        patches = _normalized(_patches(image[None], self.side)[0].reshape(n_places**2, self.side, self.side))
        white = _unit((patches - self.mean_) @ self.whitening_)
        weights = _weights(n_places, self.grid)
        codes = np.empty((self.grid, self.grid, len(self.words_)), np.float32)
        for start in range(0, len(self.words_), BLOCK):
            words = slice(start, start + BLOCK)
            above = white @ self.words_[words].T
            above -= np.float32(self.threshold)
            np.maximum(above, 0, out=above)
            rows = weights @ above.reshape(n_places, -1)
            codes[:, :, words] = weights @ rows.reshape(self.grid, n_places, -1)
        return np.sqrt(codes, out=codes)


def _weights(n_places: int, grid: int) -> NDArray[np.float32]:
    """Return the weight of every place along a side at every point of the grid, shape (grid, n_places)."""
    apart = n_places / grid
    points = (np.arange(grid) + 0.5) * apart - 0.5
    return np.maximum(0, 1 - np.abs(np.arange(n_places) - points[:, None]) / apart).astype(np.float32)


def _patches(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a view of all patches, shape (n_faces, places, places, side, side)."""
    return np.lib.stride_tricks.sliding_window_view(images, (side, side), axis=(1, 2))


def _normalized(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return patches as rows of mean 0 and a standard deviation of nearly 1."""
    rows = patches.reshape(len(patches), -1).astype(np.float32)
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.sqrt(rows.var(axis=1, keepdims=True) + CONTRAST_FLOOR)
    return rows


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows of length one; a row without direction, of a blank patch, stays near 0."""
    return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + np.float32(SMALLEST_NORM))
