"""Load datasets: FER2013 from a CSV or an archive, pictures in the layouts of `readers`, and synthetic faces."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from benchmark.data.cache import cached, content_digest
from benchmark.data.dataset import USAGES, DataError, Dataset, Split
from benchmark.data.fer2013 import read_csv
from benchmark.data.ferplus import read_votes
from benchmark.data.ferplus_labels import relabelled
from benchmark.data.pictures import digest_samples, label_options, read_pictures_of
from benchmark.data.protocol import FERPLUS
from benchmark.data.readers import Layout, find_layout
from benchmark.data.splits import as_dataset
from models.files.code_digest import code_digest
from models.labels import Labels

__all__ = ["USAGES", "DataError", "Dataset", "Split", "load_dataset"]

SYNTHETIC_SEED = 0
FERPLUS_URL = "https://github.com/microsoft/FERPlus"


def load_dataset(
    path: str | Path | None = None,
    limit: int | None = None,
    labels: Labels | None = None,
    labelled_by: str = "fer2013",
    votes: str | Path | None = None,
    find_faces: bool = False,
) -> Dataset:
    """Load FER2013, another data set, or synthetic faces in FER2013's layout.

    Parameters
    ----------
    path : str or Path, optional
        ``fer2013.csv`` or ``icml_face_data.csv``, plain, compressed or in an archive, or a data set of pictures in one
        of the layouts of `benchmark.data.readers`. Default: the environment variable ``FER2013``; without it the
        synthetic faces.
    limit : int, optional
        Keep a stratified part of about this many Training faces, and the same share of the other splits.
    labels : mapping of str to int, optional
        Labels by name of folder or number, from `benchmark.data.pictures.parse_labels`; for pictures.
    labelled_by : {'fer2013', 'ferplus'}
        Whose labels the faces get, as `benchmark.data.protocol.Protocol.labels` says.
    votes : str or Path, optional
        ``fer2013new.csv`` of FER+, needed for its labels.
    find_faces : bool
        Crop the largest face of every picture, instead of taking whole pictures as faces.

    Returns
    -------
    Dataset
        From the cache if the same content was read before.

    Raises
    ------
    DataError
        If the data cannot be used.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit is {limit}: give at least 1, or no limit")
    source = path or os.environ.get("FER2013")
    if labelled_by == FERPLUS and not votes:
        raise DataError(f"the labels of FER+ need its votes: --ferplus path/to/fer2013new.csv, from {FERPLUS_URL}")
    if labelled_by == FERPLUS and not source:
        raise DataError("synthetic faces have no votes of FER+: give FER2013, --data path/to/fer2013.csv")
    dataset = _read(Path(source).expanduser(), labels, find_faces) if source else _draw()
    if labelled_by == FERPLUS and votes:
        dataset = relabelled(dataset, read_votes(Path(votes).expanduser()))
    return dataset if limit is None else dataset.limited(limit)


def _read(path: Path, labels: Labels | None, find_faces: bool) -> Dataset:
    try:
        layout = find_layout(path)
        if layout is not None:
            return _read_pictures(path, layout, labels, find_faces)
        if find_faces:
            raise DataError(f"{path}: --find-faces is for pictures: leave it out")
        if path.exists() and not path.is_file():
            raise DataError(
                f"{path}: not a regular file, so it can be read only once: save it and give that file's path"
            )
        return cached(content_digest(code_digest("benchmark.data.fer2013"), path), lambda: read_csv(path))
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not path.is_dir():
            raise DataError(f"{path}: no such file or folder: give the path of fer2013.csv, --data PATH") from error
        where, fix = error.filename or path, "give yourself permission to read it, or remove it"
        raise DataError(f"{where}: cannot be read ({error.strerror}): {fix}") from error


def _read_pictures(path: Path, layout: Layout, labels: Labels | None, find_faces: bool) -> Dataset:
    from models.inference.blazeface import BlazeFace

    code = [code_digest(f"benchmark.data.{module}") for module in ("pictures", "splits")]
    key = content_digest(layout.name, f"faces found: {find_faces}", *code, digest_samples(path, layout, labels))

    def read() -> Dataset:
        pictures = read_pictures_of(path, layout, labels, BlazeFace() if find_faces else None)
        return as_dataset(pictures, layout.name, path)

    dataset, said = cached(key, read), [*(["--find-faces"] if find_faces else []), *label_options(labels)]
    notes = [*([f"read with {' '.join(said)}"] if said else []), *([dataset.note] if dataset.note else [])]
    return replace(dataset, note="; ".join(notes))


def _draw() -> Dataset:
    from benchmark.data.synthetic import BUDGET, synthetic_dataset

    key = content_digest(f"seed {SYNTHETIC_SEED}", code_digest("benchmark.data.synthetic"))
    faces = cached(key, lambda: synthetic_dataset(seed=SYNTHETIC_SEED))
    return replace(faces, note=f"{faces.note}; recognizers that take long learn them briefly", budget=BUDGET)
