"""Check faces, labels, weights and soft labels before a fit, so that errors name our input, not a library."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.rows import check_rows


def check_faces(X: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.uint8], NDArray]:
    """Return faces and labels that a recognizer can be fitted on, or say what is wrong with them.

    Parameters
    ----------
    X : array-like of shape (n_faces, 2304)
    y : array-like of shape (n_faces,)
        Whole numbers or names.

    Raises
    ------
    ValueError
        If there are no faces, or rows or labels have the wrong form.
    """
    rows, labels = check_rows(X), _check_labels(y)
    if len(rows) != len(labels):
        raise ValueError(f"X has {len(rows)} faces but y {len(labels)} labels: give one label a face")
    if not len(rows):
        raise ValueError("X has no faces: give at least one")
    return rows, labels


def check_weight(sample_weight: ArrayLike | None, n_faces: int) -> NDArray[np.float64]:
    """Return the weight of each face, 1 where None is given, or raise a ValueError that says what is wrong."""
    if sample_weight is None:
        return np.ones(n_faces)
    try:
        weight = np.asarray(sample_weight, dtype=float)
    except (TypeError, ValueError):
        raise ValueError("sample_weight has values that are not numbers: give one number a face") from None
    if weight.shape != (n_faces,):
        raise ValueError(f"sample_weight has the shape {weight.shape} for {n_faces} faces: give one number a face")
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("sample_weight has NaN, infinite or negative weights: give finite numbers from 0")
    return weight


def check_soft_labels(soft_labels: ArrayLike, n_faces: int, n_classes: int) -> NDArray[np.float32]:
    """Return the share of each class for each face, or raise a ValueError that says what is wrong."""
    try:
        shares = np.asarray(soft_labels, dtype=np.float32)
    except (TypeError, ValueError):
        raise ValueError("soft_labels has values that are not numbers: give a row of shares a face") from None
    if shares.shape != (n_faces, n_classes):
        raise ValueError(
            f"soft_labels has the shape {shares.shape} for {n_faces} faces and {n_classes} classes in y: give a row a "
            "face, with a share for each of these classes, in sorted order"
        )
    if not (shares >= 0).all():
        raise ValueError("soft_labels has NaN or negative shares: give numbers from 0 to 1")
    if not np.allclose(shares.sum(axis=1), 1, atol=1e-4):
        raise ValueError("soft_labels has rows that do not sum to 1: divide each row by its sum")
    return shares


def _check_labels(y: ArrayLike) -> NDArray:
    try:
        labels = np.asarray(y)
    except ValueError:
        raise ValueError("y has rows of unequal lengths: give one label a face") from None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.ravel()
    if labels.ndim != 1:
        raise ValueError(f"y has the shape {labels.shape}: give one label a face; for one-hot rows, y.argmax(axis=1)")
    if labels.dtype.kind == "O":
        kinds = {type(label) for label in labels}
        good = len(kinds) == 1 and issubclass(kinds.pop(), (str, int, np.integer))
    elif labels.dtype.kind == "f":
        good = bool(np.isfinite(labels).all()) and np.array_equal(labels, np.rint(labels))
    else:
        good = labels.dtype.kind in "biuUT"
    if len(labels) and not good:
        raise ValueError("y has missing or mixed labels: give whole numbers or names, one for every face")
    return labels
