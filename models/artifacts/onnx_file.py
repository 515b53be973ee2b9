"""Write networks, and votes of networks alone, as one ONNX file that needs nothing of this project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.rows import IMAGE_SIDE, N_PIXELS
from models.artifacts.formats import quiet
from models.calibration import TINY
from models.files.atomic import write_whole
from models.files.streams import silenced_stderr
from models.labels import EMOTIONS
from models.networks.augmentation import views
from models.networks.keras_import import keras_settings
from models.networks.keras_recognizer import KerasRecognizer
from models.parts.ensemble import Ensemble

OPSET = 17  # of 2022, which ONNX Runtime 1.12 and its versions for JavaScript know
INPUT, OUTPUT = "faces", "probabilities"
INPUT_TYPES = ("uint8", "float32")
TOLERANCE = 1e-5
LICENCE = "MIT"


class ExportError(ValueError):
    """A recognizer cannot be exported; the message says why, and what can be."""


def write_onnx(recognizer: Any, path: Path, input_type: str = "uint8") -> float:
    """Write a loaded recognizer as an ONNX file, complete or not at all, after comparing it with the recognizer.

    The file takes faces of shape (n, 48, 48), grey levels 0-255, and returns probabilities of shape (n, n_classes): the
    views of a face, the weights of a vote and the calibration are inside. Its metadata hold the names of the classes,
    the licence, and what it was made from.

    Parameters
    ----------
    recognizer : KerasRecognizer or Ensemble
        From `models.load`, with its card.
    path : Path
    input_type : str
        ``uint8``, or ``float32`` for devices that lack the other.

    Returns
    -------
    float
        Largest difference of a probability from the recognizer's, of 64 faces.

    Raises
    ------
    ExportError
        If the recognizer is not made of networks, Keras does not run on TensorFlow, or a probability differs by more
        than 1e-5.
    ModuleNotFoundError
        If TensorFlow, or a package of the extra ``onnx``, is missing.
    """
    _check_kind(recognizer)
    model = _convert(recognizer, input_type)
    _describe(model, recognizer, input_type)
    content = model.SerializeToString()
    difference = _largest_difference(content, recognizer, input_type)
    if not difference <= TOLERANCE:
        raise ExportError(
            f"the ONNX model differs from {_name(recognizer)} by {difference:.1g}, more than {TOLERANCE:g}, and was "
            "not written: try other versions of tf2onnx and onnxruntime"
        )
    write_whole(path, content)
    return difference


def _check_kind(recognizer: Any) -> None:
    parts = getattr(recognizer, "members_", {"": recognizer})
    others = sorted(name or _name(recognizer) for name, part in parts.items() if not isinstance(part, KerasRecognizer))
    if others:
        raise ExportError(
            f"{', '.join(others)}: only networks, saved as .h5, and votes of networks alone can "
            "be exported; what the others compute of a face is code that no ONNX converter knows"
        )


def _name(recognizer: Any) -> str:
    return str(getattr(recognizer, "card_", {}).get("recognizer", type(recognizer).__name__))


def _convert(recognizer: Any, input_type: str) -> Any:
    """Return the recognizer as a `onnx.ModelProto`."""
    with keras_settings() as keras, quiet("tf2onnx"), quiet("tensorflow"), silenced_stderr():
        if keras.backend.backend() != "tensorflow":
            raise ExportError("Keras must run on TensorFlow to be exported: set the variable KERAS_BACKEND=tensorflow")
        import tensorflow as tf
        import tf2onnx

        signature = [tf.TensorSpec((None, IMAGE_SIDE, IMAGE_SIDE), input_type, name=INPUT)]

        def predict(faces: Any) -> dict[str, Any]:
            return {OUTPUT: _probabilities(tf, recognizer, tf.cast(faces, tf.float32))}

        function = tf.function(predict, input_signature=signature)
        model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    return model


def _probabilities(tf: Any, recognizer: Any, faces: Any) -> Any:
    """Return the probabilities as a tensor; what `predict_proba` of networks and of votes does, in TensorFlow."""
    if isinstance(recognizer, Ensemble):
        proba = 0.0
        for name, weight in recognizer.weights_.items():
            member = recognizer.members_[name]
            proba += weight * tf.matmul(_probabilities(tf, member, faces), _columns(member, recognizer))
    else:
        matrices = _view_matrices(getattr(recognizer, "zoom", None))
        # All views go through the network as one batch, so that the file holds it once.
        shown = [tf.matmul(tf.matmul(rows, faces), columns) for rows, columns in matrices]
        proba = recognizer.network_(tf.concat(shown, axis=0)[..., None], training=False)
        proba = tf.reduce_mean(tf.reshape(proba, (len(shown), -1, len(recognizer.classes_))), axis=0)
    if recognizer.temperature_ == 1:
        return proba
    return tf.nn.softmax(tf.math.log(tf.maximum(proba, TINY)) / recognizer.temperature_, axis=1)


def _columns(member: Any, ensemble: Any) -> NDArray[np.float32]:
    """Return the matrix that brings a member's probabilities into the columns of its ensemble."""
    return (np.asarray(member.classes_)[:, None] == np.asarray(ensemble.classes_)).astype(np.float32)


def _view_matrices(zoom: float | None) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield, for every view of a face, the two matrices A and B with which the view is A face B.

    Views zoom and mirror rows and columns separately. So the view of a face with the level 1 in row i and 0 elsewhere
    has column i of A in each of its columns, and likewise for B.
    """
    unit = np.eye(IMAGE_SIDE, dtype=np.float32)
    if zoom is None:
        yield unit, unit
        return
    one = np.ones((IMAGE_SIDE, IMAGE_SIDE, IMAGE_SIDE), np.float32)
    stripes = np.concatenate([unit[:, :, None] * one, unit[:, None, :] * one])[..., None]
    for view in views(stripes, zoom):
        rows, columns = np.split(view[..., 0], 2)
        yield rows[:, :, 0].T, columns[:, 0, :]


def _describe(model: Any, recognizer: Any, input_type: str) -> None:
    """Name the sizes of the model's input and output, and write its metadata.

    The keys ``model_author`` and ``model_license`` are those of ONNX:
    https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md
    """
    for tensor in (*model.graph.input, *model.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "n"
    card = getattr(recognizer, "card_", {})
    members = {name: member.card_["sha256"] for name, member in getattr(recognizer, "members_", {}).items()}
    about = {
        "model_name": _name(recognizer),
        "model_author": "The fer-benchmark developers",
        "model_license": LICENCE,
        "version": _version(),
        "input": f"{INPUT}: {input_type}, shape (n, {IMAGE_SIDE}, {IMAGE_SIDE}), grey faces, levels 0 (black) to 255",
        "output": f"{OUTPUT}: float32, shape (n, {len(recognizer.classes_)}), rows sum to 1, columns in the order of "
        "'classes'",
        "classes": json.dumps(_class_names(recognizer)),
        "trained_on": " ".join(str(card[key]) for key in ("dataset", "data_fingerprint") if key in card),
        "labels": card.get("protocol", {}).get("labels", "fer2013"),
        "source": card.get("artifact", ""),
        "source_sha256": card.get("sha256", ""),
        "members_sha256": json.dumps(members),
    }
    model.producer_name, model.producer_version = "fer-benchmark", about["version"]
    model.doc_string = "Probabilities of facial expressions. An expression is not an emotion; no decisions about people"
    del model.metadata_props[:]
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value)


def _class_names(recognizer: Any) -> list[str]:
    return [EMOTIONS[label] if label in range(len(EMOTIONS)) else str(label) for label in recognizer.classes_.tolist()]


def _version() -> str:
    try:
        return metadata.version("fer-benchmark")
    except metadata.PackageNotFoundError:
        return "unknown"


def _largest_difference(content: bytes, recognizer: Any, input_type: str) -> float:
    import onnx
    import onnxruntime

    onnx.checker.check_model(content, full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    rows = _probe()
    faces = rows.reshape(-1, IMAGE_SIDE, IMAGE_SIDE).astype(input_type)
    expected = recognizer.predict_proba(rows)
    together = session.run([OUTPUT], {INPUT: faces})[0]
    alone = np.concatenate([session.run([OUTPUT], {INPUT: face[None]})[0] for face in faces[::16]])
    differences = np.abs(together - expected).max(), np.abs(alone - expected[::16]).max()
    return float(np.max(differences))  # NaN where one of them is


def _probe() -> NDArray[np.uint8]:
    """Return 64 faces to compare models on: patterns of all sizes and contrasts, and the blank ones."""
    generator = np.random.default_rng(0)
    faces = [np.zeros((IMAGE_SIDE, IMAGE_SIDE)), np.full((IMAGE_SIDE, IMAGE_SIDE), 255)]
    for number in range(62):
        block = (1, 2, 4, 8, 16)[number % 5]
        levels = generator.uniform(0, 255, (IMAGE_SIDE // block, IMAGE_SIDE // block))
        faces.append(np.kron(128 + (levels - 128) * generator.uniform(0.1, 1), np.ones((block, block))))
    return np.rint(faces).astype(np.uint8).reshape(-1, N_PIXELS)
