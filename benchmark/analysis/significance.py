"""McNemar's test: which recognizers differ in accuracy, in pairs and against the best with Holm's correction."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmark.analysis.leaderboard import equal_seeds
from benchmark.analysis.uncertainty import as_labels

Predictions = Mapping[str, ArrayLike | Mapping[int, ArrayLike]]
Right = Mapping[int, NDArray[np.bool_]]
ALPHA = 0.05
POWER = 0.8
EXACT_BELOW = 25


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
        A row for each other recognizer, in the order of `predictions`: ``only_best_right`` and ``only_other_right``
        (faces), ``p``, ``p_holm`` and ``distinguishable``, whether ``p_holm`` is below `ALPHA`, and ``detectable``,
        from `detectable_difference`. One that shares no seed with the best has no numbers and counts as no comparison.

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
    """Return how many faces only the one and only the other gets right, and p, for the lowest seed of both."""
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
