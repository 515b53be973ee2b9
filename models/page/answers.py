"""Answers to photos and to the frames of each visitor's camera, from one set of loaded models."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.inference.annotate import COLOURS
from models.inference.grey_levels import PhotoError
from models.inference.prediction import Prediction
from models.inference.stream import Stream
from models.labels import EMOTIONS

# Seconds after which a visitor who sends no frames is forgotten.
FORGOTTEN = 60.0
# Pixels of the larger side of a picture that the browser cannot show itself.
SHOWN_SIDE = 1200


class Answers:
    """What the page is told of pictures; it may be asked from several threads.

    All visitors share detector and models, which answer one picture at a time. Who is who, and the averages over time,
    belong to one visitor alone.

    Parameters
    ----------
    stream : Stream
        With the models.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._visitors: dict[str, tuple[float, Stream]] = {}
        self._lock = Lock()

    @property
    def models(self) -> list[str]:
        """The names of the models."""
        return list(self._stream.recognizers)

    def photo(self, content: bytes, whole: bool = False, draw: bool = False) -> dict[str, Any]:
        """Return the faces of a picture, as `as_answer` does.

        Parameters
        ----------
        content : bytes
            Of a file.
        whole : bool
            Take the picture as a face.
        draw : bool
            With the entry ``picture``: the picture in a form that each browser shows, as a data URL.

        Raises
        ------
        PhotoError
            If it is no picture that can be used.
        """
        predictions = self._stream.fresh(whole=whole).predict(content)
        image = predictions[0].photo.image
        return as_answer(predictions) | ({"picture": as_data_url(image)} if draw and image is not None else {})

    def frame(self, content: bytes, visitor: str, smoothing: float = 0.0) -> dict[str, Any]:
        """Return the people in the next frame of a visitor's camera, as `as_answer` does.

        Parameters
        ----------
        content : bytes
        visitor : str
            Tells one visitor, and one time that the camera is on, from another.
        smoothing : float
            Seconds over which probabilities are averaged; 0 for none.

        Raises
        ------
        PhotoError
            If it is no picture.
        """
        stream = self._of_visitor(visitor)
        stream.people.smoothing = smoothing
        return as_answer(stream.predict(content))

    def _of_visitor(self, visitor: str) -> Stream:
        now = time.monotonic()
        with self._lock:
            here = {name: last for name, last in self._visitors.items() if now - last[0] < FORGOTTEN}
            stream = here[visitor][1] if visitor in here else self._stream.fresh()
            self._visitors = {**here, visitor: (now, stream)}
        return stream


def as_answer(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return the predictions of a picture as what the page draws.

    Returns
    -------
    dict
        ``width`` and ``height`` of the picture in pixels; ``faces``: of each the ``number``, ``colour``, ``box`` (left,
        top, width and height in pixels, or None for the whole picture), ``doubt`` (why it is hard to read, or empty),
        the ``emotion`` and its ``probability`` by the first model, and ``models``: of each the probability of every
        emotion, by their names.

    Raises
    ------
    PhotoError
        If there is no picture.
    """
    photo = predictions[0].photo
    if photo.image is None:
        raise PhotoError(photo.error)
    height, width = photo.image.shape
    faces = [_as_face(prediction) for prediction in predictions if prediction.probabilities]
    return {"width": width, "height": height, "faces": faces}


def _as_face(prediction: Prediction) -> dict[str, Any]:
    face, number = prediction.face, prediction.person or 1
    by_model = prediction.smoothed or prediction.probabilities or {}
    return {
        "number": number,
        "colour": COLOURS[(number - 1) % len(COLOURS)],
        "box": face and [face.left, face.top, face.width, face.height],
        "doubt": "" if prediction.status == "ok" else prediction.status,
        "emotion": prediction.emotion,
        "probability": float(prediction.first_probabilities.max()),
        "models": {name: dict(zip(EMOTIONS, values.tolist(), strict=True)) for name, values in by_model.items()},
    }


def as_data_url(image: NDArray[np.uint8]) -> str:
    """Return a grey picture as the address of a JPEG that it holds itself, reduced to 1,200 pixels."""
    picture = Image.fromarray(image)
    picture.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
