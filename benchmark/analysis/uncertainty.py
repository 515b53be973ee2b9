"""Bootstrap intervals of scores and of their differences, and the spread of scores over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmark.runs.metrics import evaluate, macro_f1
from benchmark.runs.record_store import Record
from models.labels import EMOTIONS

N_EMOTIONS = len(EMOTIONS)
OVERALL = ("accuracy", "macro_f1", "balanced_accuracy")
METRICS = (*OVERALL, *(f"recall_{emotion}" for emotion in EMOTIONS))


def intervals(
    y: ArrayLike, predictions: ArrayLike, n_resamples: int = 10_000, seed: int = 0, level: float = 0.95
) -> pd.DataFrame:
    """Return percentile bootstrap intervals of a recognizer's scores, over the test faces and over the seeds.

    With one seed the intervals say what other faces would have changed, not what another training would. Of several
    seeds each resample draws one less with replacement, as `drawn_seeds` does, and the same faces for all of them.

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
        A row for each of `METRICS`, columns ``estimate`` (from `benchmark.runs.metrics.evaluate`), ``low``, ``high``:
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
    labels = np.stack([as_labels(y), *map(as_labels, np.atleast_2d(predictions))])
    resampled = _mean_of_drawn(_resampled(labels, n_resamples, seed), seed)
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
        A row for each of `METRICS`, columns ``estimate``, ``low``, ``high``: fractions.

    Raises
    ------
    ValueError
        As for `intervals`.
    """
    labels = np.stack([as_labels(y), as_labels(one), as_labels(other)])
    scores = [_named(evaluate(labels[0], np.eye(N_EMOTIONS)[predicted])) for predicted in labels[1:]]
    first, second = _resampled(labels, n_resamples, seed)
    return _percentiles([scores[0][metric] - scores[1][metric] for metric in METRICS], first - second, level)


def first_places(
    y: ArrayLike, predictions: Mapping[str, ArrayLike], n_resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Return how often each recognizer is the first, in bootstrap resamples of the faces and of the seeds.

    Parameters
    ----------
    y : array-like of shape (n_faces,), dtype int
        True labels.
    predictions : mapping of str to array-like of shape (n_faces,) or (n_seeds, n_faces), dtype int
        Predicted labels of each recognizer.
    n_resamples, seed
        As for `intervals`, which has the reference too.

    Returns
    -------
    DataFrame
        Index recognizer; columns ``accuracy`` and ``macro_f1``: the share of the resamples in which it has the highest
        score. Recognizers that are first together share that resample.
    """
    seeds = {name: np.atleast_2d(values) for name, values in predictions.items()}
    labels = np.stack([as_labels(y), *(as_labels(one) for rows in seeds.values() for one in rows)])
    resampled = iter(_resampled(labels, n_resamples, seed))
    ranked = ["accuracy", "macro_f1"]
    columns = [METRICS.index(metric) for metric in ranked]
    scores = np.stack([_mean_of_drawn([next(resampled) for _ in rows], seed)[:, columns] for rows in seeds.values()])
    is_first = scores == scores.max(axis=0)
    shares = (is_first / is_first.sum(axis=0)).mean(axis=1)
    return pd.DataFrame(shares, index=pd.Index(seeds, name="recognizer"), columns=ranked)


def over_seeds(records: Iterable[Record]) -> pd.DataFrame:
    """Return mean and standard deviation of the test scores of finished runs over their seeds.

    Parameters
    ----------
    records : iterable of dict
        Records of one results folder.

    Returns
    -------
    DataFrame
        A row for each recognizer and metric of `METRICS`, in the order of the records: ``mean``, ``std`` (of a sample,
        n - 1 in the denominator; NaN with one seed), ``n`` (seeds).
    """
    rows = [
        (record["recognizer"], metric, score)
        for record in records
        if record["status"] == "ok"
        for metric, score in _named(record["test"]).items()
    ]
    table = pd.DataFrame(rows, columns=["recognizer", "metric", "score"])
    scores = table.astype({"score": float}).groupby(["recognizer", "metric"], sort=False)["score"]
    return scores.agg(mean="mean", std="std", n="count")


def drawn_seeds(n_seeds: int, n_resamples: int, seed: int = 0) -> NDArray[np.float64]:
    """Return the weight of each seed in bootstrap resamples of the seeds.

    One seed less than there are is drawn with replacement: then the variance of the mean over the resamples is the
    unbiased estimate for the mean of so few. As many would show too little, of three seeds two thirds.

    Parameters
    ----------
    n_seeds, n_resamples, seed : int
        The same three numbers give the same weights.

    Returns
    -------
    ndarray of shape (n_resamples, n_seeds)
        Each row has the sum 1.

    References
    ----------
    J. N. K. Rao and C. F. J. Wu, "Resampling inference with complex survey data", Journal of the American Statistical
    Association 83, 1988. https://doi.org/10.1080/01621459.1988.10478591
    """
    n_drawn = max(n_seeds - 1, 1)
    return np.random.default_rng((seed, n_seeds)).multinomial(n_drawn, [1 / n_seeds] * n_seeds, n_resamples) / n_drawn


def as_labels(values: ArrayLike) -> NDArray[np.int64]:
    """Return a row of labels as integers.

    Raises
    ------
    ValueError
        If it is no row, empty, or holds something that is no label.
    """
    labels = np.asarray(values)
    if labels.ndim != 1 or not labels.size or not np.isin(labels, range(N_EMOTIONS)).all():
        raise ValueError(f"expected a row of labels from 0 to {N_EMOTIONS - 1}, got an array of shape {labels.shape}")
    return labels.astype(np.int64)


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


def _mean_of_drawn(scores: Sequence[NDArray[np.floating]], seed: int) -> NDArray[np.floating]:
    """Return the mean score, (n_resamples, 10), over seeds drawn anew for each resample."""
    return np.einsum("ns,snm->nm", drawn_seeds(len(scores), len(scores[0]), seed), np.stack(scores))


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
