"""Models of finished runs, loaded again: the very ones, by code that is still the same."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.data import DataError, Dataset, load_dataset
from benchmark.leaderboard import by_seed, equal_seeds, finished
from benchmark.store import Record, Store, current_records
from features.source import code_digest
from models.artifacts import ArtifactError, load
from models.registry import find


def run_digest(record: Record, code: str) -> str:
    """Return the digest of a run from its record, or what of it is known before, and the digest of its code."""
    facts = {
        "params": record["params"],
        "code": code,
        "data": record["data_fingerprint"],
        "protocol": [record["protocol"][role] for role in ("fit", "select", "report")],
        "class_weight": record["class_weight"],
        "seed": record["seed"],
        "members": list(record.get("members", {}).values()),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def load_finished(root: Path, record: Record) -> Any:
    """Return the recognizer of a finished run: the very one, by code that is still the same.

    Parameters
    ----------
    root : Path
        Results folder.
    record : dict
        Of a finished run in it.

    Raises
    ------
    ArtifactError
        If its file, or a member's, is missing, damaged or of another run, or the code that it needs was edited since.
    """
    recognizer = load(root / "models" / record["artifact"])
    _check(recognizer, record)
    for name, member in getattr(recognizer, "members_", {}).items():
        _check(member, Store(root).read(name, record["seed"]))
    return recognizer


def _check(recognizer: Any, record: Record | None) -> None:
    """Raise an error unless a loaded recognizer is the record's, by code that is still the same."""
    card = recognizer.card_
    if record is None or card["sha256"] != record["artifact_sha256"]:
        raise ArtifactError(f"{card['artifact']} is of another run than the record: run it again")
    if run_digest(record, code_digest(find(record["recognizer"]).module)) != record["digest"]:
        raise ArtifactError(f"the code of {record['recognizer']} was edited since it ran: run it again")


def choose(root: Path, patterns: Sequence[str] | None) -> dict[str, Record]:
    """Return the finished records of a results folder by recognizer, those whose names match, all of one seed.

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
    wanted = {name: runs for name, runs in done.items() if any(fnmatch.fnmatch(name, each) for each in patterns or "*")}
    seed, chosen = equal_seeds(wanted)
    for name in wanted.keys() - chosen:
        print(f"note: without {name}: it has no run of seed {seed}, of which the others are", file=sys.stderr)
    return chosen


def present(root: Path, records: Mapping[str, Record]) -> dict[str, Any]:
    """Return the recognizers of finished runs that can be loaded, by name; print notes about the others.

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


def models_and_data(
    root: Path, path: str | None, patterns: Sequence[str] | None = None
) -> tuple[dict[str, Record], dict[str, Any], Dataset]:
    """Return the finished records of a results folder, the models of them that are there, and their data.

    Raises
    ------
    DataError
        If there is no record or no model, or the data are others.
    """
    records = choose(root, patterns)
    first, *_ = records.values()
    data = load_dataset(path, first["limit"])
    if first["data_fingerprint"] != data.fingerprint:
        raise DataError(f"{root}: its records are of other data than these: give theirs with --data")
    return records, present(root, records), data
