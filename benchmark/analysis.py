"""How far the scores can be trusted: tables computed from stored probabilities, nothing is trained again."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.data import Dataset
from benchmark.decision import compare
from benchmark.duplicates import Copies, copies
from benchmark.ferplus import Votes, score
from benchmark.metrics import evaluate
from benchmark.protocol import Protocol
from benchmark.store import Probabilities, Record, Store
from benchmark.uncertainty import intervals, mcnemar_matrix, over_seeds, versus_best
from benchmark.weak_classes import (
    WEAK_CLASSES,
    average_precision,
    precision_recall,
    recall_at_precision,
    top_confusions,
)
from models.labels import EMOTIONS

INTERVAL_COLUMNS = {
    "accuracy": "accuracy",
    "macro_f1": "macro_f1",
    "disgust_recall": "recall_Disgust",
    "fear_recall": "recall_Fear",
}
Tables = dict[str, pd.DataFrame]
COPIES = "runs/copies.npz"
FERPLUS = "runs/ferplus.csv"
LABELS_ROW = "(FER2013 labels)"


def store_copies(store: Store, data: Dataset, protocol: Protocol) -> None:
    """Keep which test faces have a copy in the other splits, so that derived tables need no data."""
    if load_copies(store, data.fingerprint) is not None:
        return
    found = copies(data, protocol)
    path = store.root / COPIES
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    with partial.open("wb") as file:
        np.savez_compressed(file, **vars(found), fingerprint=np.array(data.fingerprint))
    os.replace(partial, path)


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
    firsts = _firsts(done)
    runs = {name: store.probabilities(record) for name, record in firsts.items()}
    table = against_ferplus(runs, votes)
    table["run"] = [firsts[name]["probabilities_sha256"] if name in firsts else "" for name in table.index]
    table.to_csv(store.root / FERPLUS)


def load_ferplus(store: Store, done: Sequence[Record]) -> pd.DataFrame | None:
    """Return what `store_ferplus` kept, without runs that were done again since, or None."""
    try:
        table = pd.read_csv(store.root / FERPLUS, index_col="recognizer", keep_default_na=True)
    except (OSError, ValueError):
        return None
    current = {name: record["probabilities_sha256"] for name, record in _firsts(done).items()}
    kept = [name for name in table.index if name == LABELS_ROW or table["run"][name] == current.get(name)]
    return table.loc[kept].drop(columns="run")


def analyse(store: Store, done: Sequence[Record]) -> Tables:
    """Return the tables of a results folder by file stem.

    Parameters
    ----------
    store : Store
    done : sequence of dict
        Finished records of the same data, the best on validation first.

    Returns
    -------
    dict of str to DataFrame
        ``intervals`` (95% bootstrap), ``mcnemar`` (p-values of all pairs), ``versus_best``, ``seeds``,
        ``decision_rules``; of the weak classes ``recall_at_precision``, ``precision_recall``, ``average_precision`` and
        ``confusions``; ``copies`` and ``ferplus`` where these were stored.
    """
    runs: dict[str, list[Probabilities]] = {}
    for record in done:
        runs.setdefault(record["recognizer"], []).append(store.probabilities(record))
    firsts = {name: each[0] for name, each in runs.items()}
    y = next(iter(firsts.values())).y_test
    decided = {name: each.test.argmax(axis=1) for name, each in firsts.items()}
    tables = {
        "intervals": _by_recognizer(
            {name: intervals(y, np.stack([one.test.argmax(axis=1) for one in each])) for name, each in runs.items()}
        ),
        "mcnemar": mcnemar_matrix(y, decided),
        "versus_best": versus_best(y, decided, next(iter(decided))),
        "seeds": over_seeds(done),
        "decision_rules": _by_recognizer({name: compare(each) for name, each in firsts.items()}),
        "recall_at_precision": _weak(firsts, recall_at_precision),
        "precision_recall": _weak(firsts, lambda each, emotion: precision_recall(each.y_test, each.test, emotion)),
        "average_precision": pd.DataFrame(
            {
                emotion: {name: average_precision(y, each.test, emotion) for name, each in firsts.items()}
                for emotion in WEAK_CLASSES
                if (y == EMOTIONS.index(emotion)).any()
            }
        ).rename_axis("recognizer"),
        "confusions": _weak(
            firsts, lambda each, emotion: top_confusions(evaluate(each.y_test, each.test)["confusion"], emotion)
        ),
    }
    known = load_copies(store, done[0]["data_fingerprint"])
    if known is not None:
        tables["copies"] = without_copies(firsts, known)
    votes = load_ferplus(store, done)
    if votes is not None:
        tables["ferplus"] = votes
    return tables


def without_copies(runs: Mapping[str, Probabilities], known: Copies) -> pd.DataFrame:
    """Return accuracy and macro-F1 on all test faces and without copies, and the accuracy that goes with them.

    The rows ``exact`` and ``near`` of column ``without`` leave out what was seen in fitting or selecting. The faces
    that stay are another mix of emotions: compare one recognizer's loss with another's. A rule that leaves no face has
    no row.
    """
    rows = []
    for name, each in runs.items():
        everything = np.ones(len(each.y_test), dtype=bool)
        full = float((each.test.argmax(axis=1) == each.y_test).mean())
        for rule, kept in {"nothing": everything, **known.kept}.items():
            if not kept.any():
                continue
            scores = evaluate(each.y_test[kept], each.test[kept])
            faces = {emotion.lower(): scores["per_emotion"][emotion]["support"] for emotion in WEAK_CLASSES}
            rows.append(
                {
                    "recognizer": name,
                    "without": rule,
                    "n_faces": int(kept.sum()),
                    **{f"{emotion}_faces": count for emotion, count in faces.items()},
                    "accuracy": scores["accuracy"],
                    "macro_f1": scores["macro_f1"],
                    "accuracy_drop": full - scores["accuracy"],
                }
            )
    return pd.DataFrame(rows).set_index(["recognizer", "without"])


def against_ferplus(runs: Mapping[str, Probabilities], votes: Votes) -> pd.DataFrame:
    """Return the scores against FER+ of every recognizer, and of FER2013's own labels."""
    rows: dict[str, dict[str, Any]] = {}
    for name, each in runs.items():
        scores = score(votes, each.y_test, each.test)
        labels = scores["labels"]
        counts = {"n_faces": scores["n_faces"], **scores["left_out"]}
        rows.setdefault(
            LABELS_ROW,
            {"accuracy": labels["accuracy"], "macro_f1": labels["macro_f1"]}
            | {f"recall_{emotion}": value for emotion, value in labels["per_emotion"].items()}
            | {"accuracy_all_faces": labels["all_faces"], "cross_entropy": scores["soft"]["entropy"], **counts},
        )
        rows[name] = (
            {"accuracy": scores["accuracy"], "macro_f1": scores["macro_f1"]}
            | {f"recall_{emotion}": value for emotion, value in scores["recall"].items()}
            | {"cross_entropy": scores["soft"]["cross_entropy"], **counts}
        )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("recognizer")


def summary(tables: Tables) -> pd.DataFrame:
    """Return one row a recognizer, as text: scores with their intervals, the test against the best, copies, FER+."""
    found = tables["intervals"]
    names = list(found.index.unique(level=0))
    columns = {
        column: {name: _with_interval(found.loc[(name, metric)]) for name in names}
        for column, metric in INTERVAL_COLUMNS.items()
    }
    columns["p_versus_best"] = {name: _p(value) for name, value in tables["versus_best"]["p_holm"].items()}
    if "copies" in tables:
        for rule in ("exact", "near"):
            accuracy = tables["copies"]["accuracy"].get([(name, rule) for name in names])
            if accuracy is not None:
                columns[f"without_{rule}_copies"] = {name: f"{accuracy[name, rule]:.3f}" for name in names}
    if "ferplus" in tables:
        accuracy = tables["ferplus"]["accuracy"]
        columns["ferplus_accuracy"] = {name: f"{accuracy[name]:.3f}" for name in names if name in accuracy}
    return pd.DataFrame(columns, index=pd.Index(names, name="recognizer")).fillna("").reset_index()


def _firsts(done: Sequence[Record]) -> dict[str, Record]:
    """Return the record of the first seed of every recognizer."""
    firsts: dict[str, Record] = {}
    for record in done:
        firsts.setdefault(record["recognizer"], record)
    return firsts


def _with_interval(row: pd.Series) -> str:
    if np.isnan(row["low"]):
        return f"{row['estimate']:.3f}"
    return f"{row['estimate']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _weak(runs: Mapping[str, Probabilities], table: Any) -> pd.DataFrame:
    """Return `table(probabilities, emotion)` of every recognizer and weak class that both splits have."""
    parts = {
        (name, emotion): table(each, emotion)
        for name, each in runs.items()
        for emotion in WEAK_CLASSES
        if all((y == EMOTIONS.index(emotion)).any() for y in (each.y_valid, each.y_test))
    }
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, names=["recognizer", "emotion"]).droplevel(-1)


def _by_recognizer(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, names=["recognizer"])
