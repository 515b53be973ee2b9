"""Which recognizers differ in accuracy, in pairs and against the best: McNemar's test, of several seeds a bootstrap."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar

from benchmark.analysis.leaderboard import common_seeds
from benchmark.analysis.uncertainty import as_labels, drawn_seeds

Predictions = Mapping[str, ArrayLike | Mapping[int, ArrayLike]]
Right = Mapping[int, NDArray[np.bool_]]
ALPHA = 0.05
POWER = 0.8
EXACT_BELOW = 25
N_RESAMPLES = 10_000


def mcnemar_matrix(y: ArrayLike, predictions: Predictions) -> pd.DataFrame:
    """Return the p-value of the test between all pairs of recognizers, not corrected for their number.

    The null hypothesis is that both are equally accurate; tests are two-sided. Two that share one seed are compared by
    McNemar's test: with fewer than `EXACT_BELOW` faces that only one of the two gets right, the exact binomial one,
    else chi-square with continuity correction. It says nothing about other trainings. Two that share several seeds are
    compared by their mean accuracy over these, in `N_RESAMPLES` bootstrap resamples of the faces and of the seeds: p is
    twice the share of resamples in which the other one is better.

    Parameters
    ----------
    y : array-like of shape (n_faces,), dtype int
        True labels.
    predictions : mapping of str to array-like of shape (n_faces,), dtype int, or to a mapping of int to such
        Predicted labels of each recognizer, of one seed or by seed: a pair is compared on the seeds that both have.

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
    B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993, chapter 15.
    https://doi.org/10.1201/9780429246593
    """
    right = _right(y, predictions)
    table = pd.DataFrame(np.nan, index=pd.Index(right, name="recognizer"), columns=list(right))
    for one, other in combinations_with_replacement(right, 2):
        table.loc[one, other] = table.loc[other, one] = _compared(right[one], right[other])["p"]
    return table


def versus_best(y: ArrayLike, predictions: Predictions, best: str) -> pd.DataFrame:
    """Compare every recognizer with the best by the test of `mcnemar_matrix`, corrected for the number of comparisons.

    Parameters
    ----------
    y, predictions
        As for `mcnemar_matrix`.
    best : str
        Recognizer to compare with, chosen on other faces than these.

    Returns
    -------
    DataFrame
        A row for each other recognizer, in the order of `predictions`: ``only_best_right`` and ``only_other_right``
        (faces, mean over the seeds of both), ``p``, ``p_holm`` and ``distinguishable``, whether ``p_holm`` is below
        `ALPHA`, and ``detectable``, from `detectable_difference`, of one seed. One that shares no seed with the best
        has no numbers and counts as no comparison.

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
    table = table.astype(float).convert_dtypes(convert_floating=False).astype({"p": float})
    tested = table["p"].dropna().sort_values()
    # Not by statsmodels, whose Holm collects garbage each time: half a second where TensorFlow is loaded.
    table["p_holm"] = (tested * np.arange(len(tested), 0, -1)).cummax().clip(upper=1)
    table["distinguishable"] = table["p_holm"] < ALPHA
    n_faces, differing = len(as_labels(y)), table[counts].sum(axis=1, skipna=False).astype(float)
    table["detectable"] = [detectable_difference(n_faces, number / n_faces) for number in differing]
    return table


def detectable_difference(n_faces: int, differing: float) -> float:
    """Return the smallest difference in accuracy that McNemar's test finds with a probability of `POWER`.

    Parameters
    ----------
    n_faces : int
    differing : float
        Share of the faces that only one of the two recognizers gets right.

    Returns
    -------
    float
        At the level `ALPHA`, not corrected for the number of tests; NaN where `differing` is NaN.

    References
    ----------
    R. J. Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43,
    1987. https://doi.org/10.2307/2531961
    """
    level, power = norm.ppf([1 - ALPHA / 2, POWER])
    difference = 0.0
    for _ in range(20):
        rest = np.sqrt(max(differing - difference**2, 0.0))
        difference = float((level * np.sqrt(differing) + power * rest) / np.sqrt(n_faces))
    return difference


def _right(y: ArrayLike, predictions: Predictions) -> dict[str, Right]:
    """Return which faces each recognizer gets right, by seed."""
    truth = as_labels(y)
    right: dict[str, Right] = {}
    for name, values in predictions.items():
        seeds = values if isinstance(values, Mapping) else {0: values}
        labels = {seed: as_labels(predicted) for seed, predicted in seeds.items()}
        for predicted in labels.values():
            if predicted.shape != truth.shape:
                raise ValueError(f"{name}: {len(predicted)} predictions for {len(truth)} faces")
        right[name] = {seed: predicted == truth for seed, predicted in labels.items()}
    return right


def _compared(one: Right, other: Right) -> dict[str, float]:
    """Return how many faces only the one and only the other gets right, mean over the seeds of both, and p."""
    seeds = common_seeds(one, other)
    if not seeds:
        return {"p": np.nan}
    # Of each seed and face 1 where only the one is right, -1 where only the other is.
    differences = np.stack([one[seed].astype(int) - other[seed] for seed in seeds])
    only = [float((differences == sign).sum(axis=1).mean()) for sign in (1, -1)]
    same = (differences == differences[0]).all()
    p = _mcnemar_p(*map(int, only)) if same else _bootstrap_p(differences)
    return {"only_best_right": only[0], "only_other_right": only[1], "p": p}


def _bootstrap_p(differences: NDArray[np.int64]) -> float:
    """Return the p-value for the mean of differences of shape (n_seeds, n_faces): faces and seeds are drawn again."""
    signed = differences if differences.sum() >= 0 else -differences  # the same for both orders of a pair
    kinds, counts = np.unique(signed, axis=1, return_counts=True)
    drawn = np.random.default_rng(0).multinomial(counts.sum(), counts / counts.sum(), size=N_RESAMPLES)
    means = np.sum(drawn @ kinds.T * drawn_seeds(len(kinds), N_RESAMPLES), axis=1)
    return min(1.0, 2 * (1 + int((means <= 0).sum())) / (1 + N_RESAMPLES))


def _mcnemar_p(only_one: int, only_other: int) -> float:
    table = [[0, only_one], [only_other, 0]]
    # Without a difference there is nothing to correct: the correction would count it as one of a face.
    result = mcnemar(table, exact=only_one + only_other < EXACT_BELOW, correction=only_one != only_other)
    return float(result.pvalue)
