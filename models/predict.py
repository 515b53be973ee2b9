"""Find faces in pictures and predict their emotions: ``python -m models.predict photo.jpg``."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from models.artifacts.save_load import DEFAULT_RESULTS, ArtifactError
from models.files.atomic import explain
from models.files.extras import pip_install
from models.files.streams import errors_naming, one_line, prepare_streams
from models.inference.annotate import annotate
from models.inference.blazeface import BlazeFace
from models.inference.camera import Window, read_camera
from models.inference.file_types import is_video
from models.inference.grey_levels import PhotoError
from models.inference.inputs import Photo, find_files, read_files
from models.inference.outputs import (
    STANDARD_OUTPUT,
    OutputError,
    open_rows,
    plot_paths,
    print_line,
    save_plot,
    save_video,
    video_path,
)
from models.inference.pipeline import load_models, predict_photos, print_notes
from models.inference.prediction import Prediction
from models.inference.stream import Stream
from models.inference.timeline import seconds_by_person
from models.inference.video import Span

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0: success; 1: some picture could not be read; 2: a model or an output could not be used; 130: interrupted.
    """
    prepare_streams()
    parser = build_parser()
    args = parser.parse_args(argv)
    if (args.camera is None) == (not args.sources):
        parser.error("give pictures or videos, or --camera")
    if args.camera is not None and (args.plot or args.video):
        parser.error("--camera: --plot and --video are for files")
    every = args.every if args.every is not None else 0.0 if args.video else 1.0
    try:
        span = Span(every, args.start, args.end)
    except ValueError as error:
        parser.error(str(error))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            recognizers = load_models(args.model, args.results, args.exact)
        print_notes(caught, recognizers)
        status = _predict_files(args, span, recognizers) if args.sources else _predict_camera(args, recognizers)
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
        place, instead = Path(args.csv or args.plot or args.results), "give another --csv, --plot or --video"
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
    option("sources", nargs="*", metavar="SOURCE", help="picture, video, folder, 'pattern', or - for standard input")
    option("--camera", nargs="?", type=int, const=0, metavar="N", help="a camera, until Ctrl-C or q (default: 0)")
    option(
        "--model",
        nargs="+",
        default=["best"],
        metavar="MODEL",
        help="names in --results, or files (.joblib, .h5, .tflite), side by side (default: the best quick one)",
    )
    option(
        "--results",
        default=DEFAULT_RESULTS,
        metavar="DIR",
        help="where names are looked up (default: %(default)s); models in results/fer2013/ferplus learnt FER+'s labels",
    )
    option("--exact", action="store_true", help="load networks themselves, not their faster copies in eight bits")
    option("--whole", action="store_true", help="take every picture as a face, without looking for one")
    for name, default, text in (
        ("--every", None, "between two frames of a video; 0: every frame (default: 1, with --video 0)"),
        ("--start", 0.0, "where to begin in a video"),
        ("--end", float("inf"), "where to end in a video"),
        ("--smoothing", 0.0, "average a person's probabilities in a video over this time"),
    ):
        option(name, type=_number(), default=default, metavar="SECONDS", help=text)
    option("--min-probability", type=_number(1), default=0.0, metavar="P", help="below it, the answer is 'uncertain'")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object per face")
    form.add_argument("--csv", metavar="FILE", help="write a CSV file instead of lines")
    option(
        "--plot",
        metavar="PATH",
        help="draw the faces and their probabilities, of a video over time: a .png, or a folder for several",
    )
    option("--video", metavar="FILE", help="write a copy of a video with a box and an emotion for each face")
    return parser


def _predict_files(args: argparse.Namespace, span: Span, recognizers: dict[str, Any]) -> int:
    files = find_files(args.sources)
    if args.plot and importlib.util.find_spec("matplotlib") is None:
        raise OutputError(f"--plot needs matplotlib: {pip_install('matplotlib')}")
    if not files:
        print(f"error: {one_line(' '.join(args.sources))}: no pictures or videos in there", file=sys.stderr)
        return 1
    failed = False
    # Before the CSV is opened, which empties it.
    plots = plot_paths(args.plot, len(files)) if args.plot else None
    copy = video_path(args.video, files) if args.video else None
    with ExitStack() as stack:
        write = open_rows(recognizers, stack, args.csv, args.json, args.smoothing)
        bar = stack.enter_context(tqdm(total=len(files), unit="file", disable=None, leave=False))
        photos = _counted(read_files(files, span), bar)
        detector = None if args.whole else BlazeFace()
        keep_images = bool(plots) and not all(map(is_video, files))
        predictions = predict_photos(
            photos, recognizers, detector, keep_images, args.smoothing, min_probability=args.min_probability
        )
        for file, of_file in groupby(predictions, key=lambda prediction: prediction.photo.file):
            seen: list[Prediction] = []
            for _, group in groupby(of_file, key=lambda prediction: id(prediction.photo)):
                faces = list(group)
                photo = faces[0].photo
                errors = [photo.error or (save_plot(faces, plots(file)) if plots and photo.seconds is None else "")]
                for face in faces:
                    write(face)
                if photo.seconds is not None:
                    seen += [replace(face, crops=None, photo=replace(photo, image=None)) for face in faces]
                failed |= _report(file, errors)
            if seen:
                failed |= _report(file, _finish_video(file, seen, args.json, plots, copy, span))
    return int(failed)


def _predict_camera(args: argparse.Namespace, recognizers: dict[str, Any]) -> int:
    stream = Stream([*recognizers.values()], args.smoothing, args.whole, min_probability=args.min_probability)
    stream.name = f"camera {args.camera}"
    with ExitStack() as stack:
        write = open_rows(stream.recognizers, stack, args.csv, args.json, args.smoothing)
        try:
            window = stack.enter_context(closing(Window()))
            for frame in stack.enter_context(closing(read_camera(args.camera))):
                seen = stream.predict(frame)
                for prediction in seen:
                    write(prediction)
                if not window.show(annotate(frame, seen)):
                    break
        except KeyboardInterrupt:
            pass
        except PhotoError as error:
            return int(_report(stream.name, [str(error)]))
    return 0


def _finish_video(
    file: str,
    seen: list[Prediction],
    as_json: bool,
    plots: Callable[[str], Path] | None,
    copy: Path | None,
    span: Span,
) -> Iterator[str]:
    """Write what is of a whole video, and yield what went wrong."""
    if not as_json:
        table = seconds_by_person(seen)
        if len(table):
            print_line(f"{one_line(file)}, seconds by person and emotion:\n{table.round(1).to_string()}")
    if plots:
        yield save_plot(seen, plots(file))
    if copy:
        try:
            save_video(file, copy, seen, span)
        except PhotoError as error:
            yield str(error)


def _report(file: str, errors: Iterable[str]) -> bool:
    """Print what went wrong with a file, and return whether anything did."""
    errors = [error for error in errors if error]
    for error in errors:
        tqdm.write(f"error: {one_line(file)}: {one_line(error)}", file=sys.stderr)
    return bool(errors)


def _counted(photos: Iterable[Photo], bar: tqdm) -> Iterator[Photo]:
    """Yield the photos, and move the bar on by the part of its file that each is."""
    file, done = None, 0.0
    for photo in photos:
        done = done if photo.file == file else 0.0
        file = photo.file
        bar.update(photo.share - done)
        done = photo.share
        yield photo


def _number(most: float = float("inf")) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from 0 to {most:g}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
