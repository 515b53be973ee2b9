"""What makes a run stale: the digest of all that decides its result; loads only models that are fresh."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from benchmark.runs.record_store import Record, Store
from models.artifacts.save_load import ArtifactError, load
from models.files.code_digest import code_digest
from models.registry import find_recognizer, run_of


def run_digest(record: Record, code: str) -> str:
    """Return the digest of a run from its record, or the part that is known before it ran, and its code's digest."""
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
    """Load the recognizer of a finished run, if its file and its code are still the same.

    Parameters
    ----------
    root : Path
        Results folder.
    record : dict
        Of a finished run in it.

    Raises
    ------
    ArtifactError
        If its file, or a member's, is missing, damaged or from another run, or its code was edited since.
    """
    recognizer = load(root / "models" / record["artifact"])
    _check(recognizer, record)
    for stem, member in getattr(recognizer, "members_", {}).items():
        _check(member, Store(root).read(*run_of(stem)))
    return recognizer


def _check(recognizer: Any, record: Record | None) -> None:
    """Raise an error unless a loaded recognizer matches its record and its code is still the same."""
    card = recognizer.card_
    if record is None or card["sha256"] != record["artifact_sha256"]:
        raise ArtifactError(f"{card['artifact']} does not match its record: run it again")
    if run_digest(record, code_digest(find_recognizer(record["recognizer"]).module)) != record["digest"]:
        raise ArtifactError(f"the code of {record['recognizer']} was edited since it ran: run it again")
