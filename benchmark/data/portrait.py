"""Draw one synthetic face from the intensities of its facial action units."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

from features.rows import IMAGE_SIDE

# Drawn larger and reduced, so that lines are antialiased.
ZOOM = 4
# Limits of what tells a person from another: lengths in pixels, grey levels, and other tones as parts of the skin's.
PERSON = {
    "skin": (95, 215), "background": (15, 235), "hair": (0.15, 1.1), "brow": (0.2, 0.65), "lip_tone": (0.6, 0.88),
    "width": (15.5, 21.5), "chin": (19.5, 23), "hairline": (-19, -13), "nose_y": (3, 6.5), "nose_width": (2.4, 4.8),
    "eye_x": (7.2, 9.8), "eye_y": (-6.5, -3), "eye_width": (3.4, 4.5), "eye_open": (0.8, 1.25), "iris": (15, 90),
    "brow_y": (-12, -9.2), "brow_width": (0.5, 2), "mouth_y": (11, 14.5), "mouth_width": (5.2, 8.4), "lip": (0.7, 2.2),
}  # fmt: skip
_T = np.linspace(0, 1, 9)[:, None]
_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_CIRCLE = np.column_stack([np.cos(_TURN), np.sin(_TURN)])


def portrait(au: list[float], rng: np.random.Generator, clean: bool = False) -> NDArray[np.uint8]:
    """Draw a random person with the given expression.

    Parameters
    ----------
    au : list of float
        Intensity of each action unit, 0 to about 1, by its number in the Facial Action Coding System.
    rng : numpy.random.Generator
        Decides the person, the pose and the light.
    clean : bool
        Draw nearly upright, in even light.

    Returns
    -------
    ndarray of shape (48, 48), dtype uint8
    """
    spread = 0.3 if clean else 1.0
    person = SimpleNamespace(**{name: rng.uniform(*limits) for name, limits in PERSON.items()})
    pen = _Pen(rng, spread)
    _draw_head(pen, person, au)
    _draw_eye(pen, person, au, -1)
    _draw_eye(pen, person, au, 1)
    _draw_mouth(pen, person, au)
    return _photograph(pen.image.reduce(ZOOM), rng, spread)


class _Pen:
    """Draws in pixels of the face from its middle, x to the right and y down, under the pose of the head."""

    def __init__(self, rng: np.random.Generator, spread: float) -> None:
        self.image = Image.new("L", (IMAGE_SIDE * ZOOM, IMAGE_SIDE * ZOOM))
        self._draw = ImageDraw.Draw(self.image)
        turn, self._scale = spread * rng.normal(0, 0.08), ZOOM * (1.08 + spread * rng.uniform(-0.08, 0.08))
        self._matrix = self._scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        self._middle = ZOOM * (IMAGE_SIDE / 2 + spread * rng.uniform(-1.5, 1.5, 2))

    def _place(self, points: ArrayLike) -> list[float]:
        return (np.asarray(points, float) @ self._matrix + self._middle).ravel().tolist()

    def fill(self, points: ArrayLike, grey: float) -> None:
        self._draw.polygon(self._place(points), fill=int(grey))

    def line(self, points: ArrayLike, grey: float, width: float) -> None:
        self._draw.line(self._place(points), fill=int(grey), width=max(1, round(width * self._scale)))

    def ellipse(self, x: float, y: float, rx: float, ry: float, grey: float) -> None:
        self.fill(_CIRCLE * (rx, ry) + (x, y), grey)


def _curve(start: ArrayLike, bend: ArrayLike, end: ArrayLike) -> NDArray[np.float64]:
    """Return points of a quadratic Bezier curve."""
    a, b, c = (np.asarray(point, float) for point in (start, bend, end))
    return (1 - _T) ** 2 * a + 2 * (1 - _T) * _T * b + _T**2 * c


def _arch(x: float, y_side: float, y_middle: float) -> NDArray[np.float64]:
    """Return a curve from (-x, y_side) through (0, y_middle) to (x, y_side)."""
    return _curve((-x, y_side), (0, 2 * y_middle - y_side), (x, y_side))


def _draw_head(pen: _Pen, person: SimpleNamespace, au: list[float]) -> None:
    skin, w = person.skin, person.width
    chin = person.chin + 1.5 * au[26] + 3 * au[27] - 0.8 * au[17]
    pen.fill([(-60, -60), (60, -60), (60, 60), (-60, 60)], person.background)
    pen.fill([(-10, 10), (10, 10), (13, 40), (-13, 40)], skin * 0.65)
    pen.ellipse(0, -4, w + 2, 20, person.hair * skin)
    pen.ellipse(0, (chin + person.hairline) / 2, w, (chin - person.hairline) / 2, skin)
    nose = person.nose_y - 1.3 * au[9] - 0.4 * au[10]
    for side in (-1, 1):
        pen.line(_curve((side, -4), (side * 1.5, 0), (side * person.nose_width, nose)), skin * 0.8, 0.8)
        pen.ellipse(side * person.nose_width / 2, nose + 0.9, 0.9, 0.55, skin * 0.35)
        for y in (-3.2, -1.7, -0.2) if au[9] > 0.25 else ():
            pen.line([(side * 0.8, y), (side * 3.4, y - 1.6)], skin * 0.6, 0.3 + 0.4 * au[9])


def _draw_eye(pen: _Pen, person: SimpleNamespace, au: list[float], side: int) -> None:
    skin, x, y, w = person.skin, side * person.eye_x, person.eye_y, person.eye_width
    inner, outer = (x - side * w, y + 0.4), (x + side * w, y + 0.1 + 0.9 * au[43])
    tight = person.eye_open * (1 - 0.4 * au[7] - 0.35 * au[6] - 0.25 * au[9])
    above = max((2.2 + 2 * au[5] - 1.6 * au[43]) * tight, 0.2)
    below = (1.3 + 0.5 * au[5]) * tight - 0.5 * au[6]
    upper, lower = _curve(inner, (x, y - 2 * above), outer), _curve(inner, (x, y + 2 * below), outer)
    pen.fill(np.vstack([upper, lower[::-1]]), min(skin * 1.15 + 25, 240))
    pen.ellipse(x, y + (below - above) / 2, 1.9, min(1.9, (above + max(below, 0)) / 2), person.iris)
    pen.line(upper, skin * 0.3, 0.75)
    pen.line(lower, skin * 0.6, 0.35)
    rise_inner = 4 * au[1] - 3 * au[4] - 1.5 * au[9]
    rise_outer = 3.8 * au[2] - 0.8 * au[4] - 0.3 * au[1]
    brow = _curve(
        (x - side * (w + 1 + 1.3 * au[4]), person.brow_y + 0.8 - rise_inner),
        (x + side, person.brow_y - 1.3 - 0.4 * rise_inner - 0.8 * rise_outer),
        (x + side * (w + 1.4), person.brow_y + 1.2 - rise_outer),
    )
    thick = person.brow_width * (1 - 0.6 * _T**2) * (0, 1)
    pen.fill(np.vstack([brow - thick, (brow + thick)[::-1]]), person.brow * skin)


def _draw_mouth(pen: _Pen, person: SimpleNamespace, au: list[float]) -> None:
    skin, y = person.skin, person.mouth_y
    x = person.mouth_width + 2.3 * au[12] + 2.4 * au[20] - 1.2 * au[24] - 1.5 * au[26] - 2.8 * au[27] - 0.5 * au[17]
    opening = 2.6 * au[25] + 5 * au[26] + 8.5 * au[27]
    lip = person.lip * (1 - 0.75 * min(max(au[23], au[24]), 1) - 0.2 * au[12] - 0.2 * au[20])
    corner = y - 3 * au[12] + 2.6 * au[15] + 0.7 * au[20] + 0.32 * opening
    top = y + 0.4 * au[12] - 1.8 * au[10] - 0.22 * opening - 0.7 * au[17]
    bottom = max(top, y + 0.4 * au[12] - au[17] - 0.8 * au[10] * (au[25] < 0.1) + 0.85 * opening)
    upper, lower = _arch(x, corner, top), _arch(x, corner, bottom)
    lips = _arch(x, corner, top - lip), _arch(x, corner, bottom + 1.2 * lip)[::-1]
    pen.fill(np.vstack(lips), person.lip_tone * skin)
    pen.line(upper, skin * 0.3, 0.7)
    if bottom - top > 0.6:
        pen.fill(np.vstack([upper, lower[::-1]]), skin * 0.2)
        teeth = 1.6 * max(au[12], au[10], 0.8 * au[20], 0.9 * au[25]) + 0.4
        edge = np.minimum(upper + (0, teeth), np.maximum(upper, lower))
        pen.fill(np.vstack([upper, edge[::-1]]), min(skin * 0.9 + 80, 245))


def _photograph(image: Image.Image, rng: np.random.Generator, spread: float) -> NDArray[np.uint8]:
    """Return the drawing as under a light from one side, with a camera's blur, noise and contrast."""
    # Spots of a person's own, without which two persons would be near-duplicates.
    spots = Image.fromarray(rng.normal(0, 10 * spread, (12, 12)).astype(np.float32)).resize(image.size)
    spotted = Image.fromarray(np.clip(np.asarray(image, float) + np.asarray(spots), 0, 255).astype(np.uint8))
    blurred = spotted.filter(ImageFilter.GaussianBlur(spread * rng.uniform(0.1, 0.9)))
    pixels = np.asarray(blurred, float) * (1 + spread * rng.normal(0, 0.2) * np.linspace(-1, 1, IMAGE_SIDE))
    # As a camera exposes: the tones of a face say nothing of its expression.
    pixels = 128 + (60 + spread * rng.uniform(-10, 10)) * (pixels - pixels.mean()) / pixels.std()
    pixels += rng.normal(0, spread * rng.uniform(1, 6), pixels.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
