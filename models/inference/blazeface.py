"""BlazeFace: a small network that finds faces, run by LiteRT."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import expit

from models.artifacts.save_load import ArtifactError
from models.inference.crop import Face
from models.networks.litert import make_interpreter

# Its licence, Apache 2.0, and where it comes from are in blazeface.LICENSE.txt.
WEIGHTS = Path(__file__).with_name("blazeface.tflite")
WEIGHTS_SHA256 = "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8"
SIDE = 256
# Strides of the feature maps, and anchors at each of their points.
ANCHORS = ((16, 2), (32, 6))
# Of its six points the ears are left out.
POINTS = 4
# From this size on, faces may be too small in the reduced photo: its parts are searched too.
LARGE = 1024


class BlazeFace:
    """The 256x256 "back camera" network of MediaPipe.

    Parameters
    ----------
    threshold : float
        Smallest score of a face, 0-1.
    overlap : float
        Boxes that share more than this part of the smaller one are one face.

    References
    ----------
    V. Bazarevsky, Y. Kartynnik, A. Vakunov, K. Raveendran and M. Grundmann, "BlazeFace: sub-millisecond neural face
    detection on mobile GPUs", 2019. https://arxiv.org/abs/1907.05047
    """

    # The best alone, and one beside it: results/fer2013/framings.csv, by `python -m benchmark.scenes --framings`
    framings: tuple[tuple[float, float], ...] = ((1.2, -0.03), (1.0, -0.1))

    def __init__(self, threshold: float = 0.5, overlap: float = 0.4) -> None:
        self.threshold = threshold
        self.overlap = overlap

    def detect(self, photo: NDArray[np.uint8]) -> list[Face]:
        """Return the faces of a grey photo of shape (height, width), the surest first.

        A large photo is searched as a whole and in nine overlapping parts.
        """
        boxes = np.vstack([self._detect_window(photo, *window) for window in _windows(*photo.shape)])
        faces = []
        for row in merge_boxes(boxes, self.overlap).tolist():
            left, top, width, height, score, *points = row
            pairs = tuple(zip(points[::2], points[1::2], strict=True))
            faces.append(Face(left, top, width, height, score, pairs))
        return faces

    def _detect_window(
        self, photo: NDArray[np.uint8], top: int, left: int, height: int, width: int
    ) -> NDArray[np.float64]:
        """Return rows of left, top, width, height, score, and x and y of four points, in pixels of the photo."""
        side = max(height, width)
        size = (max(1, round(width * SIDE / side)), max(1, round(height * SIDE / side)))
        part = Image.fromarray(photo[top : top + height, left : left + width]).resize(size, Image.Resampling.BILINEAR)
        image = np.zeros((SIDE, SIDE), np.float32)
        image[: size[1], : size[0]] = np.asarray(part)
        run, inputs, outputs = self._network
        run.set_tensor(inputs, np.repeat((image / 127.5 - 1)[None, :, :, None], 3, axis=3))
        run.invoke()
        boxes, scores = (run.get_tensor(output)[0] for output in outputs)
        scores = expit(scores[:, 0].astype(float))
        anchors = SIDE * _anchors()
        centres = boxes[:, :2] + anchors
        sure = (scores >= self.threshold) & (centres > 0).all(axis=1) & (centres < size).all(axis=1)
        boxes, zoom = boxes[sure, : 4 + 2 * POINTS].astype(float), side / SIDE
        corners = (centres[sure] - boxes[:, 2:4] / 2) * zoom + (left, top)
        points = (boxes[:, 4:].reshape(-1, POINTS, 2) + anchors[sure, None]) * zoom + (left, top)
        return np.column_stack([corners, boxes[:, 2:4] * zoom, scores[sure], points.reshape(-1, 2 * POINTS)])

    @cached_property
    def _network(self) -> tuple[Any, int, list[int]]:
        run = make_interpreter(_weights())
        return run, run.get_input_details()[0]["index"], [output["index"] for output in run.get_output_details()]


def merge_boxes(boxes: NDArray[np.float64], overlap: float) -> NDArray[np.float64]:
    """Return one row for each face: the mean of the boxes around it, weighted by their scores; the surest first.

    Parameters
    ----------
    boxes : ndarray of shape (n_boxes, 5 or more)
        Left, top, width, height, score, and other values in pixels.
    overlap : float
        Boxes that share more than this part of the smaller one are one face.
    """
    left = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    merged = []
    while len(left):
        first = left[0]
        low = np.maximum(left[:, :2], first[:2])
        high = np.minimum(left[:, :2] + left[:, 2:4], first[:2] + first[2:4])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        same = shared > overlap * np.minimum(np.prod(left[:, 2:4], axis=1), np.prod(first[2:4]))
        same[0] = True
        mean = np.average(left[same], axis=0, weights=left[same, 4])
        mean[4] = first[4]
        merged.append(mean)
        left = left[~same]
    return np.array(merged).reshape(-1, boxes.shape[1])


def _windows(height: int, width: int) -> Iterator[tuple[int, int, int, int]]:
    yield 0, 0, height, width
    if max(height, width) >= LARGE:
        for row in range(3):
            for column in range(3):
                yield row * height // 4, column * width // 4, max(1, height // 2), max(1, width // 2)


@cache
def _anchors() -> NDArray[np.float64]:
    """Return the centres of the anchors, shape (896, 2), from 0 to 1."""
    points = []
    for stride, count in ANCHORS:
        middle = (np.arange(SIDE // stride) + 0.5) * stride / SIDE
        y, x = np.meshgrid(middle, middle, indexing="ij")
        points.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), count, axis=0))
    return np.concatenate(points)


def _weights() -> bytes:
    content = WEIGHTS.read_bytes()
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise ArtifactError(f"{WEIGHTS}: damaged or changed (SHA-256 differs): install fer-benchmark again")
    return content
