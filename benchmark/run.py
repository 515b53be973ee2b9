"""The main job, fit and score recognizers: ``python -m benchmark.run --all``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm.auto import tqdm

from benchmark.analysis.leaderboard import to_text
from benchmark.data import DataError, Dataset
from benchmark.data.ferplus import Votes, read_votes
from benchmark.data.options import load_data
from benchmark.data.protocol import CLASS_WEIGHTS, FERPLUS, PROTOCOLS, Setting
from benchmark.runs.expected_time import REFERENCE_FOLDER, cheapest_first, expected_seconds, in_words, too_many_faces
from benchmark.runs.interruption import caught, until_stopped
from benchmark.runs.options import UsageError, build_parser, matching, parse_overrides, select, without_gpu_only
from benchmark.runs.record_store import Record, Store
from benchmark.runs.run_list import Run
from benchmark.runs.study import Study, StudyError
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.registry import Entry, recognizers

TRAINING_FACES = 28_709
Way = Callable[[Study], Iterator[tuple[Run, str, Record]]]
SPREAD = ["test_accuracy_std", "seeds"]
SCORES = ["valid_accuracy", "valid_macro_f1", "test_accuracy", "test_macro_f1", "disgust_recall", "fear_recall"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 good, 1 some recognizer failed, 2 usage, data or a cluster that is lost, 130 interrupted, 143 terminated.
    """
    prepare_streams()
    args = build_parser().parse_args(argv)
    return until_stopped(partial(_main, args), "finished runs are kept, the same command goes on from them")


def _main(args: argparse.Namespace) -> int:
    known = recognizers()
    try:
        if args.list:
            results = Path(args.results)
            _print_list(known, expected_seconds([results / REFERENCE_FOLDER], TRAINING_FACES))
            return 0
        return _run(args, known)
    except (UsageError, DataError, StudyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {explain(error, Path(args.results), 'choose --results DIR')}", file=sys.stderr)
        return 2


def _run(args: argparse.Namespace, known: Mapping[str, Entry]) -> int:
    patterns = ["*"] if args.all else args.only
    entries, rerun = select(known, patterns), matching(known, patterns) if args.rerun else set()
    overrides = parse_overrides(args.set, known)
    protocol = PROTOCOLS[args.protocol]
    data = load_data(args, args.limit, protocol.labels)
    # On the labels of FER+ its votes are no second view.
    second_view = args.ferplus and protocol.labels != FERPLUS
    votes = read_votes(Path(args.ferplus)).of(data, protocol.report) if second_view else None
    entries = without_gpu_only(entries, named=args.only or ())
    # The balanced one comes last: what is derived for it compares it with the others.
    schemes = sorted(dict.fromkeys(args.class_weight), key=lambda scheme: scheme == CLASS_WEIGHTS[0])
    settings = [Setting(protocol, scheme, args.limit, overrides) for scheme in schemes]
    studies, states, seconds = zip(*(_study(args, entries, data, setting, rerun) for setting in settings), strict=True)
    if args.dry_run:
        for study, state in zip(studies, states, strict=True):
            _print_states(args, study, state)
        return 0
    with _way(args, studies, seconds) as execute:
        codes = [_execute(*job, execute, votes) for job in zip(studies, states, seconds, strict=True)]
    compared = Path(args.results) / data.name / Setting(protocol, CLASS_WEIGHTS[0], args.limit, overrides).folder
    if CLASS_WEIGHTS[0] not in schemes and Store(compared).records():
        from benchmark.derive import derive

        derive(compared)
    return max(codes)


def _study(
    args: argparse.Namespace, entries: Sequence[Entry], data: Dataset, setting: Setting, rerun: Collection[str]
) -> tuple[Study, list[str], dict[str, float]]:
    """Return the study of a setting, the state of each of its runs, and how long they are expected to take."""
    root = Path(args.results) / data.name / setting.folder
    others = {record["data_fingerprint"] for record in Store(root).records()} - {data.fingerprint}
    if others:
        print(f"note: {root} holds runs on other data ({', '.join(others)}); new runs replace them", file=sys.stderr)
    results, faces = Path(args.results), len(data[setting.protocol.fit])
    seconds = expected_seconds([root, results / REFERENCE_FOLDER], faces)
    study = Study(cheapest_first(entries, seconds), args.seeds, data, setting, root, alone=True, rerun=rerun)
    states = [study.state(run) for run in study.runs]
    unfinished = {run.entry.name: run.entry for run in _unfinished(study, states)}
    for warning in too_many_faces(unfinished.values(), faces):
        print(f"warning: {warning}", file=sys.stderr)
    return study, states, seconds


def _unfinished(study: Study, states: Sequence[str]) -> list[Run]:
    return [run for run, state in zip(study.runs, states, strict=True) if state not in ("fresh", "broken")]


def _print_states(args: argparse.Namespace, study: Study, states: Sequence[str]) -> None:
    if len(args.class_weight) > 1:
        print(f"{study.setting.folder}:")
    for run, state in zip(study.runs, states, strict=True):
        print(f"{run.entry.name:20} seed {run.seed}  {state}")


def _execute(
    study: Study, states: Sequence[str], seconds: Mapping[str, float], execute: Way, votes: Votes | None
) -> int:
    # Before the runs: a signal that comes while Keras imports matplotlib leaves it in halves, and nothing can draw.
    import seaborn  # noqa: F401

    from benchmark.analysis.side_tables import write_side_tables
    from benchmark.derive import derive

    failed, stopped = False, None
    pending = list(study.runs)
    bar = tqdm(total=len(pending), unit="run", disable=None)
    todo = [run for run in _unfinished(study, states) if not run.entry.skip_reason()]
    _announce(bar, pending, todo, seconds)
    try:
        for run, _, record in execute(study):
            if record["status"] == "failed":
                failed = True
                tqdm.write(f"error: {run.entry.name}, seed {run.seed}: {record['error']}", file=sys.stderr)
            pending.remove(run)
            todo = [other for other in todo if other != run]
            bar.update()
            _announce(bar, pending, todo, seconds)
    except (KeyboardInterrupt, StudyError) as stop:
        caught()
        stopped = stop
    finally:
        bar.close()
    if study.store.records():
        if not stopped:
            write_side_tables(study.store, study.data, study.setting.protocol, votes)
        found = derive(study.store.root)
        print(to_text(found.board, [*SCORES, *(SPREAD if found.several_seeds else ())]))
        print(f"\n{study.store.root}: leaderboard, report.html, confusion matrices, figures, records and models")
    if study.data.note:
        print(f"note: {study.data.note}", file=sys.stderr)
    if stopped:
        raise stopped
    return int(failed)


@contextmanager
def _way(args: argparse.Namespace, studies: Sequence[Study], seconds: Sequence[Mapping[str, float]]) -> Iterator[Way]:
    """Yield what does the runs of a study: this process, or a cluster that is at those of all studies at once."""
    if not (args.scheduler or args.jobs):
        yield Study.execute
        return
    try:
        from benchmark.runs.cluster import Cluster, connect
    except ModuleNotFoundError as error:
        raise StudyError(f"--scheduler and --jobs need {error.name}: pip install -e '.[cluster]'") from error
    with (
        connect(args.scheduler, args.jobs) as client,
        closing(Cluster(client, studies, seconds)) as cluster,
    ):
        yield cluster.execute


def _announce(bar: tqdm, pending: Sequence[Run], todo: Sequence[Run], seconds: Mapping[str, float]) -> None:
    """Show the next run, and how long those that have to be done are expected to take."""
    if bar.disable or not pending:
        return
    bar.set_description(pending[0].entry.name)
    left = sum(seconds.get(run.entry.name, 0.0) for run in todo)
    about = "about" if all(run.entry.name in seconds or run.entry.members for run in todo) else "at least"
    bar.set_postfix_str(f"{about} {in_words(left)} to go" if left else "")


def _print_list(known: Mapping[str, Entry], seconds: Mapping[str, float]) -> None:
    packages = [len(entry.package) for entry in known.values() if entry.package]
    for entry in cheapest_first(list(known.values()), seconds):
        family = "broken" if entry.error else entry.family
        measured = seconds.get(entry.name)
        fit = in_words(measured) if measured and not entry.members else ""
        # Keras takes seconds to say whether there is a GPU.
        reason = "" if entry.error else replace(entry, tier="cpu").skip_reason()
        package = f"{entry.package:{max(packages)}}  " if packages else ""
        skipped = f" (skipped: {reason})" if reason else ""
        print(f"{entry.name:20} {family:10} {fit:>8}  {package}{entry.summary}{skipped}")
    if seconds:
        print(f"\nTimes: to fit the {TRAINING_FACES:,} Training faces of FER2013, as measured.")


if __name__ == "__main__":
    sys.exit(main())
