"""Make the report: ``python -m benchmark.report results/fer2013/kaggle``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.analysis.findings import read_findings
from benchmark.analysis.stored_models import data_of
from benchmark.data import DataError
from benchmark.data.options import add_data_options
from benchmark.figures.catalogue import displays
from benchmark.report.error_gallery import confident_errors
from benchmark.report.page import REPORT, render
from models.artifacts.save_load import DEFAULT_RESULTS
from models.files.atomic import explain, write_text
from models.files.streams import prepare_streams

WITH_FACES = "report_faces.html"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, or 2 if there is nothing to report or the page cannot be written."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.report", description="Make one HTML page from the records of a results folder."
    )
    option = parser.add_argument
    option("root", nargs="?", type=Path, default=Path(DEFAULT_RESULTS), metavar="DIR", help="(default: %(default)s)")
    option("--output", type=Path, metavar="HTML", help=f"(default: DIR/{REPORT}, or DIR/{WITH_FACES})")
    option("--faces", action="store_true", help="also show the most confident errors; do not publish it")
    add_data_options(parser)  # for --faces
    option("--ferplus", metavar="CSV", help="for --faces, where the records are on the labels of FER+")
    args = parser.parse_args(argv)
    path = args.output or args.root / (WITH_FACES if args.faces else REPORT)
    try:
        findings = read_findings(args.root)
        if not findings.done:
            raise DataError(f"{args.root}: no finished run: python -m benchmark.run says why")
        first = findings.done[0]
        faces = confident_errors(findings, data_of(first, args)) if args.faces else ()
        write_text(path, render(findings, displays(findings), faces))
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {explain(error, path, 'give another --output HTML')}", file=sys.stderr)
        return 2
    print(path)
    if args.faces:
        print(
            "note: the page shows faces of the data, and their licence forbids to pass them on: do not publish it",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
