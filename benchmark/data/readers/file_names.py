"""JAFFE and KDEF, whose file names say the subject and the expression.

References
----------
.. [1] M. Lyons, S. Akamatsu, M. Kamachi, J. Gyoba, "Coding facial expressions with Gabor wavelets", FG 1998.
   https://doi.org/10.1109/AFGR.1998.670949
.. [2] D. Lundqvist, A. Flykt, A. Ohman, "The Karolinska Directed Emotional Faces", Karolinska Institutet, 1998.
   https://www.kdef.se
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmark.data.readers.sample import Layout, Sample
from models.inference.inputs import find_files

_EXPRESSIONS = {"AN": "anger", "DI": "disgust", "FE": "fear", "AF": "fear"}
_EXPRESSIONS |= {"HA": "happiness", "NE": "neutral", "SA": "sadness", "SU": "surprise"}
_JAFFE = re.compile(r"(?P<subject>[A-Z]{2})\.(?P<code>AN|DI|FE|HA|NE|SA|SU)\d\.\d+", re.I)
_KDEF = re.compile(r"[AB](?P<subject>[FM]\d\d)(?P<code>AF|AN|DI|HA|NE|SA|SU)(?P<angle>S|HL|HR|FL|FR)", re.I)
_CK_PLUS = re.compile(r"(?P<subject>S\d{3})_\d{3}_\d{8}", re.I)
_FIRST = 100  # names that tell the layout


def subject_of(name: str) -> str:
    """Return the subject that a file's name says in JAFFE, KDEF or CK+, without its suffix; empty if it says none."""
    found = next((match for form in (_JAFFE, _KDEF, _CK_PLUS) if (match := form.fullmatch(name))), None)
    return found["subject"].upper() if found else ""


def _layout(layout: str, form: re.Pattern[str]) -> Layout:
    def is_here(path: Path) -> bool:
        return any(form.fullmatch(Path(file).stem) for file in islice(find_files([path]), _FIRST))

    def samples(path: Path) -> Iterator[Sample]:
        for file in map(Path, find_files([path])):
            if match := form.fullmatch(file.stem):
                angle = match.groupdict().get("angle", "S").upper()
                expression = _EXPRESSIONS[match["code"].upper()] if angle == "S" else "half or full profile"
                yield Sample(file, str(file), expression, subject=match["subject"].upper())
            else:
                yield Sample(file, str(file), f"names of another form than in {layout.upper()}")

    return Layout(layout, is_here, samples)


JAFFE = _layout("jaffe", _JAFFE)
KDEF = _layout("kdef", _KDEF)
