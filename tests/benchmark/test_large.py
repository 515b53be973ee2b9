"""Ten times FER2013: 358,870 rows go through reading, description, features and the recognizers of linear cost."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.data import USAGES
from benchmark.data.dataset import OFFICIAL_COUNTS
from benchmark.data.synthetic import synthetic_dataset

ROOT = Path(__file__).parents[2]
TIMES = 10
MOST_MB = 12_000
NAMES = ["majority", "lbp_xgb", "cnn", "cnn_aug"]
QUICK = ["lbp_xgb.n_estimators=20", "cnn.epochs=1", "cnn_aug.epochs=1"]
FEATURES = """
from benchmark.data import load_dataset
from features.hog import HogDescriptor
X = load_dataset()["Training"].X
assert HogDescriptor().transform(X).shape == (len(X), 1764)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A CSV of synthetic faces under coarse noise, of which no two are copies, exact or near."""
    path = tmp_path_factory.mktemp("large") / "faces.csv"
    drawn = synthetic_dataset(1000)["Training"]
    generator = np.random.default_rng(0)
    words = [str(level).encode() for level in range(256)]
    with path.open("wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for usage in USAGES:
            for row in range(TIMES * sum(OFFICIAL_COUNTS[usage])):
                noise = np.kron(generator.integers(-60, 61, (12, 12)), np.ones((4, 4), int))
                noisy = (drawn.X[row % len(drawn)] // 2 + 60 + noise.ravel()).clip(0, 255)
                pixels = b" ".join([words[level] for level in noisy.tolist()])
                file.write(b"%d,%b,%b\n" % (drawn.y[row % len(drawn)], pixels, usage.encode()))
    return path


@pytest.mark.long
def test_ten_times_fer2013_stays_below_the_memory_bound(large, tmp_path, monkeypatch):
    monkeypatch.setenv("FER2013", str(large))
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "cache"))
    jobs = {
        "describe": ["-m", "benchmark.data", "describe", "--figure", tmp_path / "classes.png"],
        "hog": ["-c", FEATURES],
    }
    for name in NAMES:  # each in a process of its own: TensorFlow gives no memory back
        jobs[name] = ["-m", "benchmark.run", "--only", name, "--set", *QUICK, "--results", tmp_path / "results"]
    for name, arguments in jobs.items():
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        # Of the largest process so far, in kB.
        assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1000 * MOST_MB, name
