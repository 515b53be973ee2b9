"""Reader of FER+: the votes of ten other annotators on the faces of FER2013 [1]_.

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

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import USAGES, DataError, Dataset
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
CHOICES = tuple(sorted(FILE_ORDER[: -len(OTHERS)], key=lambda name: emotion_of(name) or 0)) + OTHERS
ANNOTATORS = 10
# FER2013 agrees with FER+ on 62% of PrivateTest; rows in another order, on about 20%.
LEAST_AGREEMENT = 0.4
_COMPLETE = "use the complete fer2013new.csv of FER+"

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
            If the rows do not match: a split of `data` has another number of faces than the file, or its labels agree
            with the votes only by chance, as in an image-folder copy, which has another order.
        """
        for name in USAGES:
            if len(self.votes[name]) != len(data[name]):
                raise DataError(
                    f"{self.source}: {len(self.votes[name])} rows of Usage {name}, but the data has {len(data[name])} "
                    f"such faces: {_COMPLETE} with the complete FER2013, without a limit"
                )
        votes = self.votes[usage]
        if (votes[:, : len(EMOTIONS)].argmax(axis=1) == data[usage].y).mean() < LEAST_AGREEMENT:
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
            missing = [name for name in ("Usage", *CHOICES) if name not in (rows.fieldnames or ())]
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
    arrays = {usage: np.array(rows, dtype=np.int64).reshape(-1, len(CHOICES)) for usage, rows in votes.items()}
    return FerPlus(str(path), arrays)


def _votes_of(row: Mapping[str, str | None], where: str) -> list[int]:
    """Return the votes of one row in the order of `CHOICES`."""
    votes = []
    for name in CHOICES:
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
