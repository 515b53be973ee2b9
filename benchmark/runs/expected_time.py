"""Expected times of runs, estimated from earlier runs, and the order in which recognizers run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmark.runs.record_store import Store
from models.files.code_digest import reached
from models.parts import rbf_svm
from models.registry import Entry

REFERENCE_FOLDER = Path("fer2013", "kaggle")
MANY_FACES = 50_000


def expected_seconds(roots: Iterable[Path], faces: int) -> dict[str, float]:
    """Return the expected seconds of a fit, by recognizer; 0 for ensembles.

    The time is assumed to grow in proportion to the number of faces.

    Parameters
    ----------
    roots : iterable of Path
        Results folders; the first one with a finished run of a recognizer counts.
    faces : int
        Number of faces to fit on.
    """
    expected: dict[str, float] = {}
    for root in roots:
        for record in Store(root).records():
            if record["status"] == "ok":
                seconds = 0.0 if record.get("members") else record["cost"]["fit_seconds"]
                expected.setdefault(record["recognizer"], seconds * faces / record["n_faces"]["fit"])
    return expected


def too_many_faces(entries: Iterable[Entry], faces: int) -> list[str]:
    """Return a warning for each recognizer that fits an RBF support vector machine on more than `MANY_FACES` faces."""
    if faces <= MANY_FACES:
        return []
    return [
        f"{entry.name} fits an RBF support vector machine on {faces:,} faces, and its time grows with their square: "
        "--limit N takes a part of them"
        for entry in entries
        if rbf_svm.__name__ in reached(entry.module)
    ]


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
