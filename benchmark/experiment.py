"""One run: fit a recognizer once, predict validation and test, measure what it costs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from sklearn.base import clone

from benchmark.data import Dataset
from benchmark.protocol import Setting, class_weights, stratified_folds
from benchmark.store import Probabilities, Record
from features.cache import seconds_saved
from models.labels import EMOTIONS
from models.prediction import all_emotions

MB = 1e6
TIMED_BATCHES = 5
TIMED_BATCH = 64
ENSEMBLE_FOLDS = 5
Predicted = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: the fitted recognizer, its probabilities, its cost."""

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
        The record of the run that fitted this recognizer already: it is not fitted again, and has cost what it cost
        then. The curves of its training stay with that run, since they show another validation split.
    """
    valid, test = data[setting.protocol.select], data[setting.protocol.report]
    with peak_memory() as peak:
        fit_seconds = fit(recognizer, data, setting) if earlier is None else 0.0
        probabilities = Probabilities(
            all_emotions(recognizer, valid.X), all_emotions(recognizer, test.X), valid.y.copy(), test.y.copy()
        )
        ms_per_face = time_prediction(recognizer, valid.X)
    cost = {"fit_seconds": fit_seconds, "ms_per_face": ms_per_face, "peak_memory_mb": peak.megabytes}
    if earlier is not None:
        cost |= {what: earlier["cost"][what] for what in ("fit_seconds", "peak_memory_mb")}
    return Outcome(recognizer, probabilities, cost, getattr(recognizer, "history_", {}))


def fit(recognizer: Any, data: Dataset, setting: Setting) -> float:
    """Fit a recognizer as the protocol says, without a look at the split that is reported; return how long it took.

    The seconds count the epochs of a training that was interrupted before: they must not depend on what ran when.
    """
    train, valid = data[setting.protocol.fit], data[setting.protocol.select]
    weight = class_weights(train.y, setting.class_weight)[train.y]
    saved, start = seconds_saved(), time.perf_counter()
    recognizer.fit(train.X, train.y, sample_weight=weight, validation=(valid.X, valid.y))
    return time.perf_counter() - start + seconds_saved() - saved


def run_ensemble(ensemble: Any, members: Mapping[str, tuple[Record, Probabilities]]) -> Outcome:
    """Combine the stored probabilities of members that the same setting fitted.

    The combination learns from the validation split, which ranks: so the probabilities stored for it are cross-fitted,
    each fifth of the faces combined by what was learnt from the others. Fitting costs what all members cost;
    predicting, what those cost that have a vote.
    """
    stored = {name: probabilities for name, (_, probabilities) in members.items()}
    first = next(iter(stored.values()))
    valid = {name: each.valid for name, each in stored.items()}
    ensemble.fit(valid, first.y_valid, range(len(EMOTIONS)))
    probabilities = Probabilities(
        cross_fitted(ensemble, valid, first.y_valid, valid),
        ensemble.combine({name: each.test for name, each in stored.items()}),
        first.y_valid,
        first.y_test,
    )
    costs = {name: record["cost"] for name, (record, _) in members.items()}
    cost = {"fit_seconds": sum(each["fit_seconds"] for each in costs.values())}
    cost |= {what: sum(costs[name][what] for name in ensemble.names_) for what in ("ms_per_face", "artifact_mb")}
    cost["peak_memory_mb"] = max(each["peak_memory_mb"] for each in costs.values())
    return Outcome(ensemble, probabilities, cost, {})


def cross_fitted(ensemble: Any, valid: Predicted, y_valid: NDArray[np.int64], voted: Predicted) -> NDArray[np.float32]:
    """Combine what members say of validation faces, each fifth of them by what is learnt from the others.

    Parameters
    ----------
    ensemble : Ensemble
    valid : mapping of str to ndarray of shape (n_faces, 7), dtype float32
        From which it learns.
    y_valid : ndarray of shape (n_faces,), dtype int64
    voted : mapping like `valid`
        What is combined: the same, or what other forms of the members say of the same faces.

    Returns
    -------
    ndarray of shape (n_faces, 7), dtype float32
    """
    held_out = np.empty_like(next(iter(valid.values())))
    for out in stratified_folds(y_valid, ENSEMBLE_FOLDS):
        known = {name: each[~out] for name, each in valid.items()}
        learnt = clone(ensemble).fit(known, y_valid[~out], range(len(EMOTIONS)))
        held_out[out] = learnt.combine({name: each[out] for name, each in voted.items()})
    return held_out


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


@dataclass
class Peak:
    """Highest resident memory seen, in MB."""

    megabytes: float = 0.0


@contextmanager
def peak_memory(interval: float = 0.05) -> Iterator[Peak]:
    """Sample the resident memory of this process and its children while the block runs."""
    peak, done, process = Peak(), threading.Event(), psutil.Process()

    def sample() -> None:
        while True:
            total = process.memory_info().rss
            for child in process.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:  # it ended meanwhile
                    continue
            peak.megabytes = max(peak.megabytes, total / MB)
            if done.wait(interval):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
