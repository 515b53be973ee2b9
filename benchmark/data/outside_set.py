"""Reader of an outside set: pictures that no model was fitted on, in any layout that training reads too."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.data.dataset import DataError, Split
from benchmark.data.pictures import EXPECTED, Pictures, read_pictures_of
from benchmark.data.readers import find_layout
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector
from models.labels import Labels


@dataclass(frozen=True, eq=False)
class OutsideSet:
    """Faces of a data set of pictures, all splits of its authors together.

    Attributes
    ----------
    folder : str
        As it was given.
    pictures : Pictures
        One face a picture.
    cropped : bool
        Whether the photos were faces already.
    labels : dict of str to int
        Labels by name of folder or number, besides the names of emotions.
    """

    folder: str
    pictures: Pictures
    cropped: bool
    labels: Labels

    @property
    def split(self) -> Split:
        """The faces and their labels."""
        return Split(self.pictures.X, self.pictures.y)

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Files that could not be read, and why."""
        return self.pictures.unreadable

    @property
    def name(self) -> str:
        """The folder's name, without characters that are special in paths or shells."""
        return re.sub(r"[^\w.-]+", "-", Path(self.folder).resolve().name) or "root"

    @property
    def protocol(self) -> str:
        """Name of the results folder."""
        return "outside-cropped" if self.cropped else "outside"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over pixels and labels, 16 hexadecimal digits."""
        digest = hashlib.sha256(np.ascontiguousarray(self.split.X).data)
        digest.update(np.ascontiguousarray(self.split.y).data)
        return digest.hexdigest()[:16]

    @property
    def note(self) -> str:
        """What a reader of the scores must know: what is not in them."""
        faces = len(self.split)
        first = f"{faces} faces, assumed to be unseen by the models: whether FER2013 has some is not checked"
        return "; ".join([first, *self.pictures.notes])


def read_outside(
    folder: Path, cropped: bool, detector: Detector | None = None, labels: Labels | None = None
) -> OutsideSet:
    """Read a data set of pictures, of which none is a face that a model was fitted on.

    Parameters
    ----------
    folder : Path
        A data set in a layout of `benchmark.data.readers`, e.g. one folder for each emotion.
    cropped : bool
        Take every picture as a face. Otherwise the largest face in it is found and cropped.
    detector : Detector, optional
        By default `models.inference.blazeface.BlazeFace`.
    labels : mapping of str to int, optional
        Labels by other names, from `benchmark.data.pictures.parse_labels`.

    Raises
    ------
    DataError
        If there is no such path, no picture of an emotion, or no face.
    """
    path = folder.expanduser()
    if not path.exists():
        raise DataError(f"{path}: no such folder or file: give {EXPECTED}")
    layout = find_layout(path)
    if layout is None:
        raise DataError(f"{path}: no data set of pictures: give {EXPECTED}")
    pictures = read_pictures_of(path, layout, labels, None if cropped else detector or BlazeFace())
    return OutsideSet(str(path), pictures, cropped, labels or {})
