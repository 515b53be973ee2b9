"""The classes `Split` and `Dataset`, which all readers return, and `DataError`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.labels import EMOTIONS

USAGES = ("Training", "PublicTest", "PrivateTest")
# Faces of each emotion in FER2013, in the order of the labels.
OFFICIAL_COUNTS = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}


class DataError(ValueError):
    """The data cannot be used; the message names the file, the row where there is one, and the fix."""


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a dataset.

    Attributes
    ----------
    X : ndarray of shape (n_faces, 2304), dtype uint8
        Grey levels, each 48x48 face row by row.
    y : ndarray of shape (n_faces,), dtype int64
        Labels, positions in `models.labels.EMOTIONS`.
    soft_labels : ndarray of shape (n_faces, 7), dtype float32, optional
        Share of each emotion, where several annotators were asked; rows sum to 1.
    """

    X: NDArray[np.uint8]
    y: NDArray[np.int64]
    soft_labels: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.y)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Faces of each emotion, shape (7,)."""
        return np.bincount(self.y, minlength=len(EMOTIONS))

    def sample(self, n_faces: int, seed: int = 0) -> Split:
        """Return a stratified part of `n_faces` faces, with at least one of each emotion present."""
        if n_faces >= len(self):
            return self
        rng = np.random.default_rng(seed)
        share = n_faces / len(self)
        keep = [
            rng.permutation(np.flatnonzero(self.y == label))[: max(1, round(count * share))]
            for label, count in enumerate(self.counts)
            if count
        ]
        rows = np.sort(np.concatenate(keep))
        return Split(self.X[rows], self.y[rows], None if self.soft_labels is None else self.soft_labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """The three splits of FER2013 or of data in its layout.

    Attributes
    ----------
    name : str
        Folder under `results/`: ``fer2013`` only for data with the official counts.
    splits : mapping of str to Split
        ``Training``, ``PublicTest`` and ``PrivateTest``.
    note : str
        What a reader of the results must know of the data, e.g. that a split was cut from another.
    budget : mapping of str to mapping of str to object
        Parameters, by recognizer, that take the place of its own on these data.
    """

    name: str
    splits: Mapping[str, Split]
    note: str = ""
    budget: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __getitem__(self, usage: str) -> Split:
        return self.splits[usage]

    def __iter__(self) -> Iterator[str]:
        return iter(self.splits)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over pixels, labels and soft labels of every split, 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for usage in USAGES:
            split = self.splits[usage]
            digest.update(f"{usage}:{len(split)};".encode())
            digest.update(np.ascontiguousarray(split.X).data)
            digest.update(np.ascontiguousarray(split.y).data)
            if split.soft_labels is not None:
                digest.update(np.ascontiguousarray(split.soft_labels).data)
        return digest.hexdigest()[:16]

    def limited(self, n_faces: int) -> Dataset:
        """Return a stratified part: `n_faces` of the Training faces, and the same share of the other splits."""
        share = n_faces / len(self["Training"])
        splits = {usage: split.sample(max(1, round(len(split) * share))) for usage, split in self.splits.items()}
        return replace(self, splits=splits)
