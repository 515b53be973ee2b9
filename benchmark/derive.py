"""Make all that is derived from records: ``python -m benchmark.derive results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from filelock import FileLock

from benchmark.analysis.class_weight_ablation import ablation_summary
from benchmark.analysis.findings import Findings, read_findings
from benchmark.analysis.leaderboard import COLUMNS, EXTERNAL_COLUMNS, to_markdown
from benchmark.analysis.releases import add_release
from benchmark.analysis.summaries import score_summary
from benchmark.figures import save_figure
from benchmark.figures.catalogue import displays
from benchmark.report.documents import update_readme
from benchmark.report.model_card import model_card
from benchmark.report.page import REPORT, render
from benchmark.report.release import write_release
from benchmark.runs.external_store import is_external
from benchmark.runs.latency import SPEED
from benchmark.runs.record_store import Record
from models.files.atomic import explain, write_json, write_text
from models.files.streams import prepare_streams

MODEL_CARD = "models/README.md"

# The list of the files that are derived; what stood there and is derived no more, is deleted.
WRITTEN = "derived.txt"
ALWAYS = {"leaderboard.csv", "leaderboard.md", REPORT, "best.json", MODEL_CARD}
FOLDERS = {"analysis", "confusion", "figures"}


def derive(root: Path) -> Findings:
    """Write leaderboard, confusion matrices, figures, analysis, report and ``best.json``; return what they say.

    Only ``runs/`` is read, that of other class weights and ``speed.csv`` beside this folder, so that everything comes
    back without the data when it was deleted. Files that an earlier call wrote and this one does not are deleted.

    Raises
    ------
    DataError
        If the folder has no record.
    """
    if not (root / "runs").is_dir():
        return _derive(root)  # which says what is missing
    with FileLock(root / "runs" / "derive.lock"):
        return _derive(root)


def _derive(root: Path) -> Findings:
    findings = read_findings(root)
    written = set(_write(findings))
    try:
        former = set((root / WRITTEN).read_text("utf-8").splitlines()) | ALWAYS
    except (OSError, ValueError):
        former = ALWAYS
    for name in filter(_is_ours, former - written):
        (root / name).unlink(missing_ok=True)
    write_text(root / WRITTEN, "".join(f"{name}\n" for name in sorted(written)))
    return findings


def _is_ours(name: str) -> bool:
    """Return whether it is the path of a file that `derive` may delete, whatever the list of files says."""
    folder, _, file = name.rpartition("/")
    return name in ALWAYS or (folder in FOLDERS and file == Path(file).name and file.endswith((".csv", ".png")))


def _write(findings: Findings) -> Iterator[str]:
    """Write the files of a results folder one by one; yield the path of each, below the folder."""
    root = findings.root
    findings.board.to_csv(root / "leaderboard.csv", index=False)
    yield "leaderboard.csv"
    columns = [
        name
        for name in findings.board
        if name in (*COLUMNS, "package", *EXTERNAL_COLUMNS, "versus_best", "drop")
        and findings.board[name].notna().any()
    ]
    shown = to_markdown(findings.board, columns)
    if not findings.done:
        write_text(root / "leaderboard.md", shown)
        yield "leaderboard.md"
        return
    trust = score_summary(findings.tables)
    tables = {**findings.tables, "summary": trust.set_index("recognizer")}
    parts = [heading(findings.done[0], findings.root.name), shown, to_markdown(trust)]
    if findings.several_seeds:
        parts.insert(1, findings.seeds_note + "\n")
    if "class_weights" in tables:
        parts.append(to_markdown(ablation_summary(tables["class_weights"])))
    write_text(root / "leaderboard.md", "\n".join(parts))
    yield "leaderboard.md"
    for name in ("precision_recall", "reliability"):  # the CSV of their figures
        del tables[name]
    for stem, table in tables.items():
        (root / "analysis").mkdir(exist_ok=True)
        table.to_csv(root / "analysis" / f"{stem}.csv")
        yield f"analysis/{stem}.csv"
    figures = displays(findings)
    for stem, display in figures.items():
        save_figure(display, root / f"{stem}.png")
        yield f"{stem}.png"
        display.table.to_csv(root / f"{stem}.csv")
        yield f"{stem}.csv"
    write_text(root / REPORT, render(findings, figures))
    yield REPORT
    if "drop" not in findings.tables and not is_external(root):  # faces and models from elsewhere choose no model
        write_json(root / "best.json", _best(findings))
        yield "best.json"
        (root / MODEL_CARD).parent.mkdir(exist_ok=True)
        write_text(root / MODEL_CARD, model_card(findings))
        yield MODEL_CARD


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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if a folder holds no records."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.derive", description="Make leaderboards, figures and best.json again from records."
    )
    parser.add_argument("roots", nargs="+", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    parser.add_argument(
        "--readme",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="Markdown files whose marked tables are filled",
    )
    parser.add_argument("--scores", metavar="VERSION", help="keep today's scores in releases.csv as this version's")
    parser.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="write records, models and checksums into a new folder, to publish it",
    )
    args = parser.parse_args(argv)
    try:
        folders = [derive(root) for root in args.roots]
        if args.readme:
            update_readme(args.readme, folders)
        if args.scores:
            print(add_release(args.scores, folders))
        if args.release:
            write_release(args.release, folders)
            print(args.release)
    except (OSError, ValueError) as error:
        print(f"error: {explain(error, args.roots[0])}", file=sys.stderr)
        return 2
    return 0


def _best(findings: Findings) -> dict[str, Any]:
    """Return the recognizers in the order of validation macro-F1, each with the artifact of its first seed.

    And with the milliseconds that its fastest format takes for one face, if `benchmark.speed` measured them.
    """
    done, speed = findings.done, findings.root.parent / SPEED
    one_ms = {}
    if speed.exists():
        table = pd.read_csv(speed, usecols=["recognizer", "one_ms"])
        one_ms = table.groupby("recognizer")["one_ms"].min().to_dict()
    ranking = []
    for name, runs in groupby(done, lambda record: record["recognizer"]):
        records = list(runs)
        macro_f1 = fmean(record["valid"]["macro_f1"] for record in records)
        row = {"recognizer": name, "artifact": records[0]["artifact"], "valid_macro_f1": macro_f1}
        ranking.append(row | ({"one_ms": one_ms[name]} if name in one_ms else {}))
    return {
        "dataset": done[0]["dataset"],
        "chosen_by": f"macro-F1 on {done[0]['protocol']['select']}",
        "best": ranking[0]["recognizer"],
        "ranking": ranking,
    }


if __name__ == "__main__":
    sys.exit(main())
