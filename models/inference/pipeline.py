"""From pictures to emotions: find the faces, crop them and predict, one picture after the other."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.rows import N_PIXELS
from models.artifacts.save_load import DEFAULT_RESULTS, load
from models.files.streams import one_line
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector
from models.inference.inputs import Photo, list_pictures, read_pictures
from models.inference.people import People
from models.inference.prediction import Prediction, as_table
from models.inference.probabilities import predict_by_model
from models.inference.read_image import resize_to_face
from models.inference.search import Searched, goes_on, search
from models.inference.video import Span

BATCH = 64


def predict_images(
    images: Any,
    model: Any = "best",
    whole: bool = False,
    every: float = 1.0,
    results: str | Path = DEFAULT_RESULTS,
    exact: bool = False,
    start: float = 0.0,
    end: float = float("inf"),
    smoothing: float = 0.0,
    min_probability: float = 0.0,
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
        Of a video, one frame in so many seconds; 0 for every frame.
    results : str or Path
        Where ``"best"`` is looked up.
    exact : bool
        As `models.load` takes it: False prefers copies of networks in eight bits.
    start, end : float
        Seconds of a video at which to begin and to end.
    smoothing : float
        Of a video, seconds over which the probabilities of a person are averaged, in columns of their own; 0 for none.
    min_probability : float
        The emotion is ``uncertain`` where none is as likely.

    Returns
    -------
    DataFrame
        A row a face: ``file`` (the place in `images` for what is no file), of a video ``frame``, ``time`` in seconds
        and the number of the ``person``, the box ``left``, ``top``, ``width`` and ``height`` in pixels, the detector's
        ``score``, ``emotion``, the seven probabilities, with `smoothing` ``smooth_emotion`` and seven more, and
        ``status``: ``ok``; ``small``, ``blurred`` or ``turned away``, which make an answer doubtful; ``no face``; or
        ``error: `` and why.

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
    photos = read_pictures(pictures, Span(every, start, end))
    detector = None if whole else BlazeFace()
    predictions = predict_photos(photos, recognizers, detector, smoothing=smoothing, min_probability=min_probability)
    return as_table(predictions, recognizers, smoothing)


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
    photos: Iterable[Photo],
    recognizers: Mapping[str, Any],
    detector: Detector | None,
    keep_images: bool = False,
    smoothing: float = 0.0,
    people: People | None = None,
    min_probability: float = 0.0,
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
    smoothing : float
        As of `People`.
    people : People, optional
        Who was in the frames before; without, each video begins with nobody.
    min_probability : float
        As of `Prediction`.
    """
    batch = 1 if keep_images else BATCH
    waiting: list[Prediction] = []
    before = Photo("")
    known = people or People(smoothing)
    for searched in search(photos, detector) if detector else map(_whole, photos):
        photo = searched.photo
        light = photo if keep_images else replace(photo, image=None)
        if not people and photo.seconds is not None and not goes_on(before, photo):
            yield from _with_probabilities(waiting, recognizers, known)
            waiting, known = [], People(smoothing)
        before = light
        if photo.image is None:
            waiting.append(Prediction(light))
            continue
        waiting += [
            Prediction(light, face, crops, person=person, min_probability=min_probability)
            for face, crops, person in zip(searched.faces, searched.crops, _persons(searched, known), strict=True)
        ] or [Prediction(light)]
        if len(waiting) >= batch:
            yield from _with_probabilities(waiting, recognizers, known)
            waiting = []
    yield from _with_probabilities(waiting, recognizers, known)


def _whole(photo: Photo) -> Searched:
    """Return a picture that is a face."""
    return Searched(photo) if photo.image is None else Searched(photo, [None], resize_to_face(photo.image)[None, None])


def _persons(searched: Searched, people: People) -> list[int] | list[None]:
    """Return the person of each face; None in a picture, 1 where each frame of a video is a face."""
    seconds = searched.photo.seconds
    if seconds is None:
        return [None] * len(searched.faces)
    faces = [face for face in searched.faces if face]
    return people.number(faces, seconds) if len(faces) == len(searched.faces) else [1]


def _with_probabilities(
    waiting: Sequence[Prediction], recognizers: Mapping[str, Any], people: People
) -> Iterator[Prediction]:
    crops = [prediction.crops for prediction in waiting if prediction.crops is not None]
    if crops:
        by_model = {
            name: proba.reshape(len(crops), -1, proba.shape[1]).mean(axis=1)
            for name, proba in predict_by_model(recognizers, np.concatenate(crops).reshape(-1, N_PIXELS)).items()
        }
    place = 0
    for prediction in waiting:
        if prediction.crops is None:
            yield prediction
            continue
        values = {name: proba[place] for name, proba in by_model.items()}
        smoothed = None
        if people.smoothing and prediction.person and prediction.photo.seconds is not None:
            smoothed = people.smooth(prediction.person, prediction.photo.seconds, values)
        yield replace(prediction, probabilities=values, smoothed=smoothed)
        place += 1
