"""Check records that somebody contributes: ``python -m benchmark.validate results --against main/results``.

Of every record: its form, digests, data, probabilities, labels, scores and code. Then how the leaderboards change.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.analysis.leaderboard import leaderboard, to_markdown
from benchmark.runs.record_store import Store, current_records
from benchmark.runs.validation import KnownData, doubts, record_flaws
from models.files.atomic import explain
from models.files.streams import prepare_streams

CHANGES = ["rank", "valid_macro_f1", "test_accuracy", "test_macro_f1", "status"]


def results_folders(tree: Path) -> list[Path]:
    """Return the results folders in a folder, itself too, by path."""
    return sorted(runs.parent for runs in tree.rglob("runs") if runs.is_dir())


def changed_files(root: Path, base: Path | None) -> list[Path]:
    """Return the records of a results folder that another one, `base`, does not have with the same probabilities.

    Probabilities without a record stand for the record that is missing.
    """
    paths = sorted({path.with_suffix(".json") for kind in ("json", "npz") for path in root.glob(f"runs/*/*.{kind}")})
    return [path for path in paths if base is None or _contents(path) != _contents(base / path.relative_to(root))]


def board_changes(before: Path, after: Path) -> pd.DataFrame:
    """Return the rows in which the leaderboards of two results folders differ.

    Returns
    -------
    DataFrame
        ``recognizer``, ``row`` (new, changed or removed), and the columns of `CHANGES` as text: ``before → after``
        where they differ.
    """
    texts = [_board(root) for root in (before, after)]
    rows: list[dict[str, str]] = []
    for name in dict.fromkeys([*texts[1], *texts[0]]):
        lines = [text.get(name, {}) for text in texts]
        if lines[0] == lines[1]:
            continue
        row = "changed" if all(lines) else "removed" if lines[0] else "new"
        values = [{column: line.get(column, "") for column in CHANGES} for line in lines if line]
        cells = {column: " → ".join(dict.fromkeys(value[column] or "none" for value in values)) for column in CHANGES}
        rows.append({"recognizer": name, "row": row, **cells})
    return pd.DataFrame(rows, columns=["recognizer", "row", *CHANGES])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 if something is wrong with a record, or 2 for usage."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.validate", description="Check records, and show how they change the leaderboards."
    )
    parser.add_argument("tree", type=Path, metavar="DIR", help="results, or a results folder in it")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="the same folder without the contribution: only what differs is checked",
    )
    args = parser.parse_args(argv)
    for tree in filter(None, [args.tree, args.against]):
        if not results_folders(tree):
            parser.error(f"{tree}: has no folder with records, runs: give results, or a folder in it")
    try:
        return _validate(args.tree, args.against)
    except OSError as error:
        print(f"error: {explain(error, args.tree)}", file=sys.stderr)
        return 2


def _validate(tree: Path, against: Path | None) -> int:
    known, n_records, n_flaws = KnownData(results_folders(against or tree)), 0, 0
    for root in results_folders(tree):
        paths = changed_files(root, against and against / root.relative_to(tree))
        n_records += len(paths)
        for path in paths:
            flaws = record_flaws(path, known)
            n_flaws += len(flaws)
            for kind, words in (("error", flaws), ("note", [] if flaws else doubts(path))):
                for text in words:
                    print(f"{kind}: {path.as_posix()}: {text}", file=sys.stderr)
    print(f"{n_records} records checked: {n_flaws or 'no'} errors")
    for name, table in _changed_boards(tree, against) if against else ():
        print(f"\n{name}\n\n{to_markdown(table)}", end="")
    return int(n_flaws > 0)


def _changed_boards(tree: Path, against: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    names = {root.relative_to(each) for each in (tree, against) for root in results_folders(each)}
    for name in sorted(names):
        table = board_changes(against / name, tree / name)
        if len(table):
            yield name.as_posix(), table


def _board(root: Path) -> dict[str, dict[str, str]]:
    """Return the cells of the leaderboard of a results folder, by recognizer."""
    board = leaderboard(current_records(Store(root))).set_index("recognizer")[CHANGES]
    return {str(name): {column: _text(row[column]) for column in CHANGES} for name, row in board.iterrows()}


def _contents(path: Path) -> list[bytes | None]:
    files = path, path.with_suffix(".npz")
    return [file.read_bytes() if file.is_file() else None for file in files]


def _text(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
