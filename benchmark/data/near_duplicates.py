"""Near-duplicates: reported faces whose photograph also occurs in the splits that fit or select.

A near-duplicate is the same photograph [1]_ shifted by up to 3 pixels, mirrored, encoded anew, or changed in brightness
or contrast. Any two faces agree in their coarse light and shade, so a Gaussian blur of each face is subtracted; two
faces are near-duplicates if the normalized cross-correlation [2]_ of the rest exceeds `THRESHOLD` at the best shift,
mirrored or not. Only pairs whose means over cells of 4x4 pixels correlate by more than `CANDIDATE` are compared, for
each face at most the `MOST_CANDIDATES` best, which bounds the time on a set of similar faces; on FER2013 that loses
none.

The threshold was chosen by eye on FER2013, where the correlations have a valley: of 60 pairs drawn at random from those
between 0.75 and 0.8 all were the same photograph, of 60 between 0.7 and 0.75 only 42. Watermarks, text and small
changes of scale seldom hide a near-duplicate; other crops and rotations do.

References
----------
.. [1] B. Barz and J. Denzler, "Do we train on test data? Purging CIFAR of near-duplicates", Journal of
   Imaging 6(6), 2020. https://doi.org/10.3390/jimaging6060041
.. [2] J. P. Lewis, "Fast template matching", Vision Interface, 1995, pp. 120-123.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from benchmark.data.dataset import Dataset
from benchmark.data.protocol import Protocol
from features.rows import IMAGE_SIDE, as_images

SHIFT = 3
BLUR_DEVIATION = 4.0
CELL = 4
CANDIDATE = 0.7
THRESHOLD = 0.75
MOST_CANDIDATES = 100
_CELLS_SIDE = 40
_COARSE_SHIFTS = (-2, 0, 2)  # no shift up to 3 is more than a pixel away from one of them, a quarter of a cell
_BLOCK = 256
_ROWS = 64

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class NearDuplicates:
    """Which reported faces have a near-duplicate in another split, as arrays of shape (n_faces,), dtype bool.

    Attributes
    ----------
    fit, select : ndarray
        All pixels are those of a face of the split that fits, or of the one that selects: an exact duplicate.
    near : ndarray
        No exact duplicate, but a near one in either split.
    """

    fit: NDArray[np.bool_]
    select: NDArray[np.bool_]
    near: NDArray[np.bool_]

    @property
    def remaining(self) -> dict[str, NDArray[np.bool_]]:
        """Faces that remain without ``fit``, ``exact`` or ``near`` duplicates, the mildest rule first."""
        exact = self.fit | self.select
        return {"fit": ~self.fit, "exact": ~exact, "near": ~(exact | self.near)}


def find_near_duplicates(data: Dataset, protocol: Protocol) -> NearDuplicates:
    """Find the reported faces that have a near-duplicate in the split that fits or selects.

    Parameters
    ----------
    data : Dataset
    protocol : Protocol

    Returns
    -------
    NearDuplicates
        Blank images have exact duplicates only.
    """
    X, fit, select = (data[usage].X for usage in (protocol.report, protocol.fit, protocol.select))
    in_fit, in_select = _exact(X, fit), _exact(X, select)
    rest = np.flatnonzero(~(in_fit | in_select))
    near = np.zeros(len(X), dtype=bool)
    near[rest[near_pairs(X[rest], np.concatenate([fit, select]))[0]]] = True
    return NearDuplicates(in_fit, in_select, near)


def near_pairs(X: NDArray[np.uint8], others: NDArray[np.uint8]) -> tuple[Ints, Ints, Floats]:
    """Find the pairs of near-duplicates between two sets of faces; exact ones that are not blank are among them.

    Parameters
    ----------
    X : ndarray of shape (n_faces, 2304), dtype uint8
    others : ndarray of shape (n_others, 2304), dtype uint8

    Returns
    -------
    rows, other_rows : ndarray of shape (n_pairs,), dtype int64
        Rows of `X`, rising, and of `others`.
    correlation : ndarray of shape (n_pairs,), dtype float32
        Above `THRESHOLD`.
    """
    fine = _fine(X)
    rows, other_rows = _candidates(fine, others)
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(rows), _BLOCK)]
    correlations = [_correlation(fine[rows[block]], _fine(others[other_rows[block]])) for block in blocks]
    correlation = np.concatenate([*correlations, np.empty(0, dtype=np.float32)])
    same = correlation > THRESHOLD
    return rows[same], other_rows[same], correlation[same]


def _exact(X: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    known = {row.tobytes() for row in others}
    return np.array([row.tobytes() in known for row in X], dtype=bool)


def _fine(X: NDArray[np.uint8]) -> Floats:
    """Return the faces without their coarse light and shade, shape (n_faces, 48, 48)."""
    images = as_images(X).astype(np.float32)
    return images - gaussian_filter(images, (0, BLUR_DEVIATION, BLUR_DEVIATION))


def _candidates(fine: Floats, others: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Return the pairs whose cells correlate, by rows; for each row at most the `MOST_CANDIDATES` best."""
    # Block by block, since the others as floats would take 12 times their memory.
    starts = range(0, len(others), _BLOCK)
    cells = [np.empty((0, (_CELLS_SIDE // CELL) ** 2), np.float32)]
    cells += [_cells(_fine(others[start : start + _BLOCK]), 0, 0) for start in starts]
    cells_of_others = np.concatenate(cells).T
    pairs = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, len(fine), _ROWS):
        block = fine[start : start + _ROWS]
        best = np.full((len(block), len(others)), -1, np.float32)
        shifted = np.empty_like(best)
        for turned, dy, dx in product((block, block[:, :, ::-1]), _COARSE_SHIFTS, _COARSE_SHIFTS):
            np.maximum(best, np.matmul(_cells(turned, dy, dx), cells_of_others, out=shifted), out=best)
        for row in np.flatnonzero((best > CANDIDATE).sum(axis=1) > MOST_CANDIDATES):
            best[row, np.argpartition(best[row], -MOST_CANDIDATES)[:-MOST_CANDIDATES]] = -1
        rows, other_rows = np.nonzero(best > CANDIDATE)
        pairs.append((start + rows, other_rows))
    rows, other_rows = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return rows, other_rows


def _cells(fine: Floats, dy: int, dx: int) -> Floats:
    n = _CELLS_SIDE // CELL
    return _unit(_window(fine, _CELLS_SIDE, dy, dx).reshape(-1, n, CELL, n, CELL).mean(axis=(2, 4)))


def _correlation(fine: Floats, others: Floats) -> Floats:
    """Return the highest correlation over shifts and mirroring of each pair of pictures, shape (n_pairs,)."""
    side = IMAGE_SIDE - 2 * SHIFT
    fixed = _unit(_window(others, side, 0, 0))
    return np.max([np.einsum("ij,ij->i", _unit(moved), fixed) for moved in _moved(fine, side)], axis=0)


def _moved(fine: Floats, side: int) -> Iterator[Floats]:
    shifts = range(-SHIFT, SHIFT + 1)
    for turned, dy, dx in product((fine, fine[:, :, ::-1]), shifts, shifts):
        yield _window(turned, side, dy, dx)


def _window(images: Floats, side: int, dy: int, dx: int) -> Floats:
    top, left = (IMAGE_SIDE - side) // 2 + dy, (IMAGE_SIDE - side) // 2 + dx
    return images[:, top : top + side, left : left + side]


def _unit(pictures: Floats) -> Floats:
    """Return the pictures as rows of mean 0 and length 1."""
    rows = pictures.reshape(len(pictures), pictures.shape[1] * pictures.shape[2])
    rows = rows - rows.mean(axis=1, keepdims=True)
    # Blank images keep a length of nearly 0, so that rounding errors of the blur match nothing.
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1)
