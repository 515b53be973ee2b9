"""What the class weights change: the same recognizers fitted under each scheme, from the stored records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from benchmark.leaderboard import finished, firsts
from benchmark.protocol import CLASS_WEIGHTS, PROTOCOLS
from benchmark.store import Probabilities, Store, current_records
from benchmark.uncertainty import intervals, paired_differences
from benchmark.weak_classes import WEAK_CLASSES

METRICS = ("accuracy", "macro_f1", *(f"recall_{emotion}" for emotion in WEAK_CLASSES))
REFERENCE = "balanced"
CHANGE = ("change", "change_low", "change_high")


def scheme_roots(root: Path) -> dict[str, Path]:
    """Return the results folders of every scheme of class weights that differ from `root` in nothing else.

    Empty if `root` is not that of balanced weights, or if no other scheme was run.
    """
    protocol, *rest = root.name.split("-", 1)
    if protocol not in PROTOCOLS or (rest and rest[0].split("-")[0] in CLASS_WEIGHTS):
        return {}
    folders = {scheme: root.with_name("-".join([protocol, scheme, *rest])) for scheme in CLASS_WEIGHTS}
    found = {scheme: folder for scheme, folder in folders.items() if (folder / "runs").is_dir()}
    return {REFERENCE: root, **found} if found else {}


def class_weight_ablation(roots: Mapping[str, Path], fingerprint: str) -> pd.DataFrame:
    """Compare the schemes of class weights on the test split.

    Parameters
    ----------
    roots : mapping of str to Path
        Results folder of each scheme, `REFERENCE` among them.
    fingerprint : str
        Of the data; runs on other data are left out.

    Returns
    -------
    DataFrame
        Index recognizer, class_weight and metric (`METRICS`), for recognizers with the same first seed under
        `REFERENCE` and another scheme: ``estimate``, ``low``, ``high`` (95% bootstrap), and ``change``, ``change_low``,
        ``change_high``, the scheme minus `REFERENCE` on the same faces; fractions.
    """
    runs = {scheme: _firsts(Store(root), fingerprint) for scheme, root in roots.items()}
    parts = {}
    for (name, seed), reference in runs[REFERENCE].items():
        others = {scheme: found[name, seed] for scheme, found in runs.items() if (name, seed) in found}
        for scheme, run in others.items() if len(others) > 1 else ():
            y, decided = run.y_test, run.test.argmax(axis=1)
            change = paired_differences(y, decided, reference.test.argmax(axis=1))
            parts[name, scheme] = intervals(y, decided).join(change.set_axis(CHANGE, axis=1)).loc[list(METRICS)]
    return pd.concat(parts, names=["recognizer", "class_weight"]) if parts else pd.DataFrame()


def ablation_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row each recognizer and scheme, as text: scores and their change from `REFERENCE`, with intervals."""
    rows = []
    for (name, scheme), found in table.groupby(level=["recognizer", "class_weight"], sort=False) if len(table) else ():
        scores = found.droplevel(["recognizer", "class_weight"])
        row = {"recognizer": name, "class_weight": scheme}
        row |= {metric: f"{scores.loc[metric, 'estimate']:.3f}" for metric in METRICS}
        for metric in METRICS if scheme != REFERENCE else ():
            row[f"{metric}_change"] = "{:+.3f} [{:+.3f}, {:+.3f}]".format(*scores.loc[metric, list(CHANGE)])
        rows.append({key.lower(): value for key, value in row.items()})
    return pd.DataFrame(rows).fillna("")


def _firsts(store: Store, fingerprint: str) -> dict[tuple[str, int], Probabilities]:
    """Return the probabilities of every recognizer but the floor, by name and first seed, the best first."""
    return {
        (name, record["seed"]): store.probabilities(record)
        for name, record in firsts(finished(current_records(store))).items()
        if record["data_fingerprint"] == fingerprint and record["family"] != "floor"
    }
