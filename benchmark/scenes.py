"""Score models end to end on validation faces in photographs: ``python -m benchmark.scenes``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from benchmark.analysis.stored_models import choose, data_of
from benchmark.data import DataError, Split
from benchmark.data.options import add_data_options
from benchmark.data.scenes import CONDITIONS, SCENES, Scene, make_scene
from benchmark.runs.expected_time import REFERENCE_FOLDER
from benchmark.runs.metrics import expected_calibration_error
from benchmark.runs.options import count
from features.rows import N_PIXELS, as_images
from models.artifacts.save_load import ArtifactError
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector, Face, find_faces
from models.inference.inputs import Photo
from models.inference.pipeline import load_models, predict_photos
from models.inference.probabilities import predict_by_model
from models.inference.read_image import read_photo

SCALES = (1.0, 1.1, 1.2, 1.3)
SHIFTS = (-0.17, -0.1, -0.03, 0.04)
FRAMING_COLUMNS = ["scale", "shift", "second_scale", "second_shift"]


def is_face_of(scene: Scene, face: Face) -> bool:
    """Return whether a detected box is about the face that was put into a scene, by its middle and its width."""
    away = max(abs(face.left + face.width / 2 - scene.x), abs(face.top + face.height / 2 - scene.y))
    return away < scene.side / 3 and 0.5 < face.width / scene.side < 1.5


def score_scenes(recognizers: Mapping[str, Any], faces: Split, detector: Detector) -> pd.DataFrame:
    """Score recognizers on faces in photographs, from the photo to the answer, and on the same faces as they are.

    Returns
    -------
    DataFrame
        Index scene, of `benchmark.data.scenes.CONDITIONS`; columns ``faces``, their number; ``found``, the share that
        the detector finds; and for each recognizer, of the faces that were found, ``<name>_face``, its accuracy on
        these as they are, and ``<name>_scene`` and ``<name>_scene_ece``, its accuracy and its expected calibration
        error from the photo to the answer.
    """
    as_they_are = predict_by_model(recognizers, faces.X)
    rows = {}
    for name in CONDITIONS:
        found, proba = _predict_scenes(recognizers, faces, detector, name)
        y = faces.y[found]
        row = {"faces": len(faces), "found": len(found) / len(faces)}
        for model in recognizers if len(found) else ():
            row[f"{model}_face"] = (as_they_are[model][found].argmax(axis=1) == y).mean()
            row[f"{model}_scene"] = (proba[model].argmax(axis=1) == y).mean()
            row[f"{model}_scene_ece"] = expected_calibration_error(y, proba[model])
        rows[name] = row
    return pd.DataFrame(rows.values(), index=pd.Index(rows, name="scene"))


def score_framings(recognizers: Mapping[str, Any], faces: Split, detector: Detector) -> pd.DataFrame:
    """Score recognizers on plain scenes by each framing alone, and by each two, whose probabilities are averaged.

    Returns
    -------
    DataFrame
        Index scale, shift, second_scale, second_shift, the last two missing for one framing alone; for each recognizer
        a column with its accuracy on the faces that were found.
    """
    framed = copy(detector)
    framed.framings = tuple(product(SCALES, SHIFTS))
    crops: dict[int, NDArray[np.uint8]] = {}
    for place, scene in _scenes(faces, "plain"):
        found, of_scene = find_faces(read_photo(scene.photo), framed)
        for face, crop in zip(found, of_scene, strict=True):
            if is_face_of(scene, face):
                crops.setdefault(place, crop)
    if not crops:
        raise DataError(f"{type(detector).__name__} finds none of {len(faces)} faces")
    y, rows = faces.y[[*crops]], np.stack([*crops.values()]).reshape(-1, N_PIXELS)
    proba = {name: p.reshape(len(y), -1, p.shape[1]) for name, p in predict_by_model(recognizers, rows).items()}
    singles, pairs = combinations(range(len(framed.framings)), 1), combinations(range(len(framed.framings)), 2)
    table = [
        dict(zip(FRAMING_COLUMNS, (value for at in chosen for value in framed.framings[at]), strict=False))
        | {name: (p[:, chosen].mean(axis=1).argmax(axis=1) == y).mean() for name, p in proba.items()}
        for chosen in (*singles, *pairs)
    ]
    return pd.DataFrame(table).set_index(FRAMING_COLUMNS)


def _scenes(faces: Split, condition: str) -> Iterator[tuple[int, Scene]]:
    """Yield the place of each face with its scene."""
    generator = np.random.default_rng(0)
    for place, face in enumerate(tqdm(as_images(faces.X), unit="face", desc=condition, disable=None)):
        yield place, make_scene(face, CONDITIONS[condition], generator)


def _predict_scenes(
    recognizers: Mapping[str, Any], faces: Split, detector: Detector, condition: str
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
    """Return the places of the faces that were found, and the probabilities of these by model."""
    scenes: list[Scene] = []
    found: dict[int, Any] = {}

    def photos() -> Iterator[Photo]:
        for place, scene in _scenes(faces, condition):
            scenes.append(replace(scene, photo=scene.photo[:0]))
            yield Photo(str(place), read_photo(scene.photo))

    for prediction in predict_photos(photos(), recognizers, detector):
        place = int(prediction.photo.file)
        if prediction.face and prediction.probabilities and is_face_of(scenes[place], prediction.face):
            found.setdefault(place, prediction.probabilities)
    proba = {model: np.array([each[model] for each in found.values()]) for model in recognizers}
    return np.array([*found], np.int64), proba


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.scenes",
        description="Put validation faces into photographs, find them, crop them and predict, as models.predict does.",
    )
    option = parser.add_argument
    add_data_options(parser)
    option("--model", nargs="+", default=["best"], help="as of models.predict (default: the best)")
    option("--exact", action="store_true", help="as of models.predict")
    option("--results", type=Path, default=Path("results"), metavar="DIR", help="(default: %(default)s)")
    option("--faces", type=count(1), metavar="N", help="a stratified part of the split (default: all)")
    option("--framings", action="store_true", help="score crops of plain scenes instead, alone and in pairs")
    args = parser.parse_args(argv)
    try:
        first, *_ = choose(args.results / REFERENCE_FOLDER, None).values()
        data = data_of(first, args)
        recognizers = load_models(args.model, args.results / REFERENCE_FOLDER, args.exact)
        faces = data[first["protocol"]["select"]]
        faces = faces.sample(args.faces) if args.faces else faces
        score, file = (score_framings, "framings.csv") if args.framings else (score_scenes, SCENES)
        table = score(recognizers, faces, BlazeFace())
        path = args.results / data.name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, float_format="%.4f")
    except (DataError, ArtifactError, OSError) as error:
        print(f"error: {explain(error, args.results)}", file=sys.stderr)
        return 2
    print(f"{table.to_string(float_format='%.3f')}\n\n{path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
