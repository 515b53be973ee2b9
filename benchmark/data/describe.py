"""Facts of a dataset: counts, blank and repeated images, conflicting labels, class weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.data.dataset import USAGES, Dataset
from benchmark.data.protocol import CLASS_WEIGHTS, class_weights
from models.labels import EMOTIONS


@dataclass(frozen=True, eq=False)
class Description:
    """The facts of a dataset that decide how far its results can be trusted.

    Attributes
    ----------
    name, fingerprint, note : str
        Those of the dataset.
    counts : DataFrame of shape (3, 7)
        Faces of each split (index) and emotion (columns).
    blank : Series of shape (3,)
        Constant images of each split.
    n_faces, n_distinct : int
        Rows, and different images among them.
    repeats : Series of shape (3,)
        Rows of each split whose pixels an earlier row of the same split has.
    shared : DataFrame of shape (3, 7)
        Rows of one split, ``A in B``, whose pixels stand in another too, by the row's emotion.
    conflicting_images, conflicting_faces : int
        Different images that carry more than one label, and the rows that show them.
    weights : DataFrame of shape (3, 7)
        Class weights of the Training split under each scheme (index).
    """

    name: str
    fingerprint: str
    note: str
    counts: pd.DataFrame
    blank: pd.Series
    n_faces: int
    n_distinct: int
    repeats: pd.Series
    shared: pd.DataFrame
    conflicting_images: int
    conflicting_faces: int
    weights: pd.DataFrame

    def to_text(self) -> str:
        """Return the facts as text for a terminal."""
        shared = pd.concat([self.shared, self.shared.sum(axis=1).rename("all")], axis=1)
        counts = pd.concat([self.counts, self.counts.sum(axis=1).rename("all")], axis=1)
        facts = [
            f"{self.name}: {self.n_faces} faces, fingerprint {self.fingerprint}",
            *([self.note] if self.note else []),
            "",
            f"Faces by split and emotion\n{counts.to_string()}",
            "",
            f"Blank (constant) images: {self.blank.sum()} ({_by_split(self.blank)})",
            f"Distinct images: {self.n_distinct} of {self.n_faces}",
            f"Repeats within a split: {self.repeats.sum()} ({_by_split(self.repeats)})",
            f"One image under several labels: {self.conflicting_images} images, {self.conflicting_faces} faces",
            "",
            f"Faces whose pixels stand in another split too\n{shared.to_string()}",
            "",
            f"Class weights of the Training split\n{self.weights.round(3).to_string()}",
        ]
        return "\n".join(facts)

    __str__ = to_text

    def to_dict(self) -> dict[str, Any]:
        """Return the facts for a JSON file, without the class weights."""
        facts = vars(self) | {
            name: table.to_dict("index") for name, table in vars(self).items() if isinstance(table, pd.DataFrame)
        }
        facts |= {name: series.to_dict() for name, series in facts.items() if isinstance(series, pd.Series)}
        return {name: fact for name, fact in facts.items() if name != "weights"}


def describe(dataset: Dataset) -> Description:
    """Compute the facts of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Three splits, none of them empty.

    Returns
    -------
    Description
        Images count as equal if all their pixels are.
    """
    faces = _table(dataset)
    conflicting = faces.groupby("image")["emotion"].transform("nunique") > 1
    labels = dataset["Training"].y
    return Description(
        name=dataset.name,
        fingerprint=dataset.fingerprint,
        note=dataset.note,
        counts=_frame({usage: dataset[usage].counts for usage in USAGES}),
        blank=_per_split(faces, faces["blank"]),
        n_faces=len(faces),
        n_distinct=int(faces["image"].nunique()),
        repeats=_per_split(faces, faces.duplicated(["usage", "image"])),
        shared=_shared(faces),
        conflicting_images=int(faces.loc[conflicting, "image"].nunique()),
        conflicting_faces=int(conflicting.sum()),
        weights=_frame({scheme: class_weights(labels, scheme) for scheme in CLASS_WEIGHTS}),
    )


def _table(dataset: Dataset) -> pd.DataFrame:
    """Return one row a face; `image` numbers the different images."""
    X = np.concatenate([dataset[usage].X for usage in USAGES])
    return pd.DataFrame(
        {
            "usage": np.repeat(USAGES, [len(dataset[usage]) for usage in USAGES]),
            "emotion": np.concatenate([dataset[usage].y for usage in USAGES]),
            "image": pd.factorize(np.array([row.tobytes() for row in X], dtype=object))[0],
            "blank": (X[:, :1] == X).all(axis=1),
        }
    )


def _shared(faces: pd.DataFrame) -> pd.DataFrame:
    rows = {}
    for position, usage in enumerate(USAGES):
        for other in USAGES[:position]:
            elsewhere = faces.loc[faces["usage"] == other, "image"]
            here = faces[(faces["usage"] == usage) & faces["image"].isin(elsewhere)]
            rows[f"{usage} in {other}"] = np.bincount(here["emotion"], minlength=len(EMOTIONS))
    return _frame(rows)


def _frame(rows: dict[str, np.ndarray]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(EMOTIONS))


def _per_split(faces: pd.DataFrame, flags: pd.Series) -> pd.Series:
    return flags.groupby(faces["usage"]).sum().reindex(list(USAGES))


def _by_split(numbers: pd.Series) -> str:
    return ", ".join(f"{number} {usage}" for usage, number in numbers.items())
