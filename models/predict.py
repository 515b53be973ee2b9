"""Find faces in pictures and predict their emotions: ``python -m models.predict photo.jpg``."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from models.artifacts.save_load import DEFAULT_RESULTS, ArtifactError
from models.files.atomic import explain
from models.files.extras import pip_install
from models.files.streams import errors_naming, one_line, prepare_streams
from models.inference.blazeface import BlazeFace
from models.inference.inputs import STANDARD_INPUT, Photo, find_files, read_files
from models.inference.pipeline import (
    Prediction,
    load_models,
    predict_photos,
    prediction_columns,
    print_notes,
    trained_on_data,
)
from models.labels import EMOTIONS

INTERRUPTED = 130
MOST_BYTES = 200
STANDARD_OUTPUT = "standard output"


class OutputError(ValueError):
    """An output cannot be written; the message says the fix."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0: success; 1: some picture could not be read; 2: a model or an output could not be used; 130: interrupted.
    """
    prepare_streams()
    args = build_parser().parse_args(argv)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recognizers = load_models(args.model, args.results, args.exact)
        print_notes(caught, recognizers)
        status = _predict_files(args, recognizers)
        with errors_naming(STANDARD_OUTPUT):
            sys.stdout.flush()
        return status
    except (ArtifactError, OutputError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
    except OSError as error:
        if error.filename == STANDARD_OUTPUT:  # what is left in the buffer goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever reads has seen enough
            return 0
        place, instead = Path(args.csv or args.plot or args.results), "give another --csv or --plot"
        print(f"error: {one_line(explain(error, place, instead))}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"error: finding faces needs {error.name}: pip install {error.name}, or add --whole", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 2


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.predict", description="Find the faces in pictures and predict their emotions."
    )
    option = parser.add_argument
    option("sources", nargs="+", metavar="SOURCE", help="picture, video, folder, 'pattern', or - for standard input")
    option(
        "--model",
        nargs="+",
        default=["best"],
        metavar="MODEL",
        help="names in --results, or files (.joblib, .h5, .tflite), compared side by side (default: the best)",
    )
    option(
        "--results",
        default=DEFAULT_RESULTS,
        metavar="DIR",
        help="where names are looked up (default: %(default)s); models in results/fer2013/ferplus learnt FER+'s labels",
    )
    option("--exact", action="store_true", help="load networks themselves, not their faster copies in eight bits")
    option("--whole", action="store_true", help="take every picture as a face, without looking for one")
    option(
        "--every",
        type=_positive_seconds,
        default=1.0,
        metavar="SECONDS",
        help="between two frames of a video (default: %(default)s)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per face")
    form.add_argument("--csv", metavar="FILE", help="write a CSV file instead of lines")
    option("--plot", metavar="PATH", help="draw the faces and their probabilities: a .png, or a folder for several")
    return parser


def _predict_files(args: argparse.Namespace, recognizers: dict[str, Any]) -> int:
    files = find_files(args.sources)
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        raise OutputError(f"--plot needs matplotlib: {pip_install('matplotlib')}")
    if not files:
        print(f"error: {one_line(' '.join(args.sources))}: no pictures or videos in there", file=sys.stderr)
        return 1
    failed = False
    # Before the CSV is opened, which empties it.
    plots = _plot_paths(args.plot, len(files)) if args.plot else None
    with ExitStack() as stack:
        write = _writer(args, recognizers, stack)
        bar = stack.enter_context(tqdm(total=len(files), unit="file", disable=None, leave=False))
        photos = read_files(_counted(files, bar), args.every)
        detector = None if args.whole else BlazeFace()
        predictions = predict_photos(photos, recognizers, detector, keep_images=bool(args.plot))
        for _, group in groupby(predictions, key=lambda prediction: id(prediction.photo)):
            faces = list(group)
            photo = faces[0].photo
            error = photo.error or (_save_plot(faces, plots(photo)) if plots else "")
            if error:
                failed = True
                tqdm.write(f"error: {one_line(photo.file)}: {one_line(error)}", file=sys.stderr)
            for face in faces:
                write(face)
    return int(failed)


def _save_plot(faces: Sequence[Prediction], path: Path) -> str:
    """Draw a picture; return why it cannot be drawn, or an empty string."""
    from models.inference.plot import plot_photo

    try:
        with errors_naming(path), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph", UserWarning)  # a box stands for a letter that the font lacks
            plot_photo(faces).savefig(path)
    except OSError:  # which the next picture would meet too
        raise
    except Exception as error:
        return f"cannot be drawn ({error})"
    return ""


def _counted(files: Iterable[str], bar: tqdm) -> Iterator[str]:
    for file in files:
        yield file
        bar.update()


def _writer(args: argparse.Namespace, recognizers: dict[str, Any], stack: ExitStack) -> Callable[[Prediction], None]:
    """Return a function that writes a prediction as CSV, JSON or text, as the options say."""
    if args.csv:
        path = Path(os.path.expanduser(args.csv))
        stack.enter_context(errors_naming(path))
        file = stack.enter_context(path.open("w", newline="", encoding="utf-8", errors="backslashreplace"))
        table = csv.DictWriter(file, prediction_columns(recognizers))
        table.writeheader()
        return lambda prediction: table.writerow(prediction.row())
    if args.json:
        trained_on = {name: trained_on_data(recognizer) for name, recognizer in recognizers.items()}
        return lambda prediction: _print_line(json.dumps({**prediction.row(), "trained_on": trained_on}))
    return lambda prediction: None if prediction.photo.error else _print_line(_line(prediction))


def _print_line(text: str) -> None:
    with errors_naming(STANDARD_OUTPUT):
        tqdm.write(text, file=sys.stdout)


def _line(prediction: Prediction) -> str:
    photo, face = prediction.photo, prediction.face
    where = one_line(photo.file)
    if photo.seconds is not None:
        where += f" at {photo.seconds:.1f} s"
    if face:
        where += f"  {face.left:.0f},{face.top:.0f} {face.width:.0f}x{face.height:.0f}"
    if not prediction.probabilities:
        return f"{where}  {prediction.status}"
    lines = []
    for name, values in prediction.probabilities.items():
        model = f"  {name}:" if len(prediction.probabilities) > 1 else ""
        numbers = "  ".join(f"{label} {value:.2f}" for label, value in zip(EMOTIONS, values, strict=True))
        lines.append(f"{where}{model}  {EMOTIONS[int(values.argmax())]:8}  {numbers}")
    return "\n".join(lines)


def _plot_paths(target: str, n_files: int) -> Callable[[Photo], Path]:
    """Return where the figure of a picture goes: to `target` itself, a .png, or into it, a folder."""
    path = Path(os.path.expanduser(target))
    if path.suffix.lower() == ".png" and n_files == 1 and not path.is_dir():
        if not path.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: make it, or choose another one")
        return lambda photo: path if not photo.frame else path.with_stem(f"{path.stem}-{photo.frame}")
    if path.suffix and not path.is_dir():
        raise OutputError(f"{target}: give a .png for one picture, or a folder for several")
    path.mkdir(parents=True, exist_ok=True)
    taken: dict[str, int] = {}

    def place(photo: Photo) -> Path:
        # A name may be as long as the system lets it be; this one gets longer.
        stem = "stdin" if photo.file == STANDARD_INPUT else os.fsdecode(os.fsencode(Path(photo.file).name)[:MOST_BYTES])
        stem += "" if photo.frame is None else f"-{photo.frame}"
        taken[stem] = taken.get(stem, 0) + 1
        return path / (f"{stem}.png" if taken[stem] == 1 else f"{stem}-{taken[stem]}.png")

    return place


def _positive_seconds(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
