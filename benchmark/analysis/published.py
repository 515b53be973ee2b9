"""Results of others: published accuracies, and those of tools that people install."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.analysis.findings import Findings
from benchmark.analysis.leaderboard import DECIMALS, finished, leaderboard
from benchmark.runs.external_store import external_folder
from benchmark.runs.record_store import Record, Store, current_records

HERE = Path(__file__).parent
COMPARED = 4
TOOL_COLUMNS = (
    "what",
    "valid_accuracy",
    "test_accuracy",
    "without_training_copies",
    "test_macro_f1",
    "disgust_recall",
    "fear_recall",
    "artifact_mb",
    "verdict",
    "caveat",
)


def published() -> pd.DataFrame:
    """Return cited results, all as text."""
    return pd.read_csv(HERE / "anchors.csv", dtype=str)


def beside_tools(findings: Findings) -> pd.DataFrame:
    """Return our best recognizers on validation above the tools that people install, each part in its own order.

    The tools are the models from elsewhere in the folder beside that of the findings, which `benchmark.score` fills.

    Returns
    -------
    DataFrame
        A row a recognizer or tool, all as text; ``without_training_copies`` is the accuracy on the test faces whose
        exact pixels do not stand in the training split, ``verdict`` that of `benchmark.analysis.leaks.leak_test`. Empty
        without tools.
    """
    records = finished(current_records(Store(external_folder(findings.root))))
    if not records:
        return pd.DataFrame()
    facts = {record["recognizer"]: _declared(record) for record in records}
    tools = leaderboard(records).set_index("recognizer").join(pd.DataFrame.from_dict(facts, orient="index"))
    ours = findings.board.dropna(subset="rank").head(COMPARED).rename(columns={"recognizer": "what"})
    ours = ours.assign(caveat="ours; the test split chose nothing", verdict="")
    if "copies" in findings.tables:
        copies = findings.tables["copies"].query("without == 'fit'").droplevel("without")
        ours["without_training_copies"] = ours["what"].map(copies["accuracy"])
    table = pd.concat([rows.reindex(columns=TOOL_COLUMNS) for rows in (ours, tools)], ignore_index=True)
    for name in table.columns.drop(["what", "verdict", "caveat"]):
        decimals = DECIMALS.get(name, 3)
        table[name] = ["" if pd.isna(value) else f"{value:.{decimals}f}" for value in table[name]]
    return table


def _declared(record: Record) -> dict[str, Any]:
    declared, leak = record["params"], record["leak"]
    return {
        "what": f"{record['recognizer']} ({declared.get('package', 'version')} {declared['version']})",
        "without_training_copies": (leak["without_copies"] or {}).get("accuracy"),
        "verdict": leak["verdict"],
        "caveat": declared.get("caveat", ""),
    }
