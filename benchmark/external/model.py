"""Run a model from elsewhere: an ONNX, LiteRT or Keras file, or a function."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.external.declaration import Declaration
from benchmark.external.outputs import seven_probabilities
from benchmark.external.readers import READERS, NotInstalledError, Predict, Shape
from features.rows import IMAGE_SIDE, as_images
from models.files.atomic import sha256
from models.files.code_digest import code_digest
from models.files.extras import pip_install

BATCH = 64


class ExternalModel:
    """A model from elsewhere that predicts rows.

    Parameters
    ----------
    declared : Declaration
        Of a model, not of predictions alone.
    packages : Path, optional
        Folder of unpacked packages, of ``node_modules`` too, besides the installed ones.

    Raises
    ------
    DataError
        If the model cannot be loaded or takes other images than declared.
    NotInstalledError
        If a package is missing.
    """

    def __init__(self, declared: Declaration, packages: Path | None = None) -> None:
        self.declared = declared
        self.file = model_file(declared, packages)
        self._function = declared.facts["model"] if ":" in declared.facts["model"] else ""
        try:
            self._predict, shape = self._open()
        except ModuleNotFoundError as error:
            needed = str(error.name)
            raise NotInstalledError(f"{declared.path}: needs {needed}: {_install(declared, needed)}") from error
        except NotInstalledError:
            raise
        except (Exception, SystemExit) as error:  # whatever a library raises for a file that it cannot read
            raise declared.error(f"the model cannot be loaded ({_in_short(error)}): check it") from error
        self._check_shape(shape)

    def predict_proba(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probabilities, shape (n_faces, 7), of rows of shape (n_faces, 2304).

        Raises
        ------
        DataError
            If the model fails, or if its outputs are not as declared.
        """
        facts = self.declared.facts
        outputs = []
        for start in range(0, len(rows), BATCH):
            batch = rows[start : start + BATCH]
            try:
                given = self._predict(batch if self.declared.form == "rows" else images(batch, self.declared))
            except (Exception, SystemExit) as error:  # whatever somebody else's code raises
                raise self.declared.error(f"the model fails ({_in_short(error)}): correct it") from error
            outputs.append(seven_probabilities(self.declared, given, len(batch), facts["classes"]))
        return np.concatenate([np.empty((0, 7), np.float32), *outputs])

    def _open(self) -> tuple[Predict, Shape]:
        if self._function:
            module, _, name = self._function.partition(":")
            with _folder_on_path(self.declared.path):
                function = getattr(importlib.import_module(module), name)
            return (function if self.file is None else lambda faces: function(faces, self.file)), None
        assert self.file is not None
        return READERS[self.file.suffix.lower()](self.file)

    def _check_shape(self, shape: Shape) -> None:
        facts = self.declared.facts
        if shape is None or self.declared.form == "rows":
            return
        size, channels = facts["size"], facts["channels"]
        given = (channels, size, size) if facts.get("layout") == "NCHW" else (size, size, channels)
        if len(shape) != 3 or any(isinstance(n, int) and n != m for n, m in zip(shape, given, strict=True)):
            raise self.declared.error(
                f"the model takes images of shape {tuple(shape)}, size, channels and layout say {given}: correct these"
            )


def images(rows: NDArray[np.uint8], declared: Declaration) -> NDArray[np.float32]:
    """Return rows as the images that a model takes.

    Parameters
    ----------
    rows : ndarray of shape (n_faces, 2304), dtype uint8
    declared : Declaration

    Returns
    -------
    ndarray of shape (n_faces, size, size, channels), or with the channels first, dtype float32
        Enlarged or reduced by bilinear interpolation; colour channels are equal.
    """
    facts = declared.facts
    faces, size = as_images(rows), facts["size"]
    if size != IMAGE_SIDE:
        resized = [Image.fromarray(face).resize((size, size), Image.Resampling.BILINEAR) for face in faces]
        faces = np.stack([np.asarray(face) for face in resized])
    pixels: NDArray[Any] = np.repeat(faces[..., None].astype(np.float32) / 255, facts["channels"], axis=-1)
    if "range" in facts:
        low, high = facts["range"]
        pixels = pixels * np.float32(high - low) + np.float32(low)
    else:
        pixels = (pixels - np.array(facts["mean"], np.float32)) / np.array(facts["std"], np.float32)
    return np.asarray(np.moveaxis(pixels, -1, 1) if facts.get("layout") == "NCHW" else pixels, np.float32)


def model_file(declared: Declaration, packages: Path | None = None) -> Path | None:
    """Return the file of a model, or of its weights; None for a function without weights.

    Raises
    ------
    DataError
        If the file is missing, of no known kind, or another than the declared one.
    NotInstalledError
        If its package is missing.
    """
    facts = declared.facts
    name = facts.get("weights") if ":" in facts["model"] else facts["model"]
    if name is None:
        return None
    package = facts.get("package")
    folder = _package_folder(declared, package, packages) if package else declared.path.parent
    path = folder / name
    if not path.is_file():
        raise declared.error(f"{path}: no such file: put the model there, or correct its path")
    if ":" not in facts["model"] and path.suffix.lower() not in READERS:
        known = ", ".join(READERS)
        raise declared.error(f"{path.name} is none of {known}: convert it, or name a function, package.module:function")
    if "sha256" in facts and sha256(path) != facts["sha256"]:
        fix = _install(declared, package) if package else "put the declared one there, or correct sha256"
        raise declared.error(f"{path} is another file than the declared one (sha256): {fix}")
    return path


def model_digest(declared: Declaration, file: Path | None) -> str:
    """Return what stands for the code of a model in the digest of its record: its file and its function's version.

    The version is that of the function's package, or else a digest of its code. Where the files lie does not count,
    nor does the code of this project.
    """
    module, colon, _ = declared.facts.get("model", "").partition(":")
    version = ""
    if colon and not module.startswith("benchmark."):
        with _folder_on_path(declared.path):
            distributions = metadata.packages_distributions().get(module.partition(".")[0])
            version = metadata.version(distributions[0]) if distributions else code_digest(module)
    return f"{sha256(file) if file else ''} {version}"


def _package_folder(declared: Declaration, package: str, packages: Path | None) -> Path:
    for folder in [packages / package, packages / "node_modules" / package] if packages else []:
        if folder.is_dir():
            return folder
    try:
        spec = importlib.util.find_spec(package)  # of a top-level package: nothing of it is imported
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise NotInstalledError(f"{declared.path}: {package} is not installed: {_install(declared, package)}")
    return Path(spec.submodule_search_locations[0])


def _install(declared: Declaration, package: str) -> str:
    return str(declared.facts.get("install", pip_install(package)))


def _in_short(error: BaseException) -> str:
    return ": ".join([type(error).__name__, *str(error).splitlines()[:1]])


@contextmanager
def _folder_on_path(path: Path) -> Iterator[None]:
    """Let modules beside the declaration be imported."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
