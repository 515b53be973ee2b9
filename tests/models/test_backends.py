"""Networks train and predict on another Keras backend, and their files go from one to the other."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models import load
from models.artifacts import save
from models.registry import recognizers

ROOT = Path(__file__).parents[2]
NETWORKS = [name for name, entry in recognizers().items() if entry.family == "neural"]

ON_JAX = """
import sys
import keras, numpy as np
from models import load
from models.artifacts import save
from models.registry import find
assert keras.backend.backend() == "jax"
name, folder = sys.argv[1:]
data = np.load(f"{folder}/data.npz")
there = load(f"{folder}/{name}.h5").predict_proba(data["X"])
fitted = find(name).make().set_params(epochs=1, batch_size=16)
fitted.fit(data["X"], data["y"], validation=(data["X"][:8], data["y"][:8]))
save(fitted, __import__("pathlib").Path(folder) / "jax", name, {"recognizer": name})
np.savez(f"{folder}/jax.npz", loaded=there, own=fitted.predict_proba(data["X"]), loss=fitted.history_["loss"])
"""


@pytest.mark.parametrize("name", NETWORKS)
def test_jax_reads_what_tensorflow_wrote_and_the_other_way(name, tmp_path):
    pytest.importorskip("jax")
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 256, (32, 2304), dtype=np.uint8), np.arange(32) % 7
    np.savez(tmp_path / "data.npz", X=X, y=y)
    fitted = recognizers()[name].make().set_params(epochs=1, batch_size=16).fit(X, y, validation=(X[:8], y[:8]))
    save(fitted, tmp_path, name, {"recognizer": name})
    environment = {**os.environ, "KERAS_BACKEND": "jax", "FER_BENCHMARK_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", ON_JAX, name, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
    jax = np.load(tmp_path / "jax.npz")
    np.testing.assert_allclose(jax["loaded"], fitted.predict_proba(X), atol=1e-5)
    assert np.isfinite(jax["loss"]).all()
    np.testing.assert_allclose(load(tmp_path / "jax" / f"{name}.h5").predict_proba(X), jax["own"], atol=1e-5)
