"""From pictures to emotions: find the faces, crop them and predict, one picture after the other."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.rows import IMAGE_SIDE, N_PIXELS
from models.artifacts.save_load import DEFAULT_RESULTS, load
from models.files.streams import one_line
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector, Face, find_faces
from models.inference.grey_levels import PhotoError
from models.inference.inputs import Photo, list_pictures, read_pictures
from models.inference.probabilities import predict_by_model
from models.inference.read_image import resize_to_face
from models.labels import EMOTIONS

BATCH = 64
NO_FACE = "no face"


@dataclass(frozen=True, eq=False)
class Prediction:
    """A face and its emotions, or why there are none.

    Attributes
    ----------
    photo : Photo
        Where it comes from; its image is kept only where it was asked for.
    face : Face or None
        None where the whole picture was taken, or there is no face.
    crop : ndarray of shape (48, 48), dtype uint8, or None
    probabilities : dict of str to ndarray of shape (7,), dtype float32, or None
        By model, in the order of `models.EMOTIONS`; None where there is no face.
    """

    photo: Photo
    face: Face | None = None
    crop: NDArray[np.uint8] | None = None
    probabilities: Mapping[str, NDArray[np.float32]] | None = None

    @property
    def status(self) -> str:
        """``ok``, ``no face``, or ``error: `` and why."""
        if self.photo.error:
            return f"error: {self.photo.error}"
        return "ok" if self.probabilities else NO_FACE

    def row(self) -> dict[str, Any]:
        """Return the prediction as a row; of several models, the columns carry the model's name."""
        face = self.face
        row: dict[str, Any] = {"file": self.photo.file, "frame": self.photo.frame, "seconds": self.photo.seconds}
        for column in ("left", "top", "width", "height", "score"):
            row[column] = None if face is None else round(getattr(face, column), 3 if column == "score" else 1)
        by_model = self.probabilities or {}
        for name, values in by_model.items():
            prefix = "" if len(by_model) == 1 else f"{name}_"
            row[f"{prefix}emotion"] = EMOTIONS[int(values.argmax())]
            row |= {f"{prefix}{label}": round(float(p), 4) for label, p in zip(EMOTIONS, values, strict=True)}
        return {**row, "status": self.status}


def predict_images(
    images: Any,
    model: Any = "best",
    whole: bool = False,
    every: float = 1.0,
    results: str | Path = DEFAULT_RESULTS,
    exact: bool = False,
) -> pd.DataFrame:
    """Find the faces in pictures and predict their emotions.

    Parameters
    ----------
    images : path, picture, batch, or iterable of these
        Pictures, videos, folders or patterns as `models.inference.inputs.find_files` takes them; Pillow images, bytes,
        open binary files, arrays or tensors as `models.inference.read_image.read_photo` does; batches of shape
        (n, height, width, 1, 3 or 4).
    model : str, Path, recognizer or sequence of these
        As `models.load` takes them, or loaded. The columns of several stand side by side, each with its model's name.
    whole : bool
        Take every picture as a face, without looking for one.
    every : float
        Of a video, one frame in so many seconds.
    results : str or Path
        Where ``"best"`` is looked up.
    exact : bool
        As `models.load` takes it: False prefers copies of networks in eight bits.

    Returns
    -------
    DataFrame
        A row a face: ``file`` (the place in `images` for what is no file), ``frame``, ``seconds``, the box ``left``,
        ``top``, ``width`` and ``height`` in pixels, the detector's ``score``, ``emotion``, the seven probabilities,
        and ``status``: ``ok``, ``no face``, or ``error: `` and why.

    Raises
    ------
    ArtifactError
        If a model cannot be loaded.
    TypeError
        If `images` is or holds something else; before anything is predicted.

    Examples
    --------
    >>> import numpy as np
    >>> import models
    >>> face = np.full((48, 48), 128, dtype=np.uint8)
    >>> table = models.predict_images([face], model="results/fer2013/kaggle/models/majority.joblib", whole=True)
    >>> table[["file", "emotion", "status"]].values.tolist()
    [['0', 'Happy', 'ok']]
    """
    pictures = list(list_pictures(images))
    recognizers = load_models(model, results, exact)
    predictions = predict_photos(read_pictures(pictures, every), recognizers, None if whole else BlazeFace())
    return pd.DataFrame([prediction.row() for prediction in predictions], columns=prediction_columns(recognizers))


def prediction_columns(recognizers: Iterable[str]) -> list[str]:
    """Return the columns of the rows of all predictions by these models."""
    zeros = dict.fromkeys(recognizers, np.zeros(len(EMOTIONS), np.float32))
    return list(Prediction(Photo(""), probabilities=zeros).row())


def load_models(model: Any, results: str | Path, exact: bool) -> dict[str, Any]:
    """Return recognizers by name, loaded where they are paths."""
    models = model if isinstance(model, (list, tuple)) else [model]
    loaded = [load(model, results, exact) if isinstance(model, (str, Path)) else model for model in models]
    names = [getattr(model, "card_", {}).get("recognizer", type(model).__name__) for model in loaded]
    return {
        name if names.count(name) == 1 else f"{name}-{place}": recognizer
        for place, (name, recognizer) in enumerate(zip(names, loaded, strict=True), start=1)
    }


def print_notes(caught: Iterable[warnings.WarningMessage], recognizers: Mapping[str, Any]) -> None:
    """Print notes about loaded models, and the warnings of loading them, to standard error."""
    for warning in caught:
        if warning.category is UserWarning:
            print(f"note: {one_line(str(warning.message))}", file=sys.stderr)
    if "synthetic" in map(trained_on_data, recognizers.values()):
        print("note: a model was trained on synthetic faces: do not use it on photographs", file=sys.stderr)


def trained_on_data(recognizer: Any) -> str:
    """Return the name of the data that a loaded recognizer was fitted on, and whose labels it learnt if not theirs."""
    card = getattr(recognizer, "card_", {})
    by_ferplus = ", labels of FER+" if card.get("protocol", {}).get("labels") == "ferplus" else ""
    return f"{card.get('dataset', 'unknown')}{by_ferplus}"


def predict_photos(
    photos: Iterable[Photo], recognizers: Mapping[str, Any], detector: Detector | None, keep_images: bool = False
) -> Iterator[Prediction]:
    """Predict one picture after the other, in their order, faces in batches of 64.

    Parameters
    ----------
    photos : iterable of Photo
    recognizers : mapping of str to recognizer
        Loaded, by the name that their probabilities get.
    detector : Detector or None
        None takes every picture as a face.
    keep_images : bool
        Keep the picture in every prediction, to draw it. Pictures are then predicted one by one, to save memory.
    """
    batch = 1 if keep_images else BATCH
    waiting: list[Prediction] = []
    for photo in photos:
        light = photo if keep_images else replace(photo, image=None)
        if photo.image is None:
            waiting.append(Prediction(light))
            continue
        if detector is None:
            waiting.append(Prediction(light, crop=resize_to_face(photo.image)))
        else:
            try:
                faces, rows = find_faces(photo.image, detector)
            except PhotoError as error:
                waiting.append(Prediction(replace(light, image=None, error=str(error))))
                continue
            crops = rows.reshape(-1, IMAGE_SIDE, IMAGE_SIDE)
            cropped = zip(faces, crops, strict=True)
            waiting += [Prediction(light, face, crop) for face, crop in cropped] or [Prediction(light)]
        if len(waiting) >= batch:
            yield from _with_probabilities(waiting, recognizers)
            waiting = []
    yield from _with_probabilities(waiting, recognizers)


def _with_probabilities(waiting: Sequence[Prediction], recognizers: Mapping[str, Any]) -> Iterator[Prediction]:
    crops = [prediction.crop for prediction in waiting if prediction.crop is not None]
    if crops:
        rows = np.stack(crops).reshape(len(crops), N_PIXELS)
        by_model = predict_by_model(recognizers, rows)
    place = 0
    for prediction in waiting:
        if prediction.crop is None:
            yield prediction
        else:
            yield replace(prediction, probabilities={name: values[place] for name, values in by_model.items()})
            place += 1
