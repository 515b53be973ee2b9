"""Scores against FER+: what ten other annotators saw in the test faces, as a second view on the probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data.ferplus import CHOICES, FILE_ORDER, OTHERS, Votes
from benchmark.data.ferplus_labels import majority_choice
from benchmark.runs.metrics import macro_f1
from models.labels import EMOTIONS

LABELS_ROW = "(FER2013 labels)"
_IN_FILE_ORDER = [CHOICES.index(name) for name in FILE_ORDER]
_SEVEN = len(EMOTIONS)


def score_against_ferplus(votes: Votes, y: NDArray[np.int64], proba: NDArray[np.floating]) -> dict[str, Any]:
    """Score probabilities, and FER2013's own labels, against FER+.

    Parameters
    ----------
    votes : ndarray of shape (n_faces, 10)
        From `benchmark.data.ferplus.FerPlus.of`.
    y : ndarray of shape (n_faces,)
        FER2013's labels.
    proba : ndarray of shape (n_faces, 7)
        Probabilities in the order of the labels.

    Returns
    -------
    dict
        ``n_faces`` whose `majority_choice` is one of the seven emotions, ``left_out`` the number of others by reason;
        on the former, ``accuracy`` and ``macro_f1`` of the most probable emotion, and ``recall`` of each emotion.
        ``labels``: how far FER2013's own labels agree with FER+. On the same faces, ``accuracy``, ``macro_f1`` and
        ``recall``, comparable with those above; ``per_emotion``, the share of each label's faces that agree. Over all
        faces, ``all_faces`` and ``all_faces_per_emotion`` with the choice of most votes, the first in the file's order
        of columns where several have as many.
        ``soft``: the ``n_faces`` for which the seven emotions got more than half of the votes; ``cross_entropy``, in
        nats, the mean of `proba` against these emotions' shares of votes; ``entropy`` of the shares, its lowest value.

    Raises
    ------
    ValueError
        If the lengths differ, or no face is left.
    """
    if not len(votes) == len(y) == len(proba):
        raise ValueError(f"expected as many votes as labels and probabilities: {len(votes)}, {len(y)}, {len(proba)}")
    chosen = majority_choice(votes)
    clear = (chosen >= 0) & (chosen < _SEVEN)
    if not clear.any():
        raise ValueError("no face has one of the seven emotions for a majority in FER+")
    truth, predicted = chosen[clear], proba.argmax(axis=1)
    most = np.array(_IN_FILE_ORDER)[votes[:, _IN_FILE_ORDER].argmax(axis=1)]
    reasons = {"contempt": "contempt", "unknown": "unknown", "NF": "not_a_face"}
    return {
        "n_faces": int(clear.sum()),
        "left_out": {reasons[name]: int((chosen == CHOICES.index(name)).sum()) for name in OTHERS}
        | {"no_majority": int((chosen < 0).sum())},
        **_scores(truth, predicted[clear]),
        "recall": _shares(predicted[clear] == truth, truth),
        "labels": {
            **_scores(truth, y[clear]),
            "recall": _shares(y[clear] == truth, truth),
            "per_emotion": _shares(y[clear] == truth, y[clear]),
            "all_faces": float((most == y).mean()),
            "all_faces_per_emotion": _shares(most == y, y),
        },
        "soft": _soft(votes, proba),
    }


def score_all(y: NDArray[np.int64], probas: Mapping[str, NDArray[np.floating]], votes: Votes) -> pd.DataFrame:
    """Return the scores against FER+ of recognizers by name, and of FER2013's own labels `y`.

    ``agreement_<emotion>``, of the labels alone, is the share of the faces labelled so with which FER+ agrees.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, proba in probas.items():
        scores = score_against_ferplus(votes, y, proba)
        labels = scores["labels"]
        counts = {"n_faces": scores["n_faces"], **scores["left_out"]}
        rows.setdefault(
            LABELS_ROW,
            {"accuracy": labels["accuracy"], "macro_f1": labels["macro_f1"]}
            | {f"recall_{emotion}": value for emotion, value in labels["recall"].items()}
            | {f"agreement_{emotion}": value for emotion, value in labels["per_emotion"].items()}
            | {"accuracy_all_faces": labels["all_faces"], "cross_entropy": scores["soft"]["entropy"], **counts},
        )
        rows[name] = (
            {"accuracy": scores["accuracy"], "macro_f1": scores["macro_f1"]}
            | {f"recall_{emotion}": value for emotion, value in scores["recall"].items()}
            | {"cross_entropy": scores["soft"]["cross_entropy"], **counts}
        )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer")


def _scores(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> dict[str, float]:
    right = truth[predicted == truth]
    counts = [np.bincount(labels, minlength=_SEVEN) for labels in (right, predicted, truth)]
    return {"accuracy": len(right) / len(truth), "macro_f1": float(macro_f1(*counts))}


def _shares(right: NDArray[np.bool_], group: NDArray[np.int64]) -> dict[str, float | None]:
    """Return the share of right faces of each emotion, None for an emotion without faces."""
    return {
        emotion: float(right[group == label].mean()) if (group == label).any() else None
        for label, emotion in enumerate(EMOTIONS)
    }


def _soft(votes: Votes, proba: NDArray[np.floating]) -> dict[str, float | int]:
    emotions = votes[:, :_SEVEN]
    used = 2 * emotions.sum(axis=1) > votes.sum(axis=1)
    shares = emotions[used] / emotions[used].sum(axis=1, keepdims=True)
    given = proba[used].astype(float)
    given /= given.sum(axis=1, keepdims=True)
    # Stored probabilities are float32: below its resolution they say no more than "very small".
    given = np.clip(given, np.finfo(np.float32).eps, 1)
    return {
        "n_faces": int(used.sum()),
        "cross_entropy": float(-(shares * np.log(given)).sum(axis=1).mean()),
        "entropy": float(-(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1).mean()),
    }
