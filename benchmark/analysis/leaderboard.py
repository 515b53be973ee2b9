"""The leaderboard: its columns and ranking, a pure function from records to a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from statistics import fmean, stdev
from typing import Any, TypeVar

import pandas as pd

from benchmark.runs.record_store import EXTERNAL, Record
from models.registry import recognizers

Value = TypeVar("Value")
COLUMNS = (
    "rank",
    "recognizer",
    "family",
    "valid_accuracy",
    "valid_macro_f1",
    "test_accuracy",
    "test_macro_f1",
    "test_balanced_accuracy",
    "test_log_loss",
    "disgust_recall",
    "disgust_f1",
    "fear_recall",
    "fear_f1",
    "fit_seconds",
    "ms_per_face",
    "artifact_mb",
    "valid_macro_f1_std",
    "test_accuracy_std",
    "test_macro_f1_std",
    "seeds",
    "status",
)
# What is declared of models from elsewhere.
EXTERNAL_COLUMNS = ("extra_data", "views")
TEXT_COLUMNS = (
    "recognizer",
    "package",
    "family",
    "versus_best",
    "class_weight",
    "status",
    "ensemble",
    "member",
    "what",
    "format",
    "tool",
    "scene",
    "processor",
    "protocol",
    "extra_data",
    "verdict",
    "caveat",
    "source",
)
DECIMALS = {
    "fit_seconds": 0,
    "ms_per_face": 2,
    "artifact_mb": 1,
    "load_seconds": 2,
    "one_ms": 2,
    "batch_ms": 2,
    "memory_mb": 0,
    "frames_per_second": 1,
}


def leaderboard(records: Iterable[Record]) -> pd.DataFrame:
    """Return one row a recognizer, ranked by macro-F1 on the validation split.

    Parameters
    ----------
    records : iterable of dict
        Records of one results folder. Scores are means over the seeds that finished; ``_std`` is their standard
        deviation, of a sample, where there are several. The ``remarks`` of a finished run are its status.

    Returns
    -------
    DataFrame
        The columns of `COLUMNS`, and those of `EXTERNAL_COLUMNS` where there are models from elsewhere; ``package``
        where a recognizer is of another package; fractions, seconds, milliseconds and MB. Last stand, without a rank,
        models that have seen the test faces and recognizers with no finished run.
    """
    records = sorted(records, key=lambda record: record["recognizer"])
    declared = EXTERNAL_COLUMNS if any(record["family"] == EXTERNAL for record in records) else ()
    by_name = groupby(records, lambda record: record["recognizer"])
    rows = pd.DataFrame([_row(list(runs)) for _, runs in by_name], columns=[*COLUMNS, *declared])
    leaked = {record["recognizer"] for record in records if has_leaked(record)}
    is_ranked = (rows["seeds"] > 0) & ~rows["recognizer"].isin(leaked)
    rows["rank"] = is_ranked.astype("Int64").replace(0, pd.NA)
    rows = rows.sort_values(["rank", "valid_macro_f1", "recognizer"], ascending=[True, False, True], ignore_index=True)
    rows["rank"] = rows["rank"].cumsum()
    if any("package" in record for record in records):
        names = {record["recognizer"]: record.get("package", "") for record in records}
        rows.insert(rows.columns.get_loc("family"), "package", rows["recognizer"].map(names))
    return rows


def has_leaked(record: Record) -> bool:
    """Return whether a model from elsewhere has seen the test faces, as `benchmark.analysis.leaks` finds it."""
    return record.get("leak", {}).get("verdict") == "seen"


def finished(records: Iterable[Record]) -> list[Record]:
    """Return the records of runs that ended well, the best recognizer on validation first, then by seed."""
    done = [record for record in records if record["status"] == "ok"]
    place = {name: place for place, name in enumerate(leaderboard(done)["recognizer"])}
    return sorted(done, key=lambda record: (place[record["recognizer"]], record["seed"]))


def equal_seeds(runs: Mapping[str, Mapping[int, Value]]) -> tuple[int | None, dict[str, Value]]:
    """Return the seed that most recognizers have, the lowest of several, and the run of that seed of each recognizer.

    Runs of different seeds are never compared: a recognizer without a run of that seed is left out.

    Parameters
    ----------
    runs : mapping of str to mapping of int to object
        What is compared, by name and seed.
    """
    counts = Counter(seed for seeds in runs.values() for seed in seeds)
    if not counts:
        return None, {}
    seed = min(counts, key=lambda seed: (-counts[seed], seed))
    return seed, {name: seeds[seed] for name, seeds in runs.items() if seed in seeds}


def common_seeds(one: Mapping[int, Value], other: Mapping[int, Value]) -> list[int]:
    """Return the seeds that two recognizers both have, from the lowest."""
    return sorted(one.keys() & other.keys())


def by_seed(done: Iterable[Record]) -> dict[str, dict[int, Record]]:
    """Return records by recognizer and seed, in the order of `done`.

    The single run of a recognizer that uses no seed, or of a model from elsewhere, stands for every seed of the others.
    """
    done, known = list(done), recognizers()
    seeds = sorted({record["seed"] for record in done})
    records: dict[str, dict[int, Record]] = {}
    for record in done:
        name = record["recognizer"]
        one_for_all = record["family"] == EXTERNAL or (name in known and not known[name].uses_seed)
        for seed in seeds if one_for_all else [record["seed"]]:
            records.setdefault(name, {}).setdefault(seed, record)
    return records


def firsts(done: Iterable[Record]) -> dict[str, Record]:
    """Return the record of every recognizer for the seed that most of them have, in the order of `done`."""
    return equal_seeds(by_seed(done))[1]


def to_markdown(board: pd.DataFrame, columns: Sequence[str] | None = None) -> str:
    """Return the table in Markdown: scores with three decimals, empty where there is none."""
    columns = tuple(board.columns) if columns is None else columns
    if not len(columns):
        return ""
    lines = [
        " | ".join(columns),
        " | ".join("---" if name in TEXT_COLUMNS else "--:" for name in columns),
    ]
    lines += [" | ".join(_cell(name, row[name]) for name in columns) for _, row in board.iterrows()]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def to_text(board: pd.DataFrame, scores: Sequence[str]) -> str:
    """Return rank, recognizer, these scores and the status as plain text for a terminal."""
    shown = board[["rank", "recognizer", *scores, "status"]]
    return shown.to_string(index=False, float_format="%.3f", na_rep="")


def _row(runs: list[Record]) -> dict[str, Any]:
    done = [run for run in runs if run["status"] == "ok"]
    row: dict[str, Any] = {"recognizer": runs[0]["recognizer"], "family": runs[0]["family"], "seeds": len(done)}
    row["status"] = _status(runs)
    if not done:
        return row
    declared = done[0]["params"] if row["family"] == EXTERNAL else {"extra_data": "none"}
    row |= {name: declared.get(name) for name in EXTERNAL_COLUMNS}

    def mean(*path: str) -> float:
        return fmean(_at(run, path) for run in done)

    for split in ("valid", "test"):
        for metric in ("accuracy", "macro_f1"):
            row[f"{split}_{metric}"] = mean(split, metric)
            row[f"{split}_{metric}_std"] = stdev(_at(run, (split, metric)) for run in done) if len(done) > 1 else None
    for metric in ("balanced_accuracy", "log_loss"):
        row[f"test_{metric}"] = mean("test", metric)
    for emotion in ("Disgust", "Fear"):
        for metric in ("recall", "f1"):
            row[f"{emotion.lower()}_{metric}"] = mean("test", "per_emotion", emotion, metric)
    for cost in ("fit_seconds", "ms_per_face", "artifact_mb"):
        row[cost] = mean("cost", cost)
    return row


def _status(runs: Sequence[Record]) -> str:
    """Return the errors and remarks of runs as one text, with the seeds where a remark is not true of all."""
    done = [run for run in runs if run["status"] == "ok"]
    texts = {f"{run['status']}: {run['error']}" for run in runs if run["status"] != "ok"}
    seeds: dict[str, list[str]] = {}
    for run in done:
        for text in run.get("remarks", []):
            seeds.setdefault(text, []).append(str(run["seed"]))
    texts |= {text if len(of) == len(done) else f"{text} (seed {', '.join(of)})" for text, of in seeds.items()}
    return "; ".join(sorted(texts)) or "ok"


def _at(record: Any, path: Sequence[str]) -> float:
    for key in path:
        record = record[key]
    return float("nan") if record is None else float(record)  # the recall of an emotion without faces


def _cell(column: str, value: Any) -> str:
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{value:.{DECIMALS.get(column, 3)}f}"
    return str(value).replace("|", "\\|")
