"""A release: one folder with records, probabilities, models, checksums, citation and licence, fit for an archive."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.analysis.findings import Findings
from benchmark.data import DataError
from benchmark.report.model_card import model_card
from models.artifacts.cards import read_card
from models.artifacts.formats import JOBLIB, SKOPS, SUFFIXES, split_suffix
from models.files.atomic import sha256, write_text

SOURCE_TREE = Path(__file__).parents[2]
CITATION, LICENCE, SUMS = "CITATION.cff", "LICENSE", "SHA256SUMS"
BESIDE_RUNS = ("best.json", "leaderboard.csv", "leaderboard.md")
RUN_SUFFIXES = {".json", ".npz", ".csv"}
CONTENTS = """
## This folder

Version {version} of fer-benchmark. `sha256sum --check SHA256SUMS` checks every file.

| path | contents |
| --- | --- |
{rows}| `CITATION.cff`, `LICENSE` | how to cite, licence |

With fer-benchmark installed (`pip install ".[train]"` in a clone):

```bash
python -m models.predict photo.jpg --results {first}
```
"""


def write_release(target: Path, folders: Sequence[Findings]) -> None:
    """Write a release: complete, or not at all.

    It holds what the results folders have of records, probabilities, models and rankings. A joblib file, which can run
    code, is left out where its skops file is there. ``README.md`` is the model card of the first folder, with the
    metadata of the Hugging Face Hub: https://huggingface.co/docs/hub/model-cards

    Parameters
    ----------
    target : Path
        Made; it may exist if it is empty.
    folders : sequence of Findings
        Each goes to ``<dataset>/<protocol>``, as in ``results/``.

    Raises
    ------
    DataError
        If `target` has something in it, there is no clone to take citation and licence from, a folder has no finished
        run, or a model does not match its card.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise DataError(f"{target}: has something in it: give a new or an empty folder")
    for name in (CITATION, LICENCE):
        if not (SOURCE_TREE / name).is_file():
            raise DataError(f"{SOURCE_TREE / name}: no such file: make the release in a clone of the repository")
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as scratch:
        whole = Path(scratch, "release")
        whole.mkdir()
        places = [_copy(findings, whole) for findings in folders]
        for name in (CITATION, LICENCE):
            shutil.copyfile(SOURCE_TREE / name, whole / name)
        write_text(whole / "README.md", hub_card(folders[0], places))
        files = sorted(path for path in whole.rglob("*") if path.is_file())
        sums = "".join(f"{sha256(path)}  {path.relative_to(whole).as_posix()}\n" for path in files)
        write_text(whole / SUMS, sums)
        if target.exists():
            target.rmdir()
        whole.rename(target)


def hub_card(findings: Findings, places: Sequence[str]) -> str:
    """Return a model card for the Hub: metadata in YAML, the card of the results folder, what the release holds."""
    record, intervals, version = findings.done[0], findings.tables["intervals"], release_version()
    scores = {"accuracy": "accuracy", "f1": "macro_f1"}
    results = [
        {
            "name": name,
            "results": [
                {
                    "task": {"type": "image-classification", "name": "Facial expression recognition"},
                    "dataset": {
                        "type": record["dataset"],
                        "name": record["dataset"],
                        "split": record["protocol"]["report"],
                    },
                    "metrics": [
                        {"type": kind, "name": score, "value": round(float(intervals.loc[name, "estimate"][score]), 4)}
                        for kind, score in scores.items()
                    ],
                }
            ],
        }
        for name in dict.fromkeys(done["recognizer"] for done in findings.done)
    ]
    about = {
        "license": "mit",
        "library_name": "fer-benchmark",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression-recognition", "emotion-recognition", "keras", "tflite", "scikit-learn"],
        "metrics": list(scores),
        "version": version,
        "model-index": results,
    }
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in about.items())  # JSON is YAML too
    rows = "".join(
        f"| `{place}/runs/` | records and probabilities |\n| `{place}/models/` | models and their cards |\n"
        for place in places
    )
    contents = CONTENTS.format(version=version, rows=rows, first=places[0])
    return f"---\n{front}---\n\n{model_card(findings)}{contents}"


def release_version() -> str:
    """Return the version that ``CITATION.cff`` names."""
    lines = (SOURCE_TREE / CITATION).read_text("utf-8").splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("version:"))


def _copy(findings: Findings, release: Path) -> str:
    """Copy what a release has of a results folder; return where, below the release."""
    root = findings.root
    if not findings.done:
        raise DataError(f"{root}: no finished run: python -m benchmark.run makes them")
    place = Path(findings.done[0]["dataset"], root.resolve().name)
    for file in (*_records(root), *_models(root), *(root / name for name in BESIDE_RUNS)):
        if file.is_file():
            copy = release / place / file.relative_to(root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    return place.as_posix()


def _records(root: Path) -> Iterator[Path]:
    yield from (path for path in sorted((root / "runs").rglob("*")) if path.suffix in RUN_SUFFIXES)


def _models(root: Path) -> Iterator[Path]:
    """Yield models, cards and the human card; of a joblib and a skops file, the second.

    Raises
    ------
    DataError
        If the SHA-256 of a model is not that in its card.
    """
    folder = root / "models"
    yield folder / "README.md"
    for path in sorted(folder.glob("*")):
        stem, suffix = split_suffix(path)
        if path.suffix == ".json":
            yield path
        elif suffix in SUFFIXES and not (suffix == JOBLIB and path.with_name(stem + SKOPS).exists()):
            card = read_card(path)
            if sha256(path) not in (card["sha256"], card["copies"].get(suffix)):
                raise DataError(
                    f"{path}: does not match its card (SHA-256 differs): "
                    f"python -m benchmark.run --only {card['recognizer']} --rerun makes it again"
                )
            yield path
