"""Records made by hand, and a small study that really ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from benchmark.data import Dataset
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities, Store
from benchmark.runs.study import Study
from models.registry import recognizers

QUICK = {
    "cnn": {"epochs": 2, "batch_size": 16},
    "cnn_aug": {"epochs": 2, "batch_size": 16},
    "cnn_deep": {"epochs": 1},
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
        monkeypatch.setattr("benchmark.runs.study.do_alone", lambda study, run, fit: study.do(run, fit))
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
        assert [record["status"] for _, _, record in seeds.execute()] == ["ok", "ok"]
        return study.store, [result for _, _, result in study.execute()]
