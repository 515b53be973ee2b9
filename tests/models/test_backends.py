"""Networks train and predict on another Keras backend, and their files go from one to the other."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import load
from models.artifacts.formats import COPY_SUFFIXES, HDF5
from models.artifacts.save_load import save
from models.registry import recognizers

pytestmark = [pytest.mark.slow, pytest.mark.trains]

ROOT = Path(__file__).parents[2]
NETWORKS = sorted(name for name, entry in recognizers().items() if entry.family == "neural" and entry.tier == "cpu")
LONGEST = {"cnn_deep": pytest.mark.long}

ON_JAX = """
import pathlib, sys
import keras, numpy as np
from models import load
from models.artifacts.save_load import save
from models.registry import find_recognizer
assert keras.backend.backend() == "jax"
folder = pathlib.Path(sys.argv[1])
data = np.load(folder / "data.npz")
loaded = load(folder / "network.h5").predict_proba(data["X"])
own = find_recognizer(sys.argv[2]).make().set_params(epochs=1, batch_size=16)
own.fit(data["X"], data["y"], validation=(data["X"][:8], data["y"][:8]))
save(own, folder / "jax", "network", {"recognizer": sys.argv[2]})
np.savez(folder / "jax.npz", loaded=loaded, own=own.predict_proba(data["X"]), loss=own.history_["loss"])
"""


@pytest.fixture(scope="module")
def faces_and_labels():
    return np.random.default_rng(0).integers(0, 256, (32, 2304), dtype=np.uint8), np.arange(32) % 7


@pytest.fixture(scope="module", params=[pytest.param(name, marks=LONGEST.get(name, ())) for name in NETWORKS])
def folder(request, tmp_path_factory, faces_and_labels):
    """A network fitted and saved on TensorFlow; on JAX, loaded from there and fitted too."""
    pytest.importorskip("jax")
    folder = tmp_path_factory.mktemp("backends")
    X, y = faces_and_labels
    np.savez(folder / "data.npz", X=X, y=y)
    fitted = recognizers()[request.param].make().set_params(epochs=1, batch_size=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COPY_SUFFIXES, HDF5, ())  # the copies of what JAX trained are looked at
        save(fitted.fit(X, y, validation=(X[:8], y[:8])), folder, "network", {"recognizer": request.param})
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, "-c", ON_JAX, str(folder), request.param]
    run = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder


def test_jax_predicts_the_same_from_a_file_of_tensorflow(folder, faces_and_labels):
    there = load(folder / "network.h5").predict_proba(faces_and_labels[0])
    np.testing.assert_allclose(np.load(folder / "jax.npz")["loaded"], there, atol=1e-5)


def test_what_jax_trained_is_read_by_tensorflow(folder, faces_and_labels):
    jax = np.load(folder / "jax.npz")
    assert np.isfinite(jax["loss"]).all()
    loaded = load(folder / "jax" / "network.h5").predict_proba(faces_and_labels[0])
    np.testing.assert_allclose(loaded, jax["own"], atol=1e-5)


def test_jax_has_tensorflow_write_the_copies_that_need_no_keras(folder, faces_and_labels):
    copy = load(folder / "jax" / "network.tflite").predict_proba(faces_and_labels[0])
    np.testing.assert_allclose(copy, np.load(folder / "jax.npz")["own"], atol=1e-5)
    assert (folder / "jax" / "network.int8.tflite").is_file()


def test_blocks_of_steps_on_jax():
    pytest.importorskip("jax")
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "tests/models/networks/on_jax.py"]
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    run = subprocess.run(command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
