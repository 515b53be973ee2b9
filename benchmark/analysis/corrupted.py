"""Tables of the accuracy on corrupted faces, and which corruptions a recognizer was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from benchmark.data.corruptions import STRENGTHS
from benchmark.runs.record_store import Record
from models.registry import run_of

NOTHING = "none"
# Corruptions that `models.networks.augmentation` has in the training too, with the parameter that says so.
TRAINED_BY = {
    "blur": "blur_noise_prob",
    "noise": "blur_noise_prob",
    "brightness": "gamma",
    "contrast": "gamma",
    "rotation": "rotation",
    "shift": "shift",
    "scale": "zoom",
    "occlusion": "erase_prob",
}


def kinds(table: pd.DataFrame) -> list[str]:
    """Return the corruptions that a table of `benchmark.robustness.robustness` holds."""
    return [name.removesuffix("_1") for name in table if name.endswith("_1")]


def by_strength(table: pd.DataFrame) -> pd.DataFrame:
    """Return that table with the index recognizer, corruption and strength, 0 for faces as they are.

    Columns ``accuracy``.
    """
    rows = {
        (name, kind, strength): row[f"{kind}_{strength}" if strength else NOTHING]
        for name, row in table.iterrows()
        for kind in kinds(table)
        for strength in (0, *STRENGTHS)
    }
    index = pd.MultiIndex.from_tuples(rows, names=["recognizer", "corruption", "strength"])
    return pd.DataFrame({"accuracy": list(rows.values())}, index=index)


def trained_on(record: Record, members: Mapping[str, Record]) -> list[str]:
    """Return the corruptions that a recognizer, or a member with a vote in it, was trained on, by its parameters.

    Parameters
    ----------
    record : dict
        Of a finished run.
    members : mapping of str to dict
        A record of each recognizer, by name; those that are not its members are ignored.
    """
    weights = record.get("ensemble", {}).get("weights") or dict.fromkeys(record.get("members", {}), 1.0)
    names = {run_of(stem)[0] for stem, weight in weights.items() if weight}
    voters = [members[name] for name in names if name in members]
    # Only where all names occur: the kernel of a support vector machine has a gamma as well.
    params = [run["params"] for run in (record, *voters) if set(TRAINED_BY.values()) <= run["params"].keys()]
    return [kind for kind, name in TRAINED_BY.items() if any(values[name] for values in params)]


def unseen(table: pd.DataFrame) -> list[str]:
    """Return the corruptions that no recognizer of a table was trained on: on these all can be compared."""
    trained = set(", ".join(table.get("trained_on", pd.Series(dtype=str))).split(", "))
    return [kind for kind in kinds(table) if kind not in trained]


def corruption_summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a recognizer: the accuracy on faces as they are, the mean over strengths of each corruption.

    ``mean`` is over the corruptions that no recognizer of the table was trained on, ``kept`` its share of the accuracy
    on faces as they are; both are missing where there is no such corruption.
    """
    means = {kind: table[[f"{kind}_{strength}" for strength in STRENGTHS]].mean(axis=1) for kind in kinds(table)}
    shown = pd.DataFrame(means)
    shown["mean"] = shown[unseen(table)].mean(axis=1)
    shown["kept"] = shown["mean"] / table[NOTHING]
    shown.insert(0, NOTHING, table[NOTHING])
    return shown.reset_index()


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """Return `corruption_summary` as text, a star at what a recognizer was trained on."""
    shown = corruption_summary(table).set_index("recognizer")
    text = shown.map(lambda value: "" if pd.isna(value) else f"{value:.3f}")
    for name, trained in table.get("trained_on", pd.Series(dtype=str)).items():
        for kind in filter(None, trained.split(", ")):
            text.loc[name, kind] += "*"
    return text.reset_index()


def note(table: pd.DataFrame) -> str:
    """Return what the stars of `marked` mean, and of which corruptions its last columns are."""
    fair = ", ".join(unseen(table)) or "there is none, so they are empty"
    return (
        f"A star: trained on such changes. mean, kept: over the kinds that no recognizer here was trained on ({fair})."
    )
