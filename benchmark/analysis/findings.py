"""All that the records of one results folder say: what is written, drawn and reported starts from here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.analysis.class_weights import class_weight_ablation, scheme_roots
from benchmark.analysis.leaderboard import by_seed, equal_seeds, finished, leaderboard
from benchmark.analysis.side_tables import load_data_facts
from benchmark.analysis.summaries import verdicts
from benchmark.analysis.tables import Tables, analyse
from benchmark.data import DataError
from benchmark.runs.freshness import run_digest
from benchmark.runs.record_store import Record, Store, current_records
from models.files.code_digest import code_digest
from models.registry import recognizers


@dataclass(frozen=True, eq=False)
class Findings:
    """What a results folder holds and what follows from it, without the data.

    Attributes
    ----------
    root : Path
    records : list of dict
        All, those that do not go together as rows without scores; finished ones have ``remarks``: whether today's code
        would make them, by which reason they were carried over, whether a vote is below a member.
    done : list of dict
        Finished records, the best on validation first.
    tables : dict of str to DataFrame
        Those of `benchmark.analysis.tables.analyse`, and ``class_weights`` where other schemes were run too.
    board : DataFrame
        The leaderboard, with intervals, the test against the best, and the accuracy without copies and against FER+.
    data : mapping
        Facts of the data, from `benchmark.data.describe`; empty if none were kept.
    """

    root: Path
    records: list[Record]
    done: list[Record]
    tables: Tables
    board: pd.DataFrame
    data: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Data and setting, e.g. ``fer2013, kaggle``."""
        return f"{self.records[0]['dataset']}, {self.root.name}"

    @property
    def several_seeds(self) -> bool:
        """Whether some recognizer was run with more than one seed."""
        return len({record["seed"] for record in self.done}) > 1

    @property
    def seeds_note(self) -> str:
        """Which numbers are of which seed; empty where there is one seed alone."""
        if not self.several_seeds:
            return ""
        seed, compared = equal_seeds(runs := by_seed(self.done))
        without = ", ".join(name for name in runs if name not in compared)
        return (
            "Scores, their intervals and the confusion matrices are of all seeds. A test between two recognizers is of "
            "the lowest seed that both have, and empty where they share none; so are class weights. The scores without "
            "copies, against FER+ and on corrupted faces, and curves are of the first seed that most "
            f"recognizers have, seed {seed}{f'; without it: {without}' if without else ''}."
        )


def find(root: Path) -> Findings:
    """Work out the findings of a results folder.

    Raises
    ------
    DataError
        If it has no record.
    """
    root = root if root.name else root.resolve()
    store = Store(root)
    records = _with_remarks(current_records(store))
    if not records:
        raise DataError(f"{root}: no records in runs/: python -m benchmark.run makes them")
    done = finished(records)
    tables = analyse(store, done) if done else {}
    if done and (roots := scheme_roots(root)):
        schemes = class_weight_ablation(roots, done[0]["data_fingerprint"])
        tables |= {} if schemes.empty else {"class_weights": schemes}
    facts = load_data_facts(store, done[0]["data_fingerprint"]) if done else {}
    return Findings(root, records, done, tables, _with_evidence(leaderboard(records), tables), facts)


def _with_remarks(records: Sequence[Record]) -> list[Record]:
    """Return the records, the finished ones with what a reader must know of them: ``remarks``, a list of str."""
    known, codes = recognizers(), dict[str, str]()
    done = by_seed(record for record in records if record["status"] == "ok")

    def is_stale(record: Record) -> bool:
        """Return whether today's code, as far as it is there, would make another run; it is digested once."""
        if "reference" in record:  # scored, not run
            return False
        entry = known.get(record["recognizer"])
        if entry and entry.module not in codes:
            codes[entry.module] = code_digest(entry.module)
        return entry is None or run_digest(record, codes[entry.module]) != record["digest"]

    def remarks(record: Record) -> list[str]:
        found = ["stale: made by earlier code"] if is_stale(record) else []
        found += [f"carried: {record['carried'][-1]['reason']}"] if record.get("carried") else []
        members = [done.get(name, {}).get(record["seed"]) for name in record.get("members", {})]
        better = [
            each["recognizer"]
            for each in members
            if each and any(each["valid"][metric] > record["valid"][metric] for metric in ("accuracy", "macro_f1"))
        ]
        return found + ([f"below its member {' and '.join(better)} on validation"] if better else [])

    return [{**record, "remarks": remarks(record)} if record["status"] == "ok" else record for record in records]


def _with_evidence(board: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    if not tables:
        return board
    board = board.set_index("recognizer")
    place = board.columns.get_loc("family") + 1
    board.insert(place, "versus_best", pd.Series(verdicts(tables)))
    for metric in ("accuracy", "macro_f1"):
        found = tables["intervals"].xs(metric, level="metric")
        for bound in ("low", "high"):
            board[f"test_{metric}_{bound}"] = found[bound]
    if "drop" in tables:
        board["drop"] = tables["drop"]["drop"]
    if "copies" in tables:
        for rule in ("exact", "near"):
            found = tables["copies"].query("without == @rule").droplevel("without")
            board[f"without_{rule}_copies"] = found["accuracy"]
            board[f"drop_{rule}_copies"] = found["accuracy_drop"]
    if "ferplus" in tables:
        board["ferplus_accuracy"] = tables["ferplus"]["accuracy"]
    return board.reset_index().pipe(lambda table: table[["rank", *table.columns.drop("rank")]])
