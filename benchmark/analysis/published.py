"""Results of others: published accuracies, and those of tools that people install."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmark.analysis.findings import Findings
from benchmark.analysis.leaderboard import DECIMALS

HERE = Path(__file__).parent
COMPARED = 4


def published() -> pd.DataFrame:
    """Return cited results, all as text."""
    return pd.read_csv(HERE / "anchors.csv", dtype=str)


def beside_tools(findings: Findings) -> pd.DataFrame:
    """Return our best recognizers on validation above the tools that people install, each part in its own order.

    The tools' figures were measured once on the 48x48 images, with each tool's own network and preprocessing and its
    face detector left out; no command here makes them again.

    Returns
    -------
    DataFrame
        A row a recognizer or tool, all as text; ``without_training_copies`` is the accuracy on the test faces
        whose exact pixels do not stand in the training split.
    """
    tools = pd.read_csv(HERE / "peers.csv", dtype=str, keep_default_na=False)
    board = findings.board.dropna(subset="rank").head(COMPARED).rename(columns={"recognizer": "what"})
    ours = board[[name for name in tools if name in board]].assign(caveat="ours; the test split chose nothing")
    if "copies" in findings.tables:
        copies = findings.tables["copies"].query("without == 'fit'").droplevel("without")
        ours["without_training_copies"] = ours["what"].map(copies["accuracy"])
    for name in ours.columns.drop(["what", "caveat"]):
        decimals = DECIMALS.get(name, 3)
        ours[name] = [f"{value:.{decimals}f}" for value in ours[name]]
    return pd.concat([ours, tools], ignore_index=True).reindex(columns=tools.columns)
