"""Datasets: FER2013 in every form in which people have it, and synthetic faces in its layout."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from benchmark.data.cache import cached, content_digest
from benchmark.data.dataset import USAGES, DataError, Dataset, Split
from benchmark.data.fer2013 import read_csv
from benchmark.data.folders import image_root, read_folder

__all__ = ["USAGES", "DataError", "Dataset", "Split", "load_dataset"]

SYNTHETIC_SEED = 0
_HERE = Path(__file__).parent
_LABELS = _HERE.parents[1] / "models" / "labels.py"
_READERS = (*(_HERE / f"{name}.py" for name in ("archives", "fer2013", "folders", "dataset")), _LABELS)


def load_dataset(path: str | Path | None = None, limit: int | None = None) -> Dataset:
    """Load FER2013, or synthetic faces in its layout.

    Parameters
    ----------
    path : str or Path, optional
        ``fer2013.csv`` or ``icml_face_data.csv``, plain, compressed or in an archive, or the folder of an image copy.
        Default: the environment variable ``FER2013``; without it the synthetic faces.
    limit : int, optional
        Keep a stratified part of about this many Training faces, and the same share of the other splits.

    Returns
    -------
    Dataset
        From the cached copy if the same content was read before.

    Raises
    ------
    DataError
        If the data cannot be used.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit is {limit}: keep at least 1 face, or give no limit")
    source = path or os.environ.get("FER2013")
    dataset = _read(Path(source).expanduser()) if source else _draw()
    return dataset if limit is None else dataset.limited(limit)


def _read(path: Path) -> Dataset:
    try:
        if path.is_dir():
            root = image_root(path)
            return cached(content_digest(root, *_READERS), lambda: read_folder(root))
        return cached(content_digest(path, *_READERS), lambda: read_csv(path))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file or folder: give the path of fer2013.csv, --data PATH") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): give a file that you may read") from error


def _draw() -> Dataset:
    from benchmark.data.synthetic import BUDGET, synthetic_dataset

    key = content_digest(f"seed {SYNTHETIC_SEED}", _HERE / "synthetic.py", _HERE / "portrait.py", _HERE / "dataset.py")
    faces = cached(key, lambda: synthetic_dataset(seed=SYNTHETIC_SEED))
    return replace(faces, note=f"{faces.note}; recognizers that take long learn them briefly", budget=BUDGET)
