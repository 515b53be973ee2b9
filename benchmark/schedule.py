"""In which order recognizers run, and how long they are expected to take: from what earlier runs took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from benchmark.store import Store
from features.source import reached
from models.registry import Entry

REFERENCE = Path("fer2013", "kaggle")
SCALING = "scaling.csv"
LONG = 1800.0  # seconds
QUADRATIC_MODULE = "models.rbf_svm"


@dataclass(frozen=True)
class Growth:
    """Seconds of a fit: ``constant + linear * faces + quadratic * faces**2``."""

    constant: float = 0.0
    linear: float = 1.0
    quadratic: float = 0.0

    def seconds(self, faces: float) -> float:
        """Return the seconds for this number of faces."""
        return self.constant + self.linear * faces + self.quadratic * faces**2

    def quadratic_share(self, faces: float) -> float:
        """Return the share of the time that grows with the square of the faces."""
        return self.quadratic * faces**2 / self.seconds(faces)


def growth(path: Path) -> dict[str, Growth]:
    """Return how the time of each recognizer grows, from the table of `benchmark.scaling`; nothing where it is not.

    The parts are at least zero and fitted by least squares of the relative error. A quadratic part is looked for in
    support vector machines alone: more faces also mean more rounds of boosting, but those are bounded.
    """
    try:
        table = pd.read_csv(path, index_col=["recognizer", "faces"])
    except (OSError, ValueError):
        return {}
    found = {}
    for name, costs in table.groupby(level="recognizer"):
        faces = costs.index.get_level_values("faces").to_numpy(float)
        seconds = np.maximum(costs["fit_seconds"].to_numpy(float), 1e-9)
        powers = (0, 1, 2) if QUADRATIC_MODULE in reached(f"models.{name}") else (0, 1)
        parts = np.stack([faces**power for power in powers], axis=1) / seconds[:, None]
        found[str(name)] = Growth(*map(float, nnls(parts, np.ones(len(faces)))[0]))
    return found


def expected_seconds(results: Path, roots: Iterable[Path], faces: int) -> dict[str, float]:
    """Return how long a fit is expected to take, by recognizer; ensembles fit nothing that takes time.

    Parameters
    ----------
    results : Path
        Where the table of `benchmark.scaling` is, which says how times grow: like the faces where it says nothing.
    roots : iterable of Path
        Results folders; the first one with a finished run of a recognizer counts.
    faces : int
        To be fitted on.
    """
    grows = growth(results / REFERENCE.parent / SCALING)
    found: dict[str, float] = {}
    for root in roots:
        for record in Store(root).records():
            if record["status"] == "ok":
                name, seconds = record["recognizer"], 0.0 if record.get("members") else record["cost"]["fit_seconds"]
                cost = grows.get(name, Growth())
                found.setdefault(name, seconds * cost.seconds(faces) / cost.seconds(record["n_faces"]["fit"]))
    return found


def too_long(results: Path, seconds: Mapping[str, float], faces: int) -> list[str]:
    """Return a warning for each recognizer that takes long because its time grows with the square of the faces.

    Parameters
    ----------
    results, faces
        As of `expected_seconds`.
    seconds : mapping of str to float
        What that function returned, of the recognizers that are to be fitted.
    """
    grows = growth(results / REFERENCE.parent / SCALING)
    return [
        f"{name} is expected to take {in_words(each)} on {faces:,} faces, "
        f"{grows[name].quadratic_share(faces):.0%} of it growing with their square: --limit N takes a part of them"
        for name, each in seconds.items()
        if each > LONG and name in grows and grows[name].quadratic
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
