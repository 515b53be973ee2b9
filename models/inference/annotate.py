"""Boxes and answers drawn on a picture."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.inference.prediction import Prediction

# Okabe and Ito's, without black and yellow.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")


def annotate(image: NDArray[np.uint8], predictions: Iterable[Prediction]) -> NDArray[np.uint8]:
    """Return a picture with a box around each face and the emotion by the first model; a person keeps a colour.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, 3), dtype uint8
    predictions : iterable of Prediction
        Of this picture.
    """
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    size = max(12, min(image.shape[:2]) // 28)
    font = ImageFont.load_default(size)
    for number, prediction in enumerate(predictions, start=1):
        face = prediction.face
        if face is None or not prediction.probabilities:
            continue
        person = prediction.person or number
        colour = COLOURS[(person - 1) % len(COLOURS)]
        box = (face.left, face.top, face.left + face.width, face.top + face.height)
        draw.rectangle(box, outline=colour, width=max(2, size // 6))
        words = f"{person} {prediction.emotion} {prediction.first_probabilities.max():.2f}"
        place = (max(0.0, face.left), max(0.0, face.top - 1.3 * size))
        draw.rectangle(draw.textbbox(place, words, font=font), fill=colour)
        draw.text(place, words, fill="white", font=font)
    return np.asarray(picture)
