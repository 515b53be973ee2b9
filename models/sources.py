"""What `models.predict` reads: files, folders, patterns, standard input and videos, as a stream of grey pictures."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.photos import MEGAPIXELS, PhotoError, read_photo

STANDARD_INPUT = "-"
VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv"})


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
    """

    file: str
    image: NDArray[np.uint8] | None = None
    frame: int | None = None
    seconds: float | None = None
    error: str = ""


def find_files(arguments: Iterable[str | Path]) -> list[str]:
    """Return the files that arguments stand for.

    A folder stands for all pictures and videos below it, a pattern such as ``photos/**/*.jpg`` for the files that it
    matches, both sorted; anything else for itself, whether it exists or not.
    """
    found: list[str] = []
    for argument in map(str, arguments):
        if Path(argument).is_dir():
            known = VIDEOS | _picture_suffixes()
            below = sorted(path for path in Path(argument).rglob("*") if path.suffix.lower() in known)
            found += [str(path) for path in below if path.is_file()]
        elif glob.has_magic(argument) and not Path(argument).exists():
            found += sorted(path for path in glob.glob(argument, recursive=True) if Path(path).is_file()) or [argument]
        else:
            found.append(argument)
    return found


def read_files(files: Iterable[str], every: float = 1.0) -> Iterator[Photo]:
    """Read files one after the other, so that memory does not grow with their number.

    Parameters
    ----------
    files : iterable of str
        As `find_files` returns them; ``-`` is a picture on standard input.
    every : float
        Of a video, one frame in so many seconds; above 0.
    """
    if not every > 0:
        raise ValueError(f"every={every}: give seconds above 0")
    for file in files:
        try:
            if file == STANDARD_INPUT:
                yield Photo(file, read_photo(sys.stdin.buffer.read()))
            elif Path(file).suffix.lower() in VIDEOS:
                yield from _frames(file, every)
            else:
                yield Photo(file, read_photo(file))
        except PhotoError as error:
            yield Photo(file, error=str(error))
        except OSError as error:
            yield Photo(file, error=f"{error.strerror}: check the path")


def _frames(file: str, every: float) -> Iterator[Photo]:
    try:
        import av
    except ImportError:
        raise PhotoError("a video needs PyAV: pip install 'fer-benchmark[video]'") from None
    try:
        with av.open(file, metadata_errors="replace") as container:
            stream = next(iter(container.streams.video), None)
            if stream is None or stream.codec_context is None:
                raise PhotoError("has no pictures that can be read: give a video or an image")
            if stream.width * stream.height > MEGAPIXELS * 1e6:
                raise PhotoError(f"{stream.width}x{stream.height} pixels: scale it to at most {MEGAPIXELS} megapixels")
            due = 0.0
            for number, frame in enumerate(container.decode(stream)):
                seconds = float(frame.time if frame.time is not None else number / float(stream.average_rate or 25))
                if seconds + 1e-6 >= due:
                    due = seconds - seconds % every + every
                    yield Photo(file, _upright(frame), number, seconds)
    except av.FFmpegError as error:
        if isinstance(error, OSError) and not Path(file).exists():
            raise
        raise PhotoError(f"damaged or no video ({error.strerror}): save it anew") from None


def _upright(frame: Any) -> NDArray[np.uint8]:
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="gray"), quarters))


def _picture_suffixes() -> frozenset[str]:
    Image.init()
    return frozenset(suffix for suffix, form in Image.registered_extensions().items() if form in Image.OPEN) - {".pdf"}
