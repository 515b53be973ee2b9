"""Everything derived from records: ``python -m benchmark.derive results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis import analyse, summary
from benchmark.figures import (
    ConfusionDisplay,
    DistributionDisplay,
    PrecisionRecallDisplay,
    RecallDisplay,
    TrainingDisplay,
    save_figure,
)
from benchmark.leaderboard import finished, leaderboard, to_markdown
from benchmark.store import Record, Store
from models.artifacts import write_json
from models.labels import EMOTIONS

ANCHORS = Path(__file__).with_name("anchors.csv")
README_COLUMNS = (
    "rank",
    "recognizer",
    "valid_accuracy",
    "valid_macro_f1",
    "test_accuracy",
    "test_macro_f1",
    "disgust_recall",
    "fear_recall",
    "fit_seconds",
    "ms_per_face",
    "artifact_mb",
)


def derive(root: Path) -> pd.DataFrame:
    """Write leaderboard, confusion matrices, figures, analysis and ``best.json``; return the leaderboard.

    Only ``runs/`` is read, so that everything comes back without the data when it was deleted.
    """
    store = Store(root)
    records = current_records(store)
    board = leaderboard(records)
    board.to_csv(root / "leaderboard.csv", index=False)
    done = finished(records)
    if not done:
        (root / "leaderboard.md").write_text(to_markdown(board), "utf-8")
        return board
    tables = analyse(store, done)
    trust = summary(tables)
    (root / "leaderboard.md").write_text(
        f"{heading(done[0], root.name)}\n{to_markdown(board)}\n{to_markdown(trust)}", "utf-8"
    )
    _draw(root, done, tables.pop("precision_recall"))
    for stem, table in {**tables, "summary": trust.set_index("recognizer")}.items():
        (root / "analysis").mkdir(exist_ok=True)
        table.to_csv(root / "analysis" / f"{stem}.csv")
    write_json(root / "best.json", _best(done))
    return board


def current_records(store: Store) -> list[Record]:
    """Return the records of a folder, with what does not go together turned into rows without scores.

    Those are runs on other data than the newest one, runs whose probabilities are gone or damaged, and ensembles of
    members that ran again since.
    """
    records = store.records()
    done = [record for record in records if record["status"] == "ok"]
    fingerprint = max(done, key=lambda record: record["finished"])["data_fingerprint"] if done else ""
    sums = {(record["recognizer"], record["seed"]): record["probabilities_sha256"] for record in done}

    def problem(record: Record) -> str:
        if record["data_fingerprint"] != fingerprint:
            return "made from other data"
        if not store.is_intact(record):
            return "its probabilities are missing or damaged"
        if any(sums.get((name, record["seed"])) != was for name, was in record.get("members", {}).items()):
            return "a member ran again since"
        return ""

    problems = [problem(record) if record["status"] == "ok" else "" for record in records]
    return [
        {**record, "status": "stale", "error": f"{why}, run it again"} if why else record
        for record, why in zip(records, problems, strict=True)
    ]


def heading(record: Record, folder: str) -> str:
    """Return the lines above a leaderboard: data, protocol, what sets the folder's runs apart."""
    protocol, sizes = record["protocol"], record["n_faces"]
    lines = [
        f"# {record['dataset']}, {folder}",
        "",
        f"Protocol {protocol['name']}: fitted on {protocol['fit']} ({sizes['fit']:,} faces), selected and ranked on "
        f"{protocol['select']} ({sizes['select']:,}), reported on {protocol['report']} ({sizes['report']:,}). "
        f"Class weights: {record['class_weight']}. Data fingerprint: {record['data_fingerprint']}.",
    ]
    if record["note"]:
        lines += ["", f"**{record['note']}**"]
    return "\n".join(lines) + "\n"


def update_readme(readme: Path, roots: Sequence[Path]) -> None:
    """Put tables between their markers.

    ``<!-- board: ROOT -->`` takes the leaderboard of a root, ``<!-- trust: ROOT -->`` the summary of its analysis,
    ``<!-- anchors -->`` the published results; each ends with ``<!-- end -->``.

    Raises
    ------
    ValueError
        If there is no place for a root's leaderboard.
    """
    text = readme.read_text("utf-8")
    text = _between_markers(text, "anchors", to_markdown(pd.read_csv(ANCHORS, dtype=str)))
    for root in roots:
        if f"<!-- board: {root.as_posix()} -->" not in text:
            raise ValueError(f"{readme}: no line <!-- board: {root.as_posix()} -->: add it, and <!-- end --> below it")
        board = leaderboard(current_records(Store(root)))
        trust = pd.read_csv(root / "analysis" / "summary.csv", dtype=str, keep_default_na=False)
        text = _between_markers(text, f"board: {root.as_posix()}", to_markdown(board, README_COLUMNS))
        text = _between_markers(text, f"trust: {root.as_posix()}", to_markdown(trust))
    readme.write_text(text, "utf-8")


def _between_markers(text: str, name: str, table: str) -> str:
    before, marker, rest = text.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    return before + marker + table + end + after if end else text


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if a folder holds no records."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.derive", description="Make leaderboards, figures and best.json again from records."
    )
    parser.add_argument("roots", nargs="+", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    parser.add_argument("--readme", type=Path, help="Markdown file whose marked tables are brought up to date")
    args = parser.parse_args(argv)
    for root in args.roots:
        if not Store(root).records():
            print(f"error: {root}: no records in runs/: python -m benchmark.run makes them", file=sys.stderr)
            return 2
        derive(root)
    if args.readme:
        try:
            update_readme(args.readme, args.roots)
        except (OSError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


def _draw(root: Path, done: Sequence[Record], curves: pd.DataFrame) -> None:
    title = f"{done[0]['dataset']}, {root.name}, {done[0]['protocol']['report']}"
    counts = {name: _confusion(done, name) for name in dict.fromkeys(record["recognizer"] for record in done)}
    for name, table in counts.items():
        _save(ConfusionDisplay(table, f"{name} ({title})"), root / "confusion" / name)
    recall = pd.DataFrame(
        {name: np.diag(table) / table.sum(axis=1).clip(lower=1) for name, table in counts.items()}, index=EMOTIONS
    ).T
    figures = root / "figures"
    _save(RecallDisplay(recall, f"Recall of every emotion ({title})"), figures / "recall")
    runs = Counter(record["recognizer"] for record in done)
    # The floor predicts one emotion for all: its bar would dwarf the others.
    shown = {record["recognizer"]: None for record in done if record["family"] != "floor"}
    faces = {"true": next(iter(counts.values())).sum(axis=1) / runs[done[0]["recognizer"]]}
    faces |= {name: counts[name].sum() / runs[name] for name in shown}
    _save(DistributionDisplay(pd.DataFrame(faces), f"True and predicted emotions ({title})"), figures / "distribution")
    if not curves.empty:
        _save(PrecisionRecallDisplay(curves, f"Weak classes ({title})"), figures / "precision_recall")
    for record in done:
        if record["history"]:
            table = pd.DataFrame(record["history"])
            table.index = pd.RangeIndex(1, len(table) + 1, name="epoch")
            display = TrainingDisplay(table, f"{record['recognizer']} ({record['dataset']}, {root.name})")
            _save(display, figures / f"training_{record['recognizer']}_seed{record['seed']}")


def _save(display: Any, stem: Path) -> None:
    """Write the figure and beside it the table that it shows."""
    save_figure(display, stem.with_name(f"{stem.name}.png"))
    display.table.to_csv(stem.with_name(f"{stem.name}.csv"))


def _confusion(done: Sequence[Record], name: str) -> pd.DataFrame:
    """Return the test counts of a recognizer, summed over its seeds."""
    counts = sum(np.array(record["test"]["confusion"]) for record in done if record["recognizer"] == name)
    return pd.DataFrame(counts, index=pd.Index(EMOTIONS, name="true"), columns=EMOTIONS)


def _best(done: Sequence[Record]) -> dict[str, Any]:
    """Return the recognizers in the order of validation macro-F1, each with the artifact of its first seed."""
    ranking = []
    for name, runs in groupby(done, lambda record: record["recognizer"]):
        each = list(runs)
        macro_f1 = fmean(record["valid"]["macro_f1"] for record in each)
        ranking.append({"recognizer": name, "artifact": each[0]["artifact"], "valid_macro_f1": macro_f1})
    return {
        "dataset": done[0]["dataset"],
        "chosen_by": f"macro-F1 on {done[0]['protocol']['select']}",
        "best": ranking[0]["recognizer"],
        "ranking": ranking,
    }


if __name__ == "__main__":
    sys.exit(main())
