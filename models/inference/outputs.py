"""What a prediction is written to: lines, JSON, CSV, figures, and a copy of a video."""

from __future__ import annotations

import csv
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from models.files.streams import errors_naming, one_line
from models.inference.file_types import is_video
from models.inference.inputs import STANDARD_INPUT
from models.inference.pipeline import trained_on_data
from models.inference.prediction import Prediction, prediction_columns
from models.inference.video import Span, can_hold_video, draw_video
from models.labels import EMOTIONS

MOST_BYTES = 200
STANDARD_OUTPUT = "standard output"


class OutputError(ValueError):
    """An output cannot be written; the message says the fix."""


def open_rows(
    recognizers: dict[str, Any], stack: ExitStack, csv_file: str | None, as_json: bool, smoothing: float
) -> Callable[[Prediction], None]:
    """Return a function that writes a prediction as CSV, JSON or text."""
    if csv_file:
        path = Path(os.path.expanduser(csv_file))
        stack.enter_context(errors_naming(path))
        file = stack.enter_context(path.open("w", newline="", encoding="utf-8", errors="backslashreplace"))
        table = csv.DictWriter(file, prediction_columns(recognizers, smoothing))
        table.writeheader()
        return lambda prediction: table.writerow(prediction.row())
    if as_json:
        trained_on = {name: trained_on_data(recognizer) for name, recognizer in recognizers.items()}
        return lambda prediction: print_line(json.dumps({**prediction.row(), "trained_on": trained_on}))
    return lambda prediction: None if prediction.photo.error else print_line(_line(prediction))


def save_plot(faces: Sequence[Prediction], path: Path) -> str:
    """Draw a picture, or the timeline of a video; return why it cannot be drawn, or an empty string."""
    from models.inference.plot import plot_photo
    from models.inference.timeline import plot_timeline

    plot = plot_photo if faces[0].photo.seconds is None else plot_timeline
    try:
        with errors_naming(path), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a box stands for a letter that the font lacks
            plot(faces).savefig(path)
    except OSError:  # which the next picture would meet too
        raise
    except Exception as error:
        return f"cannot be drawn ({error})"
    return ""


def video_path(target: str, files: Sequence[str]) -> Path:
    """Return where the copy of a video goes, if it can go there.

    Raises
    ------
    OutputError
        If there is not one video, or the copy cannot be written.
    """
    path = Path(os.path.expanduser(target))
    if not (len(files) == 1 and is_video(files[0])):
        raise OutputError(f"--video {target}: give one video to draw on, not {len(files)} files")
    _check_folder(path)
    if path.resolve() == Path(files[0]).resolve():
        raise OutputError(f"--video {target}: is the video itself: choose another name")
    if not can_hold_video(path):
        raise OutputError(f"--video {target}: give a name that ends in .mp4 or .mkv")
    return path


def save_video(file: str, target: Path, seen: Iterable[Prediction], span: Span) -> None:
    """Write a copy of a video in which each face has a box with its emotion, until the next frame that was looked at.

    Raises
    ------
    PhotoError
        As of `models.inference.video.draw_video`.
    """
    from models.inference.annotate import annotate

    by_frame: dict[int, list[Prediction]] = {}
    for prediction in seen:
        if prediction.photo.frame is not None:
            by_frame.setdefault(prediction.photo.frame, []).append(prediction)
    last: list[Prediction] = []

    def draw(image: Any, frame: int) -> Any:
        nonlocal last
        last = by_frame.get(frame, last)
        return annotate(image, last)

    draw_video(file, target, draw, span)


def print_line(text: str) -> None:
    """Print a line to standard output, above a progress bar."""
    with errors_naming(STANDARD_OUTPUT):
        tqdm.write(text, file=sys.stdout)


def _line(prediction: Prediction) -> str:
    photo, face = prediction.photo, prediction.face
    where = one_line(photo.file)
    if photo.seconds is not None:
        where += f" at {photo.seconds:.1f} s"
    if prediction.person:
        where += f"  person {prediction.person}"
    if face:
        where += f"  {face.left:.0f},{face.top:.0f} {face.width:.0f}x{face.height:.0f}"
    if not prediction.probabilities:
        return f"{where}  {prediction.status}"
    doubt = "" if prediction.status == "ok" else f"  ({prediction.status})"
    lines = []
    for name, values in prediction.probabilities.items():
        model = f"  {name}:" if len(prediction.probabilities) > 1 else ""
        numbers = "  ".join(f"{label} {value:.2f}" for label, value in zip(EMOTIONS, values, strict=True))
        lines.append(f"{where}{model}  {prediction.answer(values):8}  {numbers}{doubt}")
    return "\n".join(lines)


def plot_paths(target: str, n_files: int) -> Callable[[str], Path]:
    """Return where the figure of a picture goes: to `target` itself, a .png, or into it, a folder."""
    path = Path(os.path.expanduser(target))
    if path.suffix.lower() == ".png" and n_files == 1 and not path.is_dir():
        _check_folder(path)
        return lambda file: path
    if path.suffix and not path.is_dir():
        raise OutputError(f"{target}: give a .png for one picture, or a folder for several")
    path.mkdir(parents=True, exist_ok=True)
    taken: dict[str, int] = {}

    def place(file: str) -> Path:
        # A name may be as long as the system lets it be; this one gets longer.
        stem = "stdin" if file == STANDARD_INPUT else os.fsdecode(os.fsencode(Path(file).name)[:MOST_BYTES])
        taken[stem] = taken.get(stem, 0) + 1
        return path / (f"{stem}.png" if taken[stem] == 1 else f"{stem}-{taken[stem]}.png")

    return place


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}: make it, or choose another one")
