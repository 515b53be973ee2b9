"""A web page to try models with photos or a webcam: ``python -m models.demo``."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from models.artifacts.save_load import DEFAULT_RESULTS, ArtifactError
from models.files.atomic import explain
from models.files.extras import pip_install
from models.files.streams import one_line, prepare_streams
from models.inference.blazeface import BlazeFace
from models.inference.crop import Detector, Face
from models.inference.inputs import Photo
from models.inference.pipeline import load_models, predict_photos, print_notes
from models.inference.read_image import MEGAPIXELS, PhotoError, read_photo
from models.labels import EMOTIONS

LARGEST_UPLOAD = "20mb"
SHOWN_SIDE = 1200
# Seconds between two deletions of Gradio's files, such as the grey copies on the page, and their least age.
CLEANING = (60, 60)
INTRODUCTION = f"""# Faces and what models see in them

Drop a photo ({LARGEST_UPLOAD[:-2]} MB and {MEGAPIXELS} megapixels at most) or use the webcam. It goes to the
machine that serves this page and no further. It is deleted as soon as it is read; the grey copy that you see is deleted
two minutes later at most. An expression is not an emotion: these are guesses at what annotators would say.
"""
Annotated = tuple[Image.Image, list[tuple[tuple[int, int, int, int], str]]]


def predict_upload(
    path: str, recognizers: Mapping[str, Any], detector: Detector | None
) -> tuple[str, Annotated | None, list[dict[str, dict[str, float]]]]:
    """Read a photo, delete its file, and predict.

    Parameters
    ----------
    path : str
    recognizers : mapping of str to recognizer
    detector : Detector or None
        None takes the whole photo as a face.

    Returns
    -------
    summary : str
        Number of faces, or why the file cannot be used.
    annotated : tuple (image, boxes) or None
        As `gradio.AnnotatedImage` takes it.
    probabilities : list of dict
        Of every face, by model and emotion.
    """
    try:
        photo = Photo(path, read_photo(path))
    except PhotoError as error:
        photo = Photo(path, error=str(error))
    finally:
        Path(path).unlink(missing_ok=True)
    predictions = list(predict_photos([photo], recognizers, detector, keep_images=True))
    photo = predictions[0].photo
    if photo.image is None:
        return f"This file cannot be used: {photo.error}.", None, []
    shown = Image.fromarray(photo.image)
    shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    scale = shown.width / photo.image.shape[1]
    boxes, probabilities = [], []
    for number, prediction in enumerate(predictions, start=1):
        if prediction.face:
            boxes.append((_corners(prediction.face, scale), f"Face {number}"))
        if prediction.probabilities:
            by_model = prediction.probabilities.items()
            probabilities.append({name: dict(zip(EMOTIONS, values.tolist(), strict=True)) for name, values in by_model})
    n_faces = len(probabilities)
    summary = "No face found." if not n_faces else "1 face." if n_faces == 1 else f"{n_faces} faces."
    return summary, (shown, boxes), probabilities


def build_page(recognizers: Mapping[str, Any], detector: Detector) -> Any:
    """Return the page, a `gradio.Blocks`: a photo or a webcam's picture goes in, boxes and bars come out."""
    import gradio as gr

    def answer(path: str | None, whole: bool) -> tuple[Any, ...]:
        return (*(predict_upload(path, recognizers, None if whole else detector) if path else ("", None, [])), None)

    page = gr.Blocks(title="fer-benchmark", analytics_enabled=False, delete_cache=CLEANING)
    with page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=1):
                file = gr.File(label="Photo", file_types=["image"], type="filepath", height=140)
                # In its own mode, so that Gradio leaves no converted copy.
                webcam = gr.Image(
                    label="Webcam", sources=["webcam"], type="filepath", image_mode=None, buttons=[], height=220
                )
                whole = gr.Checkbox(label="The whole picture is a face: do not look for one")
            with gr.Column(scale=2):
                summary = gr.Textbox(label="Result", interactive=False)
                picture = gr.AnnotatedImage(label="Faces", buttons=[])
                probabilities = gr.State([])

                @gr.render(inputs=probabilities)
                def bars(faces: list[dict[str, dict[str, float]]]) -> None:
                    for number, by_model in enumerate(faces, start=1):
                        with gr.Row():
                            for name, values in by_model.items():
                                gr.Label(values, label=f"Face {number}: {name}", min_width=240)

        for source, event in ((file, file.upload), (webcam, webcam.input)):
            # One at a time: neither the detector nor every model is safe to use from several threads.
            outputs = [summary, picture, probabilities, source]
            event(answer, [source, whole], outputs, concurrency_limit=1, concurrency_id="predict")
    return page


def launch(page: Any, host: str, port: int | None, **options: Any) -> Any:
    """Serve the page; uploads are limited, nothing is sent elsewhere, and there is no public link."""
    import gradio as gr

    return page.launch(
        server_name=host,
        server_port=port,
        share=False,
        max_file_size=LARGEST_UPLOAD,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        footer_links=[],
        ssr_mode=False,
        enable_monitoring=False,
        **options,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if a model, a port or Gradio is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m models.demo", description="Serve a web page to try models with photos or a webcam."
    )
    option = parser.add_argument
    option(
        "--model",
        nargs="+",
        default=["best"],
        metavar="PATH",
        help="names in --results, or model files, compared side by side (default: the best)",
    )
    option("--results", default=DEFAULT_RESULTS, help="where names are looked up (default: %(default)s)")
    option(
        "--host",
        default="127.0.0.1",
        help="address to serve on (default: %(default)s, which only this machine can reach)",
    )
    option("--port", type=int, choices=range(1, 65536), metavar="N", help="(default: the first free one from 7860 on)")
    prepare_streams()
    args = parser.parse_args(argv)
    # Gradio and what it brings ask these when they are imported.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    with tempfile.TemporaryDirectory(prefix="fer-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                # Gradio would try sixty ports of a host that this machine has not, each with a message.
                family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
                socket.create_server((args.host, args.port or 0), family=family).close()
                recognizers = load_models(args.model, args.results, exact=False)
            print_notes(caught, recognizers)
            launch(build_page(recognizers, BlazeFace()), args.host, args.port)
        except ModuleNotFoundError as error:
            print(f"error: needs {error.name}: {pip_install(error.name or '')}", file=sys.stderr)
            return 2
        except ArtifactError as error:
            print(f"error: {one_line(str(error))}", file=sys.stderr)
            return 2
        except OSError as error:
            about_file, about_address = explain(error, Path(args.results)), f"{error}: give another --host or --port"
            print(f"error: {one_line(about_file if error.filename else about_address)}", file=sys.stderr)
            return 2
    return 0


def _corners(face: Face, scale: float) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom in pixels of the reduced photo, none below 0."""
    corners = (face.left, face.top, face.left + face.width, face.top + face.height)
    left, top, right, bottom = (max(0, round(scale * corner)) for corner in corners)
    return left, top, right, bottom


if __name__ == "__main__":
    sys.exit(main())
