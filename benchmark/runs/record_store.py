"""The store: one JSON record a run, its probabilities beside it. A record's path is its identity."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from models.artifacts.formats import SUFFIXES, split_suffix
from models.files.atomic import sha256, write_json, write_whole
from models.labels import EMOTIONS
from models.registry import run_of

SCHEMA = 1
# Family of models from elsewhere.
EXTERNAL = "external"
Record = dict[str, Any]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_score(value: Any) -> bool:
    return value is None or _is_number(value)  # an emotion without faces has none, nor has a fit of somebody else


def _is_confusion(value: Any) -> bool:
    try:
        counts = np.array(value)
    except (ValueError, OverflowError):
        return False
    return counts.shape == (len(EMOTIONS), len(EMOTIONS)) and counts.dtype.kind == "i"


def _is_history(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    # A loss may well have been infinite.
    lists = [line for line in value.values() if isinstance(line, list) and all(isinstance(x, float) for x in line)]
    return len(lists) == len(value) and len({len(line) for line in lists}) <= 1


# What a record holds at least: kinds of values by key, or what tells whether a value is good.
_SCORES = dict.fromkeys(("accuracy", "macro_f1", "balanced_accuracy", "log_loss"), _is_number) | {
    "per_emotion": dict.fromkeys(
        EMOTIONS, dict.fromkeys(("precision", "support"), _is_number) | dict.fromkeys(("recall", "f1"), _is_score)
    ),
    "confusion": _is_confusion,
}
_EVERY = dict.fromkeys(
    ("recognizer", "family", "dataset", "data_fingerprint", "note", "class_weight", "status", "error", "finished"), str
) | {
    "seed": int,
    "n_faces": dict.fromkeys(("fit", "select", "report"), int),
    "protocol": dict.fromkeys(("name", "fit", "select", "report"), str),
    "environment": {"versions": dict},
}
_FINISHED = dict.fromkeys(("digest", "artifact", "artifact_sha256", "probabilities_sha256"), str) | {
    "params": dict,
    "valid": _SCORES,
    "test": _SCORES,
    "cost": dict.fromkeys(("fit_seconds", "ms_per_face", "peak_memory_mb", "artifact_mb"), _is_score),
    "history": _is_history,
}


def misfits(value: Any, plan: Any, name: str = "the record") -> Iterator[str]:
    """Yield the dotted names of what `plan` names and `value`, read from JSON, lacks or has of another kind."""
    if isinstance(plan, dict) and isinstance(value, dict):
        for key in plan:
            dotted = f"{name}.{key}".removeprefix("the record.")
            yield from misfits(value[key], plan[key], dotted) if key in value else [dotted]
    elif isinstance(plan, type):
        yield from [] if isinstance(value, plan) and not isinstance(value, bool) else [name]
    elif isinstance(plan, dict) or not plan(value):
        yield name


def record_misfits(record: Any) -> list[str]:
    """Return the names of what a record lacks or has of another kind; empty if it is a good one."""
    found = [*misfits(record, {**_EVERY, "schema": lambda number: number == SCHEMA})]
    return found or [*misfits(record, _FINISHED if record["status"] == "ok" else {})]


def checksum(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 over all else in a record: one that was edited since it was written has another."""
    rest = {key: value for key, value in record.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Probabilities:
    """What a run predicted, with the truth.

    Attributes
    ----------
    valid, test : ndarray of shape (n_faces, 7), dtype float32
    y_valid, y_test : ndarray of shape (n_faces,), dtype int64
    """

    valid: NDArray[np.float32]
    test: NDArray[np.float32]
    y_valid: NDArray[np.int64]
    y_test: NDArray[np.int64]


class Store:
    """Records under ``<root>/runs/<recognizer>/seed<k>.json``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, recognizer: str, seed: int) -> Path:
        """Return the path of a record, whether or not it is there."""
        return self.root / "runs" / recognizer / f"seed{seed}.json"

    def read(self, recognizer: str, seed: int) -> Record | None:
        """Return the record, or None where there is none that can be read: such a run is done again."""
        try:
            record = json.loads(self.path(recognizer, seed).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        is_named_so = not record_misfits(record) and (record["recognizer"], record["seed"]) == (recognizer, seed)
        return record if is_named_so else None

    def lock(self, recognizer: str, seed: int) -> FileLock:
        """Return the lock of a run, which its owner's end releases whatever happens to it."""
        path = self.path(recognizer, seed).with_suffix(".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(path)

    def records(self) -> list[Record]:
        """Return every record of the folder, by recognizer and seed."""
        paths = sorted(self.root.glob("runs/*/seed*.json"))
        seeds = [(path.parent.name, path.stem.removeprefix("seed")) for path in paths]
        records = [self.read(name, int(seed)) for name, seed in seeds if seed.isdecimal()]
        return [record for record in records if record is not None]

    def write(self, record: Mapping[str, Any], probabilities: Probabilities | None = None) -> Record:
        """Store a run. The record comes last, so that what has a record is complete."""
        path = self.path(record["recognizer"], record["seed"])
        path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        # What is carried over keeps the time of its run.
        full = {"schema": SCHEMA, **record, "finished": record.get("finished", now) if "carried" in record else now}
        if probabilities is not None:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **vars(probabilities))
            write_whole(path.with_suffix(".npz"), buffer.getvalue())
            full["probabilities_sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
        full["checksum"] = checksum(full)
        write_json(path, full)
        return full

    def keep(self, record: Record) -> Record:
        """Store a run that failed or was skipped, but not in the place of a finished one."""
        earlier = self.read(record["recognizer"], record["seed"])
        return record if earlier and earlier["status"] == "ok" else self.write(record)

    def take(self, record: Record, files: Mapping[str, bytes]) -> Record:
        """Store a run of another folder, with its files by their paths there.

        The record comes last, so that what has a record is complete. No copy of an earlier model stays beside the new
        one.
        """
        if record["status"] != "ok":
            return self.keep(record)
        stem, _ = split_suffix(Path(record["artifact"]))
        for name in {f"models/{stem}{suffix}" for suffix in SUFFIXES} - files.keys():
            (self.root / name).unlink(missing_ok=True)
        last = self.path(record["recognizer"], record["seed"])
        for path in sorted((self.root / name for name in files), key=lambda path: path == last):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, files[path.relative_to(self.root).as_posix()])
        return record

    def probabilities(self, record: Mapping[str, Any]) -> Probabilities:
        """Return the stored probabilities of a finished run."""
        with np.load(self.path(record["recognizer"], record["seed"]).with_suffix(".npz")) as arrays:
            return Probabilities(**arrays)

    def is_fresh(self, record: Mapping[str, Any] | None, digest: str) -> bool:
        """Return whether the run with this digest is finished and its probabilities are unharmed."""
        return record is not None and record["status"] == "ok" and record["digest"] == digest and self.is_intact(record)

    def is_intact(self, record: Mapping[str, Any]) -> bool:
        """Return whether the probabilities of a finished run are there and unharmed."""
        path = self.path(record["recognizer"], record["seed"]).with_suffix(".npz")
        return path.is_file() and sha256(path) == record["probabilities_sha256"]


def current_records(store: Store) -> list[Record]:
    """Return the records of a folder, with what does not go together turned into rows without scores.

    Those are runs on other data than the newest one, runs whose probabilities are gone or damaged, and ensembles of
    members that ran again since.
    """
    records = store.records()
    done = [record for record in records if record["status"] == "ok"]
    fingerprint = max(done, key=lambda record: record["finished"])["data_fingerprint"] if done else ""
    sums = {(record["recognizer"], record["seed"]): record["probabilities_sha256"] for record in done}

    def problem(record: Record) -> str:
        if record["data_fingerprint"] != fingerprint:
            return "made from other data"
        if not store.is_intact(record):
            return "its probabilities are missing or damaged"
        if record.get("checksum", checksum(record)) != checksum(record):
            return "it was edited since it was written"
        if any(sums.get(run_of(stem)) != was for stem, was in record.get("members", {}).items()):
            return "a member ran again since"
        return ""

    problems = [problem(record) if record["status"] == "ok" else "" for record in records]
    return [
        {**record, "status": "stale", "error": f"{why}, run it again"} if why else record
        for record, why in zip(records, problems, strict=True)
    ]
