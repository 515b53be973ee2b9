"""Faces as flat rows: the one array layout that descriptors and recognizers share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

IMAGE_SIDE = 48
N_PIXELS = IMAGE_SIDE * IMAGE_SIDE


def check_rows(X: ArrayLike) -> NDArray[np.uint8]:
    """Return `X` as rows of grey faces, or say what is wrong with it.

    Parameters
    ----------
    X : array-like of shape (n_faces, 2304)
        Grey levels from 0 (black) to 255 (white), each face row by row.

    Returns
    -------
    ndarray of shape (n_faces, 2304), dtype uint8
        `X` itself where it is already of that form.

    Raises
    ------
    ValueError
        If the shape, the type or the range of the values is wrong.
    """
    rows = np.asarray(X)
    if rows.ndim != 2 or rows.shape[1] != N_PIXELS:
        raise ValueError(
            f"expected rows of {N_PIXELS} pixels ({IMAGE_SIDE}x{IMAGE_SIDE} grey), got an array of shape "
            f"{rows.shape}: resize every face to {IMAGE_SIDE}x{IMAGE_SIDE} and flatten it, X.reshape(len(X), -1)"
        )
    if rows.dtype == np.uint8:
        return rows
    if rows.dtype.kind not in "iuf":
        raise ValueError(f"expected grey levels 0-255 as uint8, got dtype {rows.dtype}: use X.astype('uint8')")
    if rows.size and not (rows.min() >= 0 and rows.max() <= 255 and np.array_equal(rows, np.rint(rows))):
        raise ValueError(
            "expected whole grey levels from 0 to 255: scale the pixels (faces in 0-1 need X * 255), "
            "round them and use X.astype('uint8')"
        )
    return rows.astype(np.uint8)


def as_images(X: ArrayLike) -> NDArray[np.uint8]:
    """Return the rows `X` of shape (n_faces, 2304) as uint8 images of shape (n_faces, 48, 48)."""
    return check_rows(X).reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
