"""What makes an answer about a face doubtful, whatever the model: its size, its sharpness, its direction."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from models.inference.crop import Face

# Width of the box, pixels: from here down, a face has less than half as many pixels as the models see.
SMALL = 32
# Share of the contrast that a blur of one pixel takes away: less than in 99 of 100 faces of FER2013, which have 0.14.
BLURRED = 0.1


def doubts(face: Face | None, crop: NDArray[np.uint8]) -> list[str]:
    """Return which of ``small``, ``blurred`` and ``turned away`` a face is.

    Parameters
    ----------
    face : Face or None
        None where the whole picture was taken.
    crop : ndarray of shape (48, 48), dtype uint8
    """
    pixels = crop.astype(float)
    fine = (pixels - gaussian_filter(pixels, 1.0)).std()
    found = {
        "small": face is not None and face.width < SMALL,
        "blurred": fine < BLURRED * pixels.std(),
        "turned away": face is not None and face.is_turned_away,
    }
    return [name for name, is_so in found.items() if is_so]
