"""Scores of each released version, in `releases.csv`, to notice where a new version scores lower.

The reported split, with whose labels it has, identifies the protocol, so that a protocol can be renamed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmark.analysis.findings import Findings
from benchmark.data import DataError
from benchmark.data.protocol import FERPLUS, labels_of
from models.files.atomic import write_whole

RELEASES = "releases.csv"
KEY = ["reported_on", "recognizer"]
# How much of a score a new version may lose: a point, but three of the 55 faces of Disgust. Another training moves as
# much, and a standard error is 3.6 faces. Macro-F1, a seventh of which is Disgust, may lose a point only.
ROOM = {"test_accuracy": 0.01, "test_macro_f1": 0.01, "disgust_recall": 3 / 55, "fear_recall": 0.01}


def scores(findings: Findings) -> pd.DataFrame:
    """Return the columns of `KEY` and the scores of `ROOM` of a results folder, a row a recognizer."""
    board, first = findings.board.dropna(subset="rank"), findings.done[0]
    by_ferplus = " by FER+" if labels_of(first) == FERPLUS else ""
    return board.assign(reported_on=f"{first['protocol']['report']}{by_ferplus}")[[*KEY, *ROOM]]


def add_release(version: str, folders: Sequence[Findings]) -> Path:
    """Append the scores of results folders as those of a version; return the path of the table.

    Raises
    ------
    DataError
        If the version is there already: what was released does not change.
    """
    path = folders[0].root.parent / RELEASES
    table = pd.concat([scores(findings) for findings in folders])
    table.insert(0, "version", version)
    if path.exists():
        earlier = pd.read_csv(path, dtype={"version": str})
        if version in set(earlier["version"]):
            raise DataError(f"{path}: version {version} is there already: give the new one's number")
        table = pd.concat([earlier, table])
    write_whole(path, table.to_csv(index=False, float_format="%.6f").encode())
    return path


def losses(released: pd.DataFrame, today: pd.DataFrame) -> dict[str, list[str]]:
    """Return the losses of each recognizer since the last version of a table, where they exceed `ROOM`.

    Parameters
    ----------
    released : DataFrame
        As `add_release` wrote it.
    today : DataFrame
        From `scores`.

    Returns
    -------
    dict of str to list of str
        By recognizer, e.g. ``test_accuracy 0.595 after 0.620 on PrivateTest``; ``gone`` where it has no score any more.
    """
    last = released[released["version"] == released["version"].iloc[-1]].set_index(KEY)
    now = today.set_index(KEY)
    lost: dict[str, list[str]] = {}
    for (split, name), before in last.iterrows():
        if split not in now.index.get_level_values("reported_on"):
            continue
        if (split, name) not in now.index:
            lost.setdefault(name, []).append(f"gone on {split}")
            continue
        for score, room in ROOM.items():
            after = now.loc[(split, name), score]
            if after < before[score] - room - 1e-6:
                lost.setdefault(name, []).append(f"{score} {after:.3f} after {before[score]:.3f} on {split}")
    return lost
