"""Ablation of class weights: compares records of the same recognizers fitted under each scheme."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from benchmark.analysis.leaderboard import by_seed, equal_seeds, finished
from benchmark.analysis.per_class import WEAK_CLASSES
from benchmark.analysis.uncertainty import intervals, paired_differences
from benchmark.data.protocol import CLASS_WEIGHTS, PROTOCOLS
from benchmark.runs.record_store import Record, Store, current_records

ABLATION_METRICS = ("accuracy", "macro_f1", *(f"recall_{emotion}" for emotion in WEAK_CLASSES))
BASELINE = "balanced"
CHANGE = ("change", "change_low", "change_high")


def scheme_roots(root: Path) -> dict[str, Path]:
    """Return the results folders of every scheme of class weights that differ from `root` in nothing else.

    Empty if `root` is not that of balanced weights, or if no other scheme was run.
    """
    protocol, *rest = root.name.split("-", 1)
    if protocol not in PROTOCOLS or (rest and rest[0].split("-")[0] in CLASS_WEIGHTS):
        return {}
    folders = {scheme: root.with_name("-".join([protocol, scheme, *rest])) for scheme in CLASS_WEIGHTS}
    others = {scheme: folder for scheme, folder in folders.items() if (folder / "runs").is_dir()}
    return {BASELINE: root, **others} if others else {}


def class_weight_ablation(roots: Mapping[str, Path], fingerprint: str) -> pd.DataFrame:
    """Compare the schemes of class weights on the test split.

    Parameters
    ----------
    roots : mapping of str to Path
        Results folder of each scheme, `BASELINE` among them.
    fingerprint : str
        Of the data; runs on other data are left out.

    Returns
    -------
    DataFrame
        Index recognizer, class_weight and metric (`ABLATION_METRICS`), for recognizers with a seed in common under
        `BASELINE` and another scheme, all of one such seed: ``estimate``, ``low``, ``high`` (95% bootstrap), and
        ``change``, ``change_low``, ``change_high``, the scheme minus `BASELINE` on the same faces; fractions.
    """
    stores = {scheme: Store(root) for scheme, root in roots.items()}
    runs = {scheme: _runs(store, fingerprint) for scheme, store in stores.items()}
    parts = {}
    for name, balanced in runs[BASELINE].items():
        same = {
            scheme: {seed: record for seed, record in by_name.get(name, {}).items() if seed in balanced}
            for scheme, by_name in runs.items()
        }
        _, records = equal_seeds(same)
        probabilities = {scheme: stores[scheme].probabilities(record) for scheme, record in records.items()}
        for scheme, run in probabilities.items() if len(probabilities) > 1 else ():
            y, decided = run.y_test, run.test.argmax(axis=1)
            change = paired_differences(y, decided, probabilities[BASELINE].test.argmax(axis=1))
            parts[name, scheme] = (
                intervals(y, decided).join(change.set_axis(CHANGE, axis=1)).loc[list(ABLATION_METRICS)]
            )
    return pd.concat(parts, names=["recognizer", "class_weight"]) if parts else pd.DataFrame()


def ablation_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each recognizer and scheme, as text: scores and their change from `BASELINE`, with intervals."""
    rows = []
    for (name, scheme), part in table.groupby(level=["recognizer", "class_weight"], sort=False) if len(table) else ():
        scores = part.droplevel(["recognizer", "class_weight"])
        row = {"recognizer": name, "class_weight": scheme}
        row |= {metric: f"{scores.loc[metric, 'estimate']:.3f}" for metric in ABLATION_METRICS}
        for metric in ABLATION_METRICS if scheme != BASELINE else ():
            row[f"{metric}_change"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*scores.loc[metric, list(CHANGE)])
        rows.append({key.lower(): value for key, value in row.items()})
    return pd.DataFrame(rows).fillna("")


def _runs(store: Store, fingerprint: str) -> dict[str, dict[int, Record]]:
    """Return the finished records of every recognizer but the floor, by name and seed, the best first."""
    done = finished(current_records(store))
    return by_seed(
        record for record in done if record["data_fingerprint"] == fingerprint and record["family"] != "floor"
    )
