"""One run: fit a recognizer once, predict validation and test, measure what it costs."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from benchmark.data import Dataset, Split
from benchmark.data.protocol import Setting, class_weights, stratified_folds
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities, Record
from models.artifacts.cards import versions
from models.calibration import apply_temperature
from models.files.arrays import seconds_saved
from models.inference.probabilities import emotion_probabilities
from models.labels import EMOTIONS
from models.networks.cpu import has_bfloat16, processor
from models.networks.keras_import import gpu_is_seen

MB = 1e6
TIMED_BATCHES = 5
TIMED_BATCH = 64
ENSEMBLE_FOLDS = 5
Predicted = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Outcome:
    """Result of a run: the fitted recognizer, its probabilities, its cost and its training curves."""

    recognizer: Any
    probabilities: Probabilities
    cost: dict[str, float]
    history: dict[str, list[float]]


def run_recognizer(recognizer: Any, data: Dataset, setting: Setting, earlier: Record | None = None) -> Outcome:
    """Fit a recognizer on the protocol's training split and predict the two others.

    Parameters
    ----------
    recognizer : BaseRecognizer
    data : Dataset
    setting : Setting
    earlier : dict, optional
        The record of the run that has already fitted this recognizer: it is calibrated for this protocol, not fitted
        again, and its cost is that of the earlier run. Its training curves stay with that run, since they show another
        validation split.
    """
    valid, test = data[setting.protocol.select], data[setting.protocol.report]
    if earlier is None:
        cost = {"fit_seconds": fit(recognizer, data, setting), "peak_memory_mb": peak_memory_mb()}
    else:
        recognizer.calibrate(valid.X, valid.y)
        cost = {what: earlier["cost"][what] for what in ("fit_seconds", "peak_memory_mb")}
    probabilities = Probabilities(
        emotion_probabilities(recognizer, valid.X),
        emotion_probabilities(recognizer, test.X),
        valid.y.copy(),
        test.y.copy(),
    )
    return Outcome(recognizer, probabilities, cost, getattr(recognizer, "history_", {}))


def fit(recognizer: Any, data: Dataset, setting: Setting) -> float:
    """Fit a recognizer without the reported split; return the seconds.

    They include the epochs before an interruption, so that a resumed training costs what a whole one costs.
    """
    train, valid = data[setting.protocol.fit], data[setting.protocol.select]
    weight = class_weights(train.y, setting.class_weight)[train.y]
    saved, start = seconds_saved(), time.perf_counter()
    recognizer.fit(
        train.X, train.y, sample_weight=weight, validation=(valid.X, valid.y), **_soft_labels(recognizer, train)
    )
    return time.perf_counter() - start + seconds_saved() - saved


def _soft_labels(recognizer: Any, train: Split) -> dict[str, NDArray[np.float32]]:
    """Return the soft labels as argument of `fit`, where the faces have some and the recognizer learns from them."""
    if train.soft_labels is None or not getattr(recognizer, "uses_soft_labels", False):
        return {}
    shares = train.soft_labels[:, train.counts > 0]  # the classes are the emotions that are some face's label
    return {"soft_labels": shares / shares.sum(axis=1, keepdims=True)}


def run_ensemble(ensemble: Any, members: Mapping[str, tuple[Record, Probabilities]]) -> Outcome:
    """Combine the probabilities of members that were fitted under the same setting.

    The combination learns from the validation split, which also ranks: so its validation probabilities are
    cross-fitted, each fifth of the faces combined with weights learnt from the other four. The cost of fitting is the
    sum over all members; that of predicting, over those with a vote.
    """
    by_member = {name: probabilities for name, (_, probabilities) in members.items()}
    first = next(iter(by_member.values()))
    valid = {name: member.valid for name, member in by_member.items()}
    ensemble.fit(valid, first.y_valid, range(len(EMOTIONS)))
    probabilities = Probabilities(
        cross_fitted(ensemble, valid, first.y_valid, valid),
        ensemble.combine({name: member.test for name, member in by_member.items()}),
        first.y_valid,
        first.y_test,
    )
    costs = {name: record["cost"] for name, (record, _) in members.items()}
    cost = {"fit_seconds": sum(member["fit_seconds"] for member in costs.values())}
    cost |= {what: sum(costs[name][what] for name in ensemble.names_) for what in ("ms_per_face", "artifact_mb")}
    cost["peak_memory_mb"] = max(member["peak_memory_mb"] for member in costs.values())
    return Outcome(ensemble, probabilities, cost, {})


def cross_fitted(ensemble: Any, valid: Predicted, y_valid: NDArray[np.int64], voted: Predicted) -> NDArray[np.float32]:
    """Combine the members' probabilities of validation faces, each fifth with weights learnt from the other four.

    Parameters
    ----------
    ensemble : Ensemble
    valid : mapping of str to ndarray of shape (n_faces, 7), dtype float32
        Probabilities of each member to learn from.
    y_valid : ndarray of shape (n_faces,), dtype int64
    voted : mapping like `valid`
        Probabilities to combine: the same, or those of other forms of the members for the same faces.

    Returns
    -------
    ndarray of shape (n_faces, 7), dtype float32
    """
    held_out = np.empty_like(next(iter(valid.values())))
    for out in stratified_folds(y_valid, ENSEMBLE_FOLDS):
        known = {name: proba[~out] for name, proba in valid.items()}
        learnt = clone(ensemble).fit(known, y_valid[~out], range(len(EMOTIONS)))
        held_out[out] = learnt.combine({name: proba[out] for name, proba in voted.items()})
    return held_out


def calibration_record(probabilities: Probabilities, temperature: float) -> Record:
    """Return the temperature of a run, and the scores that its probabilities would have without it.

    Returns
    -------
    dict
        ``temperature``; of ``valid`` and ``test`` the ``ece`` and ``log_loss`` before the calibration.
    """
    calibration: Record = {"temperature": temperature}
    for split in ("valid", "test"):
        before = apply_temperature(getattr(probabilities, split), 1 / temperature)
        scores = evaluate(getattr(probabilities, f"y_{split}"), before)
        calibration[split] = {metric: scores[metric] for metric in ("ece", "log_loss")}
    return calibration


def time_prediction(recognizer: Any, X: NDArray[np.uint8]) -> float:
    """Return milliseconds a face in batches of 64, after one warm-up batch: the median of 5."""
    batches = [np.resize(np.roll(X, -TIMED_BATCH * k, axis=0), (TIMED_BATCH, X.shape[1])) for k in range(TIMED_BATCHES)]
    recognizer.predict_proba(batches[0])
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        recognizer.predict_proba(batch)
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds) / TIMED_BATCH * 1000)


def peak_memory_mb() -> float:
    """Return the highest resident memory of this process so far, in MB."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / MB
    if (status := Path("/proc/self/status")).is_file():
        # A process of Linux takes the `ru_maxrss` over from the one that started it, but not this.
        peak = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        if peak:
            return int(peak[1]) * 1024 / MB
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes of what `getrusage` counts
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def environment(package: str = "") -> Record:
    """Return what a run is made with: the recognizer's package too, and its backend if not TensorFlow on processors."""
    machine = {"platform": platform.platform(), "processor": processor(), "bfloat16": has_bfloat16()}
    if "keras" in sys.modules:
        backend, gpu = sys.modules["keras"].backend.backend(), gpu_is_seen()
        if gpu or backend != "tensorflow":
            machine |= {"backend": f"{backend} {metadata.version(backend)}", "gpu": gpu}
    return {**machine, "cores": os.cpu_count(), "versions": versions(package)}
