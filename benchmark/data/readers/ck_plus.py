"""CK+: sequences of frames with a label each, or the table `ckextended.csv` of a copy on Kaggle.

References
----------
.. [1] P. Lucey et al., "The extended Cohn-Kanade dataset (CK+): a complete dataset for action unit and
   emotion-specified expression", CVPR Workshops 2010. https://doi.org/10.1109/CVPRW.2010.5543262
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmark.data.dataset import USAGES, DataError
from benchmark.data.readers.sample import Layout, Sample, find_entry
from features.rows import IMAGE_SIDE
from models.inference.folders import files_below
from models.labels import EMOTIONS

_EXPRESSIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")


def _folders(path: Path) -> list[Path]:
    """Return the folders of the frames and of the labels, or neither."""
    found = [find_entry(path, *names) for names in (("cohn-kanade-images",), ("emotion", "emotion_labels"))]
    return [folder for folder in found if folder] if all(found) else []


def _samples(path: Path) -> Iterator[Sample]:
    """Yield the last frame of each labelled sequence, which shows its expression, and the first, which is neutral."""
    frames, labels = _folders(path)
    for file in files_below(labels):
        name = file.name.lower().removesuffix("_emotion.txt").upper()
        subject, *sequence = name.split("_")
        if len(sequence) != 2:
            continue
        folder = frames / subject / sequence[0]
        pictures = {frame.stem.upper(): frame for frame in files_below(folder)}
        last = pictures.get(name, folder / f"{name}.png")
        yield Sample(last, str(last), _expression(file), subject=subject)
        first = next(iter(pictures.values()), last)
        if first != last:
            yield Sample(first, str(first), "neutral", subject=subject)


def _expression(file: Path) -> str:
    """Return what a file such as ``   3.0000000e+00`` says."""
    text = file.read_text("utf-8", "replace").strip()
    try:
        return _EXPRESSIONS[int(float(text))]
    except (ValueError, IndexError):
        return text or "no label"


def _rows(path: Path) -> Iterator[Sample]:
    file = find_entry(path, "ckextended.csv")
    assert file is not None, "is_here found it"
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            where = f"{file}, row {number}"
            try:
                emotion, usage = int(row["emotion"]), row["Usage"]
                grey = np.array(row["pixels"].split()).astype(np.uint8).reshape(IMAGE_SIDE, IMAGE_SIDE)
            except (KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
                raise DataError(f"{where}: {error}: use the complete ckextended.csv") from error
            expressions = [*EMOTIONS, "contempt"]
            expression = expressions[emotion] if 0 <= emotion < len(expressions) else str(emotion)
            yield Sample(grey, where, expression, usage if usage in USAGES else "")


SEQUENCES = Layout("ck-plus", lambda path: bool(_folders(path)), _samples)
TABLE = Layout("ckextended", lambda path: find_entry(path, "ckextended.csv") is not None, _rows)
