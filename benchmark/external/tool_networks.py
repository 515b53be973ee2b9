"""Networks of tools whose package holds weights alone; each takes images and the path of its weights."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def tensorflow_fer(faces: Floats, weights: Path) -> Floats:
    """Return the scores, shape (n_faces, 7), of the network that ``tensorflow_fer.emotion_recognition`` makes."""
    return np.asarray(_tensorflow_fer(weights)(faces, training=False))


@cache
def _tensorflow_fer(weights: Path) -> Any:
    from tf_keras import Sequential, applications, layers

    network = Sequential(
        [
            applications.MobileNetV2(include_top=False, weights=None, input_shape=(48, 48, 3)),
            layers.GlobalMaxPooling2D(),
            layers.Dense(128, activation="relu"),
            layers.Dense(7, activation="sigmoid"),
        ]
    )
    network.load_weights(weights.with_suffix("")).expect_partial()
    return network


def pyemotion(faces: Floats, weights: Path) -> Floats:
    """Return the scores, shape (n_faces, 7), of ``PyEmotion.networks.NetworkV2`` in evaluation mode."""
    import tensorflow as tf

    parts, x = _read_torch(weights)["network"], tf.constant(faces)
    for block, stride in {"conv_1": 1, "conv_2": 2, "conv_3": 2, "conv_4": 2}.items():
        x = tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], "REFLECT")
        x = tf.nn.conv2d(x, parts[f"{block}.1.weight"].transpose(2, 3, 1, 0), stride, "VALID")
        shape = (parts[f"{block}.2.{part}"] for part in ("running_mean", "running_var", "bias", "weight"))
        x = tf.nn.relu(tf.nn.batch_normalization(x + parts[f"{block}.1.bias"], *shape, variance_epsilon=1e-5))
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (len(faces), -1))
    x = tf.nn.relu(x @ parts["linear.0.weight"].T + parts["linear.0.bias"])
    return tf.sigmoid(x @ parts["linear.2.weight"].T + parts["linear.2.bias"]).numpy()


class _TorchUnpickler(pickle.Unpickler):
    """Makes arrays and dictionaries, and nothing else, of a file of PyTorch before 1.6."""

    _MADE = {"FloatStorage": np.float32, "LongStorage": np.int64, "OrderedDict": OrderedDict}

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if name != "_rebuild_tensor_v2" and name not in self._MADE:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array: do not load this file")
        return self._MADE.get(name, self._view)

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        _, kind, key, _, size, *_ = pid
        return self.storages.setdefault(key, np.zeros(size, kind))

    @staticmethod
    def _view(storage: NDArray[Any], start: int, shape: tuple[int, ...], *_: Any) -> NDArray[Any]:
        return storage[start : start + prod(shape)].reshape(shape)


@cache
def _read_torch(path: Path) -> Any:
    with path.open("rb") as file:
        for _ in range(3):  # magic number, version and sizes
            _TorchUnpickler(file).load()
        unpickler = _TorchUnpickler(file)
        content = unpickler.load()
        for key in _TorchUnpickler(file).load():  # the storages, each behind its length
            size = int(np.fromfile(file, np.int64, 1)[0])
            unpickler.storages[key][:] = np.fromfile(file, unpickler.storages[key].dtype, size)
    return content


def human(faces: Floats, weights: Path) -> Floats:
    """Return the probabilities, shape (n_faces, 7), of the graph beside the weights, in the format of TensorFlow.js."""
    return np.asarray(_human(weights)(faces))


@cache
def _human(weights: Path) -> Any:
    import tensorflow as tf
    from google.protobuf.json_format import ParseDict

    content = json.loads(weights.with_suffix(".json").read_text("utf-8"))
    graph = ParseDict(content["modelTopology"], tf.compat.v1.GraphDef(), ignore_unknown_fields=True)
    arrays = _read_weights(weights, content["weightsManifest"])
    for node in graph.node:
        if node.name in arrays:
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(arrays[node.name]))
        if node.op == "_FusedConv2D":  # TensorFlow.js leaves the kind of its bias out
            node.attr["TArgs"].list.type.append(tf.float32.as_datatype_enum)
    read = {name.partition(":")[0] for node in graph.node for name in node.input}
    first = next(node.name for node in graph.node if node.op == "Placeholder")
    last = next(node.name for node in graph.node if node.name not in read)
    function = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name="net"), [])
    network = function.prune(f"net/{first}:0", f"net/{last}:0")
    return lambda faces: network(tf.constant(faces))


def face_api(faces: Floats, weights: Path) -> Floats:
    """Return the probabilities, shape (n_faces, 7), of ``FaceExpressionNet``: four dense blocks and a linear layer."""
    import tensorflow as tf

    parts = _face_api(weights)

    def separable(x: Any, name: str, stride: int = 1) -> Any:
        filters = (parts[f"{name}/{part}_filter"] for part in ("depthwise", "pointwise"))
        return tf.nn.separable_conv2d(x, *filters, (1, stride, stride, 1), "SAME") + parts[f"{name}/bias"]

    x = tf.constant(faces)
    for block in ("dense0", "dense1", "dense2", "dense3"):
        if block == "dense0":
            first = tf.nn.conv2d(x, parts["dense0/conv0/filters"], 2, "SAME") + parts["dense0/conv0/bias"]
        else:
            first = separable(x, f"{block}/conv0", 2)
        total = first = tf.nn.relu(first)
        for layer in (1, 2, 3):
            total += separable(first if layer == 1 else tf.nn.relu(total), f"{block}/conv{layer}")
        x = tf.nn.relu(total)
    flat = tf.reshape(tf.nn.avg_pool2d(x, 7, 2, "VALID"), (len(faces), -1))
    return tf.nn.softmax(flat @ parts["fc/weights"] + parts["fc/bias"]).numpy()


@cache
def _face_api(weights: Path) -> dict[str, NDArray[Any]]:
    manifest = weights.with_name(f"{weights.stem}-weights_manifest.json")
    return _read_weights(weights, json.loads(manifest.read_text("utf-8")))


def _read_weights(path: Path, manifest: list[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file of weights of TensorFlow.js by name; those in eight bits as floats."""
    content, arrays, at = path.read_bytes(), {}, 0
    for weight in (weight for group in manifest for weight in group["weights"]):
        packed = weight.get("quantization", {"dtype": weight["dtype"], "scale": 1, "min": 0})
        array = np.frombuffer(content, packed["dtype"], prod(weight["shape"]), at).reshape(weight["shape"])
        at += array.nbytes
        arrays[weight["name"]] = (array * packed["scale"] + packed["min"]).astype(weight["dtype"])
    return arrays
