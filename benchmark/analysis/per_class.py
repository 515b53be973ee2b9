"""Precision, recall and confusions of single emotions, above all of those that recognizers miss most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from benchmark.runs.record_store import Probabilities
from models.labels import EMOTIONS

WEAK_CLASSES = ("Disgust", "Fear")


def precision_recall(y: NDArray[np.int64], proba: NDArray[np.floating], emotion: str) -> pd.DataFrame:
    """Return the precision-recall curve of one emotion against the rest.

    Parameters
    ----------
    y : ndarray of shape (n_faces,)
        True labels.
    proba : ndarray of shape (n_faces, 7)
        Probabilities in the order of the labels.
    emotion : str
        One of `models.labels.EMOTIONS`.

    Returns
    -------
    DataFrame
        ``recall``, ``precision`` and ``threshold``, by rising threshold: a face shows the emotion if its probability
        is at least that. Points on a straight line between others are left out; the last one, threshold infinity,
        finds no face and counts as precise.

    Raises
    ------
    ValueError
        If the emotion is none of the seven, or no face has it.
    """
    is_emotion, score = _against_rest(y, proba, emotion)
    precision, recall, threshold = precision_recall_curve(is_emotion, score, drop_intermediate=True)
    return pd.DataFrame({"recall": recall, "precision": precision, "threshold": np.append(threshold, np.inf)})


def average_precision(y: NDArray[np.int64], proba: NDArray[np.floating], emotion: str) -> float:
    """Return the mean precision of one emotion over recall, from the share of its faces (by chance) to 1.

    Parameters and errors are those of `precision_recall`.
    """
    return float(average_precision_score(*_against_rest(y, proba, emotion)))


def recall_at_precision(
    probabilities: Probabilities, emotion: str, precisions: Sequence[float] = (0.5, 0.6, 0.7)
) -> pd.DataFrame:
    """Return the recall of an emotion at a required precision; the threshold is chosen on validation alone.

    Parameters
    ----------
    probabilities : Probabilities
        Of one run.
    emotion : str
        One of `models.labels.EMOTIONS`.
    precisions : sequence of float
        The lowest precision that is accepted on validation, one for each row.

    Returns
    -------
    DataFrame
        A row for each required precision: ``asked``; ``threshold``, the one with the highest validation recall, of
        equal ones the most precise, infinity if no other is precise enough; ``valid_recall``, ``valid_precision``,
        ``test_recall``, ``test_precision``. Test precision may be below what was asked; it is NaN where no face reaches
        the threshold.

    Raises
    ------
    ValueError
        If the emotion is none of the seven, or one of the splits has no face of it.
    """
    y_valid, valid = probabilities.y_valid, probabilities.valid
    curve = precision_recall(y_valid, valid, emotion).sort_values(["recall", "precision"])
    rows = []
    for asked in precisions:
        threshold = curve.loc[curve["precision"] >= asked, "threshold"].iloc[-1]
        row = {"asked": asked, "threshold": threshold}
        for split, y, proba in (("valid", y_valid, valid), ("test", probabilities.y_test, probabilities.test)):
            is_emotion, score = _against_rest(y, proba, emotion)
            named = score >= threshold
            row[f"{split}_recall"] = named[is_emotion].mean()
            row[f"{split}_precision"] = is_emotion[named].mean() if named.any() else np.nan
        rows.append(row)
    return pd.DataFrame(rows)


def top_confusions(confusion: ArrayLike, emotion: str, n: int = 3) -> pd.DataFrame:
    """Return what an emotion is most often taken for, and what is most often taken for it.

    Parameters
    ----------
    confusion : array-like of shape (7, 7)
        Counts, a row a true label, as in a record.
    emotion : str
        One of `models.labels.EMOTIONS`.
    n : int
        At most so many emotions each way; those that never occur are left out.

    Returns
    -------
    DataFrame
        ``confusion``, "true <emotion> predicted as" or "predicted <emotion> that were"; ``other``, the other emotion;
        ``count``; ``share`` of all faces that have, or are predicted to have, the emotion. The largest count first,
        equal ones in the order of the labels.

    Raises
    ------
    ValueError
        If the emotion is none of the seven.
    """
    counts, label = np.asarray(confusion), EMOTIONS.index(emotion)
    ways = {
        f"true {emotion} predicted as": counts[label],
        f"predicted {emotion} that were": counts[:, label],
    }
    rows = [
        {"confusion": way, "other": EMOTIONS[other], "count": int(line[other]), "share": line[other] / line.sum()}
        for way, line in ways.items()
        for other in [other for other in np.argsort(-line, kind="stable") if other != label and line[other]][:n]
    ]
    return pd.DataFrame(rows, columns=["confusion", "other", "count", "share"])


def _against_rest(
    y: NDArray[np.int64], proba: NDArray[np.floating], emotion: str
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    label = EMOTIONS.index(emotion)
    is_emotion = y == label
    if not is_emotion.any():
        raise ValueError(f"no face shows {emotion}")
    return is_emotion, proba[:, label]
