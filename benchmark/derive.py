"""Everything derived from records: ``python -m benchmark.derive results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.figures import ConfusionDisplay, DistributionDisplay, RecallDisplay, TrainingDisplay, save_figure
from benchmark.leaderboard import finished, leaderboard, to_markdown
from benchmark.store import Record, Store
from models.artifacts import write_json
from models.labels import EMOTIONS

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
    """Write leaderboard, confusion matrices, figures and ``best.json`` of a results folder; return the leaderboard.

    Only the records are read, so that everything comes back without the data when it was deleted. Records made from
    other data than the newest one stand in the leaderboard with that status, without scores.
    """
    store = Store(root)
    records = same_data(store.records())
    board = leaderboard(records)
    board.to_csv(root / "leaderboard.csv", index=False)
    done = finished(records)
    if not done:
        (root / "leaderboard.md").write_text(to_markdown(board), "utf-8")
        return board
    about = done[0]
    title = f"{about['dataset']}, {about['protocol']['report']}"
    (root / "leaderboard.md").write_text(f"{heading(about)}\n{to_markdown(board)}", "utf-8")
    names = [name for name in board["recognizer"] if name in {record["recognizer"] for record in done}]
    counts = {name: _confusion(done, name) for name in names}
    for name, table in counts.items():
        (root / "confusion").mkdir(exist_ok=True)
        table.to_csv(root / "confusion" / f"{name}.csv")
        save_figure(ConfusionDisplay(table, f"{name} ({title})"), root / "confusion" / f"{name}.png")
    recall = pd.DataFrame(
        {name: np.diag(table) / table.sum(axis=1).clip(lower=1) for name, table in counts.items()}, index=EMOTIONS
    ).T
    _save(RecallDisplay(recall, f"Recall of every emotion ({title})"), root, "recall")
    shares = {"true": next(iter(counts.values())).sum(axis=1), **{name: table.sum() for name, table in counts.items()}}
    _save(DistributionDisplay(pd.DataFrame(shares), f"True and predicted emotions ({title})"), root, "distribution")
    for record in done:
        if record["history"]:
            table = pd.DataFrame(record["history"])
            table.insert(0, "epoch", range(1, len(table) + 1))
            stem = f"training_{record['recognizer']}_seed{record['seed']}"
            _save(TrainingDisplay(table, f"{record['recognizer']} ({about['dataset']})"), root, stem, index=False)
    write_json(root / "best.json", _best(done))
    return board


def same_data(records: Sequence[Record]) -> list[Record]:
    """Return the records, those made from other data than the newest one turned into rows without scores."""
    if not records:
        return []
    fingerprint = max(records, key=lambda record: record["finished"])["data_fingerprint"]
    return [
        record
        if record["data_fingerprint"] == fingerprint
        else {**record, "status": "stale", "error": "made from other data, run it again"}
        for record in records
    ]


def heading(record: Record) -> str:
    """Return the lines above a leaderboard: data, protocol, what sets the run apart."""
    protocol, sizes = record["protocol"], record["n_faces"]
    lines = [
        f"# {record['dataset']}, protocol {protocol['name']}",
        "",
        f"Fitted on {protocol['fit']} ({sizes['fit']:,} faces), selected and ranked on {protocol['select']} "
        f"({sizes['select']:,}), reported on {protocol['report']} ({sizes['report']:,}). "
        f"Class weights: {record['class_weight']}. Data fingerprint: {record['data_fingerprint']}.",
    ]
    if record["note"]:
        lines += ["", f"**{record['note']}**"]
    return "\n".join(lines) + "\n"


def update_readme(readme: Path, roots: Sequence[Path]) -> None:
    """Put the leaderboards of `roots` between their markers ``<!-- board: ROOT -->`` and ``<!-- /board -->``."""
    text = readme.read_text("utf-8")
    for root in roots:
        start, end = f"<!-- board: {root.as_posix()} -->\n", "<!-- /board -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{readme}: no lines {start.strip()} and {end}: add them where the board shall stand")
        board = leaderboard(same_data(Store(root).records()))
        text = before + found + to_markdown(board, README_COLUMNS) + closed + after
    readme.write_text(text, "utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if a folder holds no records."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.derive", description="Make leaderboards, figures and best.json again from records."
    )
    parser.add_argument("roots", nargs="+", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    parser.add_argument("--readme", type=Path, help="Markdown file whose marked leaderboards are brought up to date")
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


def _save(
    display: RecallDisplay | DistributionDisplay | TrainingDisplay, root: Path, stem: str, index: bool = True
) -> None:
    save_figure(display, root / "figures" / f"{stem}.png")
    display.table.to_csv(root / "figures" / f"{stem}.csv", index=index)


def _confusion(done: Sequence[Record], name: str) -> pd.DataFrame:
    """Return the test counts of a recognizer, summed over its seeds."""
    counts = sum(np.array(record["test"]["confusion"]) for record in done if record["recognizer"] == name)
    return pd.DataFrame(counts, index=pd.Index(EMOTIONS, name="true"), columns=EMOTIONS)


def _best(done: Sequence[Record]) -> dict:
    """Return the recognizers in the order of validation macro-F1, each with the artifact of its first seed."""
    firsts = [next(runs) for _, runs in groupby(done, lambda record: record["recognizer"])]
    return {
        "chosen_by": f"macro-F1 on {done[0]['protocol']['select']}",
        "best": firsts[0]["recognizer"],
        "ranking": [
            {
                "recognizer": record["recognizer"],
                "artifact": record["artifact"],
                "valid_macro_f1": record["valid"]["macro_f1"],
            }
            for record in firsts
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
