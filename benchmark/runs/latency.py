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
    command = [sys.executable, "-m", "benchmark.runs.latency", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        from models import ArtifactError

        raise ArtifactError(f"{path}: cannot be timed: {errors[-1]}")
    return json.loads(done.stdout)


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
    option("path", type=Path, help="a model file of a results folder; with --foreign, any other .tflite or .hdf5")
    option("--quick", action="store_true", help="use the networks' files in eight bits")
    option(
        "--foreign",
        action="store_true",
        help="the file is no model of this project: time its network alone, on images of its size",
    )
    args = parser.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):  # elsewhere, on all cores
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # as all others, a network that a GPU trained is timed on one core
    # These libraries count the cores when they are imported.
    import numpy as np
    import psutil

    from models.files.streams import prepare_streams

    prepare_streams()
    try:
        predict, shape = _foreign(args.path) if args.foreign else _ours(args.path, exact=not args.quick)
    except (OSError, ValueError) as error:  # an `ArtifactError` is a ValueError
        print(f"error: {error}", file=sys.stderr)
        return 2
    faces: np.ndarray = np.random.default_rng(0).integers(0, 256, (LATENCY_BATCH, *shape), dtype=np.uint8)
    if args.foreign:
        faces = faces.astype(np.float32) / np.float32(255)
    predict(faces[:1])
    costs = {"load_seconds": time.perf_counter() - start}
    costs["one_ms"] = 1000 * median(_seconds(predict, faces[face : face + 1]) for face in range(ONE_BY_ONE))
    predict(faces)
    costs["batch_ms"] = 1000 * median(_seconds(predict, faces) for _ in range(BATCHES)) / LATENCY_BATCH
    costs["memory_mb"] = psutil.Process().memory_info().rss / 1e6
    print(json.dumps(costs))
    return 0


def _seconds(predict: Callable[[Any], Any], faces: Any) -> float:
    start = time.perf_counter()
    predict(faces)
    return time.perf_counter() - start


def _ours(path: Path, exact: bool) -> tuple[Callable[[Any], Any], tuple[int, ...]]:
    from models import load

    return load(path, exact=exact).predict_proba, (2304,)


def _foreign(path: Path) -> tuple[Callable[[Any], Any], tuple[int, ...]]:
    if path.suffix == ".tflite":
        from models.networks.litert import LiteNetwork

        network = LiteNetwork(path)
        return network, network.shape
    import numpy as np

    from models.networks.keras_recognizer import import_keras

    network = import_keras().models.load_model(path, compile=False)
    return lambda faces: np.asarray(network(faces, training=False)), tuple(network.inputs[0].shape[1:])


if __name__ == "__main__":
    sys.exit(main())
