"""How sure the scores are: bootstrap intervals, paired tests between recognizers, spread over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmark.leaderboard import equal_seeds
from benchmark.metrics import evaluate, macro_f1
from benchmark.store import Record
from models.labels import EMOTIONS

Predictions = Mapping[str, ArrayLike | Mapping[int, ArrayLike]]
Right = Mapping[int, NDArray[np.bool_]]
N_EMOTIONS = len(EMOTIONS)
OVERALL = ("accuracy", "macro_f1", "balanced_accuracy")
METRICS = (*OVERALL, *(f"recall_{emotion}" for emotion in EMOTIONS))
ALPHA = 0.05
EXACT_BELOW = 25


def intervals(
    y: ArrayLike, predictions: ArrayLike, n_resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Return percentile bootstrap intervals of a recognizer's scores, over the faces it was tested on.

    The intervals hold for fitted recognizers: they say what other faces would have changed, not other seeds. Several
    seeds are resampled together, a face with all its predictions, for they were tested on the same faces.

    Parameters
    ----------
    y : array-like of shape (n_faces,), dtype int
        True labels.
    predictions : array-like of shape (n_faces,) or (n_seeds, n_faces), dtype int
        Predicted labels. Of several seeds the mean score is meant.
    n_resamples : int
        Number of bootstrap samples.
    seed : int
        Seed of the resampling; the same seed gives the same intervals.
    level : float
        Nominal coverage, between 0 and 1.

    Returns
    -------
    DataFrame
        A row each of `METRICS`, columns ``estimate`` (as `benchmark.metrics.evaluate` has it), ``low``, ``high``:
        fractions. Resamples without a face of an emotion are left out of the interval of its recall; all three are NaN
        where there is none at all.

    Raises
    ------
    ValueError
        If there is no face, shapes do not match, something is no label, or `level` is not between 0 and 1.

    References
    ----------
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993, chapter 13.
    https://doi.org/10.1201/9780429246593
    """
    labels = np.stack([_labels(y), *map(_labels, np.atleast_2d(predictions))])
    resampled = np.mean(_resampled(labels, n_resamples, seed), axis=0)
    single = [_named(evaluate(labels[0], np.eye(N_EMOTIONS)[one])) for one in labels[1:]]
    return _percentiles([fmean(scores[metric] for scores in single) for metric in METRICS], resampled, level)


def paired_differences(
    y: ArrayLike, one: ArrayLike, other: ArrayLike, n_resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Return percentile bootstrap intervals of the differences between two recognizers' scores on the same faces.

    Parameters
    ----------
    y : array-like of shape (n_faces,), dtype int
        True labels.
    one, other : array-like of shape (n_faces,), dtype int
        Predicted labels; the differences are `one` minus `other`.
    n_resamples, seed, level
        As for `intervals`, which has the reference too.

    Returns
    -------
    DataFrame
        A row each of `METRICS`, columns ``estimate``, ``low``, ``high``: fractions.

    Raises
    ------
    ValueError
        As for `intervals`.
    """
    labels = np.stack([_labels(y), _labels(one), _labels(other)])
    scores = [_named(evaluate(labels[0], np.eye(N_EMOTIONS)[each])) for each in labels[1:]]
    first, second = _resampled(labels, n_resamples, seed)
    return _percentiles([scores[0][metric] - scores[1][metric] for metric in METRICS], first - second, level)


def mcnemar_matrix(y: ArrayLike, predictions: Predictions) -> pd.DataFrame:
    """Return the p-value of McNemar's test between all pairs of recognizers, not corrected for their number.

    The null hypothesis is that both are equally accurate. With fewer than `EXACT_BELOW` faces that only one of the two
    gets right, the test is the exact binomial one, else chi-square with continuity correction; both are two-sided.

    Parameters
    ----------
    y : array-like of shape (n_faces,), dtype int
        True labels.
    predictions : mapping of str to array-like of shape (n_faces,), dtype int, or to a mapping of int to such
        Predicted labels of each recognizer, of one seed or by seed: a pair is compared on the lowest seed of both.

    Returns
    -------
    DataFrame of shape (n_recognizers, n_recognizers)
        Symmetric, with ones on the diagonal; NaN where two share no seed.

    Raises
    ------
    ValueError
        If there is no face, shapes do not match or something is no label.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947. https://doi.org/10.1007/BF02295996
    A. L. Edwards, "Note on the 'correction for continuity' in testing the significance of the difference between
    correlated proportions", Psychometrika 13, 1948. https://doi.org/10.1007/BF02289261
    """
    right = _right(y, predictions)
    return pd.DataFrame(
        [[_compared(one, other)["p"] for other in right.values()] for one in right.values()],
        index=pd.Index(right, name="recognizer"),
        columns=list(right),
        dtype=float,
    )


def versus_best(y: ArrayLike, predictions: Predictions, best: str) -> pd.DataFrame:
    """Compare every recognizer with the best by McNemar's test, corrected for the number of comparisons.

    Parameters
    ----------
    y, predictions
        As for `mcnemar_matrix`.
    best : str
        Recognizer to compare with, chosen on other faces than these.

    Returns
    -------
    DataFrame
        A row each other recognizer, in the order of `predictions`: ``only_best_right``, ``only_other_right`` (faces),
        ``p``, ``p_holm`` and ``distinguishable``, whether ``p_holm`` is below `ALPHA`. One that shares no seed with the
        best has no numbers and counts as no comparison.

    Raises
    ------
    KeyError
        If `predictions` has no `best`.
    ValueError
        As for `mcnemar_matrix`.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    https://www.jstor.org/stable/4615733
    """
    right = _right(y, predictions)
    reference = right.pop(best)
    rows = [_compared(reference, other) for other in right.values()]
    counts = ["only_best_right", "only_other_right"]
    table = pd.DataFrame(rows, index=pd.Index(right, name="recognizer"), columns=[*counts, "p"])
    table = table.astype({**dict.fromkeys(counts, "Int64"), "p": float})
    tested = table["p"].dropna()
    table["p_holm"] = pd.Series(multipletests(tested, method="holm")[1] if len(tested) else [], tested.index, float)
    table["distinguishable"] = table["p_holm"] < ALPHA
    return table


def over_seeds(records: Iterable[Record], split: str = "test") -> pd.DataFrame:
    """Return mean and standard deviation of the scores of finished runs over their seeds.

    Parameters
    ----------
    records : iterable of dict
        Records of one results folder.
    split : {"test", "valid"}
        Split whose scores are taken.

    Returns
    -------
    DataFrame
        A row each recognizer and metric of `METRICS`, in the order of the records: ``mean``, ``std`` (of a sample,
        n - 1 in the denominator; NaN with one seed), ``n`` (seeds).
    """
    rows = [
        (record["recognizer"], metric, score)
        for record in records
        if record["status"] == "ok"
        for metric, score in _named(record[split]).items()
    ]
    table = pd.DataFrame(rows, columns=["recognizer", "metric", "score"])
    scores = table.astype({"score": float}).groupby(["recognizer", "metric"], sort=False)["score"]
    return scores.agg(mean="mean", std="std", n="count")


def _resampled(labels: NDArray[np.int64], n_resamples: int, seed: int) -> list[NDArray[np.floating]]:
    """Return bootstrap scores, (n_resamples, 10), of each row of predictions; the first row of `labels` is the truth.

    Every row sees the same resamples.
    """
    kinds, counts = np.unique(labels, axis=1, return_counts=True)
    n_faces = counts.sum()
    # Scores depend only on how many faces of each kind (truth, predictions) there are, so that drawing these numbers
    # is drawing faces with replacement.
    drawn = np.random.default_rng(seed).multinomial(n_faces, counts / n_faces, size=n_resamples)
    truth, *predicted = kinds
    return [_scores(_confusion(drawn, truth, one)) for one in predicted]


def _percentiles(estimates: Sequence[float], resampled: NDArray[np.floating], level: float) -> pd.DataFrame:
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, not between 0 and 1")
    tail = (1 - level) / 2
    table = pd.DataFrame(resampled, columns=METRICS).quantile([tail, 1 - tail]).T.set_axis(["low", "high"], axis=1)
    table.insert(0, "estimate", estimates)
    return table.rename_axis("metric")


def _named(evaluation: Mapping[str, Any]) -> dict[str, float]:
    """Return the scores of `METRICS` out of what `evaluate` returned; NaN is the recall of no face."""
    recall = np.array([evaluation["per_emotion"][emotion]["recall"] for emotion in EMOTIONS], dtype=float)
    return dict(zip(METRICS, [*(evaluation[metric] for metric in OVERALL), *recall.tolist()], strict=True))


def _labels(values: ArrayLike) -> NDArray[np.int64]:
    labels = np.asarray(values)
    if labels.ndim != 1 or not labels.size or not np.isin(labels, range(N_EMOTIONS)).all():
        raise ValueError(f"expected a row of labels from 0 to {N_EMOTIONS - 1}, got an array of shape {labels.shape}")
    return labels.astype(np.int64)


def _confusion(
    drawn: NDArray[np.int64], truth: NDArray[np.int64], predicted: NDArray[np.int64]
) -> NDArray[np.floating]:
    """Return the confusion matrices, (n_resamples, 7, 7), of (n_resamples, n_kinds) faces of each kind."""
    cells = np.eye(N_EMOTIONS**2)[truth * N_EMOTIONS + predicted]
    return (drawn @ cells).reshape(-1, N_EMOTIONS, N_EMOTIONS)


def _scores(confusion: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the scores of `METRICS`, (n, 10), of (n, 7, 7) confusion matrices; NaN is the recall of no face."""
    right = np.diagonal(confusion, axis1=1, axis2=2)
    true, predicted = confusion.sum(axis=2), confusion.sum(axis=1)
    recall = right / np.where(true, true, np.nan)
    accuracy = right.sum(axis=1) / true.sum(axis=1)
    return np.column_stack([accuracy, macro_f1(right, predicted, true), np.nanmean(recall, axis=1), recall])


def _right(y: ArrayLike, predictions: Predictions) -> dict[str, Right]:
    """Return which faces each recognizer gets right, by seed."""
    truth = _labels(y)
    right: dict[str, Right] = {}
    for name, values in predictions.items():
        seeds = values if isinstance(values, Mapping) else {0: values}
        labels = {seed: _labels(each) for seed, each in seeds.items()}
        for predicted in labels.values():
            if predicted.shape != truth.shape:
                raise ValueError(f"{name}: {len(predicted)} predictions for {len(truth)} faces")
        right[name] = {seed: predicted == truth for seed, predicted in labels.items()}
    return right


def _compared(one: Right, other: Right) -> dict[str, float]:
    """Return of the lowest seed of both how many faces only the one and only the other gets right, and p."""
    _, pair = equal_seeds({"one": one, "other": other})
    if len(pair) < 2:
        return {"p": np.nan}
    only = int((pair["one"] & ~pair["other"]).sum()), int((pair["other"] & ~pair["one"]).sum())
    return {"only_best_right": only[0], "only_other_right": only[1], "p": _p_value(*only)}


def _p_value(only_one: int, only_other: int) -> float:
    table = [[0, only_one], [only_other, 0]]
    # Without a difference there is nothing to correct: the correction would count it as one of a face.
    result = mcnemar(table, exact=only_one + only_other < EXACT_BELOW, correction=only_one != only_other)
    return float(result.pvalue)
