"""Describe or download the data: `python -m benchmark.data describe`, `python -m benchmark.data fetch`."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmark.data import DataError
from benchmark.data.options import add_data_options, load_data
from benchmark.data.protocol import FERPLUS
from models.files.atomic import explain
from models.files.streams import prepare_streams


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 after an error, which is one line on stderr."""
    prepare_streams()
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmark.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    describe = commands.add_parser("describe", help="print counts, duplicates and class weights; draw the classes")
    add_data_options(describe)
    describe.add_argument("--ferplus", metavar="CSV", help="fer2013new.csv of FER+: describe its labels")
    describe.add_argument(
        "--figure", type=Path, metavar="PATH", help="PNG to write; default: results/<dataset>/class_distribution.png"
    )
    describe.set_defaults(run=_describe)
    fetch = commands.add_parser("fetch", help="download a public copy of FER2013 (needs kagglehub)")
    fetch.add_argument("--to", type=Path, metavar="DIR", help="default: kagglehub's cache")
    fetch.set_defaults(run=_fetch)
    return parser


def _describe(options: argparse.Namespace) -> None:
    from benchmark.data.describe import describe
    from benchmark.figures import DistributionDisplay, save_figure

    kind, suffix = (FERPLUS, f"_{FERPLUS}") if options.ferplus else ("fer2013", "")
    description = describe(load_data(options, labelled_by=kind))
    print(description)
    figure = options.figure or Path("results", description.name, f"class_distribution{suffix}.png")
    title = f"Class distribution of {description.name}{' under the labels of FER+' if options.ferplus else ''}"
    try:
        save_figure(DistributionDisplay(description.counts.T, title), figure)
    except OSError as error:
        raise DataError(explain(error, figure, "give another --figure PATH")) from error
    print(f"\nClass distribution: {figure}")


def _fetch(options: argparse.Namespace) -> None:
    from benchmark.data.fetch import fetch

    path = fetch(options.to)
    print(path)
    print(f"export FER2013={shlex.quote(str(path))}")


if __name__ == "__main__":
    sys.exit(main())
