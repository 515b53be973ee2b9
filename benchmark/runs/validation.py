"""What is wrong with a record: its form, its digests, its data, its probabilities, its scores, its code."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from benchmark.data.dataset import OFFICIAL_COUNTS
from benchmark.data.protocol import CLASS_WEIGHTS, PROTOCOLS, Setting, folder_name, labels_of
from benchmark.runs.freshness import run_digest
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import EXTERNAL, Probabilities, Record, Store, checksum, misfits, record_misfits
from models.files.code_digest import code_digest
from models.labels import EMOTIONS
from models.registry import recognizers, run_of

SYNTHETIC = "synthetic"  # the data set on which recognizers have other parameters, to learn briefly
LARGEST_MB = 100  # that GitHub takes
SPLITS = {"valid": "select", "test": "report"}
CARRIED = {"digest", "commit", "reason", "evidence"}
ROLES = (*SPLITS.values(),)
RUN_AGAIN = "run it again, and commit its files as the run leaves them"


class KnownData:
    """The data of records: for each kind of them the fingerprint, for each split of them the labels.

    Where records disagree, what most of them say.

    Parameters
    ----------
    roots : iterable of Path
        Results folders.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        fingerprints: dict[tuple[str, str, str], Counter[str]] = {}
        labels: dict[tuple[str, str], Counter[bytes]] = {}
        for store in map(Store, roots):
            for record in store.records():
                stored = _read_probabilities(store, record) if record["status"] == "ok" else None
                if stored is None:
                    continue
                fingerprint = record["data_fingerprint"]
                fingerprints.setdefault(_kind_of_data(record), Counter())[fingerprint] += 1
                for split, role in SPLITS.items():
                    y = np.asarray(getattr(stored, f"y_{split}"), np.int64)
                    labels.setdefault((fingerprint, record["protocol"][role]), Counter())[y.tobytes()] += 1
        self._fingerprints = {kind: counts.most_common(1)[0][0] for kind, counts in fingerprints.items()}
        self._labels = {key: np.frombuffer(counts.most_common(1)[0][0], np.int64) for key, counts in labels.items()}

    def fingerprint(self, record: Record) -> str | None:
        """Return the fingerprint of the data of this kind of record, if there are others."""
        return self._fingerprints.get(_kind_of_data(record))

    def labels(self, record: Record, split: str) -> NDArray[np.int64] | None:
        """Return the labels of ``valid`` or ``test`` that other records of the same data have."""
        return self._labels.get((record["data_fingerprint"], record["protocol"][SPLITS[split]]))


def record_flaws(path: Path, known: KnownData) -> list[str]:
    """Return what is wrong with a record, each with its fix; empty for a good one.

    Parameters
    ----------
    path : Path
        ``<root>/runs/<recognizer>/seed<k>.json``.
    known : KnownData
        Of the records that it will stand beside.
    """
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        return [f"cannot be read ({error}): {RUN_AGAIN}"]
    if names := record_misfits(record):
        return [f"{', '.join(names)}: missing, or no such value: {RUN_AGAIN}"]
    if record["status"] != "ok":
        return [f"is of a run that is {record['status']} ({record['error']}): commit finished runs alone"]
    store = Store(path.parents[2])
    try:
        return [
            *_identity_flaws(store, path, record),
            *_data_flaws(record, known),
            *_probability_flaws(store, record, known),
            *_code_flaws(store, record),
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # of an entry that only some records have
        return [f"has an entry that no run writes ({error!r}): {RUN_AGAIN}"]


def doubts(path: Path) -> list[str]:
    """Return what a reader of a good record should ask: what cannot be checked, or is improbable."""
    record = json.loads(path.read_text("utf-8"))
    words = []
    if "package" in record and not _has_code(record):
        words.append(f"not checked against its code: needs the package {record['package']}")
    if record["seed"] >= len([*path.parent.glob("seed*.json")]):
        words.append(f"seed {record['seed']} without all lower ones: was it chosen among several?")
    valid, test = (record[split]["accuracy"] for split in SPLITS)
    variances = (
        share * (1 - share) / record["n_faces"][role] for share, role in zip((valid, test), ROLES, strict=True)
    )
    if test - valid > 4 * math.sqrt(sum(variances)):
        select, report = (record["protocol"][role] for role in ROLES)
        words.append(f"accuracy {test:.3f} on {report}, {valid:.3f} on {select}: was it trained or chosen on {report}?")
    return words


def _identity_flaws(store: Store, path: Path, record: Record) -> Iterator[str]:
    if store.path(record["recognizer"], record["seed"]) != path:
        yield f"is of {record['recognizer']}, seed {record['seed']}: keep it at runs/<recognizer>/seed<k>.json"
    if record.get("checksum") != checksum(record):
        yield f"edited since a run or benchmark.carry wrote it: {RUN_AGAIN}"
    own = _changed_parameters(record)
    changes = record.get("changes", own)
    if set(own) - set(changes):
        yield f"has the parameters {', '.join(own)}, which its setting does not say: run it with --set {' '.join(own)}"
    scheme = CLASS_WEIGHTS[0] if _is_external(record) else record["class_weight"]
    folder = folder_name(record["protocol"]["name"], scheme, record.get("limit"), changes)
    folder += f"-{EXTERNAL}" if _is_external(record) else ""
    if store.root.resolve().parts[-2:] != (record["dataset"], folder):
        yield f"lies in the folder of another setting: move it to {record['dataset']}/{folder}"
    if record["cost"]["artifact_mb"] >= LARGEST_MB:
        yield f"its model has {record['cost']['artifact_mb']:.0f} MB, and may have {LARGEST_MB}: make it smaller"
    for entry in record.get("carried", ()):
        if set(entry) != CARRIED or not all(entry.values()) or entry["digest"] == record["digest"]:
            yield "an entry of 'carried' is not as benchmark.carry writes it: carry it over with that"


def _data_flaws(record: Record, known: KnownData) -> Iterator[str]:
    protocol, fingerprint = record["protocol"], known.fingerprint(record)
    ours = PROTOCOLS.get(protocol["name"])
    if ours is None or any(protocol[role] != getattr(ours, role) for role in ("fit", *ROLES)):
        yield f"its protocol {protocol['name']} is none of {', '.join(PROTOCOLS)}: run it under one of these"
    if fingerprint not in (None, record["data_fingerprint"]):
        yield f"made from other data ({record['data_fingerprint']}) than the board ({fingerprint}): run it on those"
    for role in ROLES if _is_external(record) else ("fit", *ROLES):
        official = OFFICIAL_COUNTS.get(protocol[role]) if _is_official(record) else None
        if official and record["n_faces"][role] != sum(official):
            faces = f"{record['n_faces'][role]:,} faces of {protocol[role]}, and FER2013 has {sum(official):,}"
            yield f"{faces}: run it on the whole data, without --limit"


def _probability_flaws(store: Store, record: Record, known: KnownData) -> Iterator[str]:
    if not store.is_intact(record):
        yield f"its probabilities, the .npz beside it, are missing or not those of the run (SHA-256): {RUN_AGAIN}"
        return
    stored = _read_probabilities(store, record)
    if stored is None:
        yield f"its probabilities cannot be read: {RUN_AGAIN}"
        return
    for split, role in SPLITS.items():
        proba, y = getattr(stored, split), getattr(stored, f"y_{split}")
        usage, faces = record["protocol"][role], record["n_faces"][role]
        if (proba.shape, y.shape) != ((faces, len(EMOTIONS)), (faces,)) or (proba.dtype.kind, y.dtype.kind) != (*"fi",):
            yield f"its probabilities of {usage} are not {len(EMOTIONS)} for each of {faces:,} faces: {RUN_AGAIN}"
        elif not (np.isfinite(proba).all() and (proba >= 0).all() and np.allclose(proba.sum(axis=1), 1, atol=1e-4)):
            yield f"its probabilities of {usage} are not finite, from 0, with the sum 1: correct predict_proba"
        elif not np.isin(y, range(len(EMOTIONS))).all():
            yield f"its labels of {usage} are not from 0 to {len(EMOTIONS) - 1}: {RUN_AGAIN}"
        else:
            yield from _label_flaws(record, y, usage, known.labels(record, split))
            others = ", ".join(misfits(record[split], _same_as(evaluate(y, proba)), split))
            if others:
                yield f"{others}: not what its probabilities give: {RUN_AGAIN}"


def _label_flaws(record: Record, y: NDArray, usage: str, known: NDArray[np.int64] | None) -> Iterator[str]:
    counts = tuple(np.bincount(y, minlength=len(EMOTIONS)).tolist())
    if _is_official(record) and counts != OFFICIAL_COUNTS.get(usage, counts):
        yield f"its labels of {usage} are not FER2013's: {counts}, not {OFFICIAL_COUNTS[usage]}: {RUN_AGAIN}"
    if known is not None and not np.array_equal(y, known):
        yield f"its labels of {usage} differ from those of other records of the same data: keep the order of the faces"


def _code_flaws(store: Store, record: Record) -> Iterator[str]:
    name, entry = record["recognizer"], recognizers().get(record["recognizer"])
    if entry and (_is_external(record) or entry.package != record.get("package", "")):
        yield f"{entry.package or 'fer-benchmark'} has another recognizer {name}: rename this one"
    elif _has_code(record):
        if record["digest"] != run_digest(record, code_digest(recognizers()[name].module)):
            yield "made by other code: run it again, or carry it over: python -m benchmark.carry"
    elif not _is_external(record) and "package" not in record:
        yield f"no recognizer {name} can be imported: commit its file in models/recognizers too"
    for stem, was in record.get("members", {}).items():
        if (store.read(*run_of(stem)) or {}).get("probabilities_sha256") != was:
            yield f"its member {stem} is missing or ran again since: python -m benchmark.run --only {name}"


def _changed_parameters(record: Record) -> list[str]:
    """Return the parameters that are not those of the recognizer's code, as ``NAME.PARAM=VALUE``."""
    if not _has_code(record) or record["dataset"] == SYNTHETIC:
        return []
    entry, params = recognizers()[record["recognizer"]], record["params"]
    usual = (entry.make() if entry.members else entry.make(random_state=record["seed"])).get_params()
    other = {name: params.get(name) for name in {*usual, *params} if params.get(name) != usual.get(name)}
    return Setting(PROTOCOLS["kaggle"], overrides={entry.name: other}).changes


def _has_code(record: Record) -> bool:
    entry = recognizers().get(record["recognizer"])
    return entry is not None and not entry.error


def _is_external(record: Record) -> bool:
    return record["family"] == EXTERNAL


def _kind_of_data(record: Record) -> tuple[str, str, str]:
    return record["dataset"], labels_of(record), str(record.get("limit"))


def _is_official(record: Record) -> bool:
    return _kind_of_data(record) == ("fer2013", "fer2013", "None")


def _read_probabilities(store: Store, record: Record) -> Probabilities | None:
    """Return the probabilities of a finished run; None where there are none that can be read."""
    try:
        return store.probabilities(record)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile):
        return None


def _same_as(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan, for `misfits`, of what has the same values."""
    return {
        name: _same_as(value) if isinstance(value, dict) else partial(_is_same, value) for name, value in scores.items()
    }


def _is_same(value: Any, recorded: Any) -> bool:
    if isinstance(value, float) and isinstance(recorded, (int, float)):
        return math.isclose(value, recorded, rel_tol=1e-6, abs_tol=1e-9)  # processors round otherwise
    return bool(value == recorded)
