"""Predict the emotions of images: ``python -m models.predict IMAGE...``."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.artifacts import DEFAULT_RESULTS, ArtifactError, load
from models.labels import EMOTIONS
from models.photos import PhotoError, read_photo, squeeze

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 if an image could not be read, or 2 if the model could not."""
    parser = argparse.ArgumentParser(
        prog="python -m models.predict", description="Predict the emotions of face images."
    )
    parser.add_argument(
        "images", nargs="+", metavar="IMAGE", help="picture cropped to the face, any size, grey or colour"
    )
    parser.add_argument("--model", default="best", help="artifact (.joblib or .h5), or 'best' (default)")
    parser.add_argument("--results", default=DEFAULT_RESULTS, help="where 'best' is looked up (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--plot", metavar="OUT.png", help="draw every image beside its probabilities")
    args = parser.parse_args(argv)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recognizer = load(args.model, results=args.results)
    except ArtifactError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for warning in caught:
        if warning.category is UserWarning:
            print(f"note: {warning.message}", file=sys.stderr)

    trained_on = recognizer.card_.get("dataset", "unknown")
    if trained_on == "synthetic":
        print("note: this model was trained on synthetic faces, it knows no photographs", file=sys.stderr)

    read, faces, failed = [], [], False
    for path in args.images:
        try:
            faces.append(squeeze(read_photo(path)))
            read.append(path)
        except (OSError, PhotoError) as error:
            print(f"error: {path}: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
            failed = True
    if faces:
        labels = [EMOTIONS[label] for label in recognizer.classes_]
        probabilities = recognizer.predict_proba(np.stack(faces).reshape(len(faces), -1))
        _print(read, labels, probabilities, trained_on if args.json else None)
        if args.plot:
            try:
                plot_predictions(read, faces, labels, probabilities).savefig(args.plot)
            except (OSError, ValueError) as error:
                print(f"error: {args.plot}: cannot be written ({error}): give another --plot", file=sys.stderr)
                return 2
    return int(failed)


def _print(paths: Sequence[str], labels: Sequence[str], probabilities: NDArray, trained_on: str | None) -> None:
    width = max(map(len, paths))
    for path, row in zip(paths, probabilities, strict=True):
        emotion = labels[row.argmax()]
        by_label = dict(zip(labels, row.astype(float).round(4).tolist(), strict=True))
        if trained_on is not None:
            print(json.dumps({"image": path, "emotion": emotion, "probabilities": by_label, "trained_on": trained_on}))
        else:
            print(
                f"{path:{width}}  {emotion:8}  "
                + "  ".join(f"{label} {value:.2f}" for label, value in by_label.items())
            )


def plot_predictions(
    titles: Sequence[str], faces: Sequence[NDArray[np.uint8]], labels: Sequence[str], probabilities: NDArray
) -> Figure:
    """Return a figure with every face beside the bar chart of its probabilities, as in the original project."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6 * len(faces)), layout="constrained", dpi=120)
    grid = figure.subplots(len(faces), 2, squeeze=False, width_ratios=(1, 2))
    for (left, right), title, face, row in zip(grid, titles, faces, probabilities, strict=True):
        left.imshow(face, cmap="gray", vmin=0, vmax=255)
        left.set_title(Path(title).name, fontsize=9)
        left.axis("off")
        best = row.argmax()
        bars = right.barh(labels, row, color=["#0072b2" if i == best else "#b0b0b0" for i in range(len(row))])
        right.bar_label(bars, [f"{value:.2f}" for value in row], padding=3, fontsize=8)
        right.set(xlim=(0, 1.1), xlabel="probability", title=labels[best])
        right.invert_yaxis()
        right.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    sys.exit(main())
