"""Cache of datasets, so that a slow source is read once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmark.data.dataset import USAGES, Dataset, Split
from models.files.arrays import Arrays, cached_arrays

_BLOCK = 1 << 20


def content_digest(*sources: str | Path) -> str:
    """Return the SHA-256 over texts and files, of these their bytes.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for source in sources:
        if isinstance(source, str):
            digest.update(f"text {source!r};".encode())
            continue
        with source.open("rb") as file:
            digest.update(f"file {os.fstat(file.fileno()).st_size};".encode())
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()


def cached(key: str, make: Callable[[], Dataset]) -> Dataset:
    """Return the dataset cached under `key`; make it and cache it if there is none.

    Parameters
    ----------
    key : str
        A digest of all that the dataset follows from, its reader's source included.
    make : callable
        Returns the dataset; called if it is not in the cache, or damaged there.

    Returns
    -------
    Dataset
        Without a writable cache folder it is made anew in each call.
    """
    arrays = cached_arrays(f"dataset-{key}", lambda: _as_arrays(make()))
    splits = {usage: Split(arrays[f"{usage}_X"], arrays[f"{usage}_y"]) for usage in USAGES}
    return Dataset(str(arrays["name"]), splits, str(arrays["note"]))


def _as_arrays(dataset: Dataset) -> Arrays:
    arrays: Arrays = {"name": np.array(dataset.name), "note": np.array(dataset.note)}
    for usage, split in dataset.splits.items():
        arrays |= {f"{usage}_X": split.X, f"{usage}_y": split.y}
    return arrays
