"""Finding faces in a photo and cropping them as FER2013's were."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.rows import IMAGE_SIDE
from models.artifacts.save_load import ArtifactError
from models.inference.grey_levels import PhotoError

# Degrees from which on a face is turned upright: below, faces of FER2013 lean too, and the points are not exact.
LEANS = 10
# Distance of the eyes in widths of the box, below which a face looks to the side; seen from the front it is 0.42.
TURNED_AWAY = 0.3


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Attributes
    ----------
    left, top, width, height : float
        Box in pixels; it may reach beyond the photo.
    score : float
        How sure the detector is, on a scale of its own.
    points : tuple of four (x, y) pairs of float
        The eyes, that on the photo's left first, the tip of the nose, and the mouth, in pixels; empty if the detector
        does not find them.
    """

    left: float
    top: float
    width: float
    height: float
    score: float
    points: tuple[tuple[float, float], ...] = ()

    def halfway(self, other: Face) -> Face:
        """Return the face in the middle between this and another one, point by point."""
        boxes = [(face.left, face.top, face.width, face.height, face.score) for face in (self, other)]
        points = np.mean([self.points, other.points], axis=0).tolist()
        left, top, width, height, score = np.mean(boxes, axis=0).tolist()
        return Face(left, top, width, height, score, tuple((x, y) for x, y in points))

    @property
    def is_turned_away(self) -> bool:
        """Whether the face looks to the side, by the distance of its eyes; False without points."""
        return bool(self.points) and math.dist(*self.points[:2]) < TURNED_AWAY * self.width

    @property
    def tilt(self) -> float:
        """How far the face leans to the photo's right, degrees; 0 without points, or where they cannot tell."""
        if not self.points or self.is_turned_away:
            return 0.0
        one, other, _, mouth = np.array(self.points)
        across, down = other - one, mouth - (one + other) / 2
        return float(np.degrees(np.arctan2(across[1] - down[0], across[0] + down[1])))


class Detector(Protocol):
    """Interface of a face detector.

    Attributes
    ----------
    framings : tuple of (float, float) pairs
        Crops of a box that look like FER2013's faces, the best first: the side of the crop in widths of the box, and
        how far below the middle of the box the middle of the crop lies, in the same unit.
    """

    framings: tuple[tuple[float, float], ...]

    def detect(self, photo: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of a grey photo of shape (height, width), the surest first."""
        ...


def find_faces(photo: NDArray[np.uint8], detector: Detector) -> tuple[list[Face], NDArray[np.uint8]]:
    """Return the faces of a grey photo, the surest first, and their crops as `crop_faces` does.

    Raises
    ------
    PhotoError
        If the detector or the crop fails on this photo. A detector that is not installed, or whose file cannot be
        used, fails on every one: these errors are left as they are.
    """
    try:
        faces = detector.detect(photo)
        return faces, crop_faces(photo, faces, detector)
    except (ImportError, OSError, ArtifactError):
        raise
    except Exception as error:
        height, width = photo.shape
        raise PhotoError(
            f"face detection failed on {width}x{height} pixels ({type(error).__name__}: {error}): crop or scale it"
        ) from error


def crop_faces(photo: NDArray[np.uint8], faces: Sequence[Face], detector: Detector) -> NDArray[np.uint8]:
    """Return squares with each of the detector's framings, resized to 48x48, antialiased.

    Faces that lean by `LEANS` degrees or more are turned upright. Pixels beyond the photo repeat its border.

    Returns
    -------
    ndarray of shape (n_faces, n_framings, 48, 48), dtype uint8
    """
    crops = np.empty((len(faces), len(detector.framings), IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    for of_face, face in zip(crops, faces, strict=True):
        tilt = face.tilt if abs(face.tilt) >= LEANS else 0.0
        lean = math.radians(tilt)
        for crop, (scale, shift) in zip(of_face, detector.framings, strict=True):
            x = face.left + face.width / 2 - math.sin(lean) * shift * face.width
            y = face.top + face.height / 2 + math.cos(lean) * shift * face.width
            crop[:] = crop_square(photo, (x, y), max(1.0, scale * face.width), tilt)
    return crops


def crop_square(
    photo: NDArray[np.uint8], centre: tuple[float, float], side: float, tilt: float = 0.0
) -> NDArray[np.uint8]:
    """Return the square about `centre` that leans by `tilt` degrees to the right, upright at 48x48, shape (48, 48)."""
    height, width = photo.shape
    # A margin of whole pixels on every side that the square reaches beyond; a few more for the filters.
    reach = side / 2 * (1 if not tilt else 2**0.5)
    (left, top), (right, bottom) = (np.floor(np.subtract(centre, reach)) - 2, np.ceil(np.add(centre, reach)) + 2)
    rows = np.clip(np.arange(top, bottom, dtype=int), 0, height - 1)
    columns = np.clip(np.arange(left, right, dtype=int), 0, width - 1)
    part = Image.fromarray(photo[np.ix_(rows, columns)])
    x, y = centre[0] - left, centre[1] - top
    if tilt:
        part = part.rotate(tilt, Image.Resampling.BICUBIC, center=(x, y))
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return np.asarray(part.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS, box=box))
