"""A page to try models on: ``python -m models.demo``."""

from __future__ import annotations

import argparse
import base64
import io
import os
import socket
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.artifacts import DEFAULT_RESULTS, ArtifactError
from models.blazeface import BlazeFace
from models.faces import Detector, Face, find_faces
from models.files import explain
from models.labels import EMOTIONS
from models.photos import MEGAPIXELS, PhotoError, read_photo, squeeze
from models.plots import COLOURS
from models.prediction import all_emotions, load_models, print_notes
from models.streams import one_line, prepare_streams

LARGEST_UPLOAD = "20mb"
SHOWN_SIDE = 1200
INTRODUCTION = f"""# Faces and what models see in them

Drop a photo ({LARGEST_UPLOAD[:-2]} MB and {MEGAPIXELS} megapixels at most) or use the webcam. It goes to the
machine that serves this page and no further, and is deleted once it was looked at. An expression is not an emotion:
these are guesses at what annotators would say.
"""


@dataclass(frozen=True)
class Answer:
    """What models see in a photo, and how long it took.

    Attributes
    ----------
    photo : ndarray of shape (height, width), dtype uint8
    faces : list of Face
        Empty where the whole photo was taken.
    crops : ndarray of shape (n_faces, 2304), dtype uint8
    probabilities : dict of str to ndarray of shape (n_faces, 7)
        By model, in the order of `models.EMOTIONS`.
    milliseconds : dict of str to float
        Of the detection, and of each model.
    """

    photo: NDArray[np.uint8]
    faces: list[Face]
    crops: NDArray[np.uint8]
    probabilities: Mapping[str, NDArray[np.float32]]
    milliseconds: Mapping[str, float]


def look(photo: NDArray[np.uint8], recognizers: Mapping[str, Any], detector: Detector | None) -> Answer:
    """Find the faces of a grey photo, or take it as one where there is no detector, and predict; each step timed."""
    milliseconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        milliseconds[name] = 1000 * (time.perf_counter() - start)
        return result

    faces: list[Face] = []
    if detector is None:
        crops = squeeze(photo).reshape(1, -1)
    else:
        faces, crops = timed("finding faces", partial(find_faces, photo, detector))
    shown = recognizers if len(crops) else {}
    predicted = {name: timed(name, partial(all_emotions, each, crops)) for name, each in shown.items()}
    return Answer(photo, faces, crops, predicted, milliseconds)


def to_html(answer: Answer) -> str:
    """Return an answer as a part of a page that holds its pictures itself."""
    photo = Image.fromarray(answer.photo)
    photo.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    height, width = answer.photo.shape
    people = [
        {
            "box": answer.faces[number] if answer.faces else None,
            "colour": COLOURS[number % len(COLOURS)],
            "crop": _embedded(Image.fromarray(crop.reshape(48, 48)), "PNG"),
            "models": {name: values[number].tolist() for name, values in answer.probabilities.items()},
        }
        for number, crop in enumerate(answer.crops)
    ]
    return _template().render(
        photo=_embedded(photo, "JPEG"),
        width=width,
        height=height,
        people=people,
        emotions=EMOTIONS,
        milliseconds=answer.milliseconds,
    )


def build_page(recognizers: Mapping[str, Any], detector: Detector) -> Any:
    """Return the page, a `gradio.Blocks`: a photo or a webcam's picture goes in, boxes and bars come out."""
    import gradio as gr

    def answer(path: str | None, whole: bool) -> tuple[str, None]:
        if path is None:
            return "", None
        try:
            return to_html(look(read_photo(path), recognizers, None if whole else detector)), None
        except PhotoError as error:
            return _template().render(error=str(error)), None
        finally:
            Path(path).unlink(missing_ok=True)

    page = gr.Blocks(title="fer-benchmark", analytics_enabled=False, delete_cache=(60, 60))
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
                result = gr.HTML(padding=False)
        for source, given in ((file, file.upload), (webcam, webcam.input)):
            # One at a time: neither the detector nor every model is safe to use from several threads.
            given(answer, [source, whole], [result, source], concurrency_limit=1, concurrency_id="look")
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
        css=(resources.files("models") / "demo.css").read_text("utf-8"),
        footer_links=[],
        ssr_mode=False,
        enable_monitoring=False,
        **options,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if a model, a port or Gradio cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m models.demo", description="A page to try models on.")
    option = parser.add_argument
    option("--model", nargs="+", default=["best"], metavar="PATH", help="artifacts, side by side (default: the best)")
    option("--results", default=DEFAULT_RESULTS, help="where 'best' is looked up (default: %(default)s)")
    option("--host", default="127.0.0.1", help="address to serve on; others than this one can reach you from elsewhere")
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
            package = "'fer-benchmark[demo]'" if error.name == "gradio" else error.name
            print(f"error: needs {error.name}: pip install {package}", file=sys.stderr)
            return 2
        except ArtifactError as error:
            print(f"error: {one_line(str(error))}", file=sys.stderr)
            return 2
        except OSError as error:
            said = explain(error, Path(args.results)) if error.filename else f"{error}: give another --host or --port"
            print(f"error: {one_line(said)}", file=sys.stderr)
            return 2
    return 0


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("models", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("demo.html")


def _embedded(image: Image.Image, form: str) -> str:
    file = io.BytesIO()
    image.save(file, form, quality=85)
    return f"data:image/{form.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


if __name__ == "__main__":
    sys.exit(main())
