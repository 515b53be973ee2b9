"""Measure how fast one model predicts on one core: ``python -m benchmark.runs.latency results/…/cnn.h5``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

SPEED = "speed.csv"  # what `benchmark.speed` writes
LATENCY_BATCH = 64
ONE_BY_ONE = 10
BATCHES = 5


def measure(path: Path, *options: str) -> dict[str, float]:
    """Return what `main` prints for a model, measured in a process of its own.

    Raises
    ------
    ArtifactError
        If the model cannot be loaded.
    """
    return measured("benchmark.runs.latency", str(path), *options)


def measured(module: str, *arguments: str) -> Any:
    """Return what a module prints last, as JSON, run in a process of its own.

    Raises
    ------
    ArtifactError
        If it fails.
    """
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        from models import ArtifactError

        raise ArtifactError(f"{arguments[0]}: cannot be timed: {errors[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(argv: Sequence[str] | None = None) -> int:
    """Print one JSON object: ``load_seconds``, ``one_ms``, ``batch_ms`` (a face) and ``memory_mb``.

    Returns
    -------
    int
        0, or 2 where the model cannot be used.
    """
    start = time.perf_counter()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.runs.latency",
        description="Time a model on one core: a face at a time, and in batches of 64. The faces are random.",
    )
    option = parser.add_argument
    option("path", type=Path, help="a model file of a results folder, or the declaration (.toml) of another model")
    option("--quick", action="store_true", help="use the networks' files in eight bits")
    option("--packages", type=Path, metavar="DIR", help="of a declared model, as for benchmark.score")
    args = parser.parse_args(argv)
    keep_to_one_core()
    # These libraries count the cores when they are imported.
    import numpy as np
    import psutil

    from models.files.streams import prepare_streams

    prepare_streams()
    try:
        predict = _loaded(args)
    except (OSError, ValueError, RuntimeError) as error:  # an `ArtifactError` is a ValueError
        print(f"error: {error}", file=sys.stderr)
        return 2
    faces: np.ndarray = np.random.default_rng(0).integers(0, 256, (LATENCY_BATCH, 2304), dtype=np.uint8)
    predict(faces[:1])
    costs = {"load_seconds": time.perf_counter() - start}
    costs["one_ms"] = 1000 * median(_seconds(predict, faces[face : face + 1]) for face in range(ONE_BY_ONE))
    predict(faces)
    costs["batch_ms"] = 1000 * median(_seconds(predict, faces) for _ in range(BATCHES)) / LATENCY_BATCH
    costs["memory_mb"] = psutil.Process().memory_info().rss / 1e6
    print(json.dumps(costs))
    return 0


def keep_to_one_core() -> None:
    """Keep this process to one core, where the system can, and off a GPU; before libraries count the cores."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # as all others, a network that a GPU trained is timed on one core


def _seconds(predict: Callable[[Any], Any], faces: Any) -> float:
    start = time.perf_counter()
    predict(faces)
    return time.perf_counter() - start


def _loaded(args: argparse.Namespace) -> Callable[[Any], Any]:
    if args.path.suffix == ".toml":
        from benchmark.external.declaration import read_declaration
        from benchmark.external.model import ExternalModel

        return ExternalModel(read_declaration(args.path), args.packages).predict_proba
    from models import load

    return load(args.path, exact=not args.quick).predict_proba


if __name__ == "__main__":
    sys.exit(main())
