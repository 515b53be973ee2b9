"""Find the scale and shift of crops with the best accuracy: ``python -m benchmark.framing``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from benchmark.analysis.stored_models import models_and_data
from benchmark.data import DataError, Split
from benchmark.data.options import add_data_options
from benchmark.runs.expected_time import REFERENCE_FOLDER
from benchmark.runs.options import count
from features.rows import as_images
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector, Face, crop_faces
from models.inference.probabilities import predict_by_model

SCALES = (1.0, 1.1, 1.15, 1.2, 1.3, 1.4)
SHIFTS = (-0.2, -0.15, -0.1, -0.05, 0.0)
HEIGHT, WIDTH = 300, 400
SIDES = (64, 240)


@dataclass(frozen=True, eq=False)
class Scene:
    """A face somewhere in a larger picture.

    Attributes
    ----------
    photo : ndarray of shape (300, 400), dtype uint8
    left, top, side : int
        Where the face is, pixels.
    """

    photo: NDArray[np.uint8]
    left: int
    top: int
    side: int


def make_scene(face: NDArray[np.uint8], generator: np.random.Generator) -> Scene:
    """Put a face of shape (48, 48) at a random place and size into a picture whose grey levels are those at its rim."""
    side = int(generator.integers(*SIDES))
    left, top = int(generator.integers(WIDTH - side)), int(generator.integers(HEIGHT - side))
    rim = np.concatenate([face[0], face[-1], face[:, 0], face[:, -1]])
    photo = generator.choice(rim, (HEIGHT // 8 + 1, WIDTH // 8 + 1))
    photo = np.array(Image.fromarray(photo).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    enlarged = Image.fromarray(face).resize((side, side), Image.Resampling.BICUBIC)
    photo[top : top + side, left : left + side] = np.asarray(enlarged)
    return Scene(photo, left, top, side)


def detect_faces(scenes: Iterable[Scene], detector: Detector) -> list[Face | None]:
    """Return the largest face that a detector finds at the place of the face, or None, for every scene."""
    faces = []
    for scene in scenes:
        inside = [
            face
            for face in detector.detect(scene.photo)
            if 0 < face.left + face.width / 2 - scene.left < scene.side
            and 0 < face.top + face.height / 2 - scene.top < scene.side
        ]
        faces.append(max(inside, key=lambda face: face.width, default=None))
    return faces


def framing_by_boxes(scenes: Sequence[Scene], detected: Sequence[Face | None]) -> tuple[float, float]:
    """Return the median scale and shift that turn a detected box into the square of the face."""
    pairs = [(scene, face) for scene, face in zip(scenes, detected, strict=True) if face]
    scale = np.median([scene.side / face.width for scene, face in pairs])
    middles = [scene.top + scene.side / 2 - face.top - face.height / 2 for scene, face in pairs]
    shift = np.median([middle / face.width for middle, (_, face) in zip(middles, pairs, strict=True)])
    return float(scale), float(shift)


def accuracies(
    recognizers: Mapping[str, Any],
    scenes: Sequence[Scene],
    detected: Sequence[Face | None],
    y: NDArray[np.int64],
    detector: Detector,
) -> pd.DataFrame:
    """Return the accuracy of recognizers on crops of the detected faces, for every scale and shift.

    Returns
    -------
    DataFrame
        Index scale, shift; a column a recognizer.
    """
    shown = [(scene.photo, face, label) for scene, face, label in zip(scenes, detected, y, strict=True) if face]
    labels = np.array([label for _, _, label in shown])
    rows = {}
    for scale, shift in tqdm(list(product(SCALES, SHIFTS)), unit="framing", disable=None):
        framed = copy(detector)
        framed.scale, framed.shift = scale, shift
        crops = np.concatenate([crop_faces(photo, [face], framed) for photo, face, _ in shown])
        predicted = predict_by_model(recognizers, crops)
        rows[scale, shift] = {name: float((p.argmax(axis=1) == labels).mean()) for name, p in predicted.items()}
    index = pd.MultiIndex.from_tuples(rows, names=["scale", "shift"])
    return pd.DataFrame(list(rows.values()), index=index)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.framing",
        description="Paste validation faces into pictures, detect them, and score models on crops of every framing.",
    )
    option = parser.add_argument
    add_data_options(parser)
    option("--models", nargs="+", metavar="GLOB", help="which models (default: all)")
    option("--results", type=Path, default=Path("results"), metavar="DIR", help="(default: %(default)s)")
    option(
        "--faces",
        type=count(1),
        default=1000,
        metavar="N",
        help="a stratified part of the split (default: %(default)s)",
    )
    args = parser.parse_args(argv)
    try:
        records, recognizers, data = models_and_data(args.results / REFERENCE_FOLDER, args, args.models)
        first, *_ = records.values()
        table = score_framings(recognizers, data[first["protocol"]["select"]].sample(args.faces))
        path = args.results / data.name / "framing.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(path, float_format="%.4f")
    except (DataError, OSError) as error:
        print(f"error: {explain(error, args.results)}", file=sys.stderr)
        return 2
    print(f"{table.to_string(float_format='%.3f')}\n\n{path}")
    return 0


def score_framings(recognizers: Mapping[str, Any], faces: Split, detector: Detector | None = None) -> pd.DataFrame:
    """Return `accuracies` on scenes made from faces; print how many were detected, and `framing_by_boxes`."""
    detector = detector or BlazeFace()
    generator = np.random.default_rng(0)
    scenes = [make_scene(face, generator) for face in as_images(faces.X)]
    detected = detect_faces(tqdm(scenes, unit="scene", disable=None), detector)
    is_detected = [face is not None for face in detected]
    count = sum(is_detected)
    if not count:
        raise DataError(f"{type(detector).__name__} finds none of {len(faces)} faces")
    scale, shift = framing_by_boxes(scenes, detected)
    print(f"found {count} of {len(faces)} faces; by their boxes: scale {scale:.2f}, shift {shift:.2f}")
    original = predict_by_model(recognizers, faces.X[is_detected])
    labels = faces.y[is_detected]
    uncropped = {name: (proba.argmax(axis=1) == labels).mean() for name, proba in original.items()}
    print("on the faces as they are:", "  ".join(f"{name} {value:.3f}" for name, value in uncropped.items()))
    return accuracies(recognizers, scenes, detected, faces.y, detector)


if __name__ == "__main__":
    sys.exit(main())
