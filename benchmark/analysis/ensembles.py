"""What each member of an ensemble weighs, and whether the ensemble is better than it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np
import pandas as pd

from benchmark.analysis.leaderboard import by_seed, common_seeds
from benchmark.runs.record_store import Record
from models.registry import run_of


def ensemble_weights(done: Sequence[Record], mcnemar: pd.DataFrame) -> pd.DataFrame:
    """Return the weight of each member in each ensemble, and whether the ensemble is better than it.

    A member is a recognizer: an ensemble may hold several of its seeds, of which the weight is the sum.

    Returns
    -------
    DataFrame
        Index ensemble, member; columns ``seed``, those of both, ``weight`` (0: left out; missing where the ensemble
        states none), ``accuracy_gain`` of the ensemble over the member on test, both means over these seeds, and its
        ``p_mcnemar`` from `benchmark.analysis.significance.mcnemar_matrix`. Members that share no seed with the
        ensemble have no row.
    """
    runs = by_seed(done)
    rows = {}
    for name, records in runs.items():
        members = dict.fromkeys(run_of(stem)[0] for stem in next(iter(records.values())).get("members", {}))
        for member in members:
            seeds = common_seeds(records, runs.get(member, {}))
            if not seeds:
                continue
            gains = [records[seed]["test"]["accuracy"] - runs[member][seed]["test"]["accuracy"] for seed in seeds]
            rows[name, member] = {
                "seed": " ".join(map(str, seeds)),
                "weight": fmean(_weight(records[seed], member) for seed in seeds),
                "accuracy_gain": fmean(gains),
                "p_mcnemar": mcnemar.loc[name, member],
            }
    names = pd.MultiIndex.from_tuples(rows, names=["ensemble", "member"])
    return pd.DataFrame(list(rows.values()), index=names, columns=["seed", "weight", "accuracy_gain", "p_mcnemar"])


def _weight(ensemble: Record, member: str) -> float:
    weights = ensemble.get("ensemble", {}).get("weights")
    return sum(weight for stem, weight in weights.items() if run_of(stem)[0] == member) if weights else np.nan
