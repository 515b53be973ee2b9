"""The analysis tables of a results folder, computed from its finished runs and its side tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmark.analysis.corrupted import trained_on
from benchmark.analysis.ensembles import ensemble_weights
from benchmark.analysis.leaderboard import by_seed, common_seeds, equal_seeds, firsts
from benchmark.analysis.leaks import external_models
from benchmark.analysis.per_class import (
    WEAK_CLASSES,
    average_precision,
    precision_recall,
    recall_at_precision,
    top_confusions,
)
from benchmark.analysis.side_tables import read_ferplus, read_near_duplicates, read_robustness
from benchmark.analysis.significance import mcnemar_matrix, versus_best
from benchmark.analysis.uncertainty import first_places, intervals, over_seeds
from benchmark.data.near_duplicates import NearDuplicates
from benchmark.runs.metrics import evaluate, reliability
from benchmark.runs.record_store import Probabilities, Record, Store
from models.labels import EMOTIONS

Tables = dict[str, pd.DataFrame]


def analyse(store: Store, done: Sequence[Record]) -> Tables:
    """Return the tables of a results folder by file stem.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data, the best on validation first.

    Returns
    -------
    dict of str to DataFrame
        ``intervals`` (95% bootstrap), ``mcnemar`` (p-values of all pairs), ``versus_best``, ``seeds``,
        ``first_places``, ``reliability``, ``calibration`` where records have it; of the weak classes
        ``recall_at_precision``, ``precision_recall``, ``average_precision`` and ``confusions``; ``ensemble_weights``
        where there are ensembles; ``drop`` where the faces are no test split of the data fitted on; ``external`` where
        there are models from elsewhere; ``copies``, ``ferplus``, ``robustness`` where their side tables are there.
    """
    runs = {
        name: {seed: store.probabilities(record) for seed, record in records.items()}
        for name, records in by_seed(done).items()
    }
    _, first_runs = equal_seeds(runs)
    y = next(iter(first_runs.values())).y_test
    decided = {name: {seed: run.test.argmax(axis=1) for seed, run in seeds.items()} for name, seeds in runs.items()}
    tables = {
        "intervals": _by_recognizer(
            {name: intervals(y, np.stack([*seeds.values()])) for name, seeds in decided.items()}
        ),
        "mcnemar": mcnemar_matrix(y, decided),
        "versus_best": _with_seed(versus_best(y, decided, next(iter(decided))), runs),
        "seeds": over_seeds(done),
        "first_places": first_places(y, {name: np.stack([*seeds.values()]) for name, seeds in decided.items()}),
        "reliability": _by_recognizer(
            {name: reliability(y, run.test.astype(float)) for name, run in first_runs.items()}
        ),
        "recall_at_precision": _weak(first_runs, recall_at_precision),
        "precision_recall": _weak(first_runs, lambda run, emotion: precision_recall(run.y_test, run.test, emotion)),
        "average_precision": pd.DataFrame(
            {
                emotion: {name: average_precision(y, run.test, emotion) for name, run in first_runs.items()}
                for emotion in WEAK_CLASSES
                if (y == EMOTIONS.index(emotion)).any()
            }
        ).rename_axis("recognizer"),
        "confusions": _weak(
            first_runs, lambda run, emotion: top_confusions(evaluate(run.y_test, run.test)["confusion"], emotion)
        ),
    }
    calibrated = calibration_table(done)
    if not calibrated.empty:
        tables["calibration"] = calibrated
    if any(record.get("members") for record in done):
        tables["ensemble_weights"] = ensemble_weights(done, tables["mcnemar"])
    near_duplicates = read_near_duplicates(store, done[0]["data_fingerprint"])
    if near_duplicates is not None:
        tables["copies"] = without_copies(first_runs, near_duplicates)
    ferplus = read_ferplus(store, done)
    if ferplus is not None:
        tables["ferplus"] = ferplus
    if "reference" in done[0]:
        tables["drop"] = drops(done)
    external = external_models(done)
    if not external.empty:
        tables["external"] = external
    corrupted = read_robustness(store, done)
    if corrupted is not None:
        first = firsts(done)
        kinds = [", ".join(trained_on(first[name], first)) for name in corrupted.index]
        tables["robustness"] = corrupted.assign(trained_on=kinds)
    return tables


def calibration_table(done: Sequence[Record]) -> pd.DataFrame:
    """Return the calibration errors, before the calibration of each recognizer and after it.

    Returns
    -------
    DataFrame
        Index recognizer; ``temperature``; ``ece`` (expected calibration error) and ``log_loss`` of test, and those
        ``_before``. Of the first seed; scores on outside photos, which calibrate nothing, have no row.
    """
    rows = {
        name: {"temperature": record["calibration"]["temperature"]}
        | {
            name_of: scores[metric]
            for metric in ("ece", "log_loss")
            for name_of, scores in ((f"{metric}_before", record["calibration"]["test"]), (metric, record["test"]))
        }
        for name, record in firsts(done).items()
        if "calibration" in record
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer")


def drops(done: Sequence[Record]) -> pd.DataFrame:
    """Return what recognizers lose on outside photos, against the test split of the data they were fitted on.

    Both sets have their own mix of emotions, on which accuracy depends; balanced accuracy, the mean recall over the
    emotions that occur, depends on it less.

    Returns
    -------
    DataFrame
        Index recognizer; ``reference_accuracy``, ``accuracy``, ``drop`` of the accuracy with its 95% interval ``low``,
        ``high``, ``reference_balanced_accuracy``, ``balanced_accuracy``; of the first seed.

    References
    ----------
    R. G. Newcombe, "Interval estimation for the difference between independent proportions: comparison of eleven
    methods", Statistics in Medicine 17, 1998 (its method 10).
    """
    rows = {}
    for name, record in firsts(done).items():
        before, after = record["reference"], record["test"]
        sizes = before["n_faces"], record["n_faces"]["report"]
        right = [round(scores["accuracy"] * size) for scores, size in zip((before, after), sizes, strict=True)]
        low, high = confint_proportions_2indep(right[0], sizes[0], right[1], sizes[1], method="newcomb")
        rows[name] = {
            "reference_accuracy": before["accuracy"],
            "accuracy": after["accuracy"],
            "drop": before["accuracy"] - after["accuracy"],
            "low": low,
            "high": high,
            "reference_balanced_accuracy": before["balanced_accuracy"],
            "balanced_accuracy": after["balanced_accuracy"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer")


def without_copies(runs: Mapping[str, Probabilities], near_duplicates: NearDuplicates) -> pd.DataFrame:
    """Return the scores on all test faces and on those without near-duplicates, and the loss of accuracy.

    The rows ``exact`` and ``near`` of column ``without`` leave out what was seen in fitting or selecting. The faces
    that stay are another mix of emotions: compare one recognizer's loss with another's. A rule that leaves no face has
    no row.
    """
    rows = []
    for name, run in runs.items():
        everything = np.ones(len(run.y_test), dtype=bool)
        full = float((run.test.argmax(axis=1) == run.y_test).mean())
        for rule, faces in {"nothing": everything, **near_duplicates.remaining}.items():
            if not faces.any():
                continue
            scores = evaluate(run.y_test[faces], run.test[faces])
            bounds = intervals(run.y_test[faces], run.test[faces].argmax(axis=1))
            weak: dict[str, float] = {}
            for emotion in WEAK_CLASSES:
                weak[f"{emotion.lower()}_faces"] = scores["per_emotion"][emotion]["support"]
                estimate, low, high = bounds.loc[f"recall_{emotion}"]
                name_of = f"{emotion.lower()}_recall"
                weak |= {name_of: estimate, f"{name_of}_low": low, f"{name_of}_high": high}
            rows.append(
                {
                    "recognizer": name,
                    "without": rule,
                    "n_faces": int(faces.sum()),
                    **weak,
                    "accuracy": scores["accuracy"],
                    "macro_f1": scores["macro_f1"],
                    "accuracy_drop": full - scores["accuracy"],
                }
            )
    return pd.DataFrame(rows).set_index(["recognizer", "without"])


def _weak(runs: Mapping[str, Probabilities], table: Any) -> pd.DataFrame:
    """Return `table(probabilities, emotion)` of every recognizer and weak class that both splits have."""
    parts = {
        (name, emotion): table(run, emotion)
        for name, run in runs.items()
        for emotion in WEAK_CLASSES
        if all((y == EMOTIONS.index(emotion)).any() for y in (run.y_valid, run.y_test))
    }
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, names=["recognizer", "emotion"]).droplevel(-1)


def _with_seed(tested: pd.DataFrame, runs: Mapping[str, Mapping[int, Any]]) -> pd.DataFrame:
    """Return the tests against the best, which `runs` name first, with the seeds of each."""
    best = next(iter(runs.values()))
    return tested.assign(seed=[" ".join(map(str, common_seeds(best, runs[str(name)]))) for name in tested.index])


def _by_recognizer(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, names=["recognizer"])
