"""What the readers of all layouts yield, and how they find files and name splits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.inference.folders import is_litter

_USAGES = {
    **dict.fromkeys(("train", "training"), "Training"),
    **dict.fromkeys(("valid", "val", "validation", "publictest"), "PublicTest"),
    **dict.fromkeys(("test", "testing", "privatetest"), "PrivateTest"),
}


class Sample(NamedTuple):
    """A picture of a data set that is not read yet.

    Attributes
    ----------
    picture : Path, bytes or ndarray of shape (height, width), dtype uint8
        A file, an encoded picture, or grey levels.
    name : str
        What messages call it.
    expression : str
        Name of the expression, or the folders of the picture, ``test/happy``, of which the innermost one that names an
        emotion counts.
    usage : str
        Its split by the authors of the data set, of `benchmark.data.USAGES`; empty if they made none.
    subject : str
        Who is in the picture; empty if the data set does not say it.
    box : tuple of int, optional
        Left, top, width and height of the face in pixels.
    """

    picture: Path | bytes | NDArray[np.uint8]
    name: str
    expression: str
    usage: str = ""
    subject: str = ""
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Layout:
    """A way in which data sets lie on disk.

    Attributes
    ----------
    name : str
        Begins the name of the results folder.
    is_here : callable
        Takes a path; says whether the data set there has this layout.
    samples : callable
        Takes that path; yields its samples in the same order every time.
    """

    name: str
    is_here: Callable[[Path], bool]
    samples: Callable[[Path], Iterator[Sample]]


def usage_of(parts: Sequence[str]) -> str:
    """Return the split that the outermost name such as ``train``, ``val`` or ``test`` says; empty if none does."""
    return next((_USAGES[part.lower()] for part in parts if part.lower() in _USAGES), "")


def find_entry(path: Path, *names: str) -> Path | None:
    """Return the file or folder with one of these names, in any case: `path`, or something in or up to two below it."""
    if path.name.lower() in names:
        return path
    level = [path]
    for _ in range(3):
        entries = [entry for folder in level for entry in _listed(folder)]
        for entry in entries:
            if entry.name.lower() in names:
                return Path(entry)
        level = [Path(entry) for entry in entries if entry.is_dir()]
    return None


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not is_litter(entry.name)), key=lambda entry: entry.name)
    except OSError:  # a file; or no permission, which the reader of the pictures reports
        return []


def by_name(folder: Path, files: Iterator[Path]) -> Callable[[str], Path]:
    """Return a function that finds one of the files by its name in any case; else it is the name in the folder."""
    places = {file.name.lower(): file for file in files}
    return lambda name: places.get(Path(name).name.lower(), folder / name)
