"""Scenes: a face of 48x48 pixels in a photograph, under the conditions of new photos.

The face stands in for the one that a photo would show: its border goes on around it and fades into the photograph, so
that a detector and a crop meet no edge.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from features.rows import IMAGE_SIDE

SCENES = "scenes.csv"  # what `benchmark.scenes` writes
WIDTH, HEIGHT = 640, 480
# The side of faces, pixels; where a smaller one is asked for, the photograph is reduced with it.
SIDES = (64, 240)
FADES = 12  # pixels of the face's own
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Scene:
    """A face in a photograph.

    Attributes
    ----------
    photo : ndarray of shape (height, width, 3), dtype uint8
        RGB.
    x, y, side : float
        Middle and side of the square of the face, pixels.
    """

    photo: Pixels
    x: float
    y: float
    side: float


class Condition(NamedTuple):
    """How a scene differs from a plain one.

    Attributes
    ----------
    side : float or None
        Of the face, pixels; None draws one of `SIDES`.
    tilt : float
        Degrees by which the face leans to the left or the right.
    change_face, change_photo : callable or None
        What happens to the face before, and to the photo after, it is put in; with a `numpy.random.Generator`.
    """

    side: float | None = None
    tilt: float = 0.0
    change_face: Callable[[Pixels, np.random.Generator], Pixels] | None = None
    change_photo: Callable[[Pixels, np.random.Generator], Pixels] | None = None


def _cover(face: Pixels, generator: np.random.Generator) -> Pixels:
    """Cover the lower or the upper third of a face, or a side, with one grey level."""
    covered, third = face.copy(), IMAGE_SIDE // 3
    part = generator.choice([0, 1, 2, 3])
    (covered, covered[::-1], covered.T, covered.T[::-1])[part][:third] = generator.integers(256)
    return covered


def _darken(photo: Pixels, generator: np.random.Generator) -> Pixels:
    """Leave a sixth of the light, with the noise of a camera: three levels of standard deviation."""
    return _levels(photo / 6 + generator.normal(0, 3, photo.shape))


def _compress(photo: Pixels, generator: np.random.Generator) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=15)
    return np.asarray(Image.open(file))


def _colour(photo: Pixels, generator: np.random.Generator) -> Pixels:
    """Give the photo the light of a lamp, warm or cold."""
    return _levels(photo * generator.choice([[1.15, 0.9, 0.6], [0.6, 0.9, 1.15]]))


CONDITIONS = {
    "plain": Condition(),
    **{f"{side} pixels": Condition(side=side) for side in (24, 32, 48, 400)},
    **{f"tilted {tilt}°": Condition(tilt=tilt) for tilt in (15, 30, 45)},
    "covered": Condition(change_face=_cover),
    "dark": Condition(change_photo=_darken),
    "JPEG": Condition(change_photo=_compress),
    "coloured light": Condition(change_photo=_colour),
}


def make_scene(face: Pixels, condition: Condition, generator: np.random.Generator) -> Scene:
    """Put a face of shape (48, 48) at a random place into one of the `photographs`."""
    side = condition.side or float(np.exp(generator.uniform(*np.log(SIDES))))
    tilt = np.radians(condition.tilt * generator.choice([-1, 1]))
    photo = Image.fromarray(photographs()[generator.integers(len(photographs()))])
    if side < SIDES[0]:
        size = (round(WIDTH * side / SIDES[0]), round(HEIGHT * side / SIDES[0]))
        photo = photo.resize(size, Image.Resampling.LANCZOS)
    if condition.change_face:
        face = condition.change_face(face, generator)
    reach = side / 2 * (np.cos(tilt) + abs(np.sin(tilt)))
    x, y = (generator.uniform(reach, length - reach) if length > 2 * reach else length / 2 for length in photo.size)
    _put_in(photo, face, (x, y), side, tilt)
    pixels = np.asarray(photo)
    return Scene(condition.change_photo(pixels, generator) if condition.change_photo else pixels, x, y, side)


def _put_in(photo: Image.Image, face: Pixels, centre: tuple[float, float], side: float, tilt: float) -> None:
    ramp = np.clip(np.arange(1, 2 * FADES + IMAGE_SIDE + 1) / (FADES + 1), 0, 1)
    ramp = np.minimum(ramp, ramp[::-1])
    mask = Image.fromarray(np.rint(255 * np.minimum.outer(ramp, ramp)).astype(np.uint8))
    patch = Image.fromarray(np.pad(face, FADES, mode="edge"))
    width = side * patch.width / IMAGE_SIDE
    if width < patch.width:
        patch, mask = (image.resize((round(width),) * 2, Image.Resampling.LANCZOS) for image in (patch, mask))
    # The square about the turned patch, in whole pixels of the photo.
    reach = int(np.ceil(width / 2 * (np.cos(tilt) + abs(np.sin(tilt))))) + 1
    left, top = (int(middle) - reach for middle in centre)
    x, y = centre[0] - left, centre[1] - top
    across, down = patch.width / width * np.cos(tilt), patch.width / width * np.sin(tilt)
    middle = patch.width / 2
    matrix = (across, down, middle - across * x - down * y, -down, across, middle + down * x - across * y)
    turned, shown = (
        image.transform((2 * reach, 2 * reach), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
        for image in (patch, mask)
    )
    photo.paste(turned.convert("RGB"), (left, top), shown)


@cache
def photographs() -> list[Pixels]:
    """Return photographs without people, of shape (480, 640, 3), that scikit-learn and scikit-image carry."""
    from skimage import data
    from sklearn.datasets import load_sample_images

    cut = []
    for photo in (*load_sample_images().images, data.coffee(), data.rocket()):
        zoom = max(WIDTH / photo.shape[1], HEIGHT / photo.shape[0])
        size = (WIDTH / zoom, HEIGHT / zoom)
        image = Image.fromarray(photo).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS, box=(0, 0, *size))
        cut.append(np.asarray(image))
    return cut


def _levels(photo: NDArray[np.floating]) -> Pixels:
    return np.rint(np.clip(photo, 0, 255)).astype(np.uint8)
