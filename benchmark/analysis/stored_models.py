"""Choose and load the models of a results folder, for commands that score them on other faces."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.analysis.leaderboard import by_seed, equal_seeds, finished
from benchmark.data import DataError, Dataset
from benchmark.data.options import load_data
from benchmark.data.protocol import labels_of
from benchmark.runs.freshness import load_finished
from benchmark.runs.record_store import Record, Store, current_records
from models.artifacts.save_load import ArtifactError


def choose(root: Path, patterns: Sequence[str] | None) -> dict[str, Record]:
    """Return the finished records of one seed whose recognizer matches a pattern, by recognizer.

    Raises
    ------
    DataError
        If there is none.
    """
    done = by_seed(finished(current_records(Store(root))))
    if not done:
        raise DataError(f"{root}: no finished run: python -m benchmark.run makes them, or give another --results")
    for pattern in patterns or ():
        if not fnmatch.filter(done, pattern):
            raise DataError(f"--models {pattern}: not in {root}, which has {', '.join(done)}")
    wanted = {
        name: runs for name, runs in done.items() if any(fnmatch.fnmatch(name, pattern) for pattern in patterns or "*")
    }
    seed, chosen = equal_seeds(wanted)
    for name in wanted.keys() - chosen:
        print(f"note: without {name}: it has no run of seed {seed}, as the others have", file=sys.stderr)
    return chosen


def load_recognizers(root: Path, records: Mapping[str, Record]) -> dict[str, Any]:
    """Load the models of finished runs, by recognizer; print a note about each that cannot be loaded.

    Raises
    ------
    DataError
        If there is none.
    """
    loaded = {}
    for name, record in records.items():
        try:
            loaded[name] = load_finished(root, record)
        except ArtifactError as error:
            print(f"note: without {name}: {error}", file=sys.stderr)
    if not loaded:
        raise DataError(f"{root}/models: no model of a finished run: python -m benchmark.run --rerun makes them")
    return loaded


def data_of(record: Record, args: argparse.Namespace) -> Dataset:
    """Load the data of a record: those of the options, with its limit and its kind of labels."""
    return load_data(args, record["limit"], labels_of(record))


def models_and_data(
    root: Path, args: argparse.Namespace, patterns: Sequence[str] | None = None
) -> tuple[dict[str, Record], dict[str, Any], Dataset]:
    """Return the finished records of a results folder, the models of them that can be loaded, and their data.

    Raises
    ------
    DataError
        If there is no record or no model, or the data are others.
    """
    records = choose(root, patterns)
    first, *_ = records.values()
    data = data_of(first, args)
    if first["data_fingerprint"] != data.fingerprint:
        raise DataError(f"{root}: its records were made from other data: give those with --data")
    return records, load_recognizers(root, records), data
