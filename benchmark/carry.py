"""Carry stale records over to today's code without training: ``python -m benchmark.carry results/fer2013/kaggle``.

For edits that make a record stale but cannot change its result. The command predicts again with the saved model,
refuses if the probabilities differ from the record's, calibrates anew, and adds to the record its former digest, the
commit, the reason and the evidence.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmark.analysis.stored_models import data_of
from benchmark.data import DataError, Dataset
from benchmark.data.options import add_data_options
from benchmark.data.protocol import PROTOCOLS, labels_of
from benchmark.runs.fit import calibration_record
from benchmark.runs.freshness import run_digest
from benchmark.runs.metrics import evaluate
from benchmark.runs.options import UsageError, parse_overrides
from benchmark.runs.record_store import Probabilities, Record, Store
from models.artifacts.cards import read_card
from models.artifacts.save_load import ArtifactError, load
from models.calibration import apply_temperature, best_temperature
from models.files.atomic import explain, sha256, write_json
from models.files.code_digest import ROOT, code_digest
from models.files.streams import prepare_streams
from models.inference.probabilities import emotion_probabilities
from models.registry import find_recognizer, recognizers

# Another processor or library rounds otherwise; another network is off by far more.
TOLERANCE = 0.01
CODE = ("benchmark", "features", "models")


def carry(
    root: Path,
    record: Record,
    data: Dataset,
    reason: str,
    evidence: str,
    values: Mapping[str, Any] | None = None,
    names: Mapping[str, str] | None = None,
) -> Record:
    """Carry a record over to today's code, and write it.

    Parameters
    ----------
    root : Path
        Results folder.
    record : dict
        Of a finished run in it, not of an ensemble.
    data : Dataset
        The data of the run.
    reason, evidence : str
        Why it was carried over, and what shows that the run would give the same now.
    values : mapping of str to object, optional
        Parameters that have another value now, or are new, and mean the same.
    names : mapping of str to str, optional
        The new name of each parameter that was renamed; an empty one for a parameter that was removed.

    Raises
    ------
    DataError
        If the data or the parameters differ, or the saved model gives other probabilities than the record has.
    """
    name, recorded = record["recognizer"], Store(root).probabilities(record)
    if data.fingerprint != record["data_fingerprint"]:
        raise DataError(f"{root}: the record of {name} was made from other data: give those with --data")
    params, changes = _translated(record["params"], values or {}, names or {})
    evidence = "; ".join([evidence, *changes])
    if params.keys() != find_recognizer(name).make().get_params().keys():
        raise DataError(f"{root}: {name} has other parameters now: run it again, or name them with --set and --rename")
    temperature = record.get("calibration", {}).get("temperature", 1.0)
    before = {split: apply_temperature(getattr(recorded, split), 1 / temperature) for split in ("valid", "test")}
    artifact = root / "models" / record["artifact"]
    if artifact.is_file():
        predicted = _predicted_again(artifact, record, params, data)
        difference = max(float(np.abs(predicted[split] - before[split]).max()) for split in predicted)
        if difference > TOLERANCE:
            raise DataError(f"{artifact}: its probabilities differ from its record's by {difference:.2g}: run it again")
        before, evidence = predicted, f"{evidence}; the saved model predicts the same within {difference:.1g}"
    else:
        evidence = f"{evidence}; the probabilities are the recorded ones, since the model file is missing"
    temperature = 1.0 if record["family"] == "floor" else best_temperature(before["valid"], recorded.y_valid)
    after = {split: apply_temperature(proba, temperature).astype(np.float32) for split, proba in before.items()}
    probabilities = Probabilities(**after, y_valid=recorded.y_valid, y_test=recorded.y_test)
    scores = {split: evaluate(getattr(recorded, f"y_{split}"), proba) for split, proba in after.items()}
    if artifact.is_file():
        card = read_card(artifact)
        now = {"params": params, "temperature": temperature, "valid": scores["valid"], "protocol": _protocol(record)}
        write_json(artifact.with_suffix(".json"), {**card, **now})
    entry = {"digest": record["digest"], "commit": _commit(), "reason": reason, "evidence": evidence}
    new: Record = {
        **record,
        "params": params,
        "protocol": _protocol(record),
        **scores,
        "calibration": calibration_record(probabilities, temperature),
        "carried": [*record.get("carried", ()), entry],
    }
    return Store(root).write(
        {**new, "digest": run_digest(new, code_digest(find_recognizer(name).module))}, probabilities
    )


def _translated(
    was: Mapping[str, Any], values: Mapping[str, Any], names: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters under today's names, and the changes as sentences."""
    params, changes = dict(was), []
    for old, new in names.items():
        if old in params:
            value = params.pop(old)
            changes.append(f"{old} is called {new} now" if new else f"{old}, which was {value}, is gone")
            params.update({new: value} if new else {})
    changed = {name: value for name, value in values.items() if name not in params or params[name] != value}
    if changed:
        words = ", ".join(f"{name}={value}" for name, value in changed.items())
        changes.append(f"parameters that mean the same now: {words}")
    return {**params, **changed}, changes


def _protocol(record: Record) -> dict[str, Any]:
    """Return today's protocol with the same splits and labels."""
    was = {**record["protocol"], "labels": labels_of(record)}
    same = ("fit", "select", "report", "labels")
    return next((now for now in map(asdict, PROTOCOLS.values()) if all(now[key] == was[key] for key in same)), was)


def _predicted_again(artifact: Path, record: Record, params: Mapping[str, Any], data: Dataset) -> dict[str, np.ndarray]:
    """Return the probabilities of the saved model before its calibration."""
    if sha256(artifact) != record["artifact_sha256"]:
        raise DataError(f"{artifact}: the model file does not match its record: run it again")
    with TemporaryDirectory() as folder:  # the card is rewritten only if this succeeds
        copy = Path(folder, artifact.name)
        copy.symlink_to(artifact.resolve())
        write_json(copy.with_suffix(".json"), {**read_card(artifact), "params": params})
        recognizer = load(copy)
    recognizer.temperature_ = 1.0
    roles = {"valid": "select", "test": "report"}
    return {split: emotion_probabilities(recognizer, data[record["protocol"][role]].X) for split, role in roles.items()}


def _renamed(texts: Sequence[str], known: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the new names of parameters by recognizer and old name, from ``NAME.OLD=NEW``."""
    names: dict[str, dict[str, str]] = {}
    for text in texts:
        old, equals, new = text.partition("=")
        recognizer, dot, old = old.partition(".")
        if not (equals and dot) or recognizer not in known:
            raise UsageError(f"--rename {text}: give NAME.OLD=NEW, or NAME.OLD= for a parameter that was removed")
        names.setdefault(recognizer, {})[old] = new
    return names


def _commit() -> str:
    """Return the commit of the code, all of which must be committed."""
    changed = _git("status", "--porcelain", *CODE)
    if changed:
        raise UsageError(f"the code differs from its commit ({len(changed.splitlines())} files): commit it first")
    return _git("rev-parse", "--short=10", "HEAD")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"the code is in no git repository, so that no commit can be named: {done.stderr.strip()}")
    return done.stdout.strip()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return 0, 1 if some record was not carried over, or 2 for usage or data."""
    prepare_streams()
    parser = argparse.ArgumentParser(
        prog="python -m benchmark.carry", description="Carry records of finished runs over to today's code."
    )
    option = parser.add_argument
    option("root", type=Path, metavar="DIR", help="e.g. results/fer2013/kaggle")
    option(
        "--only",
        nargs="+",
        required=True,
        metavar="NAME",
        help="recognizers; no ensembles: running them again takes no time",
    )
    option("--reason", required=True, metavar="TEXT", help="why the records are carried over, not run again")
    option("--evidence", required=True, metavar="TEXT", help="what shows that the runs would give the same now")
    option("--set", nargs="+", default=[], metavar="NAME.PARAM=VALUE", help="a parameter that means the same as before")
    option(
        "--rename",
        nargs="+",
        default=[],
        metavar="NAME.OLD=NEW",
        help="a parameter's new name, or none if it was removed",
    )
    add_data_options(parser)
    option("--ferplus", metavar="CSV", help="fer2013new.csv of FER+, for records on its labels")
    args = parser.parse_args(argv)
    status = 0
    try:
        _commit()
        known = recognizers()
        params = parse_overrides(args.set, known)
        names = _renamed(args.rename, known)
        records = [record for record in Store(args.root).records() if record["recognizer"] in args.only]
        lacking = set(args.only) - {record["recognizer"] for record in records if record["recognizer"] in known}
        if lacking or any(record["status"] != "ok" or record["members"] for record in records):
            refused = ", ".join(sorted(lacking) or args.only)
            raise UsageError(f"{args.root}: {refused}: no finished runs of recognizers, or ensembles")
        for record in records:
            name, data = record["recognizer"], data_of(record, args)
            if record["digest"] == run_digest(record, code_digest(known[name].module)):
                print(f"{name}, seed {record['seed']}: fresh")
                continue
            try:
                new = carry(args.root, record, data, args.reason, args.evidence, params.get(name), names.get(name))
            except (ArtifactError, DataError) as error:
                print(f"error: {error}", file=sys.stderr)
                status = 1
                continue
            print(f"{name}, seed {record['seed']}: {new['carried'][-1]['evidence']}")
    except (UsageError, DataError, OSError) as error:
        print(f"error: {explain(error, args.root)}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
