"""The runs of a study, in an order in which they can be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.registry import Entry, run_stem


@dataclass(frozen=True)
class Run:
    """One recognizer under one seed."""

    entry: Entry
    seed: int

    @property
    def stem(self) -> str:
        """File name of the artifact: the first seed's is the recognizer's own name."""
        return run_stem(self.entry.name, self.seed)


def list_runs(entries: Sequence[Entry], seeds: Sequence[int]) -> list[Run]:
    """Return a run for each recognizer and seed, a single one where the seed is not used.

    Parameters
    ----------
    entries : sequence of Entry
        Members before their ensembles.
    seeds : sequence of int

    Returns
    -------
    list of Run
        Seed by seed; at the end the ensembles whose members have several seeds.
    """
    runs = [
        Run(entry, seed if entry.uses_seed else 0)
        for place, seed in enumerate(seeds)
        for entry in entries
        if entry.uses_seed or place == 0
    ]
    return sorted(runs, key=lambda run: bool(run.entry.members) and not run.entry.uses_seed)
