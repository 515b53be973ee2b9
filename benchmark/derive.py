"""Everything derived from records: ``python -m benchmark.derive results/fer2013/kaggle``."""

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

from benchmark.analysis.class_weights import ablation_summary
from benchmark.analysis.corrupted import marked, note
from benchmark.analysis.findings import Findings, read_findings
from benchmark.analysis.leaderboard import COLUMNS, to_markdown
from benchmark.analysis.published import beside_tools, published
from benchmark.analysis.releases import add_release
from benchmark.analysis.summaries import score_summary, weights_summary
from benchmark.figures import save_figure
from benchmark.figures.catalogue import displays
from benchmark.report.page import REPORT, render
from benchmark.runs.record_store import Record
from benchmark.speed import SPEED
from models.files.atomic import explain, write_json, write_whole

README_COLUMNS = (
    "rank",
    "recognizer",
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


# The list of the files that are derived; what stood there and is derived no more, is deleted.
WRITTEN = "derived.txt"
ALWAYS = {"leaderboard.csv", "leaderboard.md", REPORT, "best.json"}
FOLDERS = {"analysis", "confusion", "figures"}


def derive(root: Path) -> Findings:
    """Write leaderboard, confusion matrices, figures, analysis, report and ``best.json``; return what they say.

    Only ``runs/`` is read, and that of other class weights beside this folder, so that everything comes back without
    the data when it was deleted. Files that an earlier call wrote and this one does not are deleted.

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
    found = read_findings(root)
    written = set(_write(found))
    try:
        former = set((root / WRITTEN).read_text("utf-8").splitlines()) | ALWAYS
    except (OSError, ValueError):
        former = ALWAYS
    for name in filter(_is_ours, former - written):
        (root / name).unlink(missing_ok=True)
    write_whole(root / WRITTEN, "".join(f"{name}\n" for name in sorted(written)).encode())
    return found


def _is_ours(name: str) -> bool:
    """Return whether it is the path of a file that `derive` may delete, whatever the list of files says."""
    folder, _, file = name.rpartition("/")
    return name in ALWAYS or (folder in FOLDERS and file == Path(file).name and file.endswith((".csv", ".png")))


def _write(found: Findings) -> Iterator[str]:
    """Write the files of a results folder one by one; yield the path of each, below the folder."""
    root = found.root
    found.board.to_csv(root / "leaderboard.csv", index=False)
    yield "leaderboard.csv"
    columns = [
        name for name in found.board if name in (*COLUMNS, "versus_best", "drop") and found.board[name].notna().any()
    ]
    shown = to_markdown(found.board, columns)
    if not found.done:
        (root / "leaderboard.md").write_text(shown, "utf-8")
        yield "leaderboard.md"
        return
    trust = score_summary(found.tables)
    tables = {**found.tables, "summary": trust.set_index("recognizer")}
    parts = [heading(found.done[0], found.root.name), shown, to_markdown(trust)]
    if found.several_seeds:
        parts.insert(1, found.seeds_note + "\n")
    if "class_weights" in tables:
        parts.append(to_markdown(ablation_summary(tables["class_weights"])))
    (root / "leaderboard.md").write_text("\n".join(parts), "utf-8")
    yield "leaderboard.md"
    for name in ("precision_recall", "reliability"):  # the CSV of their figures
        del tables[name]
    for stem, table in tables.items():
        (root / "analysis").mkdir(exist_ok=True)
        table.to_csv(root / "analysis" / f"{stem}.csv")
        yield f"analysis/{stem}.csv"
    figures = displays(found)
    for stem, display in figures.items():
        save_figure(display, root / f"{stem}.png")
        yield f"{stem}.png"
        display.table.to_csv(root / f"{stem}.csv")
        yield f"{stem}.csv"
    write_whole(root / REPORT, render(found, figures).encode())
    yield REPORT
    if "drop" not in found.tables:  # faces from elsewhere choose no model
        write_json(root / "best.json", _best(found.done))
        yield "best.json"


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


def update_readme(readme: Path, folders: Sequence[Findings]) -> None:
    """Put tables between their markers.

    ``<!-- board: ROOT -->`` takes the leaderboard of a root, ``<!-- trust: ROOT -->`` the summary of its analysis,
    ``<!-- calibration: ROOT -->`` the expected calibration errors, ``<!-- class weights: ROOT -->`` the ablation of the
    class weights, ``<!-- ensembles: ROOT -->`` the weights of their members, ``<!-- robustness: ROOT -->`` the accuracy
    on corrupted faces and who was trained on them, ``<!-- tools: ROOT -->`` our best beside the tools that people
    install, ``<!-- speed: ROOT'S PARENT -->`` what `benchmark.speed` measured, ``<!-- anchors -->`` the published
    results; each ends with ``<!-- end -->``.

    Raises
    ------
    ValueError
        If there is no place for a folder's leaderboard.
    """
    text = readme.read_text("utf-8")
    text = _between_markers(text, "anchors", to_markdown(published()))
    for found in folders:
        root = found.root.as_posix()
        if f"<!-- board: {root} -->" not in text:
            raise ValueError(f"{readme}: no line <!-- board: {root} -->: add it, and <!-- end --> below it")
        schemes = found.tables.get("class_weights", pd.DataFrame())
        columns = README_COLUMNS if (found.board["status"] == "ok").all() else (*README_COLUMNS, "status")
        text = _between_markers(text, f"board: {root}", to_markdown(found.board, columns))
        text = _between_markers(text, f"trust: {root}", to_markdown(score_summary(found.tables)))
        text = _between_markers(text, f"class weights: {root}", to_markdown(ablation_summary(schemes)))
        if "calibration" in found.tables:
            calibrated = found.tables["calibration"].reset_index()
            text = _between_markers(text, f"calibration: {root}", to_markdown(calibrated))
        if "ensemble_weights" in found.tables:
            weights = weights_summary(found.tables["ensemble_weights"])
            text = _between_markers(text, f"ensembles: {root}", to_markdown(weights))
        if "robustness" in found.tables:
            broken = found.tables["robustness"]
            text = _between_markers(text, f"robustness: {root}", f"{to_markdown(marked(broken))}\n{note(broken)}\n")
        text = _between_markers(text, f"tools: {root}", to_markdown(beside_tools(found)))
        parent = found.root.parent
        if (parent / SPEED).exists():
            text = _between_markers(text, f"speed: {parent.as_posix()}", to_markdown(pd.read_csv(parent / SPEED)))
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
    parser.add_argument("--release", metavar="VERSION", help="keep today's scores in releases.csv as this version's")
    args = parser.parse_args(argv)
    try:
        folders = [derive(root) for root in args.roots]
        if args.readme:
            update_readme(args.readme, folders)
        if args.release:
            print(add_release(args.release, folders))
    except (OSError, ValueError) as error:
        print(f"error: {explain(error, args.roots[0])}", file=sys.stderr)
        return 2
    return 0


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
