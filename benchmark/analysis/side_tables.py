"""What records do not hold but tables need, kept beside them when the data were at hand: copies, FER+, data facts.

Each is of its data or runs, and of the code that made it: what other code made is left out, with a note.
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

from benchmark.analysis.ferplus import LABELS_ROW, Votes, score_all
from benchmark.analysis.leaderboard import finished, firsts
from benchmark.data import Dataset
from benchmark.data.describe import describe
from benchmark.data.near_duplicates import Copies, copies
from benchmark.data.protocol import Protocol
from benchmark.runs.record_store import Record, Store, current_records
from models.files.atomic import write_json, write_whole
from models.files.code_digest import code_digest

COPIES = "runs/copies.npz"
FERPLUS = "runs/ferplus.csv"
ROBUSTNESS = "runs/robustness.csv"
DATA_FACTS = "runs/data.json"
# What tells whether accuracies on corrupted faces can be compared.
CORRUPTED = ["faces", "amounts"]
# Of each file, the module that its content follows from, and the command that makes it.
_MADE_BY = {
    COPIES: ("benchmark.data.near_duplicates", "benchmark.run"),
    FERPLUS: ("benchmark.analysis.ferplus", "benchmark.run --ferplus"),
    ROBUSTNESS: ("benchmark.data.corruptions", "benchmark.robustness"),
    DATA_FACTS: ("benchmark.data.describe", "benchmark.run"),
}


def store_facts(store: Store, data: Dataset, protocol: Protocol, votes: Votes | None) -> None:
    """Keep facts and copies, and with votes the scores against FER+, where a run is finished."""
    done = finished(current_records(store))
    if done:
        store_data_facts(store, data)
        store_copies(store, data, protocol)
        if votes is not None:
            store_ferplus(store, done, votes)


def store_data_facts(store: Store, data: Dataset) -> None:
    """Keep the facts of the data: counts, blank and repeated images, conflicting labels."""
    if not _read_data_facts(store, data.fingerprint):
        write_json(store.root / DATA_FACTS, {**describe(data).to_dict(), "code": _code(DATA_FACTS)})


def load_data_facts(store: Store, fingerprint: str) -> dict[str, Any]:
    """Return what `store_data_facts` kept for these data, or nothing."""
    facts = _read_data_facts(store, fingerprint)
    if not facts:
        _say_left_out(store, DATA_FACTS)
    return facts


def _read_data_facts(store: Store, fingerprint: str) -> dict[str, Any]:
    try:
        facts = json.loads((store.root / DATA_FACTS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    wanted = {"fingerprint": fingerprint, "code": _code(DATA_FACTS)}
    return facts if isinstance(facts, dict) and wanted.items() <= facts.items() else {}


def store_copies(store: Store, data: Dataset, protocol: Protocol) -> None:
    """Keep which test faces have a copy in the other splits, so that derived tables need no data."""
    if _read_copies(store, data.fingerprint) is not None:
        return
    file = io.BytesIO()
    found, code = vars(copies(data, protocol)), np.array(_code(COPIES))
    np.savez_compressed(file, **found, fingerprint=np.array(data.fingerprint), code=code)
    path = store.root / COPIES
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, file.getvalue())


def load_copies(store: Store, fingerprint: str) -> Copies | None:
    """Return what `store_copies` kept for these data, or None."""
    found = _read_copies(store, fingerprint)
    if found is None:
        _say_left_out(store, COPIES)
    return found


def _read_copies(store: Store, fingerprint: str) -> Copies | None:
    try:
        with np.load(store.root / COPIES) as arrays:
            kept = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    of = [str(kept.pop(name, "")) for name in ("fingerprint", "code")]
    return Copies(**kept) if of == [fingerprint, _code(COPIES)] else None


def store_ferplus(store: Store, done: Sequence[Record], votes: Votes) -> None:
    """Keep the scores against FER+ of finished runs, so that derived tables need its file no more.

    Only sums are kept: which faces FER+ calls no faces stays with its own file.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data.
    votes : ndarray of shape (n_faces, 10)
        Votes on the reported split, from `benchmark.analysis.ferplus.FerPlus.of`.
    """
    runs = {name: store.probabilities(record) for name, record in firsts(done).items()}
    y = next(iter(runs.values())).y_test
    _store_table(store, FERPLUS, score_all(y, {name: each.test for name, each in runs.items()}, votes), done)


def load_ferplus(store: Store, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `store_ferplus` kept, without runs that were done again since, or None."""
    return _load_table(store, FERPLUS, done)


def store_robustness(store: Store, done: Sequence[Record], accuracies: pd.DataFrame) -> None:
    """Keep accuracies on corrupted faces, and earlier ones of other recognizers on the same.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data.
    accuracies : DataFrame
        From `benchmark.robustness.robustness`.
    """
    earlier = _read_table(store, ROBUSTNESS, done)
    if earlier is not None:
        same = earlier[(earlier[CORRUPTED] == accuracies[CORRUPTED].iloc[0]).all(axis=1)]
        accuracies = pd.concat([accuracies, same.drop(index=accuracies.index, errors="ignore")])
    _store_table(store, ROBUSTNESS, accuracies, done)


def load_robustness(store: Store, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `store_robustness` kept, without runs that were done again since, or None."""
    return _load_table(store, ROBUSTNESS, done)


def _store_table(store: Store, file: str, table: pd.DataFrame, done: Sequence[Record]) -> None:
    """Write a table of recognizers, each row with the run and the code that it is of."""
    runs = {name: record["probabilities_sha256"] for name, record in firsts(done).items()}
    table = table.assign(run=[runs.get(name, "") for name in table.index], code=_code(file))
    write_whole(store.root / file, table.to_csv().encode())


def _load_table(store: Store, file: str, done: Sequence[Record]) -> pd.DataFrame | None:
    table = _read_table(store, file, done)
    if table is None:
        _say_left_out(store, file)
    return table


def _read_table(store: Store, file: str, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `_store_table` wrote, the best recognizer on validation first; rows of no recognizer stay above."""
    try:
        table = pd.read_csv(store.root / file, index_col="recognizer", dtype={"code": str, "run": str})
    except (OSError, ValueError):
        return None
    if "code" not in table or "run" not in table:
        return None
    table = table[table["code"] == _code(file)]
    runs = {name: record["probabilities_sha256"] for name, record in firsts(done).items()}
    order = [name for name in (LABELS_ROW, *runs) if name in table.index]
    kept = [name for name in order if name == LABELS_ROW or table["run"][name] == runs[name]]
    return table.loc[kept].drop(columns=["run", "code"]) if kept else None


def _code(file: str) -> str:
    return code_digest(_MADE_BY[file][0])


def _say_left_out(store: Store, file: str) -> None:
    if (store.root / file).is_file():
        print(
            f"note: {store.root / file} is left out, since other data, runs or code made it: "
            f"python -m {_MADE_BY[file][1]} makes it again where the data are",
            file=sys.stderr,
        )
