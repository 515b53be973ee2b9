"""Predictions alone: a CSV or NPZ file with a row a face, known by the digest of its pixels."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.data import USAGES, Dataset
from benchmark.external.declaration import Declaration
from benchmark.external.outputs import seven_probabilities
from models.files.atomic import write_text

DIGEST = "digest"
SPLIT = "split"


def face_digests(rows: NDArray[np.uint8]) -> list[str]:
    """Return the first 16 hexadecimal digits of the SHA-256 of each face's 2,304 pixels."""
    return [hashlib.sha256(row.tobytes()).hexdigest()[:16] for row in rows]


def write_digests(path: Path, data: Dataset) -> None:
    """Write the digest of each different face, with the splits that have it, as CSV."""
    splits: dict[str, dict[str, None]] = {}
    for usage in USAGES:
        for digest in face_digests(data[usage].X):
            splits.setdefault(digest, {})[usage] = None
    table = pd.DataFrame({DIGEST: list(splits), SPLIT: [" ".join(of) for of in splits.values()]})
    write_text(path, table.to_csv(index=False))


class Predictions:
    """Predictions of a file, looked up by the pixels of the faces.

    Parameters
    ----------
    declared : Declaration
        Of predictions alone.
    data : Dataset

    Raises
    ------
    DataError
        If the file cannot be read, or has unknown, repeated or missing digests or columns, or wrong values.
    """

    def __init__(self, declared: Declaration, data: Dataset) -> None:
        self.declared = declared
        self.file = declared.path.parent / declared.facts["predictions"]
        table = _read(declared, self.file)
        digests = self._digests(table, data)
        self.classes = [name for name in table if name not in (DIGEST, SPLIT)]
        self._proba = seven_probabilities(declared, table[self.classes].to_numpy(), len(table), self.classes)
        self._row = {digest: row for row, digest in enumerate(digests)}

    def predict_proba(self, rows: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the probabilities, shape (n_faces, 7), of faces; None if the file lacks one of them."""
        digests = face_digests(rows)
        return self._proba[[self._row[digest] for digest in digests]] if self._row.keys() >= set(digests) else None

    def _digests(self, table: pd.DataFrame, data: Dataset) -> list[str]:
        """Return the digest of every row: from its column or, if the declaration says so, from the order."""
        declared, usages = self.declared, self.declared.facts.get("rows")
        if usages is not None:
            expected = sum(len(data[usage]) for usage in usages)
            if len(table) != expected:
                raise declared.error(f"{self.file.name} has {len(table)} rows, and rows = {usages} says {expected}")
            return [digest for usage in usages for digest in face_digests(data[usage].X)]
        if DIGEST not in table:
            fix = "python -m benchmark.score --digests FILE writes the digests, or say the order: rows = [splits]"
            raise declared.error(f"{self.file.name} has no column {DIGEST!r}: {fix}")
        digests = table[DIGEST].astype(str)
        if (repeated := digests[digests.duplicated()]).size:
            raise declared.error(f"{len(repeated)} digests stand twice, e.g. {repeated.iloc[0]}: keep one row of each")
        known = {digest for usage in data for digest in face_digests(data[usage].X)}
        if unknown := sorted(set(digests) - known):
            fix = "python -m benchmark.score --digests FILE writes those of these data"
            raise declared.error(f"{len(unknown)} digests are of no face of the data, e.g. {unknown[0]}: {fix}")
        return digests.tolist()


def _read(declared: Declaration, path: Path) -> pd.DataFrame:
    if path.suffix not in (".csv", ".npz"):
        raise declared.error(f"{path.name} is neither .csv nor .npz: write one of these")
    try:
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype={DIGEST: str})
        else:
            with np.load(path) as arrays:  # which refuses pickles
                table = pd.DataFrame(dict(arrays))
    except FileNotFoundError:
        raise declared.error(f"{path}: no such file: correct `predictions`") from None
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise declared.error(f"{path.name} cannot be read ({str(error).splitlines()[0]}): write it again") from error
    if table.empty:
        raise declared.error(f"{path.name} has no rows: write one for each face")
    return table
