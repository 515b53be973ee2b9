"""The forms in which a saved recognizer may be there: its artifact, and copies for certain uses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models import lite, safe_copy

# By the artifact's suffix, those of its copies, the best to load first.
COPIES = {".joblib": (safe_copy.SUFFIX,), ".h5": (lite.EIGHT_BITS, lite.FLOAT32)}
SUFFIXES = (*COPIES, *(suffix for copies in COPIES.values() for suffix in copies))


def parts(path: Path) -> tuple[str, str]:
    """Return stem and suffix of an artifact or a copy, whose suffix may have two dots."""
    suffix = max((each for each in SUFFIXES if path.name.endswith(each)), key=len, default=path.suffix)
    return path.name.removesuffix(suffix), suffix


def forms(suffix: str, exact: bool) -> tuple[str, ...]:
    """Return the suffixes of what may be loaded for a path with this one, the best first.

    A copy that is named stands for itself; `exact` leaves out those whose probabilities are not the artifact's.
    """
    if suffix not in COPIES or (suffix == ".h5" and exact):
        return (suffix,)
    return (*COPIES[suffix], suffix)


def present(path: Path, exact: bool) -> dict[str, Path]:
    """Return what is there of the `forms` of a path, by suffix."""
    stem, suffix = parts(path)
    found = {each: path.with_name(stem + each) for each in forms(suffix, exact)}
    return {each: file for each, file in found.items() if file.is_file()}


def write(recognizer: Any, path: Path) -> None:
    """Write a copy of a fitted recognizer, in the form that the suffix says.

    Raises
    ------
    TypeError
        If there is no such copy of this recognizer.
    """
    form = safe_copy if path.suffix == safe_copy.SUFFIX else lite
    form.write(recognizer, path)


def read(file: Path, kind: Any, card: Mapping[str, Any]) -> Any:
    """Read a recognizer of the class `kind` in one of its forms."""
    if file.suffix == safe_copy.SUFFIX:
        return safe_copy.read(file)
    if file.suffix == lite.FLOAT32:
        return lite.read(file, card)
    return kind.read(file, card)
