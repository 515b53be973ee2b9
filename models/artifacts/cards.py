"""Cards: the JSON file beside a saved recognizer that says what it is and how to check it."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from models.artifacts.formats import SUFFIXES, loadable_files, split_suffix
from models.labels import EMOTIONS

CARD_FORMAT = 2
CARD_ENTRIES = {"sha256": str, "copies": dict, "recognizer": str, "params": dict, "classes": list, "members": dict}
PREPROCESSING = (
    "48x48 grey face, uint8 0-255, flattened row by row to 2304 values; everything else is inside the artifact"
)
LIBRARIES = (
    *("numpy", "scipy", "scikit-learn", "scikit-learn-intelex", "scikit-image"),
    *("keras", "tensorflow", "xgboost", "joblib", "pillow"),
)


class ArtifactError(ValueError):
    """A saved recognizer cannot be used; the message names the file and the fix.

    Examples
    --------
    >>> import models
    >>> try:
    ...     models.load("missing.h5")
    ... except models.ArtifactError as error:
    ...     print(error)
    missing.h5: no such file: python -m benchmark.run makes the models
    """


def make_card(recognizer: Any, stem: str, sums: Mapping[str, str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card of a fitted recognizer.

    Parameters
    ----------
    recognizer : BaseRecognizer or Ensemble
    stem : str
        Of the files' names.
    sums : mapping of str to str
        SHA-256 of the artifact and of its copies, by suffix.
    facts : mapping
        Further entries; ``recognizer``, its name in the registry, is needed. ``package`` is where a recognizer of
        another package comes from.
    """
    return {
        "format": CARD_FORMAT,
        **facts,
        "artifact": f"{stem}{recognizer.suffix}",
        "sha256": sums[recognizer.suffix],
        "copies": {suffix: digest for suffix, digest in sums.items() if suffix != recognizer.suffix},
        "params": recognizer.get_params(),
        "classes": recognizer.classes_.tolist(),
        "temperature": recognizer.temperature_,
        "emotions": list(EMOTIONS),
        # By the names that the ensemble knows them by, which are those of their files.
        "members": {name: name for name in getattr(recognizer, "names_", ())},
        "preprocessing": PREPROCESSING,
        "versions": versions(facts.get("package", "")),
    }


def read_card(artifact: Path) -> dict[str, Any]:
    """Return the card beside `artifact`, which must exist, or a copy of it."""
    stem, _ = split_suffix(artifact)
    path = artifact.with_name(f"{stem}.json")
    if not loadable_files(artifact, exact=False):
        known = sorted(file.name for file in artifact.parent.glob("*") if file.name.endswith(SUFFIXES))
        raise ArtifactError(
            f"{artifact}: no such file"
            + (f"; in that folder are {', '.join(known)}" if known else "")
            + ": python -m benchmark.run makes the models"
        )
    try:
        card = json.loads(path.read_text("utf-8"))
        if card["format"] != CARD_FORMAT:
            raise ArtifactError(
                f"{path}: card format {card['format']}, and this version reads {CARD_FORMAT}: update fer-benchmark if "
                f"yours is older than the model, else make it again: python -m benchmark.run --only {stem} --rerun"
            )
        for key, kind in CARD_ENTRIES.items():
            if not isinstance(card[key], kind):
                raise TypeError(f"{key} is {card[key]!r}")
        if not all(isinstance(stem, str) and Path(stem).name == stem for stem in card["members"].values()):
            raise TypeError(f"members are {card['members']!r}")
        if not (re.fullmatch(r"[\w.-]*", card.get("package", "")) and isinstance(card.get("versions", {}), dict)):
            raise TypeError(f"package is {card['package']!r}")
    except FileNotFoundError:
        raise ArtifactError(f"{path}: the model file's card is missing: copy the two files together") from None
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, ArtifactError):
            raise
        raise ArtifactError(f"{path}: not a valid card ({error!r}): copy it again with its model") from error
    return card


def versions(package: str = "") -> dict[str, str]:
    """Return the versions of Python, of the libraries that models depend on, and of a recognizer's package."""
    installed = {"python": platform.python_version()}
    for library in (*LIBRARIES, *filter(None, [package])):
        try:
            installed[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return installed
