"""Score somebody else's model under the same harness: ``python -m benchmark.score model.toml``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from importlib import resources
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.analysis.leaderboard import to_text
from benchmark.analysis.leaks import CEILING, VERDICTS, leak_test
from benchmark.analysis.side_tables import read_near_duplicates, write_near_duplicates, write_side_tables
from benchmark.data import DataError, Dataset
from benchmark.data.ferplus import read_votes
from benchmark.data.options import add_data_options, load_data
from benchmark.data.protocol import FERPLUS, PROTOCOLS, Setting
from benchmark.derive import derive
from benchmark.external.declaration import Declaration, read_declaration
from benchmark.external.model import ExternalModel, model_digest, model_file
from benchmark.external.outputs import check_class_order
from benchmark.external.predictions import Predictions, write_digests
from benchmark.external.readers import NotInstalledError
from benchmark.runs.external_store import ExternalStore, external_folder
from benchmark.runs.fit import environment
from benchmark.runs.freshness import run_digest
from benchmark.runs.interruption import until_stopped
from benchmark.runs.latency import measure
from benchmark.runs.metrics import evaluate
from benchmark.runs.options import count
from benchmark.runs.record_store import EXTERNAL, Probabilities, Record, Store
from models.files.atomic import explain, sha256
from models.files.streams import prepare_streams
from models.registry import recognizers

SHOWN = ("valid_macro_f1", "test_accuracy", "test_macro_f1", "disgust_recall", "fear_recall")
TOOLS = Path(str(resources.files("benchmark.external") / "tools"))
Rows = Mapping[str, NDArray[np.uint8]]
Predicted = dict[str, NDArray[np.float32]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Returns
    -------
    int
        0 good, 1 some model failed, 2 usage or data, 130 interrupted, 143 terminated.
    """
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.score",
        description="Score models from elsewhere, or their predictions, on the splits of a protocol. A model file can "
        "run code: score only what you trust.",
    )
    option = parser.add_argument
    option("declarations", nargs="*", type=Path, metavar="TOML", help="what the models take and return")
    option("--installed", action="store_true", help="score the tools that this project declares and that are here")
    option("--packages", type=Path, metavar="DIR", help="unpacked packages of tools, e.g. a folder with node_modules")
    option("--digests", type=Path, metavar="CSV", help="write the digests of all faces and stop")
    add_data_options(parser)
    option("--protocol", choices=PROTOCOLS, default="kaggle", help="which splits count (default: %(default)s)")
    option("--limit", type=count(1), metavar="N", help="a stratified part, as of benchmark.run")
    option("--ferplus", metavar="CSV", help="fer2013new.csv of FER+, as of benchmark.run")
    option("--results", type=Path, default=Path("results"), metavar="DIR", help="default: %(default)s")
    option("--rerun", action="store_true", help="also score models whose record is fresh")
    args = parser.parse_args(argv)
    if not (args.declarations or args.installed or args.digests):
        parser.error("give declarations, or --installed, or --digests CSV")
    return until_stopped(partial(_main, args), "scored models are kept, the same command goes on from them")


def _main(args: argparse.Namespace) -> int:
    protocol = PROTOCOLS[args.protocol]
    try:
        data = load_data(args, args.limit, protocol.labels)
        if args.digests:
            write_digests(args.digests, data)
            return 0
        setting = Setting(protocol, limit=args.limit)
        store = ExternalStore(external_folder(args.results / data.name / setting.folder))
        second_view = args.ferplus and protocol.labels != FERPLUS
        votes = read_votes(Path(args.ferplus)).of(data, protocol.report) if second_view else None
        failed = _score_all(args, data, setting, store)
        if Store(store.root).records():
            write_side_tables(store, data, protocol, votes)
            print(to_text(derive(store.root).board, SHOWN))
            print(f"\n{store.root}: leaderboard, report.html, confusion matrices, figures, records")
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {explain(error, args.results, 'choose --results DIR')}", file=sys.stderr)
        return 2
    return int(failed)


def _score_all(args: argparse.Namespace, data: Dataset, setting: Setting, store: Store) -> bool:
    """Score the models one by one; return whether one failed."""
    failed = False
    bundled = sorted(TOOLS.glob("*.toml")) if args.installed else []
    for path in [*args.declarations, *bundled]:
        try:
            record = score(read_declaration(path), data, setting, store, args.packages, args.rerun)
            print(f"{record['recognizer']}: {record['leak']['verdict']}: {VERDICTS[record['leak']['verdict']]}")
        except NotInstalledError as missing:
            print(f"note: {missing}", file=sys.stderr)
            failed |= path in args.declarations
        except ValueError as error:  # a `DataError`, or an `ArtifactError` where it cannot be timed
            print(f"error: {error}", file=sys.stderr)
            failed = True
    return failed


def score(
    declared: Declaration,
    data: Dataset,
    setting: Setting,
    store: Store,
    packages: Path | None = None,
    rerun: bool = False,
) -> Record:
    """Score a model from elsewhere and write its record, unless it has a fresh one.

    Parameters
    ----------
    declared : Declaration
    data : Dataset
    setting : Setting
    store : Store
        For the record.
    packages : Path, optional
        As for `benchmark.external.model.ExternalModel`.
    rerun : bool
        Score it although its record is fresh.

    Raises
    ------
    DataError
        If the declaration, the model or the predictions are wrong.
    NotInstalledError
        If a package is missing.
    """
    if declared.name in recognizers():
        raise declared.error(f"{declared.name} is a recognizer of this project: choose another name")
    predictions = Predictions(declared, data) if declared.form == "predictions" else None
    file = predictions.file if predictions else model_file(declared, packages)
    facts = _facts(declared, data, setting, file)
    earlier = store.read(declared.name, 0)
    if not rerun and earlier and store.is_fresh(earlier, facts["digest"]):
        return earlier
    protocol = setting.protocol
    splits = {role: data[getattr(protocol, role)] for role in ("select", "report", "fit")}
    rows = {role: split.X for role, split in splits.items()}
    if predictions:
        proba = _looked_up(predictions, rows, splits["select"].y)
    else:
        try:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                proba = process.submit(predict_splits, declared, packages, rows, splits["select"].y).result()
        except BrokenExecutor as error:
            raise declared.error("the model ended its process: it may need more memory than there is") from error
    right = {role: proba[role].argmax(axis=1) == splits[role].y for role in proba}
    write_near_duplicates(store, data, protocol)
    near_duplicates = read_near_duplicates(store, data.fingerprint)
    assert near_duplicates is not None
    ceiling = CEILING if data.name.startswith("fer2013") else 1.0
    record = {
        **facts,
        "status": "ok",
        "error": "",
        **{name: evaluate(splits[role].y, proba[role]) for name, role in (("valid", "select"), ("test", "report"))},
        "cost": _cost(declared, packages, file),
        "leak": leak_test(right.get("fit"), right["report"], near_duplicates, ceiling),
    }
    return store.write(record, Probabilities(proba["select"], proba["report"], splits["select"].y, splits["report"].y))


def predict_splits(declared: Declaration, packages: Path | None, rows: Rows, y: NDArray[np.int64]) -> Predicted:
    """Return the probabilities of a model by role of the split; `y` are the labels of the one that selects."""
    model = ExternalModel(declared, packages)
    proba = {"select": model.predict_proba(rows["select"])}
    check_class_order(declared, declared.facts["classes"], y, proba["select"])  # before the many other faces
    return proba | {role: model.predict_proba(rows[role]) for role in ("report", "fit")}


def _looked_up(predictions: Predictions, rows: Rows, y: NDArray[np.int64]) -> Predicted:
    found = {role: predictions.predict_proba(faces) for role, faces in rows.items()}
    for role in ("select", "report"):
        if found[role] is None:
            raise predictions.declared.error(
                f"{predictions.file.name} lacks faces of the split that {role}s: add a row for every digest of it"
            )
    proba = {role: values for role, values in found.items() if values is not None}
    check_class_order(predictions.declared, predictions.classes, y, proba["select"])
    return proba


def _facts(declared: Declaration, data: Dataset, setting: Setting, file: Path | None) -> Record:
    """Return what is known of a record before the model runs."""
    protocol = setting.protocol
    facts = {
        "recognizer": declared.name,
        "family": EXTERNAL,
        "seed": 0,
        "dataset": data.name,
        "data_fingerprint": data.fingerprint,
        "note": data.note,
        "n_faces": {role: len(data[getattr(protocol, role)]) for role in ("fit", "select", "report")},
        "protocol": asdict(protocol),
        "class_weight": "as its authors chose",
        "limit": setting.limit,
        "environment": environment(),
        "params": {key: value for key, value in declared.facts.items() if key != "name"},
        "artifact": file.name if file else declared.facts["model"],
        "artifact_sha256": sha256(file) if file else "",
        "members": {},
        "history": {},
        "command": _command(declared, setting),
    }
    return {**facts, "digest": run_digest(facts, model_digest(declared, file))}


def _cost(declared: Declaration, packages: Path | None, file: Path | None) -> dict[str, Any]:
    """Return what a model costs; None for what is not known."""
    cost = dict.fromkeys(("fit_seconds", "ms_per_face", "peak_memory_mb", "artifact_mb"))
    if declared.form == "predictions":
        return cost
    measured = measure(declared.path, *(["--packages", str(packages)] if packages else []))
    cost |= {"ms_per_face": measured["batch_ms"], "peak_memory_mb": measured["memory_mb"]}
    return cost | {"artifact_mb": file.stat().st_size / 1e6 if file else None}


def _command(declared: Declaration, setting: Setting) -> str:
    which = ["--installed"] if declared.path.resolve().parent == TOOLS.resolve() else [declared.path.name]
    options = ["--protocol", setting.protocol.name] if setting.protocol.name != "kaggle" else []
    options += ["--limit", str(setting.limit)] if setting.limit else []
    return shlex.join(["python", "-m", "benchmark.score", *which, *options])


if __name__ == "__main__":
    sys.exit(main())
