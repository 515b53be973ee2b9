"""Cutting the splits that a data set lacks: stratified, by subject where it says who is who, seeded."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

from benchmark.data.dataset import OFFICIAL_COUNTS, USAGES, DataError, Dataset, Split
from benchmark.data.fer2013 import named
from benchmark.data.pictures import Pictures

SEED = 0
_HELD_OUT = 0.1  # each of PublicTest and PrivateTest of a data set without splits, as in FER2013
_OF_TRAINING = sum(OFFICIAL_COUNTS["PublicTest"]) / sum(OFFICIAL_COUNTS["Training"])

Rows = NDArray[np.int64]


def as_dataset(pictures: Pictures, name: str, path: Path) -> Dataset:
    """Return pictures as a dataset of three splits.

    The splits of the authors stay. Where they hold out only one part, under whichever name, it is PrivateTest, and
    PublicTest is cut from Training, in the proportion that it has in FER2013. Where they have no splits, a tenth is
    PrivateTest and a tenth PublicTest.

    Parameters
    ----------
    pictures : Pictures
    name : str
        That of the layout. ``custom`` stands for image folders, which may be FER2013.
    path : Path
        Where they are from, for messages.

    Returns
    -------
    Dataset
        Its note says how the splits were made. Named after the layout and its fingerprint, or as
        `benchmark.data.fer2013.named` says; a copy of FER2013 whose PublicTest was cut is ``fer2013-folders``.

    Raises
    ------
    DataError
        If there are too few faces to cut from.
    """
    rows, note, is_cut = _rows_of_splits(pictures, path)
    splits = {usage: Split(pictures.X[rows[usage]], pictures.y[rows[usage]]) for usage in USAGES}
    dataset = named(splits, str(path))
    notes = [note, *pictures.notes]
    if is_cut and tuple(splits["Training"].counts + splits["PublicTest"].counts) == OFFICIAL_COUNTS["Training"]:
        return Dataset("fer2013-folders", splits, "; ".join(notes))
    if dataset.name == "fer2013":
        return Dataset(dataset.name, splits, "; ".join(notes[1:]))
    return Dataset(f"{name}-{dataset.fingerprint[:8]}", splits, "; ".join(notes))


def _rows_of_splits(pictures: Pictures, path: Path) -> tuple[dict[str, Rows], str, bool]:
    """Return the rows of each split, how they were made, and whether PublicTest was cut from a given Training."""
    usages, everything = np.array(pictures.usages), np.arange(len(pictures.y))
    given = {usage: everything[usages == usage] for usage in USAGES if usage in usages}
    outside = len(usages) - sum(map(len, given.values()))
    ignored = f"; in no split, left out: {outside}" if outside else ""
    if len(given) == len(USAGES):
        return given, f"splits: the data set's own{ignored}", False
    if len(given) == 2 and "Training" in given:
        training, validation, how = _cut(pictures, given["Training"], _OF_TRAINING, path)
        (test,) = (given[usage] for usage in given.keys() - {"Training"})
        note = f"PublicTest: {len(validation)} faces cut from Training, {how}; PrivateTest: all {len(test)} held out"
        return dict(zip(USAGES, (training, validation, test), strict=True)), note + ignored, True
    if len(given) == 2:
        raise DataError(f"{path}: no face for Training: add a folder train/<emotion>/")
    rest, test, how = _cut(pictures, everything, _HELD_OUT, path)
    training, validation, how = _cut(pictures, rest, _HELD_OUT / (1 - _HELD_OUT), path)
    sizes = ", ".join(str(len(part)) for part in (training, validation, test))
    note = f"splits: cut by this benchmark, since the data set has none: {sizes} faces, {how}"
    return dict(zip(USAGES, (training, validation, test), strict=True)), note, False


def _cut(pictures: Pictures, rows: Rows, share: float, path: Path) -> tuple[Rows, Rows, str]:
    """Return the rows that stay, about `share` of the rows that are held out, and how they were chosen."""
    y, subjects = pictures.y[rows], np.array(pictures.subjects)[rows]
    how = f"stratified, seed {SEED}"
    try:
        if not any(subjects):
            stay, held_out = train_test_split(rows, test_size=share, stratify=y, random_state=SEED)
            return stay, held_out, how
        groups = [subject or f"face {row}" for subject, row in zip(subjects, rows, strict=True)]
        held = _fold(y, groups, share)
    except ValueError as error:
        raise DataError(
            f"{path}: no split can be cut from {len(rows)} faces ({error}): add faces, or folders train/<emotion>/, "
            "validation/<emotion>/ and test/<emotion>/"
        ) from error
    return rows[~held], rows[held], f"{how}, no subject in two splits"


def _fold(y: NDArray[np.int64], groups: list[str], share: float) -> NDArray[np.bool_]:
    """Return a mask of the fold of whole groups whose emotions come closest to `share` of them all."""
    n_groups = len(set(groups))
    if n_groups < 2:
        raise ValueError("all of one subject")
    folds = StratifiedGroupKFold(min(round(1 / share), n_groups), shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an emotion that has fewer faces than there are folds
        held_out = [held for _, held in folds.split(y, y, groups)]
    wanted = share * np.bincount(y)
    best = min(held_out, key=lambda held: float(np.abs(np.bincount(y[held], minlength=len(wanted)) - wanted).sum()))
    return np.isin(np.arange(len(y)), best)
