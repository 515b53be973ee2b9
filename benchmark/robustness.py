"""Which recognizer breaks first: ``python -m benchmark.robustness results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from benchmark.arguments import count
from benchmark.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from benchmark.data import DataError, Split
from benchmark.kept import store_robustness
from benchmark.store import Record, Store
from benchmark.stored import models_and_data
from models.files import explain
from models.prediction import side_by_side

NOTHING = "none"
# Corruptions that are in the training of `models.augmentation.augment` too, with the parameter that says so.
TRAINED_BY = {
    "blur": "degrading",
    "noise": "degrading",
    "brightness": "gamma",
    "contrast": "gamma",
    "rotation": "rotation",
    "shift": "shift",
    "scale": "zoom",
    "occlusion": "erasing",
}


def robustness(recognizers: Mapping[str, Any], faces: Split) -> pd.DataFrame:
    """Return the accuracy of recognizers on faces as they are and on corrupted ones.

    Parameters
    ----------
    recognizers : mapping of str to recognizer
        Fitted, by name.
    faces : Split

    Returns
    -------
    DataFrame
        Index recognizer; columns ``faces``, their number, ``amounts``, those of the corruptions, ``none``, then
        ``<corruption>_<strength>`` for all of `benchmark.corruptions.CORRUPTIONS` at strengths 1 to 3.
    """
    amounts = "; ".join(f"{kind} {values}" for kind, (_, values) in CORRUPTIONS.items())
    table = pd.DataFrame({"faces": len(faces), "amounts": amounts}, index=pd.Index(recognizers, name="recognizer"))
    cells = [(NOTHING, 0), *((kind, strength) for kind in CORRUPTIONS for strength in STRENGTHS)]
    for kind, strength in tqdm(cells, unit="corruption", disable=None):
        X = corrupt(faces.X, kind, strength) if strength else faces.X
        found = side_by_side(recognizers, X)
        column = f"{kind}_{strength}" if strength else kind
        table[column] = {name: (proba.argmax(axis=1) == faces.y).mean() for name, proba in found.items()}
    return table


def kinds(table: pd.DataFrame) -> list[str]:
    """Return the corruptions that a table of `robustness` holds."""
    return [name.removesuffix("_1") for name in table if name.endswith("_1")]


def by_strength(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `robustness` with the index recognizer, corruption and strength, 0 for faces as they are.

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
    """Return the corruptions that a recognizer saw in its training, by its parameters; a vote's, by its voters'.

    Parameters
    ----------
    record : dict
        Of a finished run.
    members : mapping of str to dict
        The records of its seed, by recognizer; of those the ones that are its members count.
    """
    weights = record.get("ensemble", {}).get("weights") or dict.fromkeys(record.get("members", {}), 1.0)
    voters = [members[name] for name, weight in weights.items() if weight and name in members]
    # All of them together: the kernel of a support vector machine has a gamma as well.
    params = [each["params"] for each in (record, *voters) if set(TRAINED_BY.values()) <= each["params"].keys()]
    return [kind for kind, name in TRAINED_BY.items() if any(each[name] for each in params)]


def unseen(table: pd.DataFrame) -> list[str]:
    """Return the corruptions that no recognizer of a table was trained on: on these all can be compared."""
    trained = set(", ".join(table.get("trained_on", pd.Series(dtype=str))).split(", "))
    return [kind for kind in kinds(table) if kind not in trained]


def summary(table: pd.DataFrame) -> pd.DataFrame:
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
    """Return `summary` as text, a star at what a recognizer was trained on."""
    shown = summary(table).set_index("recognizer")
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.robustness",
        description="Score the models of a results folder on corrupted test faces, and bring its pages up to date.",
    )
    option = parser.add_argument
    option("root", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    option("--data", metavar="PATH", help="the data that its records are of (default: $FER2013, else synthetic faces)")
    option(
        "--faces", type=count(1), default=1000, metavar="N", help="a stratified part of the test faces (default: 1000)"
    )
    args = parser.parse_args(argv)
    from benchmark.derive import derive  # which draws what this module measures

    try:
        records, recognizers, data = models_and_data(args.root, args.data)
        first, *_ = records.values()
        faces = data[first["protocol"]["report"]].sample(args.faces)
        store_robustness(Store(args.root), list(records.values()), robustness(recognizers, faces))
        derive(args.root)
    except (DataError, OSError) as error:
        print(f"error: {explain(error, args.root)}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
