"""Measure how fast a video becomes rows on one core, by this package and by tools that people install."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from tqdm.auto import tqdm

from benchmark.data import DataError
from benchmark.external.readers import NotInstalledError
from benchmark.runs.latency import keep_to_one_core, measured
from models import ArtifactError
from models.files.extras import pip_install
from models.files.streams import one_line, prepare_streams

VIDEO_SPEED = "video_speed.csv"  # what `benchmark.speed --video` writes
OURS = "fer-benchmark"
SIZE, RATE, FRAMES, TURNS = (640, 480), 25, 50, 3
# Middles and sides of the moving pictures, in pixels, by their number.
PLACES = {
    1: [(320, 240, 400)],
    5: [(115, 120, 215), (320, 125, 230), (525, 120, 210), (210, 350, 240), (435, 350, 220)],
}
# Returns how many faces it found in all frames of a video.
Tool = Callable[[Path], int]


def frame_rates(root: Path) -> pd.DataFrame:
    """Return how many frames a second the default model of a results folder and the installed tools take.

    Each runs in a process of its own, in turns; the seconds are those of the processor, so that other work on the
    machine counts little. A note is printed about each tool that cannot run.

    Returns
    -------
    DataFrame
        Columns ``tool``, ``faces`` in each frame, ``found``, their mean number that was found, and
        ``frames_per_second``, from the file to the rows: the median of the turns.

    Raises
    ------
    ArtifactError
        If there is no model in the folder.
    DataError
        If PyAV is not installed.
    """
    if find_spec("av") is None:
        raise DataError(f"a video needs PyAV: {pip_install('av')}")
    turns: list[dict[str, Any]] = []
    with TemporaryDirectory() as folder:
        clips = [str(write_clip(Path(folder) / f"{faces}.mp4", faces)) for faces in PLACES]
        tools = [*TOOLS]
        for name in tqdm(tools * TURNS, unit="turn", disable=None, leave=False):
            try:
                turns += measured("benchmark.runs.frame_rate", name, str(root), *clips) if name in tools else []
            except ArtifactError as error:
                if name == OURS:
                    raise
                tools.remove(name)
                print(f"note: {one_line(str(error))}", file=sys.stderr)
    return pd.DataFrame(turns).groupby(["tool", "faces"], sort=False).median().reset_index()


def main(arguments: Sequence[str]) -> int:
    """Print JSON for a tool, a results folder and the two videos: the rows of `frame_rates`, of one turn."""
    keep_to_one_core()
    prepare_streams()
    name, root, *clips = arguments
    tool = TOOLS[name](Path(root))
    rows = []
    for faces, clip in zip(PLACES, clips, strict=True):
        found = tool(Path(clip))
        start = time.process_time()
        tool(Path(clip))
        seconds = time.process_time() - start
        rows.append({"tool": name, "faces": faces, "found": found / FRAMES, "frames_per_second": FRAMES / seconds})
    print(json.dumps(rows))
    return 0


def write_clip(path: Path, faces: int) -> Path:
    """Write a video of two seconds in which one face or five move by half their width a second; return its path.

    The face is that of NASA's portrait of Eileen Collins, which scikit-image carries, before her suit.
    """
    import av
    from skimage import data

    portrait = Image.fromarray(data.astronaut())
    head, suit = portrait.crop((85, 0, 365, 280)), portrait.crop((0, 300, 512, 512)).resize(SIZE)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "18"})
        stream.width, stream.height = SIZE
        for number in range(FRAMES):
            picture = suit.copy()
            for place, (x, y, side) in enumerate(PLACES[faces]):
                turn = 2 * np.pi * number / FRAMES + place
                size = round(side * (1 + 0.05 * np.sin(turn)))
                left, top = x + 0.07 * side * np.cos(turn) - size / 2, y + 0.03 * side * np.sin(turn) - size / 2
                picture.paste(head.resize((size, size)), (round(left), round(top)))
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    return path


def _ours(root: Path) -> Tool:
    from models.inference.pipeline import load_models, predict_images

    recognizers = [*load_models("best", root, exact=False).values()]
    return lambda clip: int(predict_images(clip, recognizers, every=0)["emotion"].count())


def _fer(mtcnn: bool) -> Tool:
    if mtcnn:
        import facenet_pytorch  # noqa: F401  PyTorch crashes where TensorFlow came before it
    from fer.fer import FER

    tool = FER(mtcnn=mtcnn)
    return lambda clip: sum(len(tool.detect_emotions(frame)) for frame in _frames(clip))


def _deepface() -> Tool:
    from deepface.commons.folder_utils import get_deepface_home

    weights = Path(get_deepface_home(), ".deepface", "weights", "facial_expression_model_weights.h5")
    if not weights.is_file():
        raise NotInstalledError(f"{weights} is not here: call DeepFace.analyze once, which downloads it")
    from deepface import DeepFace

    def count(frame: NDArray[np.uint8]) -> int:
        faces = DeepFace.analyze(frame, actions=["emotion"], enforce_detection=False, silent=True)
        return sum(face["face_confidence"] > 0 for face in faces)

    return lambda clip: sum(map(count, _frames(clip)))


def _frames(clip: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames as these tools' users read them."""
    import cv2

    video = cv2.VideoCapture(str(clip))
    while (read := video.read())[0]:
        yield read[1]


TOOLS: dict[str, Callable[[Path], Tool]] = {
    OURS: _ours,
    "fer": lambda _: _fer(mtcnn=False),
    "fer, MTCNN": lambda _: _fer(mtcnn=True),
    "deepface": lambda _: _deepface(),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
