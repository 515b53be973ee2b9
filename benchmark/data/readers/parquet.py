"""Parquet files as Hugging Face lays image sets out: columns ``image`` and ``label``, a file or more for each split."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmark.data.dataset import DataError
from benchmark.data.readers.file_names import subject_of
from benchmark.data.readers.sample import Layout, Sample, usage_of
from models.files.extras import pip_install
from models.inference.folders import files_below

_ROWS = 256  # read at once
_COLUMNS = ["image", "label"]


def _files(path: Path) -> list[Path]:
    files = files_below(path) if path.is_dir() else [path]
    return [file for file in files if file.suffix.lower() == ".parquet"]


def _samples(path: Path) -> Iterator[Sample]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(f"{path}: Parquet needs pyarrow: {pip_install('pyarrow')}") from error
    for file in _files(path):
        # data/train-00000-of-00002.parquet, or train/0000.parquet
        usage = usage_of([*file.parent.relative_to(path if path.is_dir() else path.parent).parts, _split(file)])
        try:
            with ParquetFile(file) as table:
                yield from _rows(table, file, usage)
        except (ArrowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise DataError(f"{file}: no readable Parquet file ({reason}): download it again") from error


def _split(file: Path) -> str:
    return re.split(r"[-_.]", file.name)[0]


def _rows(table: Any, file: Path, usage: str) -> Iterator[Sample]:
    if missing := [name for name in _COLUMNS if name not in table.schema_arrow.names]:
        found = ", ".join(table.schema_arrow.names)
        raise DataError(f"{file}: no column {' and '.join(missing)} among {found}: rename those that hold them")
    names = _class_names(table.schema_arrow.metadata or {})
    number = 0
    for batch in table.iter_batches(_ROWS, columns=_COLUMNS):
        for row in batch.to_pylist():
            image, label = row["image"], row["label"]
            content, origin = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
            picture = content if content is not None or not origin else file.parent / origin
            expression = names[label] if isinstance(label, int) and 0 <= label < len(names) else str(label)
            subject = subject_of(Path(origin or "").stem)
            yield Sample(picture or b"", f"{file}, row {number}", expression, usage, subject)
            number += 1


def _class_names(metadata: dict[bytes, bytes]) -> list[str]:
    """Return the names of the labels 0, 1, ..., which the library `datasets` writes into the schema; else none."""
    try:
        return list(json.loads(metadata[b"huggingface"])["info"]["features"]["label"]["names"])
    except (KeyError, ValueError, TypeError):
        return []


LAYOUT = Layout("parquet", lambda path: bool(_files(path)), _samples)
