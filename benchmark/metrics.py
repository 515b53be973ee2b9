"""Metrics of stored probabilities against true labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
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
    """
    proba = proba.astype(float) / proba.sum(axis=1, keepdims=True, dtype=float)
    predicted = proba.argmax(axis=1)
    scores = precision_recall_fscore_support(y, predicted, labels=LABELS, zero_division=0)
    return {
        "accuracy": float(accuracy_score(y, predicted)),
        "macro_f1": float(f1_score(y, predicted, labels=LABELS, average="macro", zero_division=0)),
        "balanced_accuracy": float(balanced_accuracy_score(y, predicted)),
        "log_loss": float(log_loss(y, proba, labels=LABELS)),
        "top2": float(top_k_accuracy_score(y, proba, k=2, labels=LABELS)),
        "ece": expected_calibration_error(y, proba),
        "per_emotion": {
            emotion: {
                name: (int if name == "support" else float)(values[label])
                for name, values in zip(("precision", "recall", "f1", "support"), scores, strict=True)
            }
            for label, emotion in enumerate(EMOTIONS)
        },
        "confusion": confusion_matrix(y, predicted, labels=LABELS).tolist(),
    }


def expected_calibration_error(y: NDArray[np.int64], proba: NDArray[np.floating]) -> float:
    """Return the mean gap between confidence and accuracy over 15 equal bins of the highest probability.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML 2017.
    https://arxiv.org/abs/1706.04599
    """
    confidence = proba.max(axis=1)
    correct = proba.argmax(axis=1) == y
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, confidence - correct, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(y))
