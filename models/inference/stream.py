"""Frames that come one after the other, as of a camera."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from threading import Lock
from typing import Any

import pandas as pd

from models.artifacts.save_load import DEFAULT_RESULTS
from models.inference.blazeface import BlazeFace
from models.inference.inputs import Photo
from models.inference.people import People
from models.inference.pipeline import load_models, predict_photos
from models.inference.prediction import Prediction, as_table
from models.inference.read_image import read_photo


class Stream:
    """Find the faces in one frame after the other, and know who was in the frames before.

    Detector and models are loaded once; the answer to a frame is of that frame. It is safe to use from several threads:
    they wait for one another.

    Parameters
    ----------
    model, whole, results, exact, min_probability
        As of `models.predict_images`.
    smoothing : float
        Seconds over which the probabilities of a person are averaged, in columns of their own; 0 for none.

    Raises
    ------
    ArtifactError
        If a model cannot be loaded.

    Examples
    --------
    >>> import numpy as np
    >>> import models
    >>> stream = models.Stream(model="results/fer2013/kaggle/models/majority.joblib", whole=True)
    >>> for frame in np.full((2, 48, 48), 128, dtype=np.uint8):
    ...     print(stream(frame)[["frame", "person", "emotion"]].values.tolist())
    [[0, 1, 'Happy']]
    [[1, 1, 'Happy']]
    """

    def __init__(
        self,
        model: Any = "best",
        smoothing: float = 0.0,
        whole: bool = False,
        results: str | Path = DEFAULT_RESULTS,
        exact: bool = False,
        min_probability: float = 0.0,
    ) -> None:
        self.name = ""  # in the column `file`
        self.recognizers = load_models(model, results, exact)
        self.whole = whole
        self._min_probability = min_probability
        self._detector = BlazeFace()
        self._lock = Lock()
        self._begin(smoothing)

    def fresh(self, smoothing: float = 0.0, whole: bool = False) -> Stream:
        """Return a stream that has seen nobody yet, with the same models, detector and lock, for other frames."""
        stream = copy.copy(self)
        stream.whole = whole
        stream._begin(smoothing)
        return stream

    def _begin(self, smoothing: float) -> None:
        self.people = People(smoothing)
        self._frames = 0
        self._began = time.monotonic()

    def __call__(self, frame: Any, seconds: float | None = None) -> pd.DataFrame:
        """Return the rows of a frame, as `models.predict_images` does.

        Parameters
        ----------
        frame : picture
            As `models.inference.read_image.read_photo` takes it, such as an array of shape (height, width) or
            (height, width, 3), dtype uint8, RGB.
        seconds : float, optional
            Time of the frame, not before that of the last one; without, the time since the stream was made.

        Raises
        ------
        PhotoError
            If the frame is no picture.
        """
        return as_table(self.predict(frame, seconds), self.recognizers, self.people.smoothing)

    def predict(self, frame: Any, seconds: float | None = None) -> list[Prediction]:
        """Return the predictions of a frame, with the image: what `__call__` returns as rows."""
        image = read_photo(frame)
        with self._lock:
            seconds = time.monotonic() - self._began if seconds is None else seconds
            photo = Photo(self.name, image, self._frames, seconds)
            self._frames += 1
            detector = None if self.whole else self._detector
            return list(
                predict_photos(
                    [photo],
                    self.recognizers,
                    detector,
                    keep_images=True,
                    people=self.people,
                    min_probability=self._min_probability,
                )
            )
