"""Find the file of a saved recognizer: by its path, by its name in a results folder, or as the best one there."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path

import models.registry
from models.artifacts.cards import ArtifactError, read_card
from models.artifacts.formats import COPY_SUFFIXES, SUFFIXES, loadable_files

DEFAULT_RESULTS = "results/fer2013/kaggle"
SOURCE_TREE = Path(__file__).parents[2]
# In a wheel: setup.py copies the default model to this folder.
PACKAGED = Path(__file__).parents[1] / "default"
# 50 faces a second.
QUICK_ENOUGH_MS = 20
INEXACT = "only 8-bit versions are here: load with exact=False, or predict without --exact"


def find_artifact(path: str | Path, results: str | Path, exact: bool) -> Path:
    """Return the artifact that `models.load` is to load; it need not exist if it was named by its path.

    Parameters
    ----------
    path : str or Path
        An artifact or a copy of one; the name of a recognizer whose model is in `results`, such as ``cnn_deep``; or
        ``"best"``.
    results : str or Path
        Results folder.
    exact : bool
        As of `models.load`.

    Raises
    ------
    ArtifactError
        If the results folder has no ranking, or nothing of that name.
    """
    name = str(path)
    if name == "best":
        return _best(_results_folder(results), exact)
    if Path(name).name != name or name.endswith(SUFFIXES) or Path(name).exists():
        return Path(os.path.expanduser(path))
    folder = _results_folder(results) / "models"
    artifacts = [folder / f"{name}{suffix}" for suffix in COPY_SUFFIXES]
    known = sorted(file.name for file in folder.glob("*") if file.name.endswith(SUFFIXES))
    for artifact in artifacts:
        if loadable_files(artifact, exact=False):
            return artifact
    raise ArtifactError(
        f"{name}: no such file, and {folder} has {', '.join(known) or 'no models'}: "
        "give a path or the name of a model; python -m benchmark.run makes them"
    )


def member_path(artifact: Path, stem: str, exact: bool) -> Path:
    """Return the file of an ensemble's member, which lies in the folder of the ensemble.

    Raises
    ------
    ArtifactError
        If it is not there.
    """
    for suffix in COPY_SUFFIXES:
        path = artifact.with_name(stem + suffix)
        if loadable_files(path, exact):
            return path
    name, seed = models.registry.run_of(stem)
    raise ArtifactError(
        f"{artifact}: its member {stem} is not in the same folder: with the training data, "
        f"python -m benchmark.run --only {name}{f' --seeds {seed}' if seed else ''} --rerun makes it"
    )


def _results_folder(given: str | Path) -> Path:
    results = Path(os.path.expanduser(given))
    if results != Path(DEFAULT_RESULTS):
        return results
    for folder in (results, SOURCE_TREE / DEFAULT_RESULTS, PACKAGED):
        if folder.is_dir():
            return folder
    raise ArtifactError(
        f"{DEFAULT_RESULTS}: not in this folder, and fer-benchmark is installed without it: clone the "
        "repository, name a model, or give the results folder in which 'best' is looked up"
    )


def _best(results: Path, exact: bool) -> Path:
    path = results / "best.json"
    try:
        ranking = json.loads(path.read_text("utf-8"))["ranking"]
        if not all(Path(row["artifact"]).name == row["artifact"] and row["recognizer"] for row in ranking):
            raise ValueError(f"ranking is {ranking!r}")
        if not exact:
            ranking = sorted(ranking, key=lambda row: row.get("one_ms", 0) > QUICK_ENOUGH_MS)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file: python -m benchmark.run --all makes it") from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: cannot be read ({error}): python -m benchmark.run --all makes it") from error
    for place, row in enumerate(ranking):
        artifact = results / "models" / row["artifact"]
        if not _first_missing(artifact, exact):
            if place and results != PACKAGED:
                better = ", ".join(
                    f"{other['recognizer']} (no {_first_missing(results / 'models' / other['artifact'], exact)})"
                    for other in ranking[:place]
                )
                warnings.warn(
                    f"using {row['recognizer']}: models that rank higher are missing: {better}; "
                    "with FER2013, python -m benchmark.run --only NAME --rerun makes them",
                    stacklevel=4,
                )
            return artifact
    quick = exact and any(not _first_missing(results / "models" / row["artifact"], exact=False) for row in ranking)
    fix = INEXACT if quick else "python -m benchmark.run makes them"
    raise ArtifactError(f"{results / 'models'}: none of the ranked models is here: {fix}")


def _first_missing(artifact: Path, exact: bool) -> str:
    """Return the name of the first file that loading `artifact` would miss, or an empty string."""
    if not loadable_files(artifact, exact):
        return artifact.name
    for stem in read_card(artifact)["members"].values():
        try:
            member_path(artifact, stem, exact)
        except ArtifactError:
            return stem
    return ""
