"""Import of Keras: always the same way, with this project's settings, and never in a forked process."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from models.files.streams import silenced_stderr

BACKENDS = ("tensorflow", "jax", "torch", "openvino", "flax")
# What Keras takes from keras.json, from variables or from its user, and what results depend on.
SETTINGS = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "max_epochs": None,
    "max_steps_per_epoch": None,
}

_counting = Lock()
_inside = 0
_before: dict[str, Any] = {}
_process: int | None = None


class KerasError(ImportError):
    """Keras cannot be used here; the message says the fix."""


def import_keras() -> Any:
    """Return the `keras` module, its backend's ops deterministic and its greeting on standard error left out.

    Raises
    ------
    KerasError
        If it cannot be imported, for its backend or its settings.
    """
    global _process
    if "keras" in sys.modules:
        return importlib.import_module("keras")  # which waits where another thread is at it
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    # TensorFlow leaves oneDNN, twice as fast, to processors with AVX512_VNNI unless it is asked.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Several processes share a GPU: a run, the one that started it, and one that measures.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with silenced_stderr():
        keras = _imported()
    if keras.backend.backend() != "tensorflow":  # which alone starts no threads when it is imported
        _process = _process or os.getpid()
    return keras


@cache
def gpu_is_seen() -> bool:
    """Return whether Keras sees a GPU."""
    try:
        devices = import_keras().distribution.list_devices()  # JAX fails if it is asked for GPUs and has none
    except AttributeError:  # on PyTorch Keras lists nothing
        return False
    return any(device.startswith("gpu") for device in devices)


@contextmanager
def keras_settings() -> Iterator[Any]:
    """Use Keras with the settings of this project, and restore the user's afterwards; yields the `keras` module.

    Raises
    ------
    KerasError
        If the process was forked from one that used Keras: its threads stayed there, and Keras would wait for them for
        ever.
    """
    global _inside, _process
    if _process not in (None, os.getpid()):
        raise KerasError(
            "Keras was used before this process was forked, and hangs after a fork: start processes with "
            "multiprocessing.get_context('spawn'), or load the network's copy (.tflite), which needs no Keras"
        )
    keras = import_keras()
    with _counting:
        _process = os.getpid()
        policy = keras.config.dtype_policy()  # each thread has its own, made of floatx at first
        if not _inside:
            _before.update({name: getattr(keras.config, name)() for name in SETTINGS})
        _inside += 1
        _set(keras, SETTINGS)
    keras.config.set_dtype_policy("float32")
    try:
        yield keras
    finally:
        keras.config.set_dtype_policy(policy)
        with _counting:
            _inside -= 1
            if not _inside:
                _set(keras, _before)


def _set(keras: Any, settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        getattr(keras.config, f"set_{name}")(value)


def _imported() -> Any:
    try:
        return importlib.import_module("keras")
    except ModuleNotFoundError as error:
        _drop_failed_import()
        if error.name not in BACKENDS:
            raise
        raise KerasError(
            f"Keras is set to the backend {error.name}, which is not installed: pip install {error.name}, or set the "
            "variable KERAS_BACKEND=tensorflow"
        ) from error
    except Exception:  # whatever a bad keras.json leads to
        _drop_failed_import()
    home = os.environ.get("KERAS_HOME")
    try:
        with TemporaryDirectory() as os.environ["KERAS_HOME"]:
            return importlib.import_module("keras")
    except Exception as error:
        _drop_failed_import()
        raise KerasError(f"Keras cannot be imported ({error}): check the variables KERAS_* and TF_*") from error
    finally:
        if home is None:
            del os.environ["KERAS_HOME"]
        else:
            os.environ["KERAS_HOME"] = home


def _drop_failed_import() -> None:
    """Drop what a failed import of Keras leaves, so that another one does not find its settings."""
    for name in [name for name in sys.modules if name.split(".", maxsplit=1)[0] == "keras"]:
        del sys.modules[name]
