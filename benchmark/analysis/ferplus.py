"""FER+: what ten other annotators saw in the faces of FER2013 [1]_, as a second view on stored probabilities.

References
----------
.. [1] E. Barsoum, C. Zhang, C. Canton Ferrer and Z. Zhang, "Training deep networks for facial expression recognition
   with crowd-sourced label distribution", ICMI 2016. https://doi.org/10.1145/2993148.2993165
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data.dataset import USAGES, DataError, Dataset
from benchmark.runs.metrics import macro_f1
from models.labels import EMOTIONS, emotion_of

FILE_ORDER = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
OTHERS = ("contempt", "unknown", "NF")
COLUMNS = tuple(sorted(FILE_ORDER[: -len(OTHERS)], key=lambda name: emotion_of(name) or 0)) + OTHERS
ANNOTATORS = 10
LABELS_ROW = "(FER2013 labels)"
# FER2013 agrees with FER+ on 62% of PrivateTest; rows in another order, on about 20%.
LEAST_AGREEMENT = 0.4
_COMPLETE = "use the complete fer2013new.csv of FER+"
_IN_FILE_ORDER = [COLUMNS.index(name) for name in FILE_ORDER]
_SEVEN = len(EMOTIONS)

Votes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FerPlus:
    """The votes of FER+.

    Attributes
    ----------
    source : str
        The file, for messages.
    votes : mapping of str to ndarray of shape (n_faces, 10), dtype int64
        Votes of each Usage, in the file's order of rows: for the emotions in the order of the labels, then contempt,
        unknown and not a face. A row sums to 10 at most, and to less where annotators gave no answer.
    """

    source: str
    votes: Mapping[str, Votes]

    def of(self, data: Dataset, usage: str) -> Votes:
        """Return the votes on the faces of a split, row by row.

        Raises
        ------
        DataError
            If rows do not correspond: a split of `data` has another number of faces than the file, or its labels agree
            with the votes no more than by chance, as in an image-folder copy, whose order is another.
        """
        for name in USAGES:
            if len(self.votes[name]) != len(data[name]):
                raise DataError(
                    f"{self.source}: {len(self.votes[name])} rows of Usage {name}, but the data has {len(data[name])} "
                    f"such faces: {_COMPLETE} with the complete FER2013, without a limit"
                )
        votes = self.votes[usage]
        if (votes[:, :_SEVEN].argmax(axis=1) == data[usage].y).mean() < LEAST_AGREEMENT:
            raise DataError(
                f"{self.source}: the votes do not fit the labels of {usage}, so the rows are in another order: "
                "use FER+ with fer2013.csv, not with an image-folder copy"
            )
        return votes


def read_votes(path: Path) -> FerPlus:
    """Read the votes of FER+ from its CSV, ``fer2013new.csv``.

    Parameters
    ----------
    path : Path
        Columns Usage, Image name, neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, NF.

    Returns
    -------
    FerPlus

    Raises
    ------
    DataError
        If the file or a row cannot be used; the message has the row's line number, the header being line 1.
    """
    votes: dict[str, list[list[int]]] = {usage: [] for usage in USAGES}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [name for name in ("Usage", *COLUMNS) if name not in (rows.fieldnames or ())]
            if missing:
                raise DataError(f"{path}, row 1: no column {', '.join(missing)} in the header: {_COMPLETE}")
            for row in rows:
                where = f"{path}, row {rows.line_num}"
                if row["Usage"] not in votes:
                    expected = f"expected {', '.join(USAGES)}: correct the row, or {_COMPLETE}"
                    raise DataError(f"{where}: Usage is {row['Usage']!r}, {expected}")
                votes[row["Usage"]].append(_votes_of(row, where))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}): give the path of FER+'s fer2013new.csv") from error
    arrays = {usage: np.array(rows, dtype=np.int64).reshape(-1, len(COLUMNS)) for usage, rows in votes.items()}
    return FerPlus(str(path), arrays)


def majority(votes: Votes) -> NDArray[np.int64]:
    """Return what most annotators saw, by the rule of FER+'s authors.

    More than half of the votes must agree, once choices with a single vote are taken out as slips; so a tie is no
    majority. The rule is that of the code published with the paper, ``_process_data`` in ``src/ferplus.py`` of
    https://github.com/microsoft/FERPlus, and keeps the 3,153 PrivateTest faces (16 of them contempt) usual in
    the literature.

    Parameters
    ----------
    votes : ndarray of shape (n_faces, 10)

    Returns
    -------
    ndarray of shape (n_faces,), dtype int64
        Positions in `COLUMNS`, the first seven being the labels; -1 without a majority.
    """
    firm = np.where(votes > 1, votes, 0)
    return np.where(2 * firm.max(axis=1) > firm.sum(axis=1), firm.argmax(axis=1), -1)


def score(votes: Votes, y: NDArray[np.int64], proba: NDArray[np.floating]) -> dict[str, Any]:
    """Score probabilities, and FER2013's own labels, against FER+.

    Parameters
    ----------
    votes : ndarray of shape (n_faces, 10)
        Of `FerPlus.of`.
    y : ndarray of shape (n_faces,)
        FER2013's labels.
    proba : ndarray of shape (n_faces, 7)
        Probabilities in the order of the labels.

    Returns
    -------
    dict
        ``n_faces`` whose `majority` is one of the seven emotions, ``left_out`` the number of the others by reason;
        on the faces kept, ``accuracy`` and ``macro_f1`` of the most probable emotion, and ``recall`` of each emotion.
        ``labels``: how far FER2013's own labels agree with FER+. On the faces kept, ``accuracy``, ``macro_f1`` and
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
    seen = majority(votes)
    kept = (seen >= 0) & (seen < _SEVEN)
    if not kept.any():
        raise ValueError("no face has one of the seven emotions for a majority in FER+")
    truth, predicted = seen[kept], proba.argmax(axis=1)
    most = np.array(_IN_FILE_ORDER)[votes[:, _IN_FILE_ORDER].argmax(axis=1)]
    reasons = {"contempt": "contempt", "unknown": "unknown", "NF": "not_a_face"}
    return {
        "n_faces": int(kept.sum()),
        "left_out": {reasons[name]: int((seen == COLUMNS.index(name)).sum()) for name in OTHERS}
        | {"no_majority": int((seen < 0).sum())},
        **_scores(truth, predicted[kept]),
        "recall": _shares(predicted[kept] == truth, truth),
        "labels": {
            **_scores(truth, y[kept]),
            "recall": _shares(y[kept] == truth, truth),
            "per_emotion": _shares(y[kept] == truth, y[kept]),
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
        scores = score(votes, y, proba)
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


def _votes_of(row: Mapping[str, str | None], where: str) -> list[int]:
    """Return the votes of one row in the order of `COLUMNS`."""
    votes = []
    for name in COLUMNS:
        text = (row[name] or "").strip()
        if not (text.isascii() and text.isdigit() and int(text) <= ANNOTATORS):
            raise DataError(
                f"{where}: {name} is {text[:24]!r}, expected a number of votes from 0 to {ANNOTATORS}: "
                f"correct the row, or {_COMPLETE}"
            )
        votes.append(int(text))
    if not 1 <= sum(votes) <= ANNOTATORS:
        raise DataError(
            f"{where}: {sum(votes)} votes in all, expected 1 to {ANNOTATORS}: correct the row, or {_COMPLETE}"
        )
    return votes


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
