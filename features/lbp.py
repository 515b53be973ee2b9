"""Local binary patterns."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from features.descriptor import Descriptor

MOST_POINTS = 16


class LbpDescriptor(Descriptor):
    """Histograms of uniform local binary patterns (LBP) over a grid of cells.

    Parameters
    ----------
    n_points : int
        Sampling points on the circle, 16 at most.
    radius : float
        Radius of the circle in pixels.
    grid : int
        Cells along each side of the face.

    Notes
    -----
    The codes of `skimage.feature.local_binary_pattern` with ``method="nri_uniform"``, several times faster, for many
    faces at once: the uniform patterns that keep their rotation, as face analysis uses them (a mouth corner that turns
    up is not one that turns down), and one code for all others: P (P - 1) + 3 codes, 59 for 8 points. Each cell's
    histogram sums to 1.

    References
    ----------
    T. Ojala, M. Pietikainen and T. Maenpaa, "Multiresolution gray-scale and rotation invariant texture classification
    with local binary patterns", IEEE TPAMI 24(7), 2002. https://doi.org/10.1109/TPAMI.2002.1017623

    T. Ahonen, A. Hadid and M. Pietikainen, "Face description with local binary patterns", IEEE TPAMI 28(12), 2006.
    https://doi.org/10.1109/TPAMI.2006.244
    """

    def __init__(self, n_points: int = 8, radius: float = 1, grid: int = 6) -> None:
        self.n_points = n_points
        self.radius = radius
        self.grid = grid

    def _describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self.n_points > MOST_POINTS:
            raise ValueError(f"n_points is {self.n_points}: {MOST_POINTS} at most")
        n_codes = self.n_points * (self.n_points - 1) + 3
        cell_rows, cell_columns = (np.arange(side) * self.grid // side for side in images.shape[1:])
        cells = cell_rows[:, None] * self.grid + cell_columns
        cell_sizes = np.bincount(cells.ravel(), minlength=self.grid**2)
        faces = np.arange(len(images))[:, None, None] * self.grid**2
        places = (faces + cells) * n_codes + _codes(self.n_points)[_patterns(images, self.n_points, self.radius)]
        counts = np.bincount(places.ravel(), minlength=len(images) * self.grid**2 * n_codes)
        shares = counts.reshape(len(images), self.grid**2, n_codes) / cell_sizes[:, None]
        return shares.reshape(len(images), -1).astype(np.float32)


def _patterns(images: NDArray[np.uint8], n_points: int, radius: float) -> NDArray[np.unsignedinteger]:
    """Return the pattern of every pixel: bit k is set where point k of the circle is no darker than the middle.

    Points between pixels are interpolated bilinearly, those beyond the border are black. The operations are those of
    scikit-image in their order, since in an even area rounding alone decides.
    """
    angles = 2 * np.pi * np.arange(n_points) / n_points
    along_rows, along_columns = np.round(-radius * np.sin(angles), 5), np.round(radius * np.cos(angles), 5)
    border = int(np.ceil(radius))
    height, width = images.shape[1:]
    padded = np.pad(images, ((0, 0), (border, border), (border, border))).astype(float)
    middle = padded[:, border : border + height, border : border + width]
    between_columns = {step: _interpolated(padded, step, border, width, axis=2) for step in np.unique(along_columns)}
    patterns = np.zeros(images.shape, np.uint8 if n_points <= 8 else np.uint16)
    for point, (row_step, column_step) in enumerate(zip(along_rows, along_columns, strict=True)):
        level = _interpolated(between_columns[column_step], row_step, border, height, axis=1)
        patterns |= (level >= middle) * patterns.dtype.type(1 << point)
    return patterns


def _interpolated(padded: NDArray[np.float64], step: float, border: int, side: int, axis: int) -> NDArray[np.float64]:
    """Return the values `step` pixels further along `axis`, without that axis' border."""
    lines = np.moveaxis(padded, axis, -1)
    first = border + int(np.floor(step))
    before, after = lines[..., first : first + side], lines[..., first + 1 : first + 1 + side]
    places = np.arange(side) + step
    share = places - np.floor(places)
    values = before if step == int(step) else (1 - share) * before + share * after
    return np.moveaxis(values, -1, axis)


@cache
def _codes(n_points: int) -> NDArray[np.intp]:
    """Return the code of each of the 2^P patterns: uniform ones by their ones and their rotation, all others the last.

    Uniform means at most two changes from bit to bit.
    """
    patterns = np.arange(2**n_points)
    bits = (patterns[:, None] >> np.arange(n_points)) & 1
    # As scikit-image counts: from the last bit to the first there is no change.
    changes = (bits[:, 1:] != bits[:, :-1]).sum(axis=1)
    ones, first_one, first_zero = bits.sum(axis=1), bits.argmax(axis=1), bits.argmin(axis=1)
    rotation = np.where(first_one == 0, ones - first_zero, n_points - first_one)
    codes = 1 + (ones - 1) * n_points + rotation
    codes[ones == 0] = 0
    codes[ones == n_points] = n_points * (n_points - 1) + 1
    codes[changes > 2] = n_points * (n_points - 1) + 2
    return codes
