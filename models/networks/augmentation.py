"""Augmentation of faces: random changes for training, and views of a face for prediction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from features.rows import IMAGE_SIDE
from models.networks.keras_import import import_keras

ERASED_SHARE = (0.02, 0.2)
ERASED_LOG_ASPECT = (np.log(0.4), np.log(2.5))
BLUR_SIGMA = (0.3, 1.0)  # standard deviation, pixels
NOISE_SIGMA = (2.0, 12.0)  # standard deviation, grey levels
BLUR_REACH = 4  # pixels; scipy's Gaussian ends at four standard deviations
UNBLURRED = np.eye(2 * BLUR_REACH + 1, dtype=np.float32)[BLUR_REACH]
PIXELS = np.arange(IMAGE_SIDE, dtype=np.int32)
# For each of the nine places of a pixel's neighbours, the matrix that brings that neighbour, or the border, to it.
NEIGHBOURS = np.eye(IMAGE_SIDE, dtype=np.float32)[
    np.clip(PIXELS + np.arange(-BLUR_REACH, BLUR_REACH + 1)[:, None], 0, IMAGE_SIDE - 1)
]


class Changes(NamedTuple):
    """How each of n faces is to be changed, as `draw_changes` drew it and `apply_changes` takes it.

    Attributes
    ----------
    transform : ndarray of shape (n_faces, 8), dtype float32
        As of `random_affine`.
    power : ndarray of shape (n_faces,), dtype float32
        To which the grey levels, as shares of 255, are raised.
    blur : ndarray of shape (n_faces, 9), dtype float32, or None
        Weights of the pixels from four before to four behind, along rows and columns; None where no face is degraded.
    noise : ndarray of shape (n_faces, 48, 48), dtype float32, or None
        Grey levels that are added; None where no face is degraded.
    erased : ndarray of shape (n_faces, 4), dtype int32
        Rectangle that takes one grey level: its first row and column, and those behind its last; empty for none.
    level : ndarray of shape (n_faces,), dtype float32
        That grey level.
    """

    transform: NDArray[np.float32]
    power: NDArray[np.float32]
    blur: NDArray[np.float32] | None
    noise: NDArray[np.float32] | None
    erased: NDArray[np.int32]
    level: NDArray[np.float32]


def draw_changes(
    n_faces: int,
    generator: np.random.Generator,
    shift: float = 0.0,
    rotation: float = 0.0,
    zoom: float = 0.0,
    gamma: float = 0.0,
    blur_noise_prob: float = 0.0,
    erase_prob: float = 0.0,
) -> Changes:
    """Draw how faces are mirrored, rotated, zoomed, shifted, made lighter or darker, degraded and partly erased.

    Parameters
    ----------
    n_faces : int
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

    References
    ----------
    Z. Zhong, L. Zheng, G. Kang, S. Li and Y. Yang, "Random erasing data augmentation", AAAI 2020.
    https://doi.org/10.1609/aaai.v34i07.7000
    """
    transform = random_affine(n_faces, generator, shift, rotation, zoom)
    power = np.exp(generator.uniform(-gamma, gamma, n_faces)).astype(np.float32)
    degraded = generator.random(n_faces) < blur_noise_prob
    blur, noise = _draw_degradations(degraded, generator) if blur_noise_prob else (None, None)
    erased, level = np.zeros((n_faces, 4), np.int32), np.zeros(n_faces, np.float32)
    for face in np.flatnonzero(generator.random(n_faces) < erase_prob):
        erased[face] = _random_rectangle(generator)
        level[face] = _uniform(generator, 0, 255)
    return Changes(transform, power, blur, noise, erased, level)


def apply_changes(faces: Any, changes: Changes, xp: Any = np) -> Any:
    """Return the faces changed.

    Parameters
    ----------
    faces : array of shape (n_faces, 48, 48, 1), dtype float32
        Grey levels 0-255.
    changes : Changes
    xp : module
        What computes: `numpy`, quickest on a processor, or `keras.ops`, which JAX compiles for its device.

    Returns
    -------
    array of `xp` of shape (n_faces, 48, 48, 1), dtype float32
        Resampled once, bilinear; pixels beyond the border repeat it.
    """
    resample = import_keras().ops.image.affine_transform
    moved = resample(faces, changes.transform, interpolation="bilinear", fill_mode="nearest")
    levels = 255 * xp.divide(moved, 255)[..., 0] ** changes.power[:, None, None]
    if changes.blur is not None:
        blur = xp.tensordot(changes.blur, NEIGHBOURS, 1)
        levels = xp.matmul(xp.matmul(blur, levels), xp.transpose(blur, (0, 2, 1)))
        levels = xp.clip(levels + changes.noise, 0, 255)
    top, left, bottom, right = (changes.erased[:, side, None] for side in range(4))
    rows, columns = (top <= PIXELS) & (bottom > PIXELS), (left <= PIXELS) & (right > PIXELS)
    erased = rows[:, :, None] & columns[:, None, :]
    return xp.where(erased, changes.level[:, None, None], levels)[..., None]


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


def _draw_degradations(
    degraded: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the blur and the noise of all faces, as `Changes` has them: each degraded face gets one of both."""
    blur = np.tile(UNBLURRED, (len(degraded), 1))
    noise = np.zeros((len(degraded), IMAGE_SIDE, IMAGE_SIDE), np.float32)
    for face in np.flatnonzero(degraded):
        if generator.random() < 0.5:
            blur[face] = gaussian_filter1d(UNBLURRED, _uniform(generator, *BLUR_SIGMA), mode="constant")
        else:
            noise[face] = generator.normal(0, _uniform(generator, *NOISE_SIGMA), noise[face].shape)
    return blur, noise


def _random_rectangle(generator: np.random.Generator) -> tuple[int, int, int, int]:
    area = _uniform(generator, *ERASED_SHARE) * IMAGE_SIDE**2
    aspect = np.exp(_uniform(generator, *ERASED_LOG_ASPECT))
    height, width = (round(min(side, IMAGE_SIDE)) for side in ((area * aspect) ** 0.5, (area / aspect) ** 0.5))
    top, left = generator.integers(IMAGE_SIDE - height + 1), generator.integers(IMAGE_SIDE - width + 1)
    return top, left, top + height, left + width


def _uniform(generator: np.random.Generator, low: float, high: float) -> float:
    """Return what ``generator.uniform`` does, in a third of the time."""
    return low + (high - low) * generator.random()
