"""Tables as text for readers: scores with their intervals, test results, weights of members."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmark.analysis.per_class import WEAK_CLASSES

INTERVAL_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
    "disgust_recall": "recall_Disgust",
    "fear_recall": "recall_Fear",
}
BOUNDS = ("estimate", "low", "high")


def score_summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one row a recognizer, as text: scores with their intervals, without near-duplicates, against FER+.

    ``first`` is how often it has the highest accuracy in bootstrap resamples; ``detectable`` the smallest difference
    to the best that so many faces show.
    """
    intervals = tables["intervals"]
    names = list(intervals.index.unique(level=0))
    columns = {
        column: {name: _with_interval(intervals.loc[(name, metric)]) for name in names}
        for column, metric in INTERVAL_COLUMNS.items()
    }
    columns["first"] = tables["first_places"]["accuracy"].map("{:.2f}".format).to_dict()
    columns["detectable"] = tables["versus_best"]["detectable"].dropna().map("{:.3f}".format).to_dict()
    if "copies" in tables:
        for (name, rule), row in tables["copies"].iterrows():
            if rule in ("exact", "near"):
                text = f"{row['accuracy']:.3f} ({-row['accuracy_drop']:+.3f})"
                columns.setdefault(f"without_{rule}_copies", {})[name] = text
            for emotion in map(str.lower, WEAK_CLASSES) if rule == "near" else ():
                recall = dict(
                    zip(BOUNDS, row[[f"{emotion}_recall{end}" for end in ("", "_low", "_high")]], strict=True)
                )
                columns.setdefault(f"{emotion}_recall_without_near", {})[name] = _with_interval(recall)
    if "ferplus" in tables:
        accuracy = tables["ferplus"]["accuracy"]
        columns["ferplus_accuracy"] = {name: f"{accuracy[name]:.3f}" for name in names if name in accuracy}
    return pd.DataFrame(columns, index=pd.Index(names, name="recognizer")).fillna("").reset_index()


def verdicts(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the test of every recognizer against the best as text.

    ``best``, ``p = …``, ``not distinguishable, p = …``, or ``no seed in common`` where there is no test.
    """
    tested = tables["versus_best"]
    words = {name: "best" for name in tables["mcnemar"].index if name not in tested.index}
    for name, row in tested.iterrows():
        if np.isnan(row["p_holm"]):
            words[str(name)] = "no seed in common"
            continue
        p = f"p {_p_value(row['p_holm'])}" if row["p_holm"] < 0.001 else f"p = {row['p_holm']:.3f}"
        words[str(name)] = p if row["distinguishable"] else f"not distinguishable, {p}"
    return words


def seeds_summary(seeds: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `benchmark.analysis.uncertainty.over_seeds` as text, one row a recognizer."""
    texts = [
        "" if np.isnan(mean) else f"{mean:.3f}" if np.isnan(std) else f"{mean:.3f} ± {std:.3f}"
        for mean, std in seeds[["mean", "std"]].itertuples(index=False)
    ]
    shown = pd.Series(texts, seeds.index).unstack("metric", sort=False)
    shown.insert(0, "seeds", seeds["n"].groupby("recognizer", sort=False).max())
    return shown.rename_axis(columns=None).reset_index()


def weights_summary(weights: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `benchmark.analysis.tables.ensemble_weights` as text."""
    shown = weights.reset_index()
    if shown["seed"].nunique() < 2:
        del shown["seed"]
    shown["weight"] = shown["weight"].map("{:.2f}".format, na_action="ignore")
    shown["accuracy_gain"] = shown["accuracy_gain"].map("{:+.3f}".format)
    shown["p_mcnemar"] = shown["p_mcnemar"].map(_p_value)
    of_several = weights["seed"].astype(str).str.contains(" ").any()
    return shown.rename(columns={"p_mcnemar": "p"}) if of_several else shown


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _with_interval(row: Mapping[str, float] | pd.Series) -> str:
    if np.isnan(row["estimate"]):
        return ""
    if np.isnan(row["low"]):
        return f"{row['estimate']:.3f}"
    return f"{row['estimate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
