"""In which order recognizers run, and how long they are expected to take: from what earlier runs took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmark.store import Store
from models.registry import Entry

REFERENCE = Path("fer2013", "kaggle")


def measured_seconds(roots: Iterable[Path]) -> dict[str, float]:
    """Return the seconds a fit took for each training face, by recognizer; ensembles fit nothing that takes time.

    Parameters
    ----------
    roots : iterable of Path
        Results folders; the first one with a finished run of a recognizer counts.
    """
    found: dict[str, float] = {}
    for root in roots:
        for record in Store(root).records():
            if record["status"] == "ok":
                seconds = 0.0 if record.get("members") else record["cost"]["fit_seconds"]
                found.setdefault(record["recognizer"], seconds / record["n_faces"]["fit"])
    return found


def cheapest_first(entries: Sequence[Entry], seconds: Mapping[str, float]) -> list[Entry]:
    """Return entries by expected time, unmeasured ones after the measured, ensembles after all their members."""
    last = max(seconds.values(), default=0.0) + 1.0
    return sorted(entries, key=lambda entry: (bool(entry.members), seconds.get(entry.name, last), entry.name))


def in_words(seconds: float) -> str:
    """Return a rounded duration, e.g. ``12 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
