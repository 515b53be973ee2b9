"""Put tables from the records between the markers in README.md and other Markdown documents."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import pandas as pd

from benchmark.analysis.class_weight_ablation import ablation_summary
from benchmark.analysis.corrupted import marked, note
from benchmark.analysis.findings import Findings
from benchmark.analysis.leaderboard import to_markdown
from benchmark.analysis.published import beside_tools, published
from benchmark.analysis.summaries import score_summary, weights_summary
from benchmark.data.scenes import SCENES
from benchmark.runs.frame_rate import VIDEO_SPEED
from benchmark.runs.latency import SPEED

BOARD_COLUMNS = (
    "rank",
    "recognizer",
    "package",
    "valid_accuracy",
    "valid_macro_f1",
    "test_accuracy",
    "test_macro_f1",
    "versus_best",
    "disgust_recall",
    "fear_recall",
    "fit_seconds",
    "ms_per_face",
    "artifact_mb",
)

# With several seeds, how many there are of a row and how far its scores spread.
SEED_COLUMNS = ("test_accuracy_std", "test_macro_f1_std", "seeds")

# The leaderboard in short, for README.md: columns, and what they are called there.
SHORT_COLUMNS = {
    "rank": "rank",
    "recognizer": "recognizer",
    "package": "package",
    "accuracy": "accuracy [95% interval]",
    "test_macro_f1": "macro-F1",
    "disgust_recall": "Disgust recall",
    "fear_recall": "Fear recall",
    "ms_per_face": "ms per face",
    "artifact_mb": "MB",
}


def update_readme(documents: Sequence[Path], folders: Sequence[Findings]) -> None:
    """Put tables between their markers in Markdown files.

    ``<!-- leaderboard: ROOT -->`` takes the leaderboard of a root in 8 columns, ``<!-- board: ROOT -->`` in 13,
    ``<!-- trust: ROOT -->`` the summary of its analysis, ``<!-- calibration: ROOT -->`` the expected calibration
    errors, ``<!-- class weights: ROOT -->`` the ablation of the class weights, ``<!-- ensembles: ROOT -->`` the weights
    of their members, ``<!-- robustness: ROOT -->`` the accuracy on corrupted faces and who was trained on them,
    ``<!-- tools: ROOT -->`` our best beside the tools that people install, ``<!-- speed: ROOT'S PARENT -->`` what
    `benchmark.speed` measured, ``<!-- video speed: ROOT'S PARENT -->`` with ``--video``, ``<!-- scenes: ROOT'S PARENT
    -->`` what `benchmark.scenes` measured, ``<!-- anchors -->`` the published results; each ends with ``<!-- end -->``.

    Raises
    ------
    ValueError
        If no document has a place for a folder's leaderboard.
    """
    tables = {"anchors": to_markdown(published())}
    for findings in folders:
        tables |= _blocks(findings)
    texts = {document: document.read_text("utf-8") for document in documents}
    for root in (findings.root.as_posix() for findings in folders):
        if not any(f"<!-- {kind}: {root} -->" in text for text in texts.values() for kind in ("leaderboard", "board")):
            names = ", ".join(map(str, documents))
            raise ValueError(f"{names}: no line <!-- board: {root} -->: add it, and <!-- end --> below it")
    for document, text in texts.items():
        document.write_text(reduce(lambda done, block: _between_markers(done, *block), tables.items(), text), "utf-8")


def _blocks(findings: Findings) -> dict[str, str]:
    """Return the tables of a results folder as Markdown, by the name in their marker."""
    root, parent = findings.root.as_posix(), findings.root.parent
    schemes = findings.tables.get("class_weights", pd.DataFrame())
    columns = tuple(name for name in BOARD_COLUMNS if name in findings.board)
    columns += SEED_COLUMNS if findings.several_seeds else ()
    columns = columns if (findings.board["status"] == "ok").all() else (*columns, "status")
    blocks = {
        f"leaderboard: {root}": _short_leaderboard(findings),
        f"board: {root}": to_markdown(findings.board, columns),
        f"trust: {root}": to_markdown(score_summary(findings.tables)),
        f"class weights: {root}": to_markdown(ablation_summary(schemes)),
        f"tools: {root}": to_markdown(beside_tools(findings)),
    }
    if "calibration" in findings.tables:
        blocks[f"calibration: {root}"] = to_markdown(findings.tables["calibration"].reset_index())
    if "ensemble_weights" in findings.tables:
        blocks[f"ensembles: {root}"] = to_markdown(weights_summary(findings.tables["ensemble_weights"]))
    if "robustness" in findings.tables:
        broken = findings.tables["robustness"]
        blocks[f"robustness: {root}"] = f"{to_markdown(marked(broken))}\n{note(broken)}\n"
    for kind, name in (("speed", SPEED), ("video speed", VIDEO_SPEED), ("scenes", SCENES)):
        if (parent / name).exists():
            blocks[f"{kind}: {parent.as_posix()}"] = to_markdown(pd.read_csv(parent / name))
    return blocks


def _short_leaderboard(findings: Findings) -> str:
    """Return the leaderboard in 8 columns, and below it what has to be known of rows."""
    accuracy = score_summary(findings.tables).set_index("recognizer")["accuracy"]
    board = findings.board.assign(accuracy=findings.board["recognizer"].map(accuracy))
    titles = {name: title for name, title in SHORT_COLUMNS.items() if name in board}
    titles |= {"seeds": "seeds"} if findings.several_seeds else {}
    _, _, rows = to_markdown(board, list(titles)).partition("\n")
    notes = board[board["status"] != "ok"].groupby("status", sort=False)["recognizer"].agg(", ".join)
    below = "".join(f"- {names}: {status}\n" for status, names in notes.items())
    return f"| {' | '.join(titles.values())} |\n{rows}" + (f"\n{below}" if below else "")


def _between_markers(text: str, name: str, table: str) -> str:
    before, marker, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    return before + marker + table + end + after if end else text
