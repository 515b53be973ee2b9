"""Local binary patterns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern

from features.descriptor import Descriptor


class LbpDescriptor(Descriptor):
    """Histograms of uniform local binary patterns (LBP) over a grid of cells.

    Parameters
    ----------
    n_points : int
        Sampling points on the circle.
    radius : float
        Radius of the circle in pixels.
    grid : int
        Cells along each side of the face.
    n_jobs : int or None
        Processes, as in joblib; -1 takes every core.

    Notes
    -----
    Codes come from `skimage.feature.local_binary_pattern` with ``method="nri_uniform"``: the uniform patterns that
    keep their rotation, as face analysis uses them (a mouth corner that turns up is not one that turns down), and one
    code for all others: P (P - 1) + 3 codes, 59 for 8 points. Each cell's histogram sums to 1.

    References
    ----------
    T. Ojala, M. Pietikainen and T. Maenpaa, "Multiresolution gray-scale and rotation invariant texture classification
    with local binary patterns", IEEE TPAMI 24(7), 2002. https://doi.org/10.1109/TPAMI.2002.1017623

    T. Ahonen, A. Hadid and M. Pietikainen, "Face description with local binary patterns", IEEE TPAMI 28(12), 2006.
    https://doi.org/10.1109/TPAMI.2006.244
    """

    def __init__(self, n_points: int = 8, radius: float = 1, grid: int = 6, n_jobs: int | None = -1) -> None:
        self.n_points = n_points
        self.radius = radius
        self.grid = grid
        self.n_jobs = n_jobs

    def _describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        n_codes = self.n_points * (self.n_points - 1) + 3
        cell_rows, cell_columns = (np.arange(side) * self.grid // side for side in images.shape[1:])
        cells = cell_rows[:, None] * self.grid + cell_columns
        cell_sizes = np.bincount(cells.ravel(), minlength=self.grid**2)
        histograms = [
            np.bincount(
                (
                    cells * n_codes + local_binary_pattern(image, self.n_points, self.radius, "nri_uniform").astype(int)
                ).ravel(),
                minlength=self.grid**2 * n_codes,
            )
            for image in images
        ]
        counts = np.asarray(histograms, dtype=np.float32).reshape(len(images), self.grid**2, n_codes)
        return (counts / cell_sizes[:, None]).reshape(len(images), -1).astype(np.float32)
