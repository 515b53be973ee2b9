"""A copy of a classical model that runs no code when it is read: skops' format beside the joblib file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

SUFFIX = ".skops"
# Beside what skops itself trusts (NumPy's, SciPy's and scikit-learn's types) and the classes of this project.
TRUSTED = ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier")
OWN = ("features.", "models.")


class UntrustedTypesError(ValueError):
    """A file names types that have no place in a model; nothing of it was loaded."""


def write(recognizer: Any, path: Path) -> None:
    """Write a fitted recognizer."""
    import skops.io

    skops.io.dump(recognizer, path, compression=zipfile.ZIP_DEFLATED, compresslevel=6)


def read(path: Path) -> Any:
    """Read what `write` wrote. Types are looked at first: of unknown ones nothing is made.

    Raises
    ------
    UntrustedTypesError
        If there is another type in the file than those of models.
    """
    import skops.io

    found = skops.io.get_untrusted_types(file=path)
    strange = [name for name in found if name not in TRUSTED and not name.startswith(OWN)]
    if strange:
        raise UntrustedTypesError(f"holds types that no model has: {', '.join(strange)}")
    return skops.io.load(path, trusted=found)
