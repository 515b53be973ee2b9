"""Copies of networks in LiteRT's format, which answer without TensorFlow; in eight bits also several times faster."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from models.augmentation import views
from models.base import BaseRecognizer
from models.keras_recognizer import PREDICT_BATCH, KerasRecognizer, _images, _silenced_stderr, import_keras

FLOAT32, EIGHT_BITS = ".tflite", ".int8.tflite"


class LiteNetwork:
    """What a network computes, by LiteRT, a face at a time, so that a face's result does not depend on the others.

    Parameters
    ----------
    path : Path
        As `write` makes it.

    Attributes
    ----------
    shape : tuple of int
        Of a face.
    """

    def __init__(self, path: Path) -> None:
        self._interpreter = interpreter(path, n_threads=cpu_count())
        self._input, self._output = (
            each[0]["index"] for each in (self._interpreter.get_input_details(), self._interpreter.get_output_details())
        )
        self.shape = tuple(self._interpreter.get_input_details()[0]["shape"][1:])
        self._lock = Lock()

    def __call__(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities, shape (n_faces, n_classes), of faces of shape (n_faces, 48, 48, 1)."""
        with self._lock:
            return np.concatenate([self._run(face) for face in np.ascontiguousarray(faces)])

    def _run(self, face: NDArray[np.float32]) -> NDArray[np.float32]:
        self._interpreter.set_tensor(self._input, face[None])
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


class LiteRecognizer(BaseRecognizer):
    """A network from a LiteRT file: it predicts, and cannot be fitted.

    Parameters
    ----------
    path : Path
    zoom : float or None
        Of a network that looks at several views of a face, how far `models.augmentation.views` zooms.
    few : bool
        Of these views, take only two: the mirror image of the larger face, and the smaller face.
    """

    def __init__(self, path: Path, zoom: float | None = None, few: bool = False) -> None:
        self.path = path
        self.zoom = zoom
        self.few = few
        self.network_ = LiteNetwork(path)

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        blocks = (_images(X[start : start + PREDICT_BATCH]) for start in range(0, len(X), PREDICT_BATCH))
        return np.concatenate(
            [np.mean([self.network_(view) for view in self._views(block)], axis=0) for block in blocks]
        )

    def _views(self, faces: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        if self.zoom is None:
            return iter([faces])
        return islice(views(faces, self.zoom), 1, None, 3) if self.few and self.zoom else views(faces, self.zoom)


def interpreter(path: Path, n_threads: int = 1) -> Any:
    """Return the `Interpreter` of a LiteRT file, ready to run.

    Raises
    ------
    ValueError
        If it is none.
    """
    from ai_edge_litert.interpreter import Interpreter

    with _silenced_stderr():
        run = Interpreter(model_path=str(path), num_threads=n_threads)
        try:
            run.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(f"{path}: {error}") from error
    return run


def write(recognizer: KerasRecognizer, path: Path) -> None:
    """Write the network of a fitted recognizer, its weights in eight bits where the name ends in `EIGHT_BITS`.

    In eight bits, the values between the layers are rounded to 256 levels too, those of each face by themselves.

    Raises
    ------
    TypeError
        If Keras runs on something else than TensorFlow, which converts.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    CVPR 2018. https://doi.org/10.1109/CVPR.2018.00286
    """
    if import_keras().backend.backend() != "tensorflow":
        raise TypeError("a LiteRT file is made by TensorFlow only, and Keras runs on something else here")
    with _quiet():
        from tensorflow import lite

        converter = lite.TFLiteConverter.from_keras_model(recognizer.network_)
        if path.name.endswith(EIGHT_BITS):
            converter.optimizations = [lite.Optimize.DEFAULT]
        content = converter.convert()
    path.write_bytes(content)


def read(path: Path, card: Mapping[str, Any]) -> LiteRecognizer:
    """Read what `write` wrote; classes, views and calibration come from the card. In eight bits, the views are few."""
    recognizer = LiteRecognizer(path, card["params"].get("zoom"), few=path.name.endswith(EIGHT_BITS))
    recognizer.classes_ = np.asarray(card["classes"])
    recognizer.temperature_ = card.get("temperature", 1.0)
    return recognizer


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the conversion prints: TensorFlow's notes in two ways, and the network's signature."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with _silenced_stderr(), redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
