"""Which recognizer breaks first: ``python -m benchmark.robustness results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from benchmark.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from benchmark.data import DataError, Dataset, Split, load_dataset
from benchmark.kept import store_robustness
from benchmark.leaderboard import finished, firsts
from benchmark.store import Record, Store, current_records
from models.artifacts import ArtifactError, load
from models.prediction import side_by_side

NOTHING = "none"


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
        Index recognizer; columns ``faces``, their number, ``none``, then ``<corruption>_<strength>`` for all of
        `benchmark.corruptions.CORRUPTIONS` at strengths 1 to 3.
    """
    table = pd.DataFrame({"faces": len(faces)}, index=pd.Index(recognizers, name="recognizer"))
    cells = [(NOTHING, 0), *((kind, strength) for kind in CORRUPTIONS for strength in STRENGTHS)]
    for kind, strength in tqdm(cells, unit="corruption", disable=None):
        X = corrupt(faces.X, kind, strength) if strength else faces.X
        found = side_by_side(recognizers, X)
        column = f"{kind}_{strength}" if strength else kind
        table[column] = {name: (proba.argmax(axis=1) == faces.y).mean() for name, proba in found.items()}
    return table


def by_strength(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table of `robustness` with the index recognizer, corruption and strength, 0 for faces as they are.

    Columns ``accuracy``.
    """
    rows = {
        (name, kind, strength): row[f"{kind}_{strength}" if strength else NOTHING]
        for name, row in table.iterrows()
        for kind in CORRUPTIONS
        for strength in (0, *STRENGTHS)
    }
    index = pd.MultiIndex.from_tuples(rows, names=["recognizer", "corruption", "strength"])
    return pd.DataFrame({"accuracy": list(rows.values())}, index=index)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a recognizer: the accuracy on faces as they are, the mean over strengths of each corruption.

    ``mean`` is over all corruptions, ``kept`` its share of the accuracy on faces as they are.
    """
    means = {kind: table[[f"{kind}_{strength}" for strength in STRENGTHS]].mean(axis=1) for kind in CORRUPTIONS}
    shown = pd.DataFrame(means)
    shown["mean"] = shown.mean(axis=1)
    shown["kept"] = shown["mean"] / table[NOTHING]
    shown.insert(0, NOTHING, table[NOTHING])
    return shown.reset_index()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 for usage or data."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.robustness",
        description="Score the models of a results folder on corrupted test faces, and bring its pages up to date.",
    )
    option = parser.add_argument
    option("root", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    option("--data", metavar="PATH", help="the data that its records are of (default: $FER2013, else synthetic faces)")
    option("--faces", type=int, default=1000, metavar="N", help="a stratified part of the test faces (default: 1000)")
    args = parser.parse_args(argv)
    try:
        _measure(args.root, load_dataset(args.data), args.faces)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _measure(root: Path, data: Dataset, n_faces: int) -> None:
    from benchmark.derive import derive

    store = Store(root)
    done = finished(current_records(store))
    if not done:
        raise DataError(f"{root}: no finished run: python -m benchmark.run makes them")
    if done[0]["data_fingerprint"] != data.fingerprint:
        raise DataError(f"{root}: its records are of other data than these: give theirs with --data")
    recognizers = load_finished(root, firsts(done))
    if not recognizers:
        raise DataError(f"{root}/models: no model of a finished run: python -m benchmark.run --rerun makes them")
    faces = data[done[0]["protocol"]["report"]].sample(n_faces)
    store_robustness(store, done, robustness(recognizers, faces))
    derive(root)


def load_finished(root: Path, records: Mapping[str, Record]) -> dict[str, Any]:
    """Return the recognizers of finished runs whose files are there, by name; print notes about the others."""
    loaded = {}
    for name, record in records.items():
        try:
            recognizer = load(root / "models" / record["artifact"])
        except ArtifactError as error:
            print(f"note: without {name}: {error}", file=sys.stderr)
            continue
        if recognizer.card_["sha256"] == record["artifact_sha256"]:
            loaded[name] = recognizer
        else:
            print(f"note: without {name}: its model is of another run than its record", file=sys.stderr)
    return loaded


if __name__ == "__main__":
    sys.exit(main())
