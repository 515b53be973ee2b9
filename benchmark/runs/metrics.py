"""Metrics of probabilities against true labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    log_loss,
    recall_score,
    top_k_accuracy_score,
)

from models.labels import EMOTIONS

LABELS = range(len(EMOTIONS))
CALIBRATION_BINS = 15


def evaluate(y: NDArray[np.int64], proba: NDArray[np.floating]) -> dict[str, Any]:
    """Score probabilities.

    Parameters
    ----------
    y : ndarray of shape (n_faces,)
        True labels.
    proba : ndarray of shape (n_faces, 7)
        Probabilities in the order of the labels.

    Returns
    -------
    dict
        ``accuracy``, ``macro_f1``, ``balanced_accuracy``, ``log_loss`` (nats), ``top2``, ``ece``; ``per_emotion`` with
        ``precision``, ``recall``, ``f1`` and ``support`` of each emotion; ``confusion``, counts, a row a true label.
        The means over emotions are over those that occur in `y`; recall and F1 of the others are None. Precision of an
        emotion that is never predicted is 0.
    """
    proba = proba.astype(float) / proba.sum(axis=1, keepdims=True, dtype=float)
    predicted = proba.argmax(axis=1)
    counts = confusion_matrix(y, predicted, labels=LABELS)
    right, named, true = np.diagonal(counts), counts.sum(axis=0), counts.sum(axis=1)
    return {
        "accuracy": float(accuracy_score(y, predicted)),
        "macro_f1": float(macro_f1(right, named, true)),
        "balanced_accuracy": float(recall_score(y, predicted, labels=np.unique(y), average="macro")),
        "log_loss": float(log_loss(y, proba, labels=LABELS)),
        "top2": float(top_k_accuracy_score(y, proba, k=2, labels=LABELS)),
        "ece": expected_calibration_error(y, proba),
        "per_emotion": {
            emotion: {
                "precision": float(right[label] / max(named[label], 1)),
                "recall": float(right[label] / true[label]) if true[label] else None,
                "f1": float(2 * right[label] / (named[label] + true[label])) if true[label] else None,
                "support": int(true[label]),
            }
            for label, emotion in enumerate(EMOTIONS)
        },
        "confusion": counts.tolist(),
    }


def macro_f1(right: NDArray[np.number], named: NDArray[np.number], true: NDArray[np.number]) -> NDArray[np.floating]:
    """Return the mean F1 over the emotions that occur.

    Parameters
    ----------
    right, named, true : ndarray of shape (..., 7)
        Faces of each emotion that are predicted correctly, are predicted so, and have it.

    Returns
    -------
    ndarray of shape (...)
    """
    occurs = true > 0
    f1 = 2 * right / np.maximum(named + true, 1)
    return (f1 * occurs).sum(axis=-1) / occurs.sum(axis=-1)


def shares(counts: pd.DataFrame) -> pd.DataFrame:
    """Return a confusion matrix as shares of its rows, the true emotions; NaN in a row without faces."""
    return counts.div(counts.sum(axis=1), axis=0)


def reliability(y: NDArray[np.int64], proba: NDArray[np.floating]) -> pd.DataFrame:
    """Return the accuracy of the most probable emotion in bins of its probability.

    Parameters
    ----------
    y, proba
        As for `evaluate`.

    Returns
    -------
    DataFrame
        A row for each of 15 equal bins of the highest probability, without empty ones: ``confidence``, its mean in the
        bin, ``accuracy`` and ``faces``.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    https://arxiv.org/abs/1706.04599
    """
    confidence = proba.max(axis=1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    faces = pd.DataFrame({"confidence": confidence, "accuracy": proba.argmax(axis=1) == y, "faces": 1})
    by_bin = faces.groupby(bins)
    table = by_bin[["confidence", "accuracy"]].mean().join(by_bin["faces"].sum())
    return table.rename_axis("bin")


def expected_calibration_error(y: NDArray[np.int64], proba: NDArray[np.floating]) -> float:
    """Return the mean gap between confidence and accuracy over the bins of `reliability`, weighted by their faces."""
    bins = reliability(y, proba)
    return float(np.average((bins["confidence"] - bins["accuracy"]).abs(), weights=bins["faces"]))
