"""Score trained models on photos that none of them has seen: ``python -m benchmark.evaluate photos/``."""

from __future__ import annotations

import argparse
import hashlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmark.analysis.leaderboard import to_text
from benchmark.analysis.stored_models import choose, load_recognizers
from benchmark.data import DataError
from benchmark.data.options import add_labels
from benchmark.data.outside_set import OutsideSet, read_outside
from benchmark.data.pictures import label_options, parse_labels
from benchmark.data.protocol import PROTOCOLS
from benchmark.derive import derive
from benchmark.runs.expected_time import REFERENCE_FOLDER
from benchmark.runs.fit import environment
from benchmark.runs.interruption import until_stopped
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities, Record, Store
from models.files.atomic import explain
from models.files.streams import prepare_streams
from models.inference.probabilities import predict_by_model

SHOWN_SCORES = ("test_accuracy", "test_macro_f1", "disgust_recall", "fear_recall", "drop")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 good, 1 some file could not be read, 2 usage or data, 130 interrupted, 143 terminated.
    """
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.evaluate",
        description="Score trained models on another data set, e.g. photos in one folder for each emotion.",
    )
    option = parser.add_argument
    option("folder", type=Path, metavar="DIR", help="e.g. photos in DIR/happy, DIR/anger; benchmark/README.md has all")
    option("--cropped", action="store_true", help="the photos are faces already (default: find the largest face)")
    add_labels(parser)
    option("--models", nargs="+", metavar="GLOB", help="which models (default: all)")
    option("--protocol", choices=PROTOCOLS, default="kaggle", help="of which protocol (default: %(default)s)")
    option(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help=f"folder of {REFERENCE_FOLDER.parent}/PROTOCOL with the models, and for the scores (default: %(default)s)",
    )
    option("--rerun", action="store_true", help="also score models whose record is fresh")
    args = parser.parse_args(argv)
    return until_stopped(partial(_main, args), "the same command starts again")


def _main(args: argparse.Namespace) -> int:
    try:
        root = args.results / REFERENCE_FOLDER.with_name(args.protocol)
        records = choose(root, args.models)
        outside = read_outside(args.folder, args.cropped, labels=parse_labels(args.labels))
        store = Store(args.results / outside.name / _folder(outside, args.protocol))
        others = {record["data_fingerprint"] for record in store.records()} - {outside.fingerprint}
        score_models(outside, root, records, store, args.rerun)
        if others:
            print(f"note: {store.root} held scores on other photos, which these replace", file=sys.stderr)
        board = derive(store.root).board
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {explain(error, args.results, 'choose --results DIR')}", file=sys.stderr)
        return 2
    for file, reason in outside.unreadable.items():
        print(f"error: {file}: {reason}", file=sys.stderr)
    print(to_text(board, SHOWN_SCORES))
    print(f"\n{store.root}: leaderboard, report.html, confusion matrices, figures, records")
    print(f"note: {outside.note}", file=sys.stderr)
    return int(bool(outside.unreadable))


def score_models(
    outside: OutsideSet, root: Path, records: Mapping[str, Record], store: Store, rerun: bool = False
) -> None:
    """Score the models of a results folder on an outside set, and write a record for each.

    A record has the validation scores of the run that fitted the model, so that the ranking stays the same, and the
    scores on the outside set for test; ``reference`` holds the test scores of that run.

    Parameters
    ----------
    outside : OutsideSet
    root : Path
        Results folder of the models.
    records : mapping of str to dict
        Of that folder, by recognizer.
    store : Store
        For the new records.
    rerun : bool
        Also score models whose record in `store` is fresh.

    Raises
    ------
    DataError
        If none of the models can be loaded.
    """
    pending = {}
    for name, record in records.items():
        new = _record(record, outside)
        if rerun or not store.is_fresh(store.read(name, new["seed"]), new["digest"]):
            pending[name] = new
    if not pending:
        return
    recognizers = load_recognizers(root, {name: records[name] for name in pending})
    for name, proba in predict_by_model(recognizers, outside.split.X).items():
        fitted = Store(root).probabilities(records[name])
        scores = {"status": "ok", "error": "", "test": evaluate(outside.split.y, proba)}
        store.write({**pending[name], **scores}, Probabilities(fitted.valid, proba, fitted.y_valid, outside.split.y))


def _folder(outside: OutsideSet, protocol: str) -> str:
    """Return the name of the results folder for models of a protocol."""
    return outside.protocol if protocol == REFERENCE_FOLDER.name else f"{outside.protocol}-{protocol}"


def _record(fitted: Record, outside: OutsideSet) -> Record:
    """Return the part of a record that does not depend on the scores."""
    same = ("recognizer", "family", "seed", "class_weight", "limit", "params", "valid", "cost")
    protocol = fitted["protocol"]
    name = _folder(outside, protocol["name"])
    report = "the crops" if outside.cropped else "the faces found"
    scores = {name: fitted["test"][name] for name in ("accuracy", "balanced_accuracy", "macro_f1")}
    return {
        **{name: fitted[name] for name in same},
        "dataset": outside.name,
        "data_fingerprint": outside.fingerprint,
        "note": outside.note,
        "n_faces": {**fitted["n_faces"], "report": len(outside.split)},
        "protocol": {**protocol, "name": name, "report": report, "summary": f"as fitted, report {report}"},
        "environment": environment(),
        "digest": hashlib.sha256(f"{fitted['digest']} {outside.fingerprint} {outside.note}".encode()).hexdigest()[:16],
        "history": {},
        "artifact": fitted["artifact"],
        "artifact_sha256": fitted["artifact_sha256"],
        "members": {},
        "command": _command(outside, protocol["name"]),
        "reference": {
            "dataset": fitted["dataset"],
            "report": protocol["report"],
            "n_faces": fitted["n_faces"]["report"],
            **scores,
        },
    }


def _command(outside: OutsideSet, protocol: str) -> str:
    options = [*(["--cropped"] if outside.cropped else []), *label_options(outside.labels)]
    options += ["--protocol", protocol] if protocol != REFERENCE_FOLDER.name else []
    return shlex.join(["python", "-m", "benchmark.evaluate", outside.folder, *options])


if __name__ == "__main__":
    sys.exit(main())
