"""Formats of a saved recognizer (joblib, skops, HDF5, LiteRT): which to load first, reading, writing.

=================  ================================================================================================
``.joblib``        A classical model or an ensemble, exact. It can run code when it is read.
``.skops``         Its copy that runs no code when it is read.
``.h5``            A network without optimizer (HDF5), exact.
``.tflite``        Its copy in LiteRT's format, which answers without TensorFlow.
``.int8.tflite``   The same in eight bits: a quarter of the size, several times faster, nearly the same probabilities.
=================  ================================================================================================
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator

from models.files.streams import silenced_stderr
from models.networks.keras_import import keras_settings
from models.networks.litert import LiteNetwork, LiteRecognizer
from models.registry import Entry

JOBLIB, SKOPS, HDF5, FLOAT32, EIGHT_BITS = ".joblib", ".skops", ".h5", ".tflite", ".int8.tflite"
# By the artifact's suffix, those of its copies, the best to load first.
COPY_SUFFIXES: dict[str, tuple[str, ...]] = {JOBLIB: (SKOPS,), HDF5: (EIGHT_BITS, FLOAT32)}
SUFFIXES = (*COPY_SUFFIXES, *(suffix for copies in COPY_SUFFIXES.values() for suffix in copies))
# What a skops file may hold beside what skops itself trusts (NumPy's, SciPy's and scikit-learn's types) and the
# estimators of this project.
TRUSTED_TYPES = ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier")
OWN_PACKAGES = ("features", "models")


class UnsafeError(ValueError):
    """A file holds objects that no model needs; nothing of it was loaded."""


def split_suffix(path: Path) -> tuple[str, str]:
    """Return stem and suffix of an artifact or a copy, whose suffix may have two dots."""
    suffix = max((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), key=len, default=path.suffix)
    return path.name.removesuffix(suffix), suffix


def loadable_files(path: Path, exact: bool) -> dict[str, Path]:
    """Return the files that may be loaded for a path and exist, by suffix, the best first.

    A copy that is named stands for itself; `exact` leaves out those whose probabilities are not the artifact's.
    """
    stem, suffix = split_suffix(path)
    alone = suffix not in COPY_SUFFIXES or (suffix == HDF5 and exact)
    suffixes = (() if alone else COPY_SUFFIXES[suffix]) + (suffix,)
    files = {suffix: path.with_name(stem + suffix) for suffix in suffixes}
    return {suffix: file for suffix, file in files.items() if file.is_file()}


def write_artifact(recognizer: Any, path: Path, trusted_types: Collection[str] = ()) -> None:
    """Write a fitted recognizer in the form that the suffix says.

    Parameters
    ----------
    recognizer : BaseRecognizer or Ensemble
    path : Path
    trusted_types : collection of str
        As of `models.registry.recognizer`: those that a skops file may hold too.

    Raises
    ------
    TypeError
        If this form cannot hold it: it has objects that `read_artifact` would refuse, or there is no TensorFlow to
        convert a network.
    """
    suffix = split_suffix(path)[1]
    if suffix == JOBLIB:
        joblib.dump(recognizer, path, compress=6)
    elif suffix == SKOPS:
        write_skops(recognizer, path, trusted_types)
    elif suffix == HDF5:
        with quiet("absl"):  # Keras advises another format than HDF5 every time
            recognizer.network_.save(path, include_optimizer=False)
        if recognizer.half_precision_kernels:
            _halve(path)
    else:
        _write_litert(recognizer, path)


def _halve(path: Path) -> None:
    """Store the kernels of an HDF5 file in 16 bits, which Keras reads into a float32 network."""
    import h5py

    def copy(source: Any, target: Any) -> None:
        target.attrs.update(source.attrs)
        for name, item in source.items():
            if isinstance(item, h5py.Group):
                copy(item, target.create_group(name))
            else:
                target.create_dataset(name, data=item[()].astype(np.float16 if item.ndim > 1 else item.dtype))

    content = io.BytesIO()
    with h5py.File(path) as whole, h5py.File(content, "w") as half:
        copy(whole, half)
    path.write_bytes(content.getvalue())


def read_artifact(path: Path, entry: Entry, card: Mapping[str, Any]) -> Any:
    """Read a recognizer of an entry of the registry; its card says what the file of a network does not.

    Unpickling a joblib file runs code: compare its digest with the card first.

    Raises
    ------
    UnsafeError
        If a skops file is damaged or holds objects that no model needs.
    """
    suffix = split_suffix(path)[1]
    if suffix == JOBLIB:
        return joblib.load(path)
    if suffix == SKOPS:
        return read_skops(path, entry.trusted_types)
    if suffix == HDF5:
        recognizer = type(entry.make())(**card["params"])
        with keras_settings() as keras:
            recognizer.network_ = keras.models.load_model(path, compile=False, safe_mode=True)
    else:
        # In eight bits, for speed, a face has two views instead of six.
        recognizer = LiteRecognizer(card["params"].get("zoom"), two_views=suffix == EIGHT_BITS)
        recognizer.network_ = LiteNetwork(path)
    recognizer.classes_ = np.asarray(card["classes"])
    recognizer.temperature_ = card.get("temperature", 1.0)
    return recognizer


def write_skops(recognizer: Any, path: Path, trusted_types: Collection[str] = ()) -> None:
    """Write a skops file; TypeError if it holds objects that `read_skops` would refuse."""
    import skops.io

    skops.io.dump(recognizer, path, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    strange = _strange(skops.io.get_untrusted_types(file=path), trusted_types)
    if strange:
        raise TypeError(
            f"the model holds {', '.join(strange)}: if they run no code, name them: @recognizer(trusted_types=...)"
        )


def read_skops(path: Path, trusted_types: Collection[str] = ()) -> Any:
    """Read a skops file. Types are looked at first: of unknown ones nothing is made.

    Raises
    ------
    UnsafeError
        If the file is damaged, or names other types than those of models: functions too, since loading calls them.
    """
    import skops.io

    try:
        types = skops.io.get_untrusted_types(file=path)
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # of a damaged file, nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnsafeError(f"damaged ({error})") from error
    strange = _strange(types, trusted_types)
    if strange:
        raise UnsafeError(f"holds objects that no model needs: {', '.join(strange)}")
    return skops.io.load(path, trusted=types)


def _strange(types: Collection[str], trusted_types: Collection[str]) -> list[str]:
    """Return the types that are neither trusted nor estimators of this project."""
    return [name for name in types if name not in (*TRUSTED_TYPES, *trusted_types) and not _is_own_estimator(name)]


def _is_own_estimator(name: str) -> bool:
    module, _, kind = name.rpartition(".")
    if module.split(".", maxsplit=1)[0] not in OWN_PACKAGES:
        return False
    try:
        defined = getattr(importlib.import_module(module), kind, None)
    except ImportError:
        return False
    return isinstance(defined, type) and issubclass(defined, BaseEstimator) and defined.__module__ == module


def _write_litert(recognizer: Any, path: Path) -> None:
    """Write a network for LiteRT, its weights in eight bits where the name ends in `EIGHT_BITS`.

    In eight bits, the values between the layers are rounded to 256 levels too, those of each face by themselves.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference",
    CVPR 2018. https://doi.org/10.1109/CVPR.2018.00286
    """
    # TensorFlow prints notes in two ways, and the network's signature.
    with keras_settings() as keras, quiet("tensorflow"), silenced_stderr(), redirect_stdout(io.StringIO()):
        if keras.backend.backend() != "tensorflow":
            _have_tensorflow_write(recognizer, path)
            return
        from tensorflow import lite

        converter = lite.TFLiteConverter.from_keras_model(recognizer.network_)
        if path.name.endswith(EIGHT_BITS):
            converter.optimizations = [lite.Optimize.DEFAULT]
        content = converter.convert()
    path.write_bytes(content)


def _have_tensorflow_write(recognizer: Any, path: Path) -> None:
    """Write a LiteRT file in another process, where Keras has TensorFlow, which alone makes them, as its backend."""
    code = f"import sys, joblib, pathlib, {__name__} as formats\n"
    code += "formats.write_artifact(joblib.load(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    with TemporaryDirectory() as folder:
        pickled = Path(folder, "recognizer.joblib")
        joblib.dump(recognizer, pickled)
        command = [sys.executable, "-c", code, str(pickled), str(path)]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TypeError(f"only TensorFlow makes LiteRT files, and that failed: {done.stderr.strip().splitlines()[-1]}")


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Silence a logger, except for its errors."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
