"""Decision rules over stored probabilities: fitted on validation, reported on test beside plain argmax."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from benchmark.metrics import LABELS, evaluate, macro_f1
from benchmark.protocol import stratified_folds
from benchmark.store import Probabilities
from benchmark.uncertainty import intervals
from benchmark.weak_classes import WEAK_CLASSES

LIMIT = 10.0
NARROW = 1e-6
FOLDS = 10


def fit_offsets(
    y_valid: NDArray[np.int64], proba_valid: NDArray[np.floating], max_accuracy_drop: float | None = None
) -> NDArray[np.float64]:
    """Find the offsets of the log probabilities that raise macro-F1 on the validation split.

    Coordinate ascent from 0, one emotion after the other until none gains. The search along one emotion is exact: as
    its offset rises from -10 to 10, each face goes over to it at most once, and between these n breakpoints macro-F1 is
    constant. Of the best intervals the one nearest 0 is taken, and its middle, away from the faces that decide. An
    offset moves only for a gain, so that validation macro-F1 is never below that of argmax; the optimum may be a local
    one.

    Parameters
    ----------
    y_valid : ndarray of shape (n_faces,)
        True labels of the validation split.
    proba_valid : ndarray of shape (n_faces, 7)
        Its probabilities.
    max_accuracy_drop : float, optional
        What validation accuracy may lose against argmax: 0.01 is one point. By default anything.

    Returns
    -------
    ndarray of shape (7,), dtype float64
        Offsets of mean 0; all 0 where nothing beats argmax.

    Raises
    ------
    ValueError
        If there is not one row of probabilities a label, or `max_accuracy_drop` is negative.

    References
    ----------
    A. K. Menon, S. Jayasumana, A. S. Rawat, H. Jain, A. Veit and S. Kumar, "Long-tail learning via logit adjustment",
    ICLR 2021. https://arxiv.org/abs/2007.07314 (there the offsets are log priors; here they are searched for.)
    """
    if proba_valid.shape != (len(y_valid), len(LABELS)):
        raise ValueError(f"probabilities of shape {proba_valid.shape} for {len(y_valid)} labels")
    if max_accuracy_drop is not None and max_accuracy_drop < 0:
        raise ValueError(f"max_accuracy_drop={max_accuracy_drop} is negative")
    offsets = np.zeros(len(LABELS))
    best, correct = _score(*_counts(y_valid, decide(proba_valid, offsets)), _support(y_valid))
    enough = 0 if max_accuracy_drop is None else correct - max_accuracy_drop * len(y_valid) - 1e-9
    gained = True
    while gained:
        gained = False
        for label in LABELS:
            middles, macro_f1, correct = _along(y_valid, _scores(proba_valid, offsets), label, offsets[label])
            macro_f1 = np.where(correct >= enough, macro_f1, -1)
            nearest = np.lexsort((np.abs(middles), -macro_f1))[0]
            if macro_f1[nearest] > best + 1e-12:
                best, offsets[label], gained = macro_f1[nearest], middles[nearest], True
    return offsets - offsets.mean()


def decide(proba: NDArray[np.floating], offsets: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the label with the highest log probability plus offset, shape (n_faces,); offsets of 0 are argmax."""
    return _scores(proba, offsets).argmax(axis=1)


def apply(proba: NDArray[np.floating], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities times exp(offsets), rows summing to 1: what `benchmark.metrics.evaluate` can score."""
    return softmax(_scores(proba, offsets), axis=1)


def cross_fit(
    y_valid: NDArray[np.int64], proba_valid: NDArray[np.floating], max_accuracy_drop: float | None = None
) -> NDArray[np.float64]:
    """Return `apply` of offsets that never saw the face: each of ten stratified folds has those of the nine others.

    Against the score of offsets on the faces they were fitted on, this shows how much they overfit, without the test
    split.

    Returns
    -------
    ndarray of shape (n_faces, 7), dtype float64
    """
    adjusted = np.empty(proba_valid.shape)
    for out in stratified_folds(y_valid, FOLDS):
        adjusted[out] = apply(proba_valid[out], fit_offsets(y_valid[~out], proba_valid[~out], max_accuracy_drop))
    return adjusted


def compare(found: Probabilities, max_accuracy_drop: float = 0.01) -> pd.DataFrame:
    """Score argmax, offsets and offsets that keep validation accuracy within `max_accuracy_drop`.

    Returns
    -------
    DataFrame
        A row a rule, ``argmax``, ``offsets`` and ``offsets_accuracy``. ``valid_accuracy`` and ``valid_macro_f1`` are on
        the faces that fitted the offsets, ``cross_fit_macro_f1`` is of `cross_fit`: choose a rule by it. Then
        ``test_accuracy``, ``test_macro_f1``, and recall and F1 on test of each of the weak classes, the recalls with
        their 95% bootstrap intervals (``_low``, ``_high``).
    """
    rows = {"argmax": _row(found, np.zeros(len(LABELS)), found.valid)}
    for rule, drop in (("offsets", None), ("offsets_accuracy", max_accuracy_drop)):
        offsets = fit_offsets(found.y_valid, found.valid, drop)
        rows[rule] = _row(found, offsets, cross_fit(found.y_valid, found.valid, drop))
    return pd.DataFrame.from_dict(rows, orient="index", dtype=float).rename_axis("rule")


def _row(found: Probabilities, offsets: NDArray[np.float64], crossed: NDArray[np.floating]) -> dict[str, float | None]:
    valid = evaluate(found.y_valid, apply(found.valid, offsets))
    test = evaluate(found.y_test, apply(found.test, offsets))
    row = {
        "valid_accuracy": valid["accuracy"],
        "valid_macro_f1": valid["macro_f1"],
        "cross_fit_macro_f1": evaluate(found.y_valid, crossed)["macro_f1"],
        "test_accuracy": test["accuracy"],
        "test_macro_f1": test["macro_f1"],
    }
    for emotion in WEAK_CLASSES:
        for metric in ("recall", "f1"):
            row[f"{emotion.lower()}_{metric}"] = test["per_emotion"][emotion][metric]
    bounds = intervals(found.y_test, decide(found.test, offsets))
    for emotion in WEAK_CLASSES:
        for bound in ("low", "high"):
            row[f"{emotion.lower()}_recall_{bound}"] = bounds.loc[f"recall_{emotion}", bound]
    return row


def _scores(proba: NDArray[np.floating], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.log(np.maximum(proba.astype(float), np.finfo(np.float32).tiny)) + offsets


def _along(
    y: NDArray[np.int64], scores: NDArray[np.float64], label: int, offset: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return middle, macro-F1 and right decisions of each interval of one offset, all else kept."""
    others = scores.copy()
    others[:, label] = -np.inf
    breaks = others.max(axis=1) - scores[:, label] + offset
    order = np.argsort(breaks, kind="stable")
    true, rival = y[order], others.argmax(axis=1)[order]
    one_hot = np.eye(len(LABELS), dtype=np.int64)
    gained, lost = one_hot[label], one_hot[rival]
    hits_change = gained * (true == label)[:, None] - lost * (true == rival)[:, None]
    hits, decided = _counts(true, rival)
    hits = np.vstack([hits, hits + np.cumsum(hits_change, axis=0)])
    decided = np.vstack([decided, decided + np.cumsum(gained - lost, axis=0)])
    edges = np.concatenate([[-LIMIT], np.clip(breaks[order], -LIMIT, LIMIT), [LIMIT]])
    # Between equal breakpoints there is nothing, and in the narrowest intervals rounding would decide.
    wide = np.diff(edges) > NARROW
    macro_f1, correct = _score(hits[wide], decided[wide], _support(y))
    return ((edges[1:] + edges[:-1]) / 2)[wide], macro_f1, correct


def _counts(y: NDArray[np.int64], decided: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return, of each emotion, the right decisions and the decisions for it."""
    return _support(decided[decided == y]), _support(decided)


def _support(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.bincount(labels, minlength=len(LABELS))


def _score(hits: NDArray[np.int64], decided: NDArray[np.int64], support: NDArray[np.int64]) -> tuple:
    """Return macro-F1 and the number of right decisions."""
    return macro_f1(hits, decided, support), hits.sum(axis=-1)
