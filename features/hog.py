"""Histograms of oriented gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog

from features.descriptor import Descriptor


class HogDescriptor(Descriptor):
    """Histograms of oriented gradients (HOG), dense over the face.

    Parameters
    ----------
    orientations : int
        Bins of unsigned gradient direction over 180 degrees.
    pixels_per_cell : int
        Side of a square cell in pixels.
    cells_per_block : int
        Side of a square block in cells; neighbouring blocks overlap by all but one cell.
    n_jobs : int or None
        Processes, as in joblib; -1 takes every core.

    Notes
    -----
    Computed by `skimage.feature.hog` with L2-Hys block normalisation. 48x48 faces with the default parameters give
    7 x 7 blocks x 2 x 2 cells x 9 orientations = 1,764 values.

    References
    ----------
    N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    https://doi.org/10.1109/CVPR.2005.177
    """

    def __init__(
        self, orientations: int = 9, pixels_per_cell: int = 6, cells_per_block: int = 2, n_jobs: int | None = -1
    ) -> None:
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.n_jobs = n_jobs

    def _describe(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        cell, block = (self.pixels_per_cell,) * 2, (self.cells_per_block,) * 2
        vectors = [
            hog(image, self.orientations, pixels_per_cell=cell, cells_per_block=block, block_norm="L2-Hys")
            for image in images
        ]
        return np.asarray(vectors, dtype=np.float32)
