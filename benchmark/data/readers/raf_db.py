"""RAF-DB: a list of names and numbers, in the authors' form or in that of the copies on Kaggle.

References
----------
.. [1] S. Li, W. Deng, J. Du, "Reliable crowdsourcing and deep locality-preserving learning for expression recognition
   in the wild", CVPR 2017. https://doi.org/10.1109/CVPR.2017.277
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from benchmark.data.readers.sample import Layout, Sample, by_name, find_entry, usage_of
from models.inference.folders import files_below

# The first is the authors' spelling. The other two lie beside train/1 ... train/7 and test/1 ... test/7.
_LISTS = (("list_patition_label.txt", "list_partition_label.txt"), ("train_labels.csv",), ("test_labels.csv",))
_EXPRESSIONS = dict(enumerate(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), start=1))
_ROW = re.compile(r"\s*((train|test)_\S+?\.\w+)[\s,]+(\d+)\s*", re.I)


def _lists(path: Path) -> list[Path]:
    return [found for names in _LISTS if (found := find_entry(path, *names)) and found.is_file()]


def _rows(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield name, part and number of each picture."""
    for file in _lists(path):
        with file.open(encoding="utf-8-sig", errors="replace") as lines:
            yield from (row.groups() for line in lines if (row := _ROW.fullmatch(line)))


def _samples(path: Path) -> Iterator[Sample]:
    root = path if path.is_dir() else path.parent
    place = by_name(root, files_below(root))
    for name, part, number in _rows(path):
        aligned = place(f"{Path(name).stem}_aligned{Path(name).suffix}")
        picture = aligned if aligned.exists() else place(name)
        yield Sample(picture, str(picture), _EXPRESSIONS.get(int(number), number), usage_of([part]))


LAYOUT = Layout("raf-db", lambda path: any(_rows(path)), _samples)
