"""Networks run by LiteRT: without TensorFlow, and in eight bits several times faster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.base import BaseRecognizer
from models.files.streams import silenced_stderr
from models.networks.augmentation import views
from models.networks.keras_recognizer import batches


class LiteNetwork:
    """A network run by LiteRT, a face at a time, so that a face's result does not depend on the others.

    Parameters
    ----------
    path : Path
        A LiteRT file. It is read whole, so that pickles and forked processes do not need the file.

    Attributes
    ----------
    shape : tuple of int
        Of a face.
    """

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()
        self._start()

    def __call__(self, faces: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities, shape (n_faces, n_classes), of faces of shape (n_faces, 48, 48, 1)."""
        if self._running[-1] != os.getpid():  # at the fork, another thread may have held the lock
            self._start()
        run, lock, _ = self._running
        source, target = (details[0]["index"] for details in (run.get_input_details(), run.get_output_details()))

        def predict(face: NDArray[np.float32]) -> NDArray[np.float32]:
            run.set_tensor(source, face[None])
            run.invoke()
            return run.get_tensor(target)

        with lock:
            return np.concatenate([predict(face) for face in np.ascontiguousarray(faces)])

    def __getstate__(self) -> bytes:
        return self._content

    def __setstate__(self, content: bytes) -> None:
        self._content = content
        self._start()

    def _start(self) -> None:
        run = make_interpreter(self._content)
        self.shape = tuple(run.get_input_details()[0]["shape"][1:])
        self._running = run, Lock(), os.getpid()


class LiteRecognizer(BaseRecognizer):
    """A network from a LiteRT file: it predicts, and cannot be fitted.

    Parameters
    ----------
    zoom : float or None
        Of a network that looks at several views of a face, how far `models.networks.augmentation.views` zooms.
    two_views : bool
        Of these views, take only two: the mirror image of the larger face, and the smaller face.
    """

    network_: LiteNetwork

    def __init__(self, zoom: float | None = None, two_views: bool = False) -> None:
        self.zoom = zoom
        self.two_views = two_views

    def _predict_proba(self, X: NDArray[np.uint8]) -> NDArray:
        return np.concatenate(
            [np.mean([self.network_(view) for view in self._views(faces)], axis=0) for faces in batches(X)]
        )

    def _views(self, faces: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        if self.zoom is None:
            return iter([faces])
        return islice(views(faces, self.zoom), 1, None, 3) if self.two_views and self.zoom else views(faces, self.zoom)


def make_interpreter(content: bytes) -> Any:
    """Return the `Interpreter` of what a LiteRT file holds, ready to run.

    It has one thread: a face is too little work to share, and a process forked from this one has no other threads.

    Raises
    ------
    ValueError
        If `content` is no LiteRT model.
    """
    from ai_edge_litert.interpreter import Interpreter

    with silenced_stderr():
        run = Interpreter(model_content=content, num_threads=1)
        try:
            run.allocate_tensors()
        except RuntimeError as error:
            raise ValueError(str(error)) from error
    return run
