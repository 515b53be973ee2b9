"""The drawing of one face from the intensities of its action units."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

from features.rows import IMAGE_SIDE

# Drawn larger and reduced, so that lines are antialiased.
ZOOM = 4
_T = np.linspace(0, 1, 9)[:, None]
_TURN = np.linspace(0, 2 * np.pi, 24, endpoint=False)
_RAMP = np.linspace(-1, 1, IMAGE_SIDE)


def portrait(au: list[float], rng: np.random.Generator, clean: bool = False) -> NDArray[np.uint8]:
    """Draw a random person with the given expression.

    Parameters
    ----------
    au : list of float
        Intensity of each action unit, 0 to about 1, by its number in the Facial Action Coding System.
    rng : numpy.random.Generator
        Decides the person, the pose and the light.
    clean : bool
        Draw nearly frontal, in even light.

    Returns
    -------
    ndarray of shape (48, 48), dtype uint8
    """
    person = _person(rng)
    pen = _Pen(rng, 0.3 if clean else 1.0)
    _draw_head(pen, person, au)
    _draw_eyes(pen, person, au)
    _draw_nose(pen, person, au)
    _draw_mouth(pen, person, au)
    _draw_hair(pen, person)
    return _photograph(pen.image.reduce(ZOOM), rng, 0.4 if clean else 1.0)


def _person(rng: np.random.Generator) -> SimpleNamespace:
    """Return the identity: lengths in pixels of the face, tones in grey levels."""
    u = rng.uniform
    skin = u(95, 215)
    hair = skin * u(0.15, 0.6) if rng.random() < 0.8 else skin * u(0.9, 1.25)
    return SimpleNamespace(
        skin=skin,
        hair=hair,
        brow=min(hair, skin * 0.75) * u(0.5, 0.9),
        backgrounds=u(15, 235, 2),
        corner=u(-24, 24),
        width=u(15.5, 21.5),
        top=u(-23, -19),
        chin=u(19.5, 23),
        jaw=u(0.65, 1.05),
        eye_x=u(7.2, 9.8),
        eye_y=u(-6.5, -3),
        eye_width=u(3.4, 4.5),
        eye_open=u(0.8, 1.25),
        iris=u(15, 90),
        brow_y=u(-12, -9.2),
        brow_width=u(0.5, 2),
        nose_y=u(3, 6.5),
        nose_width=u(2.4, 4.8),
        mouth_y=u(11, 14.5),
        mouth_width=u(5.2, 8.4),
        lip=u(0.7, 2.2),
        lip_tone=skin * u(0.6, 0.88),
        lines=u(0.25, 1),
        style=str(rng.choice(["short", "fringe", "long", "bald"], p=[0.45, 0.2, 0.25, 0.1])),
        hairline=u(-19, -13),
    )


class _Pen:
    """Draws in pixels of the face from its middle, x to the right and y down, under the pose of the head."""

    def __init__(self, rng: np.random.Generator, spread: float) -> None:
        self.image = Image.new("L", (IMAGE_SIDE * ZOOM, IMAGE_SIDE * ZOOM))
        self._draw = ImageDraw.Draw(self.image)
        turn, yaw = spread * rng.normal(0, 0.08), spread * rng.normal(0, 0.1)
        self._yaw = float(np.clip(yaw, -0.25, 0.25))
        self._pitch = spread * rng.uniform(-1.2, 1.2)
        scale = ZOOM * (1.08 + spread * rng.uniform(-0.07, 0.09))
        self._matrix = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        middle = IMAGE_SIDE / 2 + spread * rng.uniform(-1.3, 1.3, 2) - (8 * self._yaw, 0)
        self._middle = ZOOM * middle
        self._scale = scale

    def _place(self, points: ArrayLike, depth: float) -> list[float]:
        xy = np.array(points, dtype=float)
        if depth:
            # The features lie on a cylinder that turns inside the fixed outline.
            x = xy[:, 0]
            xy[:, 0] = x * np.cos(self._yaw) + np.sqrt(np.maximum(depth**2 - x**2, 0)) * np.sin(self._yaw)
            xy[:, 1] += self._pitch
        return (xy @ self._matrix + self._middle).ravel().tolist()

    def fill(self, points: ArrayLike, grey: float, depth: float = 20) -> None:
        self._draw.polygon(self._place(points, depth), fill=_grey(grey))

    def line(self, points: ArrayLike, grey: float, width: float, depth: float = 20) -> None:
        self._draw.line(self._place(points, depth), fill=_grey(grey), width=max(1, round(width * self._scale)))

    def blob(self, x: float, y: float, rx: float, ry: float, grey: float, depth: float = 20) -> None:
        self.fill(np.column_stack([x + rx * np.cos(_TURN), y + ry * np.sin(_TURN)]), grey, depth)

    def soften(self, radius: float) -> None:
        # At half size: the blur is the slowest step.
        half = self.image.reduce(2).filter(ImageFilter.GaussianBlur(radius * ZOOM / 2))
        self.image = half.resize(self.image.size, Image.Resampling.BILINEAR)
        self._draw = ImageDraw.Draw(self.image)


def _grey(level: float) -> int:
    return int(min(max(level, 0), 255))


def _curve(*controls: tuple[float, float]) -> NDArray[np.float64]:
    """Return points of a Bezier curve with three or four controls."""
    p = np.array(controls, dtype=float)
    s = 1 - _T
    if len(p) == 3:
        return s**2 * p[0] + 2 * s * _T * p[1] + _T**2 * p[2]
    return s**3 * p[0] + 3 * s**2 * _T * p[1] + 3 * s * _T**2 * p[2] + _T**3 * p[3]


def _arch(x: float, y_side: float, y_middle: float, square: float = 0.6) -> NDArray[np.float64]:
    """Return a curve from (-x, y_side) through (0, y_middle) to (x, y_side)."""
    control = (4 * y_middle - y_side) / 3
    return _curve((-x, y_side), (-square * x, control), (square * x, control), (x, y_side))


def _outline(person: SimpleNamespace, chin: float, grow: float = 0.0) -> NDArray[np.float64]:
    """Return the outline of the head: round above, narrowing to the chin below."""
    x, y = np.cos(_TURN), np.sin(_TURN)
    below = y > 0
    x = np.sign(x) * np.abs(x) ** np.where(below, person.jaw, 0.8)
    return np.column_stack([x * (person.width + grow), y * np.where(below, chin + grow, grow - person.top)])


def _draw_head(pen: _Pen, person: SimpleNamespace, au: list[float]) -> None:
    """Draw everything soft: background, hair behind, skin, hollows and cheeks."""
    skin, shade, eye_x, eye_y = person.skin, person.skin * 0.8, person.eye_x, person.eye_y
    chin = person.chin + 1.5 * au[26] + 3 * au[27] - 0.8 * au[17]
    frame = [(-60, -60), (60, -60), (60, 60), (-60, 60)]
    pen.fill(frame, person.backgrounds[0], 0)
    pen.fill([(person.corner, -60), (60, -60), (60, 60), (-person.corner, 60)], person.backgrounds[1], 0)
    if person.style == "long":
        pen.fill([(-23, -12), (23, -12), (24, 40), (-24, 40)], person.hair, 0)
    pen.fill([(-10, 10), (10, 10), (13, 40), (-13, 40)], skin * 0.65, 0)
    if person.style != "bald":
        pen.fill(_outline(person, 4, 2.5), person.hair, 0)
    for side in (-1, 1):
        pen.blob(side * person.width, 0, 2.6, 5, shade, 0)
    pen.fill(_outline(person, chin), shade, 0)
    pen.fill(_outline(person, chin, -2.5), skin, 12)
    for side in (-1, 1):
        pen.blob(side * 9.5, 5 - 2 * au[6] - au[12], 4, 3 + au[6], min(skin * 1.12, 245))
    pen.blob(0, person.mouth_y + 4.5 + 3 * au[26] + 5 * au[27], 3.5, 1.2, skin * 0.82)
    fold = max(au[9], 0.8 * au[10], 0.9 * au[12], 0.4 * person.lines)
    end_x, end_y = person.mouth_width + 1.5 + 2.3 * au[12], person.mouth_y - 0.5 - 2.5 * au[12]
    for side in (-1, 1):
        start, bend = (side * (person.nose_width + 1), person.nose_y - 0.5 - au[9]), (side * 0.8 * end_x, person.nose_y)
        pen.line(_curve(start, bend, (side * end_x, end_y)), skin * (1 - 0.4 * fold), 1.2)
    for side in (-1, 1):
        pen.blob(side * eye_x, eye_y - 1, 5.5, 3.4, skin * 0.86)
        pen.fill([(side * 1.6, eye_y), (side * person.nose_width, person.nose_y), (side * 1.2, person.nose_y)], shade)
    pen.blob(0, 0, 1.1, person.nose_y, min(skin * 1.13, 250), 22)
    pen.soften(0.8)


def _draw_eyes(pen: _Pen, person: SimpleNamespace, au: list[float]) -> None:
    skin, line = person.skin, person.skin * (1 - 0.45 * person.lines)
    for side in (-1, 1):
        x, y, w = side * person.eye_x, person.eye_y, person.eye_width
        inner, outer = (x - side * w, y + 0.4), (x + side * w, y + 0.1 + 0.9 * au[43])
        tight = 1 - 0.4 * au[7] - 0.35 * au[6] - 0.25 * au[9]
        above = person.eye_open * (2.2 + 2 * au[5] - 1.6 * au[43]) * tight
        below = person.eye_open * (1.3 + 0.5 * au[5]) * tight - 0.5 * au[6]
        upper = _curve(inner, (x, y - 2 * max(above, 0.2)), outer)
        lower = _curve(inner, (x, y + 2 * below), outer)
        pen.fill(np.vstack([upper, lower[::-1]]), min(skin * 1.15 + 25, 240))
        circle = np.column_stack([x + 1.9 * np.cos(_TURN), y - 0.4 + 1.9 * np.sin(_TURN)])
        order = slice(None, None, side)
        top = np.interp(circle[:, 0], upper[order, 0], upper[order, 1])
        bottom = np.interp(circle[:, 0], lower[order, 0], lower[order, 1])
        circle[:, 1] = np.clip(circle[:, 1], top, np.maximum(top, bottom))
        pen.fill(circle, person.iris)
        pen.line(upper, skin * 0.3, 0.75)
        pen.line(lower, skin * 0.6, 0.35)
        pen.line(upper - (0, 1.3 - 0.5 * au[5]), skin * 0.7, 0.3)
        if au[6] > 0.25 or au[7] > 0.5:
            pen.line(lower + (0, 1.2), line, 0.4)
        for step in range(3 if au[6] > 0.3 else 0):
            start = x + side * (w + 1)
            pen.line([(start, y + step - 1), (start + side * 2, y + 2 * step - 2.2)], line, 0.3)

        raise_inner = 4 * au[1] - 3 * au[4] - 1.5 * au[9]
        raise_outer = 3.8 * au[2] - 0.8 * au[4] - 0.3 * au[1]
        brow_inner = (x - side * (w + 1 + 1.3 * au[4] + 0.5 * au[9]), person.brow_y + 0.8 - raise_inner)
        brow_outer = (x + side * (w + 1.4), person.brow_y + 1.2 - raise_outer)
        middle = (x + side, person.brow_y - 1.3 - 0.4 * raise_inner - 0.8 * raise_outer)
        brow, thick = _curve(brow_inner, middle, brow_outer), person.brow_width * (1 - 0.6 * _T**2)
        pen.fill(np.vstack([brow - thick * (0, 1), (brow + thick * (0, 1))[::-1]]), person.brow)
        if au[4] > 0.25 or au[9] > 0.4:
            pen.line([(side * 1.3, person.brow_y - 1), (side * 1.0, person.brow_y + 3)], line, 0.35 + 0.4 * au[4])
    for step in range(3 if au[1] > 0.35 else 0):
        half = 4 + 5 * min(au[2], 1)
        pen.line(_arch(half, -14 - 1.7 * step, -14.6 - 1.7 * step + 2 * (au[4] - au[2])), line, 0.4 * au[1])


def _draw_nose(pen: _Pen, person: SimpleNamespace, au: list[float]) -> None:
    skin, w, y = person.skin, person.nose_width, person.nose_y - 1.3 * au[9] - 0.4 * au[10]
    line = skin * (1 - 0.5 * person.lines)
    for side in (-1, 1):
        pen.blob(side * w * 0.5, y + 0.9, 0.9, 0.55, skin * 0.35, 22)
        pen.line(
            _curve((side * w * 0.8, y - 1.6), (side * (w + 1.2), y), (side * w * 0.8, y + 1.2)), skin * 0.62, 0.5, 22
        )
        for step in range(3 if au[9] > 0.25 else 0):
            start = (side * 0.8, -3.2 + 1.5 * step)
            pen.line([start, (side * 3.4, start[1] - 1.6)], line, 0.3 + 0.4 * au[9])


def _draw_mouth(pen: _Pen, person: SimpleNamespace, au: list[float]) -> None:
    skin, y = person.skin, person.mouth_y
    x = person.mouth_width + 2.3 * au[12] + 2.4 * au[20] - 1.2 * au[24] - 1.5 * au[26] - 2.8 * au[27] - 0.5 * au[17]
    opening = 2.6 * au[25] + 5 * au[26] + 8.5 * au[27]
    thin = 1 - 0.75 * min(max(au[23], au[24]), 1) - 0.2 * au[12] - 0.2 * au[20]
    corner = y - 3 * au[12] + 2.6 * au[15] + 0.7 * au[20] + 0.32 * opening
    top = y + 0.4 * au[12] - 1.8 * au[10] - 0.22 * opening - 0.7 * au[17]
    bottom = max(top, y + 0.4 * au[12] - 1.0 * au[17] - 0.8 * au[10] * (au[25] < 0.1) + 0.85 * opening)
    square = 0.6 + 0.25 * max(au[10], au[20])
    upper, lower = _arch(x, corner, top, square), _arch(x, corner, bottom, square)
    lips = np.vstack(
        [_arch(x, corner, top - person.lip * thin, 0.45), (_arch(x, corner, bottom + 1.2 * person.lip * thin))[::-1]]
    )
    pen.fill(lips, person.lip_tone)
    if bottom - top > 0.6:
        pen.fill(np.vstack([upper, lower[::-1]]), skin * 0.2)
        teeth = 1.6 * max(au[12], au[10], 0.8 * au[20], 0.9 * au[25]) + 0.4
        edge = np.minimum(upper + (0, teeth), np.maximum(upper, lower))
        pen.fill(np.vstack([upper, edge[::-1]]), min(skin * 0.9 + 80, 245))
    else:
        pen.line(upper, skin * 0.3, 0.7)
    for side in (-1, 1):
        pen.blob(side * x, corner, 0.7, 0.6, skin * 0.4)
        if au[15] > 0.3:
            pen.line([(side * (x + 0.5), corner), (side * (x + 1.4), corner + 2.4)], skin * 0.65, 0.5)
    if au[17] > 0.3:
        pen.line(_arch(3.5, bottom + 5.5, bottom + 3.2), skin * 0.65, 0.6)


def _draw_hair(pen: _Pen, person: SimpleNamespace) -> None:
    if person.style == "bald":
        return
    w, tone, line = person.width + 1.5, person.hair, person.hairline
    skull = _outline(person, 4, 2.5)
    skull = skull[skull[:, 1] < -1][::-1]
    edge = _arch(w, -3, line + 3, 0.9) if person.style == "fringe" else _arch(w, -5, line, 0.85)
    pen.fill(np.vstack([edge, skull]), tone, 0)
    if person.style == "long":
        for side in (-1, 1):
            pen.fill([(side * w, -10), (side * (w - 2.5), 4), (side * (w - 1), 30), (side * (w + 8), 30)], tone, 0)


def _photograph(image: Image.Image, rng: np.random.Generator, spread: float) -> NDArray[np.uint8]:
    """Return the drawing as under a light from one side, with a camera's blur, noise and contrast."""
    blur = spread * rng.uniform(0.1, 0.9)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float64)
    across, down = spread * rng.normal(0, 0.2), spread * rng.normal(-0.08, 0.15)
    pixels = pixels * (1 + across * _RAMP + down * _RAMP[:, None])
    # As a camera exposes: the tones of a face say nothing of its expression.
    pixels = 128 + (60 + spread * rng.uniform(-10, 10)) * (pixels - pixels.mean()) / pixels.std()
    pixels += rng.normal(0, spread * rng.uniform(1, 6), pixels.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
