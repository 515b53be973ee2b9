"""Conversion of grey levels of any range to 8 bits: one rule for arrays and files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A level so many times above white may be sharpening; a picture whose levels are all so far below is black.
OVERSHOOT = 5


class PhotoError(ValueError):
    """A picture cannot be used; the message says why and the fix, without the file's name."""


def eight_bits(levels: NDArray) -> NDArray[np.uint8]:
    """Return levels of any type as 8 bits.

    Parameters
    ----------
    levels : ndarray of bool, integers or floating point
        Of booleans, True is white. uint8 has the range 0-255, uint16 0-65535. Other integers have the range 0-255 if
        their largest level is at most 1275, else 0-65535 (int16: 0-32767). Floating point has the range 0-1 if its
        largest level is at most 5, else 0-255 or 0-65535 likewise. Few levels may lie outside the range, as resampling,
        sharpening and noise leave them: they are clipped. NaN is black.

    Raises
    ------
    PhotoError
        If more than few levels are outside the range, e.g. -1 to 1; the message names the levels.
    """
    if levels.dtype == np.uint8:
        return levels
    if levels.dtype == bool:
        return levels * np.uint8(255)
    values = levels.astype(np.float64)
    # Of either byte order.
    is_uint16 = levels.dtype.kind == "u" and levels.dtype.itemsize == 2
    top = 65535.0 if is_uint16 else _top(values[np.isfinite(values)], levels.dtype)
    return np.rint(np.clip(np.nan_to_num(values), 0, top) * (255 / top)).astype(np.uint8)


def _top(values: NDArray[np.float64], dtype: np.dtype) -> float:
    """Return the level of white."""
    if not values.size:
        raise PhotoError("no level is a finite number: give 0 to 1, or 0 to 255")
    low, high = np.percentile(values, [1, 99])
    tops = (1, 255, 65535) if dtype.kind == "f" else (255, min(65535, np.iinfo(dtype).max))
    top = next((top for top in tops if values.max() <= OVERSHOOT * top), 0)
    if not top or high > 1.5 * top or low < -0.35 * high - 0.001 * top:
        raise PhotoError(
            f"levels from {values.min():g} to {values.max():g}: give 0 to 1 as floating point, 0 to 255, or 0 to 65535"
        )
    return float(top)
