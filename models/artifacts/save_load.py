"""Saving and loading of recognizers: an artifact (joblib or HDF5), copies of it, and a card (JSON) beside them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import models.registry
from models.artifacts.cards import ArtifactError, make_card, read_card
from models.artifacts.formats import COPY_SUFFIXES, UnsafeError, loadable_files, read_artifact, write_artifact
from models.artifacts.lookup import DEFAULT_RESULTS, INEXACT, find_artifact, member_path
from models.files.atomic import sha256, write_json
from models.files.extras import pip_install
from models.networks.keras_import import KerasError
from models.parts.ensemble import Ensemble


def save(recognizer: Any, directory: Path, stem: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the artifact ``<stem><suffix>`` and its card ``<stem>.json`` into `directory`.

    A joblib file gets a copy beside it that runs no code when it is read, ``<stem>.skops``; an HDF5 file gets two that
    answer without TensorFlow, ``<stem>.tflite`` and, in eight bits, ``<stem>.int8.tflite``.

    Parameters
    ----------
    recognizer : BaseRecognizer or Ensemble
        Fitted.
    directory : Path
        Made where it is missing.
    stem : str
        File name without suffix.
    facts : mapping
        Further entries of the card; ``recognizer``, its name in the registry, is needed.

    Returns
    -------
    dict
        The card.
    """
    if isinstance(recognizer, Ensemble):
        recognizer = recognizer.detached()
    directory.mkdir(parents=True, exist_ok=True)
    artifact = directory / f"{stem}{recognizer.suffix}"
    suffixes = (recognizer.suffix, *COPY_SUFFIXES[recognizer.suffix])
    entry = models.registry.recognizers().get(facts["recognizer"])
    trusted_types = entry.trusted_types if entry else ()
    unfinished = {suffix: directory / f"{stem}.partial{suffix}" for suffix in suffixes}
    try:
        write_artifact(recognizer, unfinished[recognizer.suffix])
        for suffix in COPY_SUFFIXES[recognizer.suffix]:
            try:
                write_artifact(recognizer, unfinished[suffix], trusted_types)
            except Exception as error:  # a converter may raise anything; the model itself is saved
                warnings.warn(
                    f"{artifact} is saved, but not its copy {stem}{suffix} ({error or type(error).__name__}): "
                    f"to have it, fix that and run python -m benchmark.run --only {facts['recognizer']} --rerun",
                    stacklevel=2,
                )
                unfinished[suffix].unlink(missing_ok=True)
        sums = {suffix: sha256(file) for suffix, file in unfinished.items() if file.exists()}
        card = make_card(recognizer, stem, sums, facts)
        # Only when all of it is there: until then an earlier model stays whole.
        for suffix, whole in unfinished.items():
            file = directory / f"{stem}{suffix}"
            if whole.exists():
                os.replace(whole, file)
            else:
                file.unlink(missing_ok=True)
        write_json(artifact.with_suffix(".json"), card)
    finally:
        for file in unfinished.values():
            file.unlink(missing_ok=True)
    return card


def load(path: str | Path = "best", results: str | Path = DEFAULT_RESULTS, exact: bool = True) -> Any:
    """Load a saved recognizer.

    The SHA-256 of what is loaded is compared with its card first. That finds damage and mix-ups; it is no signature: a
    joblib file can run code. Where its copy in skops' format is beside it, which cannot, that one is loaded instead.

    Parameters
    ----------
    path : str or Path
        An artifact, a copy of one, the name of a recognizer whose model is in `results`, or ``"best"``: the recognizer
        that ranks first on the validation split of `results` and whose files are present; with ``exact=False`` the
        first that answers 50 faces a second on one core, if `benchmark.speed` measured that. Where a better
        one is not present, a warning names it.
    results : str or Path
        Results folder in which a name and ``"best"`` are looked up. The default one is that in the working folder;
        where there is none, that in the source tree; in a wheel, its own, which has 8-bit networks only.
    exact : bool
        Of a network, and of one that is a member of an ensemble, load the artifact itself, whose probabilities are
        those of the leaderboard. False loads the copy in eight bits where there is one, else that in 32 bits:
        they need no TensorFlow.

    Returns
    -------
    recognizer
        Fitted, with `predict_proba` on uint8 rows of shape (n_faces, 2304), `predict`, `classes_`, and the card as
        `card_`.

    Raises
    ------
    ArtifactError
        If a file is missing or was changed, or a library or the package of its recognizer is missing or cannot be used.
    OSError
        If the system refuses to read a file.

    Examples
    --------
    >>> import numpy as np
    >>> import models
    >>> recognizer = models.load("results/fer2013/kaggle/models/majority.joblib")
    >>> rows = np.zeros((2, 2304), dtype=np.uint8)  # two grey faces of 48x48 pixels
    >>> recognizer.predict_proba(rows).shape
    (2, 7)
    >>> models.EMOTIONS[recognizer.predict(rows)[0]]
    'Happy'
    """
    artifact = find_artifact(path, results, exact)
    card = read_card(artifact)
    file = _verified_file(artifact, card, exact)
    entry = _entry(artifact, card)
    try:
        recognizer = read_artifact(file, entry, card)
    except ModuleNotFoundError as error:
        raise ArtifactError(f"{artifact}: needs {error.name}: {pip_install(error.name or '')}") from error
    except KerasError as error:
        raise ArtifactError(f"{artifact}: {error}") from error
    except UnsafeError as error:
        raise ArtifactError(f"{file}: {error}: do not use this file; copy it again from people you trust") from error
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the system; a library's has no number
            raise
        if isinstance(error, AttributeError) or type(error).__module__ != "builtins":  # the file itself is whole
            made_with = ", ".join(f"{library} {version}" for library, version in card.get("versions", {}).items())
            raise ArtifactError(
                f"{artifact}: the libraries here cannot read it ({error}): install those that made it: {made_with}"
            ) from error
        raise ArtifactError(
            f"{artifact}: does not match its card ({error}): copy both again from where they came"
        ) from error
    if entry.members:
        members = {
            name: load(member_path(artifact, stem, exact), exact=exact) for name, stem in card["members"].items()
        }
        try:
            recognizer.attach(members)
        except ValueError as error:
            raise ArtifactError(f"{artifact}: {error}") from error
    recognizer.card_ = card
    return recognizer


def _entry(artifact: Path, card: Mapping[str, Any]) -> models.registry.Entry:
    """Return the recognizer of a card, which must be of the package that the card names."""
    name, package = card["recognizer"], card.get("package", "")
    try:
        entry = models.registry.find_recognizer(name)
    except KeyError as error:
        if not package:
            raise ArtifactError(f"{artifact}: {error.args[0]}: update fer-benchmark") from error
        known = models.registry.recognizers().values()
        broken = [other.skip_reason() for other in known if other.error and other.package == package]
        missing = f"needs the package {package} {card.get('versions', {}).get(package, '')}: pip install {package}"
        raise ArtifactError(f"{artifact}: {broken[0] if broken else missing}") from error
    if entry.error:
        raise ArtifactError(f"{artifact}: {entry.skip_reason() or entry.error}")
    if entry.package != package:
        here, there = (each or "fer-benchmark" for each in (entry.package, package))
        raise ArtifactError(f"{artifact}: its {name} is that of {there}, not that of {here}: pip uninstall {here}")
    return entry


def _verified_file(artifact: Path, card: Mapping[str, Any], exact: bool) -> Path:
    """Return the file to load, after comparing it, and what could be loaded instead, with the card."""
    files = loadable_files(artifact, exact)
    sums = {**dict.fromkeys(COPY_SUFFIXES, card["sha256"]), **card["copies"]}
    for suffix, file in files.items():
        if sha256(file) != sums.get(suffix):
            raise ArtifactError(
                f"{file}: does not match its card (SHA-256 differs), not loaded: "
                f"make it again with python -m benchmark.run --only {card['recognizer']} --rerun"
            )
    if not files:
        raise ArtifactError(f"{artifact}: missing, and {INEXACT}")
    return next(iter(files.values()))
