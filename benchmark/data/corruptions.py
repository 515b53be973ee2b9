"""Corruptions of faces at three strengths, as new photos show them.

The idea is ImageNet-C's [1]_; the kinds and strengths are chosen for grey faces of 48x48 pixels.

References
----------
.. [1] D. Hendrycks and T. Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
   ICLR 2019. https://arxiv.org/abs/1903.12261
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.transform import SimilarityTransform, warp

from features.rows import IMAGE_SIDE, as_images

Pixels = NDArray[np.float64]
CENTRE = (IMAGE_SIDE - 1) / 2


def corrupt(X: NDArray[np.uint8], kind: str, strength: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return corrupted faces.

    Parameters
    ----------
    X : ndarray of shape (n_faces, 2304), dtype uint8
        Grey levels 0-255.
    kind : str
        One of `CORRUPTIONS`.
    strength : int
        1, 2 or 3.
    seed : int
        The same seed gives the same faces, whatever else is corrupted.

    Returns
    -------
    ndarray of shape (n_faces, 2304), dtype uint8

    Raises
    ------
    ValueError
        If there is no such corruption or strength.
    """
    if kind not in CORRUPTIONS or strength not in STRENGTHS:
        raise ValueError(f"no corruption {kind!r} of strength {strength}: use 1 to 3 of {', '.join(CORRUPTIONS)}")
    change, amounts = CORRUPTIONS[kind]
    generator = np.random.default_rng((seed, zlib.crc32(kind.encode()), strength))
    faces = [change(face.astype(float), amounts[strength - 1], generator) for face in as_images(X)]
    return np.rint(np.clip(faces, 0, 255)).astype(np.uint8).reshape(X.shape)


def _blur(face: Pixels, deviation: float, generator: np.random.Generator) -> Pixels:
    return gaussian_filter(face, deviation, mode="nearest")


def _noise(face: Pixels, deviation: float, generator: np.random.Generator) -> Pixels:
    return face + generator.normal(0, deviation, face.shape)


def _jpeg(face: Pixels, quality: float, generator: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(face.astype(np.uint8)).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file), dtype=float)


def _brightness(face: Pixels, levels: float, generator: np.random.Generator) -> Pixels:
    return face + generator.choice([-levels, levels])


def _contrast(face: Pixels, share: float, generator: np.random.Generator) -> Pixels:
    return np.rint(face.mean() + share * (face - face.mean()))


def _rotation(face: Pixels, degrees: float, generator: np.random.Generator) -> Pixels:
    return _moved(face, rotation=np.deg2rad(generator.choice([-degrees, degrees])))


def _shift(face: Pixels, pixels: float, generator: np.random.Generator) -> Pixels:
    angle = generator.uniform(0, 2 * np.pi)
    return _moved(face, translation=(pixels * np.cos(angle), pixels * np.sin(angle)))


def _scale(face: Pixels, factor: float, generator: np.random.Generator) -> Pixels:
    return _moved(face, scale=generator.choice([1 / factor, factor]))


def _occlusion(face: Pixels, share: float, generator: np.random.Generator) -> Pixels:
    side = round(IMAGE_SIDE * share**0.5)
    top, left = generator.integers(IMAGE_SIDE - side + 1, size=2)
    hidden = face.copy()
    hidden[top : top + side, left : left + side] = generator.uniform(0, 255)
    return hidden


def _moved(face: Pixels, **change: object) -> Pixels:
    """Return the face turned, shifted or scaled about its centre; beyond the border the border's own levels go on."""
    about = SimilarityTransform(translation=(-CENTRE, -CENTRE)) + SimilarityTransform(**change)
    return warp(face, (about + SimilarityTransform(translation=(CENTRE, CENTRE))).inverse, mode="edge")


# How faces are changed, and by how much at strengths 1 to 3.
CORRUPTIONS: dict[str, tuple[Callable[[Pixels, float, np.random.Generator], Pixels], tuple[float, float, float]]] = {
    "blur": (_blur, (0.6, 1.2, 2.0)),  # standard deviation, pixels
    "noise": (_noise, (8, 16, 32)),  # standard deviation, grey levels
    "jpeg": (_jpeg, (30, 15, 8)),  # quality
    "brightness": (_brightness, (30, 60, 90)),  # grey levels added or taken
    "contrast": (_contrast, (0.5, 0.25, 0.12)),  # share that is left
    "rotation": (_rotation, (10, 20, 30)),  # degrees to either side
    "shift": (_shift, (3, 6, 9)),  # pixels in any direction
    "scale": (_scale, (1.1, 1.2, 1.35)),  # larger or smaller by this factor
    "occlusion": (_occlusion, (0.05, 0.1, 0.2)),  # share of the area, in one square
}
STRENGTHS = (1, 2, 3)
