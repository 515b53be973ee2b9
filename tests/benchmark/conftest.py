"""Records made by hand, and a small study that really ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.data import Dataset, Split
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities, Store
from benchmark.runs.study import Study
from models.artifacts.formats import COPY_SUFFIXES, HDF5
from models.registry import recognizers

QUICK = {
    "cnn": {"epochs": 2, "batch_size": 16},
    "cnn_aug": {"epochs": 2, "batch_size": 16},
    "cnn_deep": {"epochs": 1},
    "hog_svm": {"pixels_per_cell": 12},
    "lbp_xgb": {"n_estimators": 5},
    "patch_svm": {"patch_size": 9, "n_words": 20},
}


def one_hot(labels: list[int]) -> np.ndarray:
    """Return sure and valid probabilities of the given predictions."""
    return np.eye(7, dtype=np.float32)[labels] * 0.93 + 0.01


@pytest.fixture(autouse=True)
def _in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do runs without processes of their own, each of which takes seconds to start."""
    if not request.node.get_closest_marker("alone"):
        monkeypatch.setattr("benchmark.runs.study.do_alone", lambda study, run: study.do(run))
        monkeypatch.setattr("benchmark.runs.study.measure", lambda artifact: {"batch_ms": 1.0})


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """Make the record of a run with the given predictions for seven faces, one of each emotion."""

    def make(name: str, valid: list[int], test: list[int], seed: int = 0, **entries: Any) -> dict[str, Any]:
        y = np.arange(7)
        return {
            "schema": 1,
            "recognizer": name,
            "family": "classical",
            "seed": seed,
            "dataset": "custom-1234",
            "data_fingerprint": "f",
            "note": "a note",
            "n_faces": {"fit": 70, "select": 7, "report": 7},
            "protocol": vars(PROTOCOLS["kaggle"]),
            "class_weight": "balanced",
            "status": "ok",
            "error": "",
            "digest": "d",
            "params": {},
            "limit": None,
            "environment": {"platform": "p", "cores": 2, "versions": {"numpy": "2"}},
            "valid": evaluate(y, one_hot(valid)),
            "test": evaluate(y, one_hot(test)),
            "cost": {"fit_seconds": 10.0, "ms_per_face": 1.5, "artifact_mb": 2.0, "peak_memory_mb": 100.0},
            "history": {},
            "artifact": f"{name}.joblib",
            "artifact_sha256": "s",
            **entries,
        }

    return make


@pytest.fixture
def probabilities() -> Probabilities:
    """Of seven faces, one of each emotion, all right."""
    y = np.arange(7)
    return Probabilities(one_hot([*range(7)]), one_hot([*range(7)]), y, y)


@pytest.fixture(scope="session")
def fewer(faces: Dataset) -> Dataset:
    """A third of the synthetic faces."""
    return faces.limited(160)


@pytest.fixture(scope="session")
def done(fewer: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[dict[str, Any]]]:
    """The store and the records of all recognizers that need no GPU, run once; of one, two more seeds."""
    root, known = tmp_path_factory.mktemp("results") / "synthetic" / "kaggle", recognizers()
    setting = Setting(PROTOCOLS["kaggle"], overrides=QUICK)
    seeds = Study([known["cnn_deep"]], [1, 2], fewer, setting, root)
    study = Study([entry for entry in known.values() if entry.tier == "cpu"], [0], fewer, setting, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.runs.fit.TIMED_BATCH", 4)
        patch.setitem(COPY_SUFFIXES, HDF5, ())  # to convert networks takes longer than to fit these
        assert [record["status"] for _, _, record in seeds.execute()] == ["ok", "ok"]
        return study.store, [result for _, _, result in study.execute()]


@pytest.fixture
def coded() -> Callable[..., Dataset]:
    """Make faces of noise whose first seven pixels say an emotion, 255 for it: that of the label, or another."""

    def make(wrong_every: int = 3, wrong_in_training: bool = False) -> Dataset:
        rng, splits = np.random.default_rng(0), {}
        for usage, n in {"Training": 40, "PublicTest": 20, "PrivateTest": 20}.items():
            y = np.repeat(np.arange(7), n)
            said = y.copy()
            if usage != "Training" or wrong_in_training:
                said[::wrong_every] = (y[::wrong_every] + 1) % 7
            X = rng.integers(0, 200, (len(y), 2304), dtype=np.uint8)
            X[:, :7] = 255 * np.eye(7, dtype=np.uint8)[said]
            splits[usage] = Split(X, y)
        return Dataset("custom-coded", splits)

    return make


DECLARED = {
    "name": "theirs",
    "source": "https://example.org",
    "version": "1.0",
    "licence": "MIT",
    "extra_data": "none",
    "views": 1,
    "output": "probabilities",
    "model": "their_model:predict",
    "classes": ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"],
    "size": 48,
    "channels": 1,
    "range": [0.0, 1.0],
}


@pytest.fixture
def declare(tmp_path: Path) -> Callable[..., Path]:
    """Write a declaration with these keys changed, or left out where the value is None; beside it, its function."""

    def write(code: str = "", **changes: Any) -> Path:
        facts = {key: value for key, value in {**DECLARED, **changes}.items() if value is not None}
        path = tmp_path / f"{facts.get('name', 'theirs')}.toml"
        lines = [f"{key} = {_toml(value)}\n" for key, value in facts.items()]
        path.write_text("".join(lines), "utf-8")
        if code:
            module = f"their_{len(list(tmp_path.glob('their_*.py')))}_{tmp_path.name}"
            (tmp_path / f"{module}.py").write_text(code, "utf-8")
            path.write_text(path.read_text().replace("their_model:", f"{module}:"))
        return path

    return write


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(entry)}" for key, entry in value.items()) + " }"
    return json.dumps(value)
