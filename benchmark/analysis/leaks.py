"""The leak test of models from elsewhere: whether they saw the test faces in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from benchmark.analysis.leaderboard import firsts
from benchmark.data.near_duplicates import NearDuplicates
from benchmark.runs.record_store import EXTERNAL, Record

# No model that never saw a face answers FER2013's labels so well: the majority of ten other annotators (FER+) agrees
# with 0.674 of them, and no published network without leaks exceeds 0.8.
CEILING = 0.8
VERDICTS = {
    "seen": "test faces were in its training: it answers them as only remembered faces are answered",
    "not seen": "it answers Training better than the test faces, as a model does that never saw these",
    "unclear": "it answers the test faces as well as Training: it remembers neither, or both",
    "unknown": "no predictions of Training",
}
Right = NDArray[np.bool_]


def leak_test(training: Right | None, test: Right, near_duplicates: NearDuplicates, ceiling: float = CEILING) -> Record:
    """Compare the accuracy on Training with that on test faces that nobody could have seen.

    A model that was fitted on Training alone answers its faces better than others; one that was fitted on the test
    faces too answers both alike. A very high accuracy on the test faces without near-duplicates is a memory as well.

    Parameters
    ----------
    training : ndarray of shape (n_training,), dtype bool, or None
        Whether the model is right.
    test : ndarray of shape (n_test,), dtype bool
        The same of the reported split.
    near_duplicates : NearDuplicates
        Of the reported split.
    ceiling : float
        Accuracy that cannot be reached on unseen faces.

    Returns
    -------
    dict
        ``training``, ``training_copies`` (test faces with an exact duplicate in Training), ``without_copies`` (the
        others) and ``clean`` (without near-duplicates), each with ``n_faces``, ``accuracy`` and its 95% Wilson interval
        ``low``, ``high``, or None without faces; ``gap``, the accuracy on Training minus ``clean``, with Newcombe's
        interval; ``verdict``, a key of `VERDICTS`.
    """
    remaining = near_duplicates.remaining
    parts = {"training_copies": near_duplicates.fit, "without_copies": remaining["fit"], "clean": remaining["near"]}
    scores = {name: _share(test[faces]) for name, faces in parts.items()}
    result: Record = {"training": None if training is None else _share(training), **scores, "gap": None}
    seen, clean = result["training"], result["clean"]
    verdict = "unknown"
    if training is not None and seen and clean:
        low, high = confint_proportions_2indep(
            training.sum(), training.size, test[parts["clean"]].sum(), clean["n_faces"], method="newcomb"
        )
        result["gap"] = {"estimate": seen["accuracy"] - clean["accuracy"], "low": float(low), "high": float(high)}
        verdict = "not seen" if low > 0 else "unclear"
    if clean and clean["low"] > ceiling:
        verdict = "seen"
    return {**result, "verdict": verdict}


def _share(right: Right) -> dict[str, Any] | None:
    if not right.size:
        return None
    low, high = proportion_confint(right.sum(), right.size, method="wilson")
    return {"n_faces": right.size, "accuracy": float(right.mean()), "low": float(low), "high": float(high)}


def external_models(done: Sequence[Record]) -> pd.DataFrame:
    """Return what is declared and found of the models from elsewhere.

    Returns
    -------
    DataFrame
        Index recognizer; ``source``, ``version``, ``licence``, ``extra_data``, ``views``, ``caveat``; the accuracy on
        ``training``, ``training_copies`` and ``clean``, of the last with its interval ``clean_low``, ``clean_high``;
        ``gap``, ``gap_low``, ``gap_high`` and ``verdict`` of `leak_test`. Empty if there is none.
    """
    rows = {}
    for name, record in firsts(done).items():
        if record["family"] != EXTERNAL:
            continue
        declared, leak = record["params"], record["leak"]
        row = {key: declared.get(key, "") for key in ("source", "version", "licence", "extra_data", "views", "caveat")}
        row |= {key: (leak[key] or {}).get("accuracy") for key in ("training", "training_copies", "clean")}
        row |= {f"clean_{bound}": (leak["clean"] or {}).get(bound) for bound in ("low", "high")}
        gap = leak["gap"] or {}
        row |= {"gap": gap.get("estimate"), "gap_low": gap.get("low"), "gap_high": gap.get("high")}
        rows[name] = {**row, "verdict": leak["verdict"]}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer")
