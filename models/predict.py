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
from PIL import Image, ImageOps, UnidentifiedImageError

from features.rows import IMAGE_SIDE
from models.artifacts import DEFAULT_RESULTS, ArtifactError, load
from models.labels import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read any image that Pillow reads as a 48x48 grey face.

    The whole picture is turned upright by its EXIF entry, made grey and squeezed to 48x48, as the original project did
    it: right for pictures cropped to the face, and the reason why it failed on others.

    Returns
    -------
    ndarray of shape (48, 48), dtype uint8

    Raises
    ------
    OSError
        If the file is missing or no image that Pillow reads.
    """
    with Image.open(path) as image:
        grey = _eight_bits(ImageOps.exif_transpose(image)).convert("L")
    return np.asarray(grey.resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.LANCZOS))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the image with 8 bits a channel: Pillow itself would cut off what is brighter than 255."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float64)
    top = 65535 if image.mode.startswith("I") else 1 if values.max() <= 1 else 255
    return Image.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8))


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
            faces.append(read_image(path))
            read.append(path)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            reason = "not an image that Pillow reads" if isinstance(error, UnidentifiedImageError) else str(error)
            print(f"error: {path}: {reason}", file=sys.stderr)
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
