"""Finding faces in a photo and cropping them as FER2013's were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.rows import IMAGE_SIDE, N_PIXELS
from models.artifacts.save_load import ArtifactError
from models.inference.grey_levels import PhotoError


@dataclass(frozen=True)
class Face:
    """A face in a photo.

    Attributes
    ----------
    left, top, width, height : float
        Box in pixels; it may reach beyond the photo.
    score : float
        How sure the detector is, on a scale of its own.
    """

    left: float
    top: float
    width: float
    height: float
    score: float


class Detector(Protocol):
    """Interface of a face detector.

    Attributes
    ----------
    scale, shift : float
        Framing that makes crops look like FER2013's faces: the side of the crop in widths of the box, and how far below
        the middle of the box the middle of the crop lies, in the same unit.
    """

    scale: float
    shift: float

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
    """Return faces as rows, cropped to squares with the detector's framing and resized to 48x48, antialiased.

    Pixels beyond the photo repeat its border.

    Returns
    -------
    ndarray of shape (n_faces, 2304), dtype uint8
    """
    rows = np.empty((len(faces), N_PIXELS), np.uint8)
    for row, face in zip(rows, faces, strict=True):
        side = max(1.0, detector.scale * face.width)
        left = face.left + face.width / 2 - side / 2
        top = face.top + face.height / 2 + detector.shift * face.width - side / 2
        row[:] = crop_square(photo, left, top, side).ravel()
    return rows


def crop_square(photo: NDArray[np.uint8], left: float, top: float, side: float) -> NDArray[np.uint8]:
    """Return the square of `photo` at 48x48, of shape (48, 48)."""
    height, width = photo.shape
    # A margin of whole pixels on every side that the square reaches beyond; a few more for the filter.
    first = np.floor([top, left]).astype(int) - 2
    last = np.ceil([top + side, left + side]).astype(int) + 2
    rows = np.clip(np.arange(first[0], last[0]), 0, height - 1)
    columns = np.clip(np.arange(first[1], last[1]), 0, width - 1)
    part = Image.fromarray(photo[np.ix_(rows, columns)])
    box = (left - first[1], top - first[0], left - first[1] + side, top - first[0] + side)
    return np.asarray(part.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS, box=box))
