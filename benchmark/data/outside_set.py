"""Reader of an outside set: photos that no model was fitted on, in one folder for each emotion."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from benchmark.data import DataError, Split
from benchmark.data.image_folders import NUMBERED
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector, find_faces
from models.inference.file_types import is_video
from models.inference.grey_levels import PhotoError
from models.inference.inputs import find_files, read_files
from models.inference.read_image import resize_to_face
from models.labels import Labels, emotion_of_path, folder_key

EMOTION_FOLDERS = "one folder for each emotion, e.g. happy/1.jpg, anger/2.png"


@dataclass(frozen=True, eq=False)
class OutsideSet:
    """Faces from a folder of photos, with the emotions that their folders are named after.

    Attributes
    ----------
    folder : str
        As it was given.
    split : Split
        One face a photo.
    cropped : bool
        Whether the photos were faces already.
    no_face : int
        Photos in which none was found; they are in no score.
    skipped : dict of str to int
        Photos in folders that are named after none of the seven emotions; and videos, whose frames are no independent
        faces.
    unreadable : dict of str to str
        Files that could not be read, and why.
    labels : dict of str to int
        Labels by name of folder, besides the names of emotions.
    """

    folder: str
    split: Split
    cropped: bool
    no_face: int
    skipped: Mapping[str, int]
    unreadable: Mapping[str, str]
    labels: Labels

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
        parts = [
            f"{len(self.split)} faces, assumed to be unseen by the models: whether FER2013 has some is not checked"
        ]
        if self.no_face:
            parts.append(f"photos in which no face was found, left out: {self.no_face}")
        if self.skipped:
            folders = ", ".join(f"{name} ({count})" for name, count in self.skipped.items())
            parts.append(f"skipped, since they are none of the seven emotions, or videos: {folders}")
        if self.unreadable:
            parts.append(f"files that could not be read: {len(self.unreadable)}")
        return "; ".join(parts)


def read_outside(
    folder: Path, cropped: bool, detector: Detector | None = None, labels: Labels | None = None
) -> OutsideSet:
    """Read a tree of photos; its innermost folder with an emotion's name, or a synonym of it, labels a photo.

    Parameters
    ----------
    folder : Path
    cropped : bool
        Take every photo as a face. Otherwise the largest face in it is found and cropped.
    detector : Detector, optional
        By default `models.inference.blazeface.BlazeFace`.
    labels : mapping of str to int, optional
        Labels by other names of folders, from `benchmark.data.image_folders.parse_labels`.

    Raises
    ------
    DataError
        If there is no folder, no folder of an emotion in it, or no face.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder: give {EMOTION_FOLDERS}")
    labelled, skipped = {}, Counter[str]()
    for file in find_files([folder]):
        place = Path(file).relative_to(folder).parts
        inner = place if Path(file).is_dir() else place[:-1]  # a folder among the files cannot be listed
        label = emotion_of_path(inner, labels)
        if is_video(file):
            skipped["videos"] += 1
        elif label is None:
            skipped["/".join(inner) or "."] += 1
        else:
            labelled[file] = label
    if not labelled:
        numbered = [name for name in skipped if folder_key(Path(name).name).isdecimal()]
        if numbered:
            raise DataError(f"{folder}/{min(numbered)}: {NUMBERED}")
        raise DataError(f"{folder}: no photos in a folder named after an emotion: give {EMOTION_FOLDERS}")
    detector = detector or BlazeFace()
    rows, y, no_face, unreadable = [], [], 0, {}
    for photo in read_files(tqdm(labelled, unit="photo", disable=None)):
        if photo.image is None:
            unreadable[photo.file] = photo.error
            continue
        try:
            row = resize_to_face(photo.image).ravel() if cropped else _largest_face(photo.image, detector)
        except PhotoError as error:
            unreadable[photo.file] = str(error)
            continue
        if row is None:
            no_face += 1
        else:
            rows.append(row)
            y.append(labelled[photo.file])
    if not rows:
        advice = "" if cropped else "; if the photos are faces already, add --cropped"
        reasons = "".join(f"; {file}: {error}" for file, error in unreadable.items())
        raise DataError(f"{folder}: no face in {len(labelled)} photos{advice}{reasons}")
    split = Split(np.stack(rows).astype(np.uint8), np.array(y, dtype=np.int64))
    return OutsideSet(str(folder), split, cropped, no_face, dict(sorted(skipped.items())), unreadable, labels or {})


def _largest_face(photo: NDArray[np.uint8], detector: Detector) -> NDArray[np.uint8] | None:
    faces, crops = find_faces(photo, detector)
    sizes = [face.width * face.height for face in faces]
    return crops[int(np.argmax(sizes))] if sizes else None
