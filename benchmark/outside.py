"""Photos that no model was fitted on: a folder an emotion, scored as the test split is."""

from __future__ import annotations

import hashlib
import re
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from benchmark.data import DataError, Split
from benchmark.data.folders import NUMBERED
from benchmark.findings import Findings
from benchmark.metrics import evaluate
from benchmark.store import Probabilities, Record, Store
from benchmark.stored import choose, present
from benchmark.study import environment
from models.blazeface import BlazeFace
from models.faces import Detector, find_faces
from models.labels import EMOTIONS, Labels, emotion_of_path, folder_key
from models.levels import PhotoError
from models.photos import squeeze
from models.prediction import side_by_side
from models.sources import VIDEOS, find_files, read_files

EMOTION_FOLDERS = "one folder for each emotion, e.g. happy/1.jpg, anger/2.png"


@dataclass(frozen=True, eq=False)
class OutsideSet:
    """Faces from a folder of photos, with the emotions that their folders are named after.

    Attributes
    ----------
    folder : str
        As it was given.
    split : Split
        One face a photo.
    cropped : bool
        Whether the photos were faces already.
    no_face : int
        Photos in which none was found; they are in no score.
    skipped : dict of str to int
        Photos in folders that are named after none of the seven emotions; and videos, whose frames are no independent
        faces.
    unreadable : dict of str to str
        Files that could not be read, and why.
    labels : dict of str to int
        What names of folders stand for besides those of emotions.
    """

    folder: str
    split: Split
    cropped: bool
    no_face: int
    skipped: Mapping[str, int]
    unreadable: Mapping[str, str]
    labels: Labels

    @property
    def name(self) -> str:
        """The folder's name, with nothing in it that a path or a shell could take for something else."""
        return re.sub(r"[^\w.-]+", "-", Path(self.folder).resolve().name) or "root"

    @property
    def protocol(self) -> str:
        """Name of the results folder."""
        return "outside-cropped" if self.cropped else "outside"

    @property
    def fingerprint(self) -> str:
        """SHA-256 over pixels and labels, 16 hexadecimal digits."""
        digest = hashlib.sha256(np.ascontiguousarray(self.split.X).data)
        digest.update(np.ascontiguousarray(self.split.y).data)
        return digest.hexdigest()[:16]

    @property
    def note(self) -> str:
        """What a reader of the scores must know: what is not in them."""
        parts = [
            f"{len(self.split)} faces, taken as unseen by the models: whether some stand in FER2013 is not checked"
        ]
        if self.no_face:
            parts.append(f"photos in which no face was found, left out: {self.no_face}")
        if self.skipped:
            folders = ", ".join(f"{name} ({count})" for name, count in self.skipped.items())
            parts.append(f"skipped, since they are none of the seven emotions, or videos: {folders}")
        if self.unreadable:
            parts.append(f"files that could not be read: {len(self.unreadable)}")
        return "; ".join(parts)


def read_outside(
    folder: Path, cropped: bool, detector: Detector | None = None, labels: Labels | None = None
) -> OutsideSet:
    """Read a tree of photos; its innermost folder with an emotion's name, or a synonym of it, labels a photo.

    Parameters
    ----------
    folder : Path
    cropped : bool
        Take every photo as a face. Otherwise the largest face in it is found and cropped.
    detector : Detector, optional
        By default `models.blazeface.BlazeFace`.
    labels : mapping of str to int, optional
        What other names of folders stand for, from `benchmark.data.folders.parse_labels`.

    Raises
    ------
    DataError
        If there is no folder, no folder of an emotion in it, or no face.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder: give {EMOTION_FOLDERS}")
    labelled, skipped = {}, Counter[str]()
    for file in find_files([folder]):
        place = Path(file).relative_to(folder).parts
        inner = place if Path(file).is_dir() else place[:-1]  # a folder among the files cannot be listed
        label = emotion_of_path(inner, labels)
        if Path(file).suffix.lower() in VIDEOS:
            skipped["videos"] += 1
        elif label is None:
            skipped["/".join(inner) or "."] += 1
        else:
            labelled[file] = label
    if not labelled:
        numbered = [name for name in skipped if folder_key(Path(name).name).isdecimal()]
        if numbered:
            raise DataError(f"{folder}/{min(numbered)}: {NUMBERED}")
        raise DataError(f"{folder}: no photos in a folder named after an emotion: give {EMOTION_FOLDERS}")
    detector = detector or BlazeFace()
    rows, y, no_face, unreadable = [], [], 0, {}
    for photo in read_files(tqdm(labelled, unit="photo", disable=None)):
        if photo.image is None:
            unreadable[photo.file] = photo.error
            continue
        try:
            row = squeeze(photo.image).ravel() if cropped else _largest_face(photo.image, detector)
        except PhotoError as error:
            unreadable[photo.file] = str(error)
            continue
        if row is None:
            no_face += 1
        else:
            rows.append(row)
            y.append(labelled[photo.file])
    if not rows:
        advice = "" if cropped else "; if the photos are faces already, add --cropped"
        reasons = "".join(f"; {file}: {error}" for file, error in unreadable.items())
        raise DataError(f"{folder}: no face in {len(labelled)} photos{advice}{reasons}")
    split = Split(np.stack(rows).astype(np.uint8), np.array(y, dtype=np.int64))
    return OutsideSet(str(folder), split, cropped, no_face, dict(sorted(skipped.items())), unreadable, labels or {})


def _largest_face(photo: NDArray[np.uint8], detector: Detector) -> NDArray[np.uint8] | None:
    faces, crops = find_faces(photo, detector)
    sizes = [face.width * face.height for face in faces]
    return crops[int(np.argmax(sizes))] if sizes else None


def score(outside: OutsideSet, root: Path, records: Mapping[str, Record], store: Store, rerun: bool = False) -> None:
    """Score the stored models of a results folder on an outside set, and store a record for each.

    A record has the validation scores of the run that fitted the model, so that the ranking is that one's, and the
    scores on the outside set for test; ``reference`` holds the test scores of that run.

    Parameters
    ----------
    outside : OutsideSet
    root : Path
        Results folder of the models.
    records : mapping of str to dict
        Of that folder, by recognizer.
    store : Store
        Where to; what is fresh there is not done again,
    rerun : bool
        but for this.

    Raises
    ------
    DataError
        If none of the models that are to be scored can be loaded.
    """
    pending = {}
    for name, record in records.items():
        new = _record(record, outside)
        if rerun or not store.is_fresh(store.read(name, new["seed"]), new["digest"]):
            pending[name] = new
    if not pending:
        return
    recognizers = present(root, {name: records[name] for name in pending})
    for name, proba in side_by_side(recognizers, outside.split.X).items():
        fitted = Store(root).probabilities(records[name])
        scores = {"status": "ok", "error": "", "test": evaluate(outside.split.y, proba)}
        store.write({**pending[name], **scores}, Probabilities(fitted.valid, proba, fitted.y_valid, outside.split.y))


def evaluate_folder(
    folder: Path,
    cropped: bool,
    models: Sequence[str] | None,
    root: Path,
    results: Path,
    rerun: bool = False,
    labels: Labels | None = None,
) -> tuple[OutsideSet, Findings]:
    """Score stored models on a folder of photos; write leaderboard, figures and report.

    Parameters
    ----------
    folder : Path
        Photos.
    cropped, models, rerun, labels
        As of `read_outside`, `benchmark.stored.choose` and `score`.
    root : Path
        Results folder of the models.
    results : Path
        What is found goes to ``<results>/<name of the folder>/outside``, or ``outside-cropped``.

    Raises
    ------
    DataError
        If there is nothing to score, or no model.
    """
    from benchmark.derive import derive

    records = choose(root, models)
    outside = read_outside(folder, cropped, labels=labels)
    store = Store(results / outside.name / outside.protocol)
    others = {record["data_fingerprint"] for record in store.records()} - {outside.fingerprint}
    score(outside, root, records, store, rerun)
    if others:
        print(f"note: {store.root} held scores on other photos, which these replace", file=sys.stderr)
    return outside, derive(store.root)


def _record(fitted: Record, outside: OutsideSet) -> Record:
    """Return what is known before a model is scored: of the run that fitted it, and of the outside set."""
    kept = ("recognizer", "family", "seed", "class_weight", "limit", "params", "valid", "cost")
    protocol = fitted["protocol"]
    report = "the crops" if outside.cropped else "the faces found"
    scores = {name: fitted["test"][name] for name in ("accuracy", "balanced_accuracy", "macro_f1")}
    return {
        **{name: fitted[name] for name in kept},
        "dataset": outside.name,
        "data_fingerprint": outside.fingerprint,
        "note": outside.note,
        "n_faces": {**fitted["n_faces"], "report": len(outside.split)},
        "protocol": {**protocol, "name": outside.protocol, "report": report, "summary": f"as fitted, report {report}"},
        "environment": environment(),
        "digest": hashlib.sha256(f"{fitted['digest']} {outside.fingerprint} {outside.note}".encode()).hexdigest()[:16],
        "history": {},
        "artifact": fitted["artifact"],
        "artifact_sha256": fitted["artifact_sha256"],
        "members": {},
        "command": _command(outside),
        "reference": {
            "dataset": fitted["dataset"],
            "report": protocol["report"],
            "n_faces": fitted["n_faces"]["report"],
            **scores,
        },
    }


def _command(outside: OutsideSet) -> str:
    labels = [f"{folder}={EMOTIONS[label].lower()}" for folder, label in outside.labels.items()]
    options = [*(["--cropped"] if outside.cropped else []), *(["--labels", *labels] if labels else [])]
    return shlex.join(["python", "-m", "benchmark.run", "--evaluate", outside.folder, *options])
