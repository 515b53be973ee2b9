"""AffectNet: the authors' CSV files, or the later release with an annotation file for each picture.

References
----------
.. [1] A. Mollahosseini, B. Hasani, M. H. Mahoor, "AffectNet: a database for facial expression, valence, and arousal
   computing in the wild", IEEE Transactions on Affective Computing 10(1), 2019.
   https://doi.org/10.1109/TAFFC.2017.2740923
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmark.data.readers.sample import Layout, Sample, by_name, find_entry
from models.inference.folders import files_below

_EXPRESSIONS = (
    *("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"),
    *("contempt", "none", "uncertain", "no face"),
)
_TABLES = {"training.csv": "Training", "validation.csv": "PublicTest"}
_FOLDERS = {"train_set": "Training", "val_set": "PublicTest"}
# validation.csv came without this line.
_HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
_COLUMNS = _HEADER.lower().split(",")


def _tables(path: Path) -> dict[str, Path]:
    """Return the tables that are here, by their split."""
    found = {usage: find_entry(path, name) for name, usage in _TABLES.items()}
    return {usage: file for usage, file in found.items() if file and file.is_file() and any(_rows(file))}


def _rows(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        columns = [name.strip().lower() for name in stream.readline().split(",")]
        if _COLUMNS[0] not in columns:
            columns = _COLUMNS if len(columns) == len(_COLUMNS) else []
            stream.seek(0)
        if columns:
            yield from csv.DictReader(stream, columns)


def _from_tables(path: Path) -> Iterator[Sample]:
    root = path if path.is_dir() else path.parent
    place = by_name(root, files_below(root))
    for usage, file in _tables(path).items():
        for row in _rows(file):
            picture = place(row[_COLUMNS[0]] or "")
            try:
                left, top, width, height = (int(float(row[name])) for name in _COLUMNS[1:5])
                box = (left, top, width, height)
            except (KeyError, ValueError, TypeError):
                box = None
            yield Sample(picture, str(picture), _expression(row.get("expression") or "no label"), usage, box=box)


def _folders(path: Path) -> dict[str, Path]:
    found = {usage: find_entry(path, name) for name, usage in _FOLDERS.items()}
    return {usage: folder for usage, folder in found.items() if folder and (folder / "annotations").is_dir()}


def _from_folders(path: Path) -> Iterator[Sample]:
    for usage, folder in _folders(path).items():
        for picture in files_below(folder / "images"):
            try:
                number = str(np.load(folder / "annotations" / f"{picture.stem}_exp.npy").item())
            except (OSError, ValueError, EOFError):
                number = "no annotation"
            yield Sample(picture, str(picture), _expression(number), usage)


def _expression(number: str) -> str:
    text = number.strip()
    return _EXPRESSIONS[int(text)] if text.isdecimal() and int(text) < len(_EXPRESSIONS) else text


TABLES = Layout("affectnet", lambda path: bool(_tables(path)), _from_tables)
FOLDERS = Layout("affectnet", lambda path: bool(_folders(path)), _from_folders)
