"""Options of `benchmark.run`, and the recognizers and parameters that they choose."""

from __future__ import annotations

import argparse
import ast
import difflib
import fnmatch
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmark.data.options import add_data_options
from benchmark.data.protocol import CLASS_WEIGHTS, PROTOCOLS
from models.registry import Entry, run_of


class UsageError(ValueError):
    """The command line cannot be carried out; the message says the fix."""


class _Moved(argparse.Action):
    """An option that is a command of its own now."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        parser.error(f"{option} is a command of its own now: python -m benchmark.evaluate {values or 'DIR'}")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.run",
        description="Fit recognizers on the training split, select on validation, report test; write a leaderboard.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="every recognizer")
    what.add_argument("--only", nargs="+", metavar="GLOB", help="recognizers by name, e.g. hog_svm 'lbp_*'")
    what.add_argument("--evaluate", nargs="?", action=_Moved, help=argparse.SUPPRESS)
    what.add_argument("--list", action="store_true", help="list the recognizers and stop")
    option = parser.add_argument
    add_data_options(parser)
    option(
        "--protocol",
        choices=PROTOCOLS,
        default="kaggle",
        help="which splits select and report, and whose labels count (default: %(default)s)",
    )
    option(
        "--class-weight",
        nargs="+",
        choices=CLASS_WEIGHTS,
        default=CLASS_WEIGHTS[:1],
        metavar="SCHEME",
        help=f"{', '.join(CLASS_WEIGHTS)}; several are compared (default: {CLASS_WEIGHTS[0]})",
    )
    option("--seeds", nargs="+", type=count(0), default=[0], metavar="N", help="one run for each (default: 0)")
    option("--limit", type=count(1), metavar="N", help="a stratified part of N training faces, for a quick look")
    option("--set", nargs="+", default=[], metavar="NAME.PARAM=VALUE", help="another parameter, e.g. hog_svm.C=3")
    option("--results", default="results", metavar="DIR", help="where results are kept (default: %(default)s)")
    option(
        "--ferplus",
        metavar="CSV",
        help="fer2013new.csv of FER+: score against its votes too; --protocol ferplus fits and scores on them alone",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help="do the runs on a Dask cluster, e.g. tcp://HOST:8786")
    where.add_argument("--jobs", type=count(1), metavar="N", help="do N runs at once, the cores divided among them")
    option("--rerun", action="store_true", help="do the named runs again although they are fresh")
    option("--dry-run", action="store_true", help="say what would be done and stop")
    return parser


def matching(known: Mapping[str, Entry], patterns: Sequence[str]) -> set[str]:
    """Return the names that match; a pattern that none matches is an error."""
    chosen: set[str] = set()
    for pattern in patterns:
        names = fnmatch.filter(known, pattern)
        if not names:
            near = difflib.get_close_matches(pattern, known, cutoff=0.4) or list(known)
            raise UsageError(f"no recognizer {pattern!r}; did you mean {' or '.join(near)}? --list shows all")
        chosen.update(names)
    return chosen


def select(known: Mapping[str, Entry], patterns: Sequence[str]) -> list[Entry]:
    """Return the entries whose names match, with the members of the ensembles among them, in the registry's order."""
    chosen = matching(known, patterns)
    members = {run_of(member)[0] for name in chosen for member in known[name].members}
    return [entry for name, entry in known.items() if name in chosen | members]


def without_gpu_only(entries: Sequence[Entry], named: Sequence[str]) -> list[Entry]:
    """Leave out what trains on a GPU only, and what votes with it, where no GPU is seen; but not what is named.

    They get no record, so that a job on another machine leaves the rows of a board as they are.
    """
    entries = [replace(entry, tier="cpu") if entry.name in named else entry for entry in entries]
    left_out = {entry.name for entry in entries if entry.lacks_gpu()}
    left_out |= {
        entry.name
        for entry in entries
        if left_out & {run_of(member)[0] for member in entry.members} and entry.name not in named
    }
    for name in sorted(left_out):
        print(f"note: {name} is left out, since Keras sees no GPU: --only {name} runs it anyway", file=sys.stderr)
    if left_out == {entry.name for entry in entries}:
        raise UsageError("nothing is left to run")
    return [entry for entry in entries if entry.name not in left_out]


def parse_overrides(items: Sequence[str], known: Mapping[str, Entry]) -> dict[str, dict[str, Any]]:
    """Return ``NAME.PARAM=VALUE`` items as parameters by recognizer."""
    overrides: dict[str, dict[str, Any]] = {}
    for item in items:
        target, equals, text = item.partition("=")
        name, dot, parameter = target.partition(".")
        if not (equals and dot):
            raise UsageError(f"--set {item}: write it as NAME.PARAM=VALUE, e.g. hog_svm.C=3")
        (entry,) = select(known, [name])[-1:]
        parameters = {} if entry.error else entry.make().get_params()
        if parameter == "random_state":
            raise UsageError(f"--set {item}: the seed is --seeds")
        if entry.name != name or parameter not in parameters:
            raise UsageError(f"--set {item}: {entry.name} has the parameters {', '.join(parameters) or 'none'}")
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = text
        overrides.setdefault(name, {})[parameter] = value
    return overrides


def count(least: int) -> Any:
    """Return the type of an option that takes a whole number of at least `least`."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return value

    return number
