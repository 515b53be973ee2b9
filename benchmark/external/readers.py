"""Readers of model files: ONNX, LiteRT and Keras."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.files.extras import pip_install

Predict = Callable[[NDArray[Any]], Any]
# Size of an image as the model's file says it; None where it says nothing.
Shape = Sequence[Any] | None


class NotInstalledError(RuntimeError):
    """What a model needs is not here; the message says how to install it."""


def _onnx(path: Path) -> tuple[Predict, Shape]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]

    def predict(faces: NDArray[Any]) -> Any:
        if faces.ndim == 2:  # rows
            faces = faces.reshape(-1, *taken.shape[1:])
        step = taken.shape[0] if isinstance(taken.shape[0], int) else len(faces)
        parts = [faces[start : start + step] for start in range(0, len(faces), step)]
        return np.concatenate([session.run(None, {taken.name: part})[0] for part in parts])

    return predict, taken.shape[1:]


def _litert(path: Path) -> tuple[Predict, Shape]:
    from models.networks.litert import LiteNetwork

    network = LiteNetwork(path)
    return network, [int(side) for side in network.shape]


def _keras(path: Path) -> tuple[Predict, Shape]:
    from models.networks.keras_import import import_keras

    try:
        network = import_keras().models.load_model(path, compile=False)
    except (TypeError, ValueError) as error:  # what Keras 1 and 2 wrote, Keras 2 alone may read
        try:
            import tf_keras
        except ModuleNotFoundError:
            fix = f"if Keras 1 or 2 wrote it, {pip_install('tf_keras')}"
            raise NotInstalledError(f"{path}: Keras cannot read it ({str(error).splitlines()[0]}): {fix}") from error
        network = tf_keras.models.load_model(path, compile=False)

    def predict(faces: NDArray[np.float32]) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras remarks on how old files name their input
            return np.asarray(network(faces, training=False))

    return predict, tuple(network.inputs[0].shape[1:])


READERS: dict[str, Callable[[Path], tuple[Predict, Shape]]] = {
    ".onnx": _onnx,
    ".tflite": _litert,
    ".h5": _keras,
    ".hdf5": _keras,
    ".keras": _keras,
}
