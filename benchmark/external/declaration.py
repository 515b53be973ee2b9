"""The declaration of a model from elsewhere: a TOML file that says what the model takes and what it returns."""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.data import USAGES, DataError
from models.labels import EMOTIONS, emotion_of

OUTPUTS = ("probabilities", "logits", "scores", "labels")
DROP = "drop"
LARGEST_SIDE = 1024
# The keys of a declaration and the kinds of their values: of every one, and of each of its three forms.
_EVERY = dict.fromkeys(("name", "source", "version", "licence", "extra_data", "output"), str) | {"views": int}
_MODEL = {"model": str, "classes": list}
_NEEDED: dict[str, dict[str, type]] = {
    "images": {**_EVERY, **_MODEL, "size": int, "channels": int},
    "rows": {**_EVERY, **_MODEL},
    "predictions": {**_EVERY, "predictions": str},
}
_TEXTS: dict[str, type] = dict.fromkeys(("caveat", "input", "weights", "package", "install", "sha256"), str)
_MODEL_MAY = _TEXTS | {"others": dict}
_OPTIONAL: dict[str, dict[str, type]] = {
    "images": {**_MODEL_MAY, "layout": str, "range": list, "mean": list, "std": list},
    "rows": _MODEL_MAY,
    "predictions": {"caveat": str, "others": dict, "rows": list},
}
_WORDS = {str: "text", int: "a whole number", list: "a list", dict: "a table"}


@dataclass(frozen=True)
class Declaration:
    """What a declaration says.

    Attributes
    ----------
    path : Path
        The TOML file; the files that it names lie beside it, or in the folder of its ``package``.
    facts : mapping of str to object
        Its keys, checked.
    form : {'images', 'rows', 'predictions'}
        What the model takes, or that there are predictions alone.
    """

    path: Path
    facts: Mapping[str, Any]
    form: str

    @property
    def name(self) -> str:
        """Name of the row in the leaderboard."""
        return str(self.facts["name"])

    def error(self, text: str) -> DataError:
        """Return the error that says what is wrong with this declaration or its model."""
        return DataError(f"{self.path}: {text}")


def read_declaration(path: Path) -> Declaration:
    """Read and check a declaration.

    Raises
    ------
    DataError
        If the file cannot be read, or if a key is unknown or missing or has a wrong value.
    """
    try:
        facts = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: give the path of a declaration, e.g. model.toml") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as TOML ({error}): correct this line") from error
    form = "predictions" if "predictions" in facts else str(facts.get("input", "images"))
    declared = Declaration(path, facts, form)
    if form not in _NEEDED:
        raise declared.error(f'input is {form!r}: write "images" or "rows"')
    _check_keys(declared)
    _check_values(declared)
    return declared


def _check_keys(declared: Declaration) -> None:
    needed, facts = _NEEDED[declared.form], declared.facts
    known = {**needed, **_OPTIONAL[declared.form]}
    for key in facts.keys() - known.keys():
        near = difflib.get_close_matches(key, known, n=1)
        fix = f"did you mean {near[0]!r}?" if near else f"delete it; known are {', '.join(known)}"
        raise declared.error(f"unknown key {key!r}: {fix}")
    if missing := [key for key in needed if key not in facts]:
        raise declared.error(f"missing: {', '.join(missing)}: add {missing[0]} = {_WORDS[needed[missing[0]]]}")
    for key, value in facts.items():
        if not isinstance(value, known[key]) or isinstance(value, bool):
            raise declared.error(f"{key} is {value!r}: write {_WORDS[known[key]]}")
        if isinstance(value, str) and not value.strip():
            raise declared.error(f'{key} is empty: write what is known, or "not stated"')


def _check_values(declared: Declaration) -> None:
    facts = declared.facts
    if not re.fullmatch(r"\w[\w.-]{0,99}", declared.name):
        raise declared.error(f"name is {declared.name!r}: use letters, digits, '_', '.' and '-' alone")
    if facts["output"] not in OUTPUTS:
        raise declared.error(f"output is {facts['output']!r}: write one of {', '.join(OUTPUTS)}")
    if facts["views"] < 1:
        raise declared.error("views is below 1: write how often the model looks at a face")
    if declared.form == "predictions":
        if facts["output"] == "labels":
            raise declared.error('output is "labels": write seven columns of probabilities, 1 for the answer')
        rows = facts.get("rows", [])
        if any(rows.count(usage) > 1 or usage not in USAGES for usage in rows):
            raise declared.error(f"rows names {rows}: write each split once, in their order, of {', '.join(USAGES)}")
        return
    class_matrix(declared, facts["classes"])
    if declared.form == "images":
        _check_image(declared)


def _check_image(declared: Declaration) -> None:
    facts = declared.facts
    if not 1 <= facts["size"] <= LARGEST_SIDE:
        raise declared.error(f"size is {facts['size']}: write the side of the images in pixels, up to {LARGEST_SIDE}")
    if facts["channels"] not in (1, 3):
        raise declared.error(f"channels is {facts['channels']}: write 1 for grey images or 3")
    if facts.get("layout", "NHWC") not in ("NHWC", "NCHW"):
        raise declared.error(f"layout is {facts['layout']!r}: write NHWC (channels last) or NCHW")
    if ("range" in facts) == ("mean" in facts) or ("mean" in facts) != ("std" in facts):
        raise declared.error("say once how grey levels are scaled: range = [low, high], or mean and std")
    for key in facts.keys() & {"range", "mean", "std"}:
        values, sizes = facts[key], {2} if key == "range" else {1, facts["channels"]}
        numbers = all(type(value) in (int, float) and math.isfinite(value) for value in values)
        if not numbers or len(values) not in sizes:
            raise declared.error(f"{key} is {values}: write {' or '.join(map(str, sizes))} numbers in a list")
        if (key == "range" and values[0] >= values[1]) or (key == "std" and 0 in values):
            raise declared.error(f"{key} is {values}: write [low, high] for range, and no 0 for std")


def class_matrix(declared: Declaration, classes: Sequence[Any]) -> NDArray[np.float64]:
    """Return which emotion each class of a model is.

    Parameters
    ----------
    declared : Declaration
        Its ``others`` say for each class that is no emotion which emotion it stands for, or ``drop``.
    classes : sequence of str
        In the order of the model's outputs.

    Returns
    -------
    ndarray of shape (n_classes, 7), dtype float64
        1 where a class is an emotion; a row of zeros is a class that is dropped.

    Raises
    ------
    DataError
        If a class is unknown, or if an emotion is missing or named twice.
    """
    others = declared.facts.get("others", {})
    matrix = np.zeros((len(classes), len(EMOTIONS)))
    for row, name in enumerate(classes):
        label = emotion_of(name) if isinstance(name, str) else None
        meaning = EMOTIONS[label] if label is not None else others.get(name) if isinstance(name, str) else None
        if meaning == DROP and declared.facts["output"] != "labels":
            continue
        target = emotion_of(meaning) if isinstance(meaning, str) else None
        if target is None:
            fix = f'others = {{ "{name}" = "neutral" }}, an emotion that it stands for'
            raise declared.error(f"class {name!r} is no emotion: say {fix}, or {DROP!r} (not for labels)")
        matrix[row, target] = 1
    named = [label for label in map(emotion_of, map(str, classes)) if label is not None]
    if sorted(named) != list(range(len(EMOTIONS))):
        raise declared.error(f"classes are {list(classes)}: name each of {', '.join(EMOTIONS)} once")
    if unused := others.keys() - set(classes):
        raise declared.error(f"others names {', '.join(sorted(unused))}, which is no class: delete it")
    return matrix
