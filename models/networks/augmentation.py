"""Augmentation of faces: random changes for training, and views of a face for prediction."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from features.rows import IMAGE_SIDE
from models.networks.keras_recognizer import import_keras

ERASED_SHARE = (0.02, 0.2)
ERASED_ASPECT = (0.4, 2.5)
BLUR_SIGMA = (0.3, 1.0)  # standard deviation, pixels
NOISE_SIGMA = (2.0, 12.0)  # standard deviation, grey levels


def augment(
    faces: NDArray[np.float32],
    generator: np.random.Generator,
    shift: float = 0.0,
    rotation: float = 0.0,
    zoom: float = 0.0,
    gamma: float = 0.0,
    blur_noise_prob: float = 0.0,
    erase_prob: float = 0.0,
) -> NDArray[np.float32]:
    """Return faces mirrored, rotated, zoomed and shifted in one resampling, with other grey levels, partly erased.

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
    gamma : float
        Largest logarithm of the power to which the grey levels, as shares of 255, are raised.
    blur_noise_prob : float
        Probability that a face is blurred or made noisy, each as often as the other.
    erase_prob : float
        Probability that a rectangle of 2-20% of a face takes one random grey level.

    Returns
    -------
    ndarray of shape (n_faces, 48, 48, 1), dtype float32
        Bilinear; pixels beyond the border repeat it.

    References
    ----------
    Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random erasing data augmentation", AAAI 2020.
    https://doi.org/10.1609/aaai.v34i07.7000
    """
    changed = _transformed(faces, random_affine(len(faces), generator, shift, rotation, zoom))
    power = np.exp(generator.uniform(-gamma, gamma, (len(faces), 1, 1, 1))).astype(np.float32)
    changed = np.float32(255) * (changed / np.float32(255)) ** power
    for number in np.flatnonzero(generator.random(len(faces)) < blur_noise_prob):
        _degrade(changed[number], generator)
    for number in np.flatnonzero(generator.random(len(faces)) < erase_prob):
        _erase(changed[number], generator)
    return changed


def views(faces: NDArray[np.float32], zoom: float) -> Iterator[NDArray[np.float32]]:
    """Yield the faces larger, as they are and smaller, by the logarithm of the scale `zoom`, each and its mirror image.

    Parameters
    ----------
    faces : ndarray of shape (n_faces, 48, 48, 1), dtype float32
    zoom : float
        0 for the faces and their mirror images alone.
    """
    for log_scale in (-zoom, 0.0, zoom) if zoom else (0.0,):
        weights = _zoom_weights(np.exp(log_scale))
        # Zooming works along each axis by itself; two small matrix products need no Keras.
        view = np.matmul(np.matmul(weights, faces[..., 0]), weights.T, dtype=np.float32)[..., None]
        yield view
        yield view[:, :, ::-1]


def _zoom_weights(scale: float) -> NDArray[np.float32]:
    """Return the bilinear weights, shape (48, 48), that zoom a column of pixels about its middle.

    A row of the result shows the place `scale` times as far from the middle, the border's pixel beyond the border.
    """
    middle = (IMAGE_SIDE - 1) / 2
    places = np.clip(middle + (np.arange(IMAGE_SIDE) - middle) * scale, 0, IMAGE_SIDE - 1)
    before = np.minimum(places.astype(int), IMAGE_SIDE - 2)
    weights = np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.float32)
    rows = np.arange(IMAGE_SIDE)
    weights[rows, before] = 1 - (places - before)
    weights[rows, before + 1] = places - before
    return weights


def random_affine(
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
    return _similarity(mirror, scale, angle, *generator.uniform(-shift, shift, (2, n_faces)))


def _similarity(
    mirror: NDArray, scale: NDArray, angle: NDArray, columns: NDArray, rows: NDArray
) -> NDArray[np.float32]:
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    centre = (IMAGE_SIDE - 1) / 2
    a0, a1, b0, b1 = mirror * cosine, -mirror * sine, sine, cosine
    a2 = centre + columns - (a0 + a1) * centre
    b2 = centre + rows - (b0 + b1) * centre
    return np.stack([a0, a1, a2, b0, b1, b2, 0 * a0, 0 * a0], axis=1).astype(np.float32)


def _transformed(faces: NDArray[np.float32], transforms: NDArray[np.float32]) -> NDArray[np.float32]:
    resample = import_keras().ops.image.affine_transform
    return np.array(resample(faces, transforms, interpolation="bilinear", fill_mode="nearest"), np.float32)


def _degrade(face: NDArray[np.float32], generator: np.random.Generator) -> None:
    if generator.random() < 0.5:
        face[..., 0] = gaussian_filter(face[..., 0], generator.uniform(*BLUR_SIGMA), mode="nearest")
    else:
        face += generator.normal(0, generator.uniform(*NOISE_SIGMA), face.shape)
        np.clip(face, 0, 255, out=face)


def _erase(face: NDArray[np.float32], generator: np.random.Generator) -> None:
    area = generator.uniform(*ERASED_SHARE) * IMAGE_SIDE**2
    aspect = np.exp(generator.uniform(*np.log(ERASED_ASPECT)))
    height, width = (round(min(side, IMAGE_SIDE)) for side in ((area * aspect) ** 0.5, (area / aspect) ** 0.5))
    top, left = generator.integers(IMAGE_SIDE - height + 1), generator.integers(IMAGE_SIDE - width + 1)
    face[top : top + height, left : left + width] = generator.uniform(0, 255)
