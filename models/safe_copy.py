"""A copy of a classical model that runs no code when it is read: skops' format beside the joblib file."""

from __future__ import annotations

import importlib
import zipfile
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

SUFFIX = ".skops"
# Beside what skops itself trusts (NumPy's, SciPy's and scikit-learn's types) and the estimators of this project.
TRUSTED = ("xgboost.core.Booster", "xgboost.sklearn.XGBClassifier")
OWN = ("features", "models")


class UnsafeError(ValueError):
    """A file holds what no model does; nothing of it was loaded."""


def write(recognizer: Any, path: Path) -> None:
    """Write a fitted recognizer.

    Raises
    ------
    TypeError
        If it holds objects that `read` would refuse.
    """
    import skops.io

    skops.io.dump(recognizer, path, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
    strange = [name for name in skops.io.get_untrusted_types(file=path) if not _is_trusted(name)]
    if strange:
        raise TypeError(f"the model holds {', '.join(strange)}: if such objects run no code, add them to {__name__}")


def read(path: Path) -> Any:
    """Read what `write` wrote. Types are looked at first: of unknown ones nothing is made.

    Raises
    ------
    UnsafeError
        If the file is damaged, or names other types than those of models: functions too, since loading calls them.
    """
    import skops.io

    try:
        found = skops.io.get_untrusted_types(file=path)
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # of a damaged file, nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnsafeError(f"damaged ({error})") from error
    strange = [name for name in found if not _is_trusted(name)]
    if strange:
        raise UnsafeError(f"holds what no model does: {', '.join(strange)}")
    return skops.io.load(path, trusted=found)


def _is_trusted(name: str) -> bool:
    """Return whether a dotted name is an estimator that this project defines, or one of the others."""
    if name in TRUSTED:
        return True
    module, _, kind = name.rpartition(".")
    if module.split(".", maxsplit=1)[0] not in OWN:
        return False
    try:
        found = getattr(importlib.import_module(module), kind, None)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, BaseEstimator) and found.__module__ == module
