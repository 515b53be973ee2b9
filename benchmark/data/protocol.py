"""Protocols, class weights and settings: what all runs of a results folder have in common."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.files.atomic import file_name
from models.labels import EMOTIONS

CLASS_WEIGHTS = ("balanced", "frequency", "none")
FERPLUS = "ferplus"


@dataclass(frozen=True)
class Protocol:
    """Which split fits, which selects and which is reported.

    Attributes
    ----------
    name : str
    fit, select, report : str
        Usages of the splits. `select` stops training, calibrates, ranks and chooses the best; `report` is scored once
        a recognizer is final and chooses nothing.
    summary : str
    labels : str
        ``fer2013`` or ``ferplus``: whose labels the faces have.
    """

    name: str
    fit: str
    select: str
    report: str
    summary: str
    labels: str = "fer2013"


PROTOCOLS = {
    "kaggle": Protocol(
        "kaggle",
        "Training",
        "PublicTest",
        "PrivateTest",
        "fit on Training, select on PublicTest, report PrivateTest: the competition's, comparable with the literature",
    ),
    "course": Protocol(
        "course",
        "Training",
        "PrivateTest",
        "PublicTest",
        "fit on Training, select on PrivateTest, report PublicTest: as the original course project did",
    ),
    "ferplus": Protocol(
        "ferplus",
        "Training",
        "PublicTest",
        "PrivateTest",
        "as kaggle, on the labels of FER+: networks learn the shares of the votes, all else is the majority",
        FERPLUS,
    ),
}


def labels_of(record: Mapping[str, Any]) -> str:
    """Return the `Protocol.labels` of a record; one of an earlier version does not say it."""
    return str(record["protocol"].get("labels", "fer2013"))


@dataclass(frozen=True)
class Setting:
    """All options, besides the data, that are the same for all runs of a results folder."""

    protocol: Protocol
    class_weight: str = "balanced"
    limit: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Name of the results folder."""
        return folder_name(self.protocol.name, self.class_weight, self.limit, self.changes)

    @property
    def changes(self) -> list[str]:
        """The overrides as ``NAME.PARAM=VALUE``."""
        return [
            f"{name}.{parameter}={_as_text(value)}"
            for name, parameters in sorted(self.overrides.items())
            for parameter, value in sorted(parameters.items())
        ]


def folder_name(protocol: str, class_weight: str, limit: int | None, changes: Sequence[str]) -> str:
    """Return the name of the results folder: the protocol, then every option that is not the default."""
    parts = [protocol]
    parts += [class_weight] if class_weight != CLASS_WEIGHTS[0] else []
    parts += [f"limit{limit}"] if limit else []
    parts += [file_name("-".join(changes))] if changes else []
    return "-".join(parts)


def _as_text(value: Any) -> str:
    """Return text that `--set` reads as this value: a string as it is, in quotes if it could be read as a number."""
    if not isinstance(value, str):
        return repr(value)
    try:
        ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return repr(value) if "-" in value else value
    return repr(value)


def class_weights(y: ArrayLike, scheme: str) -> NDArray[np.float64]:
    """Return the weight of each emotion, scaled so that the faces of `y` have a mean weight of 1.

    Parameters
    ----------
    y : array-like of shape (n_faces,)
        Labels.
    scheme : {'balanced', 'frequency', 'none'}
        ``balanced``: n / (7 n_c), so that the weights of every emotion have the same sum. ``frequency``: proportional
        to n_c, the original project's mistake, here to show its cost: rare emotions weigh least. ``none``: 1.

    Returns
    -------
    ndarray of shape (7,), dtype float64
        0 for an emotion that `y` lacks.
    """
    counts = np.bincount(np.asarray(y), minlength=len(EMOTIONS)).astype(float)
    if scheme == "balanced":
        raw = np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0)
    elif scheme == "frequency":
        raw = counts
    elif scheme == "none":
        raw = (counts > 0).astype(float)
    else:
        raise ValueError(f"unknown class weights {scheme!r}: use one of {', '.join(CLASS_WEIGHTS)}")
    return raw * counts.sum() / (raw * counts).sum()


def stratified_folds(y: NDArray[np.int64], n_folds: int) -> Iterator[NDArray[np.bool_]]:
    """Yield `n_folds` masks of shape (n_faces,) that split the faces into stratified folds."""
    fold = np.empty(len(y), dtype=int)
    fold[np.argsort(y, kind="stable")] = np.arange(len(y)) % n_folds
    for number in np.unique(fold):
        yield fold == number
