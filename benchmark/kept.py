"""What records do not hold but tables need, kept beside them when the data were at hand: copies, FER+, data facts."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.data import Dataset
from benchmark.data.describe import describe
from benchmark.duplicates import Copies, copies
from benchmark.ferplus import Votes, score
from benchmark.leaderboard import finished, firsts
from benchmark.protocol import Protocol
from benchmark.store import Probabilities, Record, Store, current_records
from models.files import write_json, write_whole

COPIES = "runs/copies.npz"
FERPLUS = "runs/ferplus.csv"
ROBUSTNESS = "runs/robustness.csv"
DATA_FACTS = "runs/data.json"
# What tells whether accuracies on corrupted faces can be compared.
CORRUPTED = ["faces", "amounts"]
LABELS_ROW = "(FER2013 labels)"


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
    if not load_data_facts(store, data.fingerprint):
        write_json(store.root / DATA_FACTS, describe(data).to_dict())


def load_data_facts(store: Store, fingerprint: str) -> dict[str, Any]:
    """Return what `store_data_facts` kept for these data, or nothing."""
    try:
        facts = json.loads((store.root / DATA_FACTS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and facts.get("fingerprint") == fingerprint else {}


def store_copies(store: Store, data: Dataset, protocol: Protocol) -> None:
    """Keep which test faces have a copy in the other splits, so that derived tables need no data."""
    if load_copies(store, data.fingerprint) is not None:
        return
    file = io.BytesIO()
    np.savez_compressed(file, **vars(copies(data, protocol)), fingerprint=np.array(data.fingerprint))
    path = store.root / COPIES
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, file.getvalue())


def load_copies(store: Store, fingerprint: str) -> Copies | None:
    """Return what `store_copies` kept for these data, or None."""
    try:
        with np.load(store.root / COPIES) as arrays:
            kept = dict(arrays)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return Copies(**kept) if str(kept.pop("fingerprint", "")) == fingerprint else None


def store_ferplus(store: Store, done: Sequence[Record], votes: Votes) -> None:
    """Keep the scores against FER+ of finished runs, so that derived tables need its file no more.

    Only sums are kept: which faces FER+ calls no faces stays with its own file.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data.
    votes : ndarray of shape (n_faces, 10)
        Votes on the reported split, from `benchmark.ferplus.FerPlus.of`.
    """
    runs = {name: store.probabilities(record) for name, record in firsts(done).items()}
    _store_table(store, FERPLUS, against_ferplus(runs, votes), done)


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
    earlier = load_robustness(store, done)
    if earlier is not None:
        same = earlier[(earlier[CORRUPTED] == accuracies[CORRUPTED].iloc[0]).all(axis=1)]
        accuracies = pd.concat([accuracies, same.drop(index=accuracies.index, errors="ignore")])
    _store_table(store, ROBUSTNESS, accuracies, done)


def load_robustness(store: Store, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `store_robustness` kept, without runs that were done again since, or None."""
    return _load_table(store, ROBUSTNESS, done)


def _store_table(store: Store, file: str, table: pd.DataFrame, done: Sequence[Record]) -> None:
    """Write a table of recognizers, each row with the run that it is of."""
    runs = {name: record["probabilities_sha256"] for name, record in firsts(done).items()}
    table = table.assign(run=[runs.get(name, "") for name in table.index])
    write_whole(store.root / file, table.to_csv().encode())


def _load_table(store: Store, file: str, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `_store_table` wrote, the best recognizer on validation first; rows of no recognizer stay above."""
    try:
        table = pd.read_csv(store.root / file, index_col="recognizer", keep_default_na=True)
    except (OSError, ValueError):
        return None
    runs = {name: record["probabilities_sha256"] for name, record in firsts(done).items()}
    order = [name for name in (LABELS_ROW, *runs) if name in table.index]
    kept = [name for name in order if name == LABELS_ROW or table["run"][name] == runs[name]]
    return table.loc[kept].drop(columns="run") if kept else None


def against_ferplus(runs: Mapping[str, Probabilities], votes: Votes) -> pd.DataFrame:
    """Return the scores against FER+ of every recognizer, and of FER2013's own labels.

    ``agreement_<emotion>``, of the labels alone, is the share of the faces labelled so with which FER+ agrees.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, each in runs.items():
        scores = score(votes, each.y_test, each.test)
        labels = scores["labels"]
        counts = {"n_faces": scores["n_faces"], **scores["left_out"]}
        rows.setdefault(
            LABELS_ROW,
            {"accuracy": labels["accuracy"], "macro_f1": labels["macro_f1"]}
            | {f"recall_{emotion}": value for emotion, value in labels["recall"].items()}
            | {f"agreement_{emotion}": value for emotion, value in labels["per_emotion"].items()}
            | {"accuracy_all_faces": labels["all_faces"], "cross_entropy": scores["soft"]["entropy"], **counts},
        )
        rows[name] = (
            {"accuracy": scores["accuracy"], "macro_f1": scores["macro_f1"]}
            | {f"recall_{emotion}": value for emotion, value in scores["recall"].items()}
            | {"cross_entropy": scores["soft"]["cross_entropy"], **counts}
        )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer")
