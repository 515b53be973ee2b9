"""The oldest versions of the dependencies that are admitted do the main job, and read what the newest write."""

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    text
    for text in (*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["plot"])
    if not text.startswith("fer-benchmark")
]
JOB = ["--all", "--limit", "150", "--set", "cnn.epochs=2", "cnn_aug.epochs=1", "cnn_deep.epochs=1"]
# Prints the largest difference of any model's probabilities from those that its record has.
READS = """
import sys, warnings
from pathlib import Path
import numpy as np
import models
from benchmark.data import load_dataset
from benchmark.runs.record_store import Store
(root,) = Path(sys.argv[1]).glob("custom-*/*")
X = load_dataset(sys.argv[2], 150)["PrivateTest"].X
for record in Store(root).records():
    stored = Store(root).probabilities(record).test
    artifact = root / "models" / record["artifact"]
    for file in (artifact, artifact.with_suffix(".tflite")):
        if file.exists():
            print(file.name, np.abs(models.load(file).predict_proba(X) - stored).max())
"""


def lowest():
    """Return the oldest version of every dependency as a requirement that takes no other."""
    found = []
    for requirement in map(Requirement, REQUIREMENTS):
        (bound,) = requirement.specifier
        assert bound.operator == ">=", f"{requirement}: one lower bound, so that its oldest version is known"
        found.append(f"{requirement.name}=={bound.version}")
    return found


def test_every_dependency_has_one_lower_bound():
    assert {"numpy", "keras", "scikit-learn"} <= {requirement.partition("==")[0] for requirement in lowest()}


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    """Python with the oldest versions."""
    folder = tmp_path_factory.mktemp("oldest")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    installed = subprocess.run(
        [python, "-m", "pip", "install", "-q", *lowest()], capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    return python


def write_csv(data, path):
    rows = ["emotion,pixels,Usage"]
    for usage, split in data.splits.items():
        rows += [f"{label},{' '.join(map(str, face))},{usage}" for face, label in zip(split.X, split.y, strict=True)]
    path.write_text("\n".join(rows), "utf-8")


@pytest.mark.long
def test_the_oldest_versions_work_and_models_go_both_ways(oldest, faces, tmp_path):
    data = tmp_path / "faces.csv"
    write_csv(faces, data)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FER2013": str(data)}
    pythons = {"oldest": oldest, "newest": sys.executable}

    def run(python, *arguments):
        done = subprocess.run(
            [python, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    for name, python in pythons.items():
        run(python, "-m", "benchmark.run", *JOB, "--results", name)
    for reader, writer in (("oldest", "newest"), ("newest", "oldest")):
        lines = run(pythons[reader], "-c", READS, writer, data).splitlines()
        differences = {name: float(value) for name, value in map(str.split, lines)}
        assert len(differences) == 10 + 3, "each, and the copies of the networks"
        assert all(value < 1e-5 for value in differences.values()), (reader, differences)
