"""Inputs of prediction: files, folders, patterns, standard input and videos, read as a stream of grey pictures."""

from __future__ import annotations

import glob
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.inference.file_types import is_video, media_suffixes
from models.inference.folders import files_below, is_litter
from models.inference.grey_levels import PhotoError
from models.inference.read_image import as_picture, read_photo
from models.inference.video import EACH_SECOND, Span, read_frames

STANDARD_INPUT = "-"


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture, or why there is none.

    Attributes
    ----------
    file : str
        Path as it was found; ``-`` for standard input.
    image : ndarray of shape (height, width), dtype uint8, or None
    frame : int or None
        Number of the frame in a video, from 0.
    seconds : float or None
        Time of the frame in a video.
    error : str
        Why there is no image; empty if there is one.
    share : float
        Part of the file that is read up to here.
    """

    file: str
    image: NDArray[np.uint8] | None = None
    frame: int | None = None
    seconds: float | None = None
    error: str = ""
    share: float = 1.0


def find_files(arguments: Iterable[str | os.PathLike]) -> list[str]:
    """Return the files that arguments stand for.

    A folder stands for all pictures and videos below it, a pattern such as ``photos/**/*.jpg`` for the files that it
    matches, both sorted; anything else for itself, whether it exists or not. ``~`` is the home folder.
    """
    files: list[str] = []
    for given in arguments:
        argument = os.path.expanduser(os.fsdecode(given))
        if os.path.isdir(argument):
            below = files_below(Path(argument))
            # A folder among the files is one that cannot be listed.
            files += [str(path) for path in below if path.suffix.lower() in media_suffixes() or os.path.isdir(path)]
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            files += _matches(Path(argument)) or [argument]
        else:
            files.append(argument)
    return files


def read_files(files: Iterable[str], span: Span = EACH_SECOND) -> Iterator[Photo]:
    """Read files one after the other, so that memory does not grow with their number.

    Parameters
    ----------
    files : iterable of str
        As `find_files` returns them; ``-`` is a picture on standard input.
    span : Span
        Which frames of a video.
    """
    for file in files:
        try:
            if is_video(file):
                for image, frame, seconds, share in read_frames(file, span):
                    yield Photo(file, image, frame, seconds, share=share)
            else:
                yield Photo(file, read_photo(_standard_input() if file == STANDARD_INPUT else file))
        except Exception as error:  # after any error of one file, the others are still read
            yield Photo(file, error=_reason(error))


def list_pictures(given: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what a caller gave, picture by picture, each with its place: ``2``, or ``2[0]`` where lists are nested.

    Parameters
    ----------
    given : path, picture as of `models.inference.read_image.read_photo`, batch, or iterable of these
        A batch is an array or tensor of shape (n, height, width, 1, 3 or 4).

    Raises
    ------
    TypeError
        If there is something else.
    """
    try:
        given = as_picture(given)
    except TypeError as error:
        # Neither a table, whose columns would be taken for paths, nor a file of text, nor an array that cannot be read.
        no_list = (
            isinstance(given, (Mapping, io.TextIOBase)) or hasattr(given, "columns") or hasattr(given, "__array__")
        )
        if no_list or not isinstance(given, Iterable):
            where = f"picture {place}: " if place else ""
            raise TypeError(f"{where}{error}, a batch (n, height, width, 3), or a list or Series of these") from None
    else:
        several = isinstance(given, np.ndarray) and (
            given.dtype.kind in "OUT" or given.ndim == 4 or given.shape == (0,)
        )
        if not several:
            yield place or "0", given
            return
        if given.ndim == 0:
            given = [given.item()]
    for number, item in enumerate(given):
        yield from list_pictures(item, f"{place}[{number}]" if place else str(number))


def read_pictures(pictures: Iterable[tuple[str, Any]], span: Span = EACH_SECOND) -> Iterator[Photo]:
    """Read what `list_pictures` lists; one that is no file is named after its place."""
    for place, picture in pictures:
        if isinstance(picture, str):
            yield from read_files(find_files([picture]), span)
            continue
        name = getattr(picture, "filename", None) or getattr(picture, "name", None)
        name = name if isinstance(name, str) else place
        try:
            yield Photo(name, read_photo(picture))
        except Exception as error:
            yield Photo(name, error=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, PhotoError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}: check the path"
    return f"cannot be read ({type(error).__name__}: {error}): save it again"


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise PhotoError("there is no standard input: give a file")
    return sys.stdin.buffer.read()


def _matches(pattern: Path) -> list[str]:
    """Return the files that match, sorted. A part that is the literal name of a file or folder stands for it."""
    parts = pattern.parts[1:] if pattern.anchor else pattern.parts
    paths = [Path(pattern.anchor)]
    for part in (*parts, "*") if parts[-1] == "**" else parts:
        paths = [match for folder in paths for match in _matches_in(folder, part)]
    return sorted(str(path) for path in paths if os.path.isfile(path) or not os.path.exists(path))


def _matches_in(folder: Path, part: str) -> Iterable[Path]:
    if os.path.lexists(folder / part):
        return [folder / part]
    if part == "**":
        folders = {folder}
        for file in files_below(folder):
            above = file.parent
            while folder in above.parents and above not in folders:
                folders.add(above)
                above = above.parent
        return folders
    names = glob.glob(part, root_dir=folder)  # hidden ones where the part begins with a dot
    return [folder / name for name in names if name.startswith(".") or not is_litter(name)]
