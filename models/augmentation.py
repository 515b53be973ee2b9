"""Random changes of faces that leave their emotion: for training only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.rows import IMAGE_SIDE
from models.keras_recognizer import import_keras

ERASED_SHARE = (0.02, 0.2)
ERASED_ASPECT = (0.4, 2.5)


def augment(
    faces: NDArray[np.float32],
    generator: np.random.Generator,
    shift: float,
    rotation: float,
    zoom: float,
    erasing: float,
) -> NDArray[np.float32]:
    """Return faces mirrored, turned, zoomed and shifted in one resampling, with rectangles erased.

    Parameters
    ----------
    faces : ndarray of shape (n_faces, 48, 48, 1), dtype float32
        Grey levels 0-255.
    generator : numpy.random.Generator
    shift : float
        Farthest shift along each axis, pixels.
    rotation : float
        Largest angle, degrees.
    zoom : float
        Largest logarithm of the scale.
    erasing : float
        Share of the faces in which a rectangle of 2-20% of the area takes one random grey level.

    Returns
    -------
    ndarray of shape (n_faces, 48, 48, 1), dtype float32
        Bilinear; beyond the border the border's own levels go on.

    References
    ----------
    Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random erasing data augmentation", AAAI 2020.
    https://doi.org/10.1609/aaai.v34i07.7000
    """
    changed = import_keras().ops.image.affine_transform(
        faces, affine(len(faces), generator, shift, rotation, zoom), interpolation="bilinear", fill_mode="nearest"
    )
    changed = np.array(changed, np.float32)
    for number in np.flatnonzero(generator.random(len(faces)) < erasing):
        _erase(changed[number], generator)
    return changed


def affine(
    n_faces: int, generator: np.random.Generator, shift: float, rotation: float, zoom: float
) -> NDArray[np.float32]:
    """Return a random transform about the centre for each face, as `keras.ops.image.affine_transform` takes them.

    Returns
    -------
    ndarray of shape (n_faces, 8), dtype float32
        (a0, a1, a2, b0, b1, b2, 0, 0): the output's point (x, y) shows the input's point
        (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    angle = np.deg2rad(generator.uniform(-rotation, rotation, n_faces))
    scale = np.exp(generator.uniform(-zoom, zoom, n_faces))
    mirror = generator.choice([-1.0, 1.0], n_faces)
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    columns, rows = generator.uniform(-shift, shift, (2, n_faces))
    centre = (IMAGE_SIDE - 1) / 2
    a0, a1, b0, b1 = mirror * cosine, -mirror * sine, sine, cosine
    a2 = centre + columns - (a0 + a1) * centre
    b2 = centre + rows - (b0 + b1) * centre
    return np.stack([a0, a1, a2, b0, b1, b2, 0 * a0, 0 * a0], axis=1).astype(np.float32)


def _erase(face: NDArray[np.float32], generator: np.random.Generator) -> None:
    area = generator.uniform(*ERASED_SHARE) * IMAGE_SIDE**2
    aspect = np.exp(generator.uniform(*np.log(ERASED_ASPECT)))
    height, width = (round(min(side, IMAGE_SIDE)) for side in ((area * aspect) ** 0.5, (area / aspect) ** 0.5))
    top, left = generator.integers(IMAGE_SIDE - height + 1), generator.integers(IMAGE_SIDE - width + 1)
    face[top : top + height, left : left + width] = generator.uniform(0, 255)
