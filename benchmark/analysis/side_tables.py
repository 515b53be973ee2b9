"""Stored tables of near-duplicates, FER+, corrupted faces and data facts, so that deriving needs no data.

A side table names its data or runs and the code that made it; one that other code made is left out, with a note.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis.ferplus import LABELS_ROW, score_all
from benchmark.analysis.leaderboard import finished, firsts
from benchmark.data import Dataset
from benchmark.data.describe import describe
from benchmark.data.ferplus import Votes
from benchmark.data.near_duplicates import NearDuplicates, find_near_duplicates
from benchmark.data.protocol import Protocol
from benchmark.runs.record_store import Record, Store, current_records
from models.files.atomic import write_json, write_whole
from models.files.code_digest import code_digest

NEAR_DUPLICATES = "runs/copies.npz"
FERPLUS = "runs/ferplus.csv"
ROBUSTNESS = "runs/robustness.csv"
DATA_FACTS = "runs/data.json"
# Columns that are equal where accuracies on corrupted faces can be compared.
CORRUPTED = ["faces", "amounts"]
# The modules that compute the content of a file, and the command that makes it.
_MADE_BY = {
    NEAR_DUPLICATES: (("benchmark.data.near_duplicates",), "benchmark.run"),
    FERPLUS: (("benchmark.data.ferplus", "benchmark.analysis.ferplus"), "benchmark.run --ferplus"),
    ROBUSTNESS: (("benchmark.data.corruptions",), "benchmark.robustness"),
    DATA_FACTS: (("benchmark.data.describe",), "benchmark.run"),
}


def write_side_tables(store: Store, data: Dataset, protocol: Protocol, votes: Votes | None) -> None:
    """Write data facts and near-duplicates, and with votes the scores against FER+, if a run is finished."""
    done = finished(current_records(store))
    if done:
        write_data_facts(store, data)
        write_near_duplicates(store, data, protocol)
        if votes is not None:
            write_ferplus(store, done, votes)


def write_data_facts(store: Store, data: Dataset) -> None:
    """Write the facts of the data: counts, blank and repeated images, conflicting labels."""
    if not _current_data_facts(store, data.fingerprint):
        write_json(store.root / DATA_FACTS, {**describe(data).to_dict(), "code": _code(DATA_FACTS)})


def read_data_facts(store: Store, fingerprint: str) -> dict[str, Any]:
    """Return what `write_data_facts` wrote for these data, or an empty dict."""
    facts = _current_data_facts(store, fingerprint)
    if not facts:
        _say_left_out(store, DATA_FACTS)
    return facts


def _current_data_facts(store: Store, fingerprint: str) -> dict[str, Any]:
    try:
        facts = json.loads((store.root / DATA_FACTS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    wanted = {"fingerprint": fingerprint, "code": _code(DATA_FACTS)}
    return facts if isinstance(facts, dict) and wanted.items() <= facts.items() else {}


def write_near_duplicates(store: Store, data: Dataset, protocol: Protocol) -> None:
    """Write which test faces have a near-duplicate in the other splits, so that derived tables need no data."""
    if _current_near_duplicates(store, data.fingerprint) is not None:
        return
    file = io.BytesIO()
    flags, code = vars(find_near_duplicates(data, protocol)), np.array(_code(NEAR_DUPLICATES))
    np.savez_compressed(file, **flags, fingerprint=np.array(data.fingerprint), code=code)
    path = store.root / NEAR_DUPLICATES
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, file.getvalue())


def read_near_duplicates(store: Store, fingerprint: str) -> NearDuplicates | None:
    """Return what `write_near_duplicates` wrote for these data, or None."""
    near_duplicates = _current_near_duplicates(store, fingerprint)
    if near_duplicates is None:
        _say_left_out(store, NEAR_DUPLICATES)
    return near_duplicates


def _current_near_duplicates(store: Store, fingerprint: str) -> NearDuplicates | None:
    try:
        with np.load(store.root / NEAR_DUPLICATES) as arrays:
            flags = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    origin = [str(flags.pop(name, "")) for name in ("fingerprint", "code")]
    return NearDuplicates(**flags) if origin == [fingerprint, _code(NEAR_DUPLICATES)] else None


def write_ferplus(store: Store, done: Sequence[Record], votes: Votes) -> None:
    """Write the scores of finished runs against FER+, so that derived tables do not need its file.

    Only sums are written: which faces FER+ calls no faces stays in its own file.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data.
    votes : ndarray of shape (n_faces, 10)
        Votes on the reported split, from `benchmark.data.ferplus.FerPlus.of`.
    """
    runs = {name: store.probabilities(record) for name, record in firsts(done).items()}
    y = next(iter(runs.values())).y_test
    _write_table(store, FERPLUS, score_all(y, {name: run.test for name, run in runs.items()}, votes), done)


def read_ferplus(store: Store, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `write_ferplus` wrote, without the rows of runs that were repeated since, or None."""
    return _read_table(store, FERPLUS, done)


def write_robustness(store: Store, done: Sequence[Record], accuracies: pd.DataFrame) -> None:
    """Write accuracies on corrupted faces; earlier rows of other recognizers on the same faces stay.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data.
    accuracies : DataFrame
        From `benchmark.robustness.robustness`.
    """
    earlier = _current_table(store, ROBUSTNESS, done)
    if earlier is not None:
        same = earlier[(earlier[CORRUPTED] == accuracies[CORRUPTED].iloc[0]).all(axis=1)]
        accuracies = pd.concat([accuracies, same.drop(index=accuracies.index, errors="ignore")])
    _write_table(store, ROBUSTNESS, accuracies, done)


def read_robustness(store: Store, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `write_robustness` wrote, without the rows of runs that were repeated since, or None."""
    return _read_table(store, ROBUSTNESS, done)


def _write_table(store: Store, file: str, table: pd.DataFrame, done: Sequence[Record]) -> None:
    """Write a table of recognizers; the columns ``run`` and ``code`` say what a row was made from."""
    runs = {name: record["probabilities_sha256"] for name, record in firsts(done).items()}
    table = table.assign(run=[runs.get(name, "") for name in table.index], code=_code(file))
    write_whole(store.root / file, table.to_csv().encode())


def _read_table(store: Store, file: str, done: Sequence[Record]) -> pd.DataFrame | None:
    table = _current_table(store, file, done)
    if table is None:
        _say_left_out(store, file)
    return table


def _current_table(store: Store, file: str, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `_write_table` wrote, the best recognizer on validation first; rows of no recognizer stay above."""
    try:
        table = pd.read_csv(store.root / file, index_col="recognizer", dtype={"code": str, "run": str})
    except (OSError, ValueError):
        return None
    if "code" not in table or "run" not in table:
        return None
    table = table[table["code"] == _code(file)]
    runs = {name: record["probabilities_sha256"] for name, record in firsts(done).items()}
    order = [name for name in (LABELS_ROW, *runs) if name in table.index]
    current = [name for name in order if name == LABELS_ROW or table["run"][name] == runs[name]]
    return table.loc[current].drop(columns=["run", "code"]) if current else None


def _code(file: str) -> str:
    return "".join(map(code_digest, _MADE_BY[file][0]))


def _say_left_out(store: Store, file: str) -> None:
    if (store.root / file).is_file():
        print(
            f"note: {store.root / file} is left out, since it was made by other code or from other data or runs: "
            f"with the data, python -m {_MADE_BY[file][1]} makes it again",
            file=sys.stderr,
        )
