"""Ten times FER2013: 358,870 rows go through reading, description, features and the recognizers of linear cost."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmark.data import USAGES
from benchmark.data.dataset import OFFICIAL_COUNTS
from benchmark.data.synthetic import synthetic_dataset
from benchmark.experiment import peak_memory

ROOT = Path(__file__).parents[2]
TIMES = 10
MOST_MB = 12_000
QUICK = ["lbp_xgb.n_estimators=20", "cnn.epochs=1", "cnn_aug.epochs=1"]
FEATURES = """
from benchmark.data import load_dataset
from features.hog import HogDescriptor
X = load_dataset()["Training"].X
assert HogDescriptor().transform(X).shape == (len(X), 1764)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A CSV of noisy synthetic faces, no two alike."""
    path = tmp_path_factory.mktemp("large") / "faces.csv"
    drawn = synthetic_dataset(1000)["Training"]
    generator = np.random.default_rng(0)
    words = [str(level).encode() for level in range(256)]
    with path.open("wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for usage in USAGES:
            for row in range(TIMES * sum(OFFICIAL_COUNTS[usage])):
                noisy = drawn.X[row % len(drawn)] + generator.integers(-8, 9, drawn.X.shape[1])
                pixels = b" ".join([words[level] for level in noisy.clip(0, 255).tolist()])
                file.write(b"%d,%b,%b\n" % (drawn.y[row % len(drawn)], pixels, usage.encode()))
    return path


@pytest.mark.long
def test_ten_times_fer2013_stays_below_the_memory_bound(large, tmp_path, monkeypatch):
    monkeypatch.setenv("FER2013", str(large))
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "cache"))
    job = ["-m", "benchmark.run", "--results", tmp_path / "results"]
    peaks = {}
    for name, arguments in {
        "describe": ["-m", "benchmark.data", "describe", "--figure", tmp_path / "classes.png"],
        "hog": ["-c", FEATURES],
        "run": [*job, "--only", "majority", "lbp_xgb", "cnn", "cnn_aug", "--set", *QUICK],
    }.items():
        with peak_memory() as peak:
            done = subprocess.run(
                [sys.executable, *map(str, arguments)],
                cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        peaks[name] = peak.megabytes
        print(name, f"{peak.megabytes:,.0f} MB")
    assert max(peaks.values()) < MOST_MB, peaks
