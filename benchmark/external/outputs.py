"""From the outputs of a model to seven probabilities; catches outputs that are other than declared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import softmax
from sklearn.metrics import confusion_matrix

from benchmark.external.declaration import Declaration, class_matrix
from models.labels import EMOTIONS, emotion_of

# Outputs in eight bits add up to 1 within seven halves of 1/256.
SUM_TOLERANCE = 0.02
# How much more accurate another order of the classes must be on validation before the declared one is refused.
LEAST_GAIN = 0.1


def seven_probabilities(
    declared: Declaration, outputs: Any, n_faces: int, classes: Sequence[str]
) -> NDArray[np.float32]:
    """Return the probabilities of the seven emotions.

    Parameters
    ----------
    declared : Declaration
    outputs : array-like of shape (n_faces, n_classes), or (n_faces,) for labels
    n_faces : int
    classes : sequence of str
        In the order of the columns. Labels are positions in it, or names.

    Returns
    -------
    ndarray of shape (n_faces, 7), dtype float32
        In the order of `models.labels.EMOTIONS`; rows sum to 1.

    Raises
    ------
    DataError
        If shape or values of the outputs are not as declared.
    """
    kind, values, meaning = declared.facts["output"], np.asarray(outputs), class_matrix(declared, classes)
    if kind == "labels":
        values = _one_hot(declared, values, n_faces, classes)
    elif values.shape != (n_faces, len(classes)):
        raise declared.error(
            f"the outputs for {n_faces} faces have the shape {values.shape}, and the declaration names {len(classes)} "
            f"classes: name every class in `classes`, in the order of the outputs, or correct the model"
        )
    elif values.dtype.kind not in "fiu":
        raise declared.error(f"the outputs are no numbers ({values.dtype}): return floats")
    values = values.astype(float)
    if not np.isfinite(values).all():
        faces = int((~np.isfinite(values)).any(axis=1).sum())
        raise declared.error(f"NaN or infinite outputs for {faces} of {n_faces} faces: check `range`, or the model")
    _check_kind(declared, kind, values)
    shares = softmax(values, axis=1) if kind == "logits" else values
    emotions = shares @ meaning + 1e-12  # all may have gone to a class that is dropped
    return (emotions / emotions.sum(axis=1, keepdims=True)).astype(np.float32)


def _one_hot(declared: Declaration, labels: NDArray[Any], n_faces: int, classes: Sequence[str]) -> NDArray[np.float64]:
    if labels.size != n_faces:
        raise declared.error(f"{labels.size} labels for {n_faces} faces: return one for each, or correct `output`")
    places = {name: place for place, name in enumerate(classes)} | {place: place for place in range(len(classes))}
    named = labels.ravel().tolist()
    if unknown := {label for label in named if label not in places}:
        raise declared.error(f"the labels {unknown} are no classes: return names of `classes`, or positions from 0")
    return np.eye(len(classes))[[places[label] for label in named]]


def _check_kind(declared: Declaration, kind: str, values: NDArray[np.float64]) -> None:
    """Raise an error if the outputs look like another kind than the declared one."""
    if not len(values):
        return
    low, high, sums = values.min(), values.max(), values.sum(axis=1)
    off = float(np.abs(sums - 1).max())
    shown = f"the outputs range from {low:.3g} to {high:.3g}"
    if kind == "probabilities" and (low < -1e-3 or high > 1 + SUM_TOLERANCE):
        raise declared.error(f'{shown}, so they are no probabilities: output = "logits", or correct the values')
    if kind == "probabilities" and off > SUM_TOLERANCE:
        raise declared.error(f'rows sum to 1 only within {off:.3g}: output = "scores" divides each row by its sum')
    if kind == "scores" and (low < 0 or sums.min() <= 0):
        raise declared.error(f'{shown}, and scores are not negative, nor all 0: output = "logits"')
    if kind == "logits" and low >= 0 and off < 1e-3:
        raise declared.error(f'{shown} and rows sum to 1, so they are no logits: output = "probabilities"')


def check_class_order(
    declared: Declaration, classes: Sequence[str], y: NDArray[np.int64], proba: NDArray[np.floating]
) -> None:
    """Raise an error if another order of the classes is far more accurate on validation faces.

    Parameters
    ----------
    declared, classes
        As for `seven_probabilities`.
    y : ndarray of shape (n_faces,)
        Labels.
    proba : ndarray of shape (n_faces, 7)

    Raises
    ------
    DataError
        If the best assignment of the classes to the emotions is more accurate by 10 points, and on few faces by three
        standard errors; the message has this order.
    """
    counts = confusion_matrix(y, proba.argmax(axis=1), labels=range(len(EMOTIONS)))
    true, predicted = linear_sum_assignment(counts, maximize=True)
    right, best = np.trace(counts) / len(y), counts[true, predicted].sum() / len(y)
    if best - right <= max(LEAST_GAIN, 1.5 / np.sqrt(len(y))):
        return
    meaning = dict(zip(predicted.tolist(), true.tolist(), strict=True))
    labels = [emotion_of(name) for name in classes]
    order = [
        EMOTIONS[meaning[label]].lower() if label is not None else name
        for label, name in zip(labels, classes, strict=True)
    ]
    raise declared.error(
        f"the classes stand in a wrong order: as declared, the accuracy on validation faces is {right:.3f}, and "
        f"{best:.3f} with classes = {order}: correct `classes`"
    )
