"""All that the records of a results folder say: figures, tables and the report start from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.analysis.class_weight_ablation import class_weight_ablation, scheme_roots
from benchmark.analysis.leaderboard import by_seed, equal_seeds, finished, has_leaked, leaderboard
from benchmark.analysis.side_tables import read_data_facts
from benchmark.analysis.summaries import verdicts
from benchmark.analysis.tables import Tables, analyse
from benchmark.data import DataError
from benchmark.runs.external_store import open_store
from benchmark.runs.freshness import run_digest
from benchmark.runs.record_store import EXTERNAL, Record, current_records
from models.files.code_digest import code_digest
from models.registry import recognizers, run_of

# What is of one seed, by the table that has it.
OF_ONE_SEED = {
    "confusions": "the most frequent confusions",
    "class_weights": "class weights",
    "copies": "scores without near-duplicates",
    "ferplus": "scores against FER+",
    "robustness": "scores on corrupted faces",
}


@dataclass(frozen=True, eq=False)
class Findings:
    """What a results folder holds and what follows from it, without the data.

    Attributes
    ----------
    root : Path
    records : list of dict
        All of them; finished ones have ``remarks``: whether today's code would make them, why they were carried over,
        whether an ensemble is below a member.
    done : list of dict
        Finished records, the best on validation first.
    tables : dict of str to DataFrame
        Those of `benchmark.analysis.tables.analyse`, and ``class_weights`` where other schemes were run too.
    board : DataFrame
        The leaderboard, with intervals, the test against the best, the accuracy without near-duplicates and against
        FER+.
    data : mapping
        Facts of the data, from `benchmark.data.describe`; empty if there is no file of them.
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
        """Which numbers are of which seed, in sentences; empty with a single seed."""
        if not self.several_seeds:
            return ""
        seed, compared = equal_seeds(runs := by_seed(self.done))
        known = recognizers()
        fixed = [known[name] for name in runs if name in known and not known[name].uses_seed]
        of_one = ["Curves, calibration", *(words for table, words in OF_ONE_SEED.items() if table in self.tables)]
        sentences = [
            "Scores, their intervals and the confusion matrices are of all seeds.",
            "Two recognizers that share several seeds are compared by their mean accuracy over these, in bootstrap "
            "resamples of faces and seeds; two that share one seed, by McNemar's test.",
        ]
        if unused := ", ".join(entry.name for entry in fixed if not entry.members):
            sentences.append(f"The run of {unused} stands for every seed, since it uses none.")
        if of_seeds := ", ".join(entry.name for entry in fixed if entry.members):
            sentences += [f"The run of {of_seeds} stands for every seed, since its members do not change with it."]
            sentences += ["So its interval does not cover other trainings."]
        without = ", ".join(name for name in runs if name not in compared)
        sentences.append(
            f"{', '.join(of_one[:-1])} and {of_one[-1]} are of the first seed that most recognizers have, seed {seed}"
            f"{f'; without it: {without}' if without else ''}."
        )
        return " ".join(sentences)


def read_findings(root: Path) -> Findings:
    """Read the records of a results folder and compute what follows from them.

    Raises
    ------
    DataError
        If it has no record.
    """
    root = root if root.name else root.resolve()
    store = open_store(root)
    records = _with_remarks(current_records(store))
    if not records:
        raise DataError(f"{root}: no records in runs/: python -m benchmark.run makes them")
    done = finished(records)
    tables = analyse(store, done) if done else {}
    if done and (roots := scheme_roots(root)):
        schemes = class_weight_ablation(roots, done[0]["data_fingerprint"])
        tables |= {} if schemes.empty else {"class_weights": schemes}
    facts = read_data_facts(store, done[0]["data_fingerprint"]) if done else {}
    return Findings(root, records, done, tables, _with_evidence(leaderboard(records), tables), facts)


def _with_remarks(records: Sequence[Record]) -> list[Record]:
    """Return the records; the finished ones have ``remarks``, a list of what a reader must know of them."""
    known, codes = recognizers(), dict[str, str]()
    done = {(record["recognizer"], record["seed"]): record for record in records if record["status"] == "ok"}

    def stale(record: Record) -> str:
        """Return that today's code would give another result or is missing, or an empty string."""
        if "reference" in record or record["family"] == EXTERNAL:  # scored, not run
            return ""
        entry = known.get(record["recognizer"])
        if "package" in record and (entry is None or entry.error):
            return f"not checked for edits: needs the package {record['package']}"
        if entry and entry.module not in codes:
            codes[entry.module] = code_digest(entry.module)
        same = entry and run_digest(record, codes[entry.module]) == record["digest"]
        return "" if same else "stale: made by earlier code"

    def remarks(record: Record) -> list[str]:
        words = [text for text in [stale(record)] if text]
        words += [f"carried: {record['carried'][-1]['reason']}"] if record.get("carried") else []
        words += ["leak: test faces were in its training, so it has no rank"] if has_leaked(record) else []
        members = [done.get(run_of(stem)) for stem in record.get("members", {})]
        better = dict.fromkeys(
            member["recognizer"]
            for member in members
            if member and any(member["valid"][metric] > record["valid"][metric] for metric in ("accuracy", "macro_f1"))
        )
        return words + ([f"below its member {' and '.join(better)} on validation"] if better else [])

    return [{**record, "remarks": remarks(record)} if record["status"] == "ok" else record for record in records]


def _with_evidence(board: pd.DataFrame, tables: Tables) -> pd.DataFrame:
    if not tables:
        return board
    board = board.set_index("recognizer")
    place = board.columns.get_loc("family") + 1
    board.insert(place, "versus_best", pd.Series(verdicts(tables)))
    for metric in ("accuracy", "macro_f1"):
        intervals = tables["intervals"].xs(metric, level="metric")
        for bound in ("low", "high"):
            board[f"test_{metric}_{bound}"] = intervals[bound]
    if "drop" in tables:
        board["drop"] = tables["drop"]["drop"]
    if "copies" in tables:
        for rule in ("exact", "near"):
            scores = tables["copies"].query("without == @rule").droplevel("without")
            board[f"without_{rule}_copies"] = scores["accuracy"]
            board[f"drop_{rule}_copies"] = scores["accuracy_drop"]
    if "ferplus" in tables:
        board["ferplus_accuracy"] = tables["ferplus"]["accuracy"]
    return board.reset_index().pipe(lambda table: table[["rank", *table.columns.drop("rank")]])
