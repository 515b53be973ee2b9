"""Commands that reproduce the records of a report, worked out from the records."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.analysis.class_weight_ablation import scheme_roots
from benchmark.analysis.findings import Findings
from benchmark.analysis.leaderboard import by_seed, finished
from benchmark.data.protocol import FERPLUS, folder_name, labels_of
from benchmark.runs.record_store import Record, Store, current_records

VOTES = "path/to/fer2013new.csv"
Options = tuple[str, ...]


def commands(findings: Findings) -> list[str]:
    """Return as few commands as possible that make the finished records of a report, and no others.

    Records of other class weights that it compares are among them. Records of an earlier version, which do not say how
    they were made, have no command.
    """
    recorded = list(dict.fromkeys(str(record["command"]) for record in findings.done if "command" in record))
    runs = [record for record in findings.done if "command" not in record]
    if not runs:
        return recorded
    schemes: dict[Options, list[str]] = {}
    for root in scheme_roots(findings.root).values() if "class_weights" in findings.tables else [findings.root]:
        done = runs if root == findings.root else finished(current_records(Store(root)))
        for scheme, options in _of_folder(root, done):
            schemes.setdefault(options, []).append(scheme)
    uses_votes = "ferplus" in findings.tables or labels_of(findings.done[0]) == FERPLUS
    votes = ["--ferplus", VOTES] if uses_votes else []
    return recorded + [
        shlex.join(["python", "-m", "benchmark.run", *options, *_option("--class-weight", weights, "balanced"), *votes])
        for options, weights in schemes.items()
    ]


def unsaid(findings: Findings) -> list[str]:
    """Return the recognizers with records that do not say how they were made."""
    return sorted({record["recognizer"] for record in findings.done if _changes(findings.root, record) is None})


def shown(path: Path) -> str:
    """Return a path below the working folder as relative to it, another as it is."""
    here = Path.cwd()
    return (path.absolute().relative_to(here) if path.absolute().is_relative_to(here) else path).as_posix()


def _of_folder(root: Path, done: Sequence[Record]) -> Iterator[tuple[str, Options]]:
    """Yield class weights and other options that make the records of a folder."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, runs in sorted(by_seed(done).items()):
        if all(_changes(root, record) is not None for record in runs.values()):
            names.setdefault(tuple(map(str, sorted(runs))), []).append(name)
    for seeds, of in names.items():
        record = next(record for record in done if record["recognizer"] == of[0])
        results = [shown(root.parent.parent)] if root.parent.name == record["dataset"] else []
        yield (
            record["class_weight"],
            (
                "--only",
                *of,
                *_option("--set", _changes(root, record) or []),
                *_option("--seeds", seeds, "0"),
                *_option("--protocol", [record["protocol"]["name"]], "kaggle"),
                *_option("--limit", [str(record["limit"])] if record["limit"] else []),
                *_option("--results", results, "results"),
            ),
        )


def _option(name: str, values: Sequence[str], default: str = "") -> list[str]:
    return [name, *values] if values and list(values) != [default] else []


def _changes(root: Path, record: Record) -> list[str] | None:
    """Return the values of ``--set``, or None if neither the record nor the name of its folder says them."""
    plain = folder_name(record["protocol"]["name"], record["class_weight"], record["limit"], [])
    known: list[str] | None = record.get("changes", [] if root.name == plain or "command" in record else None)
    return known
