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
    train, valid, test = (
        data[usage] for usage in (setting.protocol.fit, setting.protocol.select, setting.protocol.report)
    )
    weight = class_weights(train.y, setting.class_weight)[train.y]
    with peak_memory() as peak:
        saved, start = seconds_saved(), time.perf_counter()
        if earlier is None:
            recognizer.fit(train.X, train.y, sample_weight=weight, validation=(valid.X, valid.y))
        # With the epochs of a training that was interrupted before: the figure must not depend on what ran when.
        fit_seconds = time.perf_counter() - start + seconds_saved() - saved
        probabilities = Probabilities(
            all_emotions(recognizer, valid.X), all_emotions(recognizer, test.X), valid.y.copy(), test.y.copy()
        )
        ms_per_face = time_prediction(recognizer, valid.X)
    cost = {"fit_seconds": fit_seconds, "ms_per_face": ms_per_face, "peak_memory_mb": peak.megabytes}
    if earlier is not None:
        cost |= {what: earlier["cost"][what] for what in ("fit_seconds", "peak_memory_mb")}
    return Outcome(recognizer, probabilities, cost, getattr(recognizer, "history_", {}))


def run_ensemble(ensemble: Any, members: Mapping[str, tuple[Record, Probabilities]]) -> Outcome:
    """Combine the stored probabilities of members that the same setting fitted.

    The combination learns from the validation split, which ranks: so the probabilities stored for it are cross-fitted,
    each fifth of the faces combined by what was learnt from the others. Fitting costs what all members cost;
    predicting, what those cost that have a vote.
    """
    stored = {name: probabilities for name, (_, probabilities) in members.items()}
    first = next(iter(stored.values()))
    valid = {name: each.valid for name, each in stored.items()}
    classes = range(len(EMOTIONS))
    held_out = np.empty_like(first.valid)
    for out in stratified_folds(first.y_valid, ENSEMBLE_FOLDS):
        learnt = clone(ensemble).fit({n: each[~out] for n, each in valid.items()}, first.y_valid[~out], classes)
        held_out[out] = learnt.combine({n: each[out] for n, each in valid.items()})
    ensemble.fit(valid, first.y_valid, classes)
    probabilities = Probabilities(
        held_out,
        ensemble.combine({name: each.test for name, each in stored.items()}),
        first.y_valid,
        first.y_test,
    )
    costs = {name: record["cost"] for name, (record, _) in members.items()}
    cost = {"fit_seconds": sum(each["fit_seconds"] for each in costs.values())}
    cost |= {what: sum(costs[name][what] for name in ensemble.names_) for what in ("ms_per_face", "artifact_mb")}
    cost["peak_memory_mb"] = max(each["peak_memory_mb"] for each in costs.values())
    return Outcome(ensemble, probabilities, cost, {})


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
