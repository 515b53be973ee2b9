"""The faces in one picture after the other; of a video, whose frames come quickly, every second frame is searched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from features.rows import IMAGE_SIDE
from models.inference.crop import Detector, Face, crop_faces, find_faces
from models.inference.grey_levels import PhotoError
from models.inference.inputs import Photo

# Seconds from frame to frame up to which they come quickly: with 15 frames a second, emotions changed measurably.
QUICK = 0.045
# A box is the same face two frames later if they share this part of both together.
SAME = 0.5


@dataclass(frozen=True, eq=False)
class Searched:
    """A picture with its faces, and their crops as `crop_faces` returns them; the face None is all of it."""

    photo: Photo
    faces: Sequence[Face | None] = ()
    crops: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, 1, IMAGE_SIDE, IMAGE_SIDE), np.uint8))


def search(photos: Iterable[Photo], detector: Detector) -> Iterator[Searched]:
    """Yield pictures with their faces, in their order, at most one picture late.

    A frame between two with the same faces is not searched: each face is taken to be halfway. It is searched where a
    face comes, goes or moves by more than a third of its width. What cannot be searched becomes an error.
    """
    last, skipped = Searched(Photo("")), None
    for photo in photos:
        if skipped is None and _goes_on_quickly(last.photo, photo):
            skipped = photo
            continue
        now = _search(photo, detector)
        if skipped:
            between = _halfway(last, skipped, now, detector) if _goes_on_quickly(skipped, photo) else None
            yield between or _search(skipped, detector)
        yield now
        last, skipped = now, None
    if skipped:
        yield _search(skipped, detector)


def goes_on(before: Photo, photo: Photo) -> bool:
    """Return whether a frame is of the same video as the one before."""
    return before.file == photo.file and before.seconds is not None and before.seconds <= (photo.seconds or 0)


def _goes_on_quickly(before: Photo, photo: Photo) -> bool:
    return goes_on(before, photo) and (photo.seconds or 0) - (before.seconds or 0) < QUICK


def _search(photo: Photo, detector: Detector) -> Searched:
    if photo.image is None:
        return Searched(photo)
    try:
        return Searched(photo, *find_faces(photo.image, detector))
    except PhotoError as error:
        return Searched(replace(photo, image=None, error=str(error)))


def _halfway(before: Searched, photo: Photo, after: Searched, detector: Detector) -> Searched | None:
    """Return the faces between two frames, or None if these do not have the same faces."""
    if before.photo.image is None or photo.image is None or after.photo.image is None:
        return None
    found = [[face for face in each.faces if face] for each in (before, after)]
    boxes = [np.array([astuple(face)[:4] for face in faces]).reshape(-1, 4) for faces in found]
    same = _shared(boxes[0][:, None], boxes[1]) > SAME
    if not ((same.sum(axis=0) == 1).all() and (same.sum(axis=1) == 1).all()):
        return None
    places = same.argmax(axis=1) if len(same) else []
    faces = [face.halfway(found[1][place]) for face, place in zip(found[0], places, strict=True)]
    return Searched(photo, faces, crop_faces(photo.image, faces, detector))


def _shared(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the intersection over union of boxes: left, top, width and height."""
    low = np.maximum(boxes[..., :2], others[..., :2])
    high = np.minimum(boxes[..., :2] + boxes[..., 2:4], others[..., :2] + others[..., 2:4])
    both = np.prod(np.maximum(high - low, 0), axis=-1)
    return both / (np.prod(boxes[..., 2:4], axis=-1) + np.prod(others[..., 2:4], axis=-1) - both)
