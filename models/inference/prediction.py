"""A prediction: a face with its emotions, and the table of many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.inference.crop import Face
from models.inference.inputs import Photo
from models.inference.quality import doubts
from models.labels import EMOTIONS

NO_FACE = "no face"
UNCERTAIN = "uncertain"


@dataclass(frozen=True, eq=False)
class Prediction:
    """A face and its emotions, or why there are none.

    Attributes
    ----------
    photo : Photo
        Where it comes from; its image is kept only where it was asked for.
    face : Face or None
        None where the whole picture was taken, or there is no face.
    crops : ndarray of shape (n_crops, 48, 48), dtype uint8, or None
        The probabilities are the mean over these.
    probabilities : dict of str to ndarray of shape (7,), dtype float32, or None
        By model, in the order of `models.EMOTIONS`; None where there is no face.
    person : int or None
        Number of the person in a video, as `models.inference.people.People` gives it.
    smoothed : dict of str to ndarray of shape (7,), dtype float32, or None
        Probabilities averaged over time, where that was asked for.
    min_probability : float
        The answer is ``uncertain`` where no emotion is as likely.
    """

    photo: Photo
    face: Face | None = None
    crops: NDArray[np.uint8] | None = None
    probabilities: Mapping[str, NDArray[np.float32]] | None = None
    person: int | None = None
    smoothed: Mapping[str, NDArray[np.float32]] | None = None
    min_probability: float = 0.0

    @property
    def status(self) -> str:
        """``ok``, what makes the answer doubtful (see `doubts`), ``no face``, or ``error: `` and why."""
        if self.photo.error:
            return f"error: {self.photo.error}"
        if not self.probabilities:
            return NO_FACE
        return ("" if self.crops is None else ", ".join(doubts(self.face, self.crops[0]))) or "ok"

    @property
    def first_probabilities(self) -> NDArray[np.float32]:
        """Those of the first model, averaged over time where that was asked for; only where there is a face."""
        by_model = self.smoothed or self.probabilities
        assert by_model
        return next(iter(by_model.values()))

    @property
    def emotion(self) -> str:
        """The likeliest emotion by these, or ``uncertain``."""
        return self.answer(self.first_probabilities)

    def answer(self, probabilities: NDArray[np.float32]) -> str:
        """Return the likeliest emotion, or ``uncertain``."""
        is_certain = probabilities.max() >= self.min_probability
        return EMOTIONS[int(probabilities.argmax())] if is_certain else UNCERTAIN

    def row(self) -> dict[str, Any]:
        """Return the prediction as a row; of several models, the columns carry the model's name."""
        face = self.face
        photo = self.photo
        row: dict[str, Any] = {"file": photo.file, "frame": photo.frame, "time": photo.seconds, "person": self.person}
        for column in ("left", "top", "width", "height", "score"):
            row[column] = None if face is None else round(getattr(face, column), 3 if column == "score" else 1)
        for kind, by_model in (("", self.probabilities or {}), ("smooth_", self.smoothed or {})):
            for name, values in by_model.items():
                prefix = kind if len(by_model) == 1 else f"{name}_{kind}"
                row[f"{prefix}emotion"] = self.answer(values)
                row |= {f"{prefix}{label}": round(float(p), 4) for label, p in zip(EMOTIONS, values, strict=True)}
        return {**row, "status": self.status}


def as_table(predictions: Iterable[Prediction], recognizers: Iterable[str], smoothing: float) -> pd.DataFrame:
    """Return the rows of predictions by these models."""
    return pd.DataFrame([each.row() for each in predictions], columns=prediction_columns(recognizers, smoothing))


def prediction_columns(recognizers: Iterable[str], smoothing: float) -> list[str]:
    """Return the columns of the rows of all predictions by these models."""
    zeros = dict.fromkeys(recognizers, np.zeros(len(EMOTIONS), np.float32))
    return list(Prediction(Photo(""), probabilities=zeros, smoothed=zeros if smoothing else None).row())
