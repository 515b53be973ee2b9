"""The store of models from elsewhere: a results folder that is read together with the one beside it."""

from __future__ import annotations

from pathlib import Path

from benchmark.runs.record_store import EXTERNAL, Record, Store


def external_folder(root: Path) -> Path:
    """Return the folder of the models from elsewhere that stand beside the runs of a results folder."""
    return root.with_name(f"{root.name}-{EXTERNAL}")


def is_external(root: Path) -> bool:
    """Return whether a results folder is one of models from elsewhere."""
    return root.name.endswith(f"-{EXTERNAL}")


class ExternalStore(Store):
    """Records of models from elsewhere, read together with the runs of the folder beside it.

    ``results/fer2013/kaggle-external`` holds the first, ``results/fer2013/kaggle`` the others. Whatever predicts,
    combines or fits reads `Store`, so that no model from elsewhere gets there.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._beside = Store(root.with_name(root.name.removesuffix(f"-{EXTERNAL}")))

    def path(self, recognizer: str, seed: int) -> Path:
        """Return the path of a record, of a run in the folder beside this one too."""
        own, beside = super().path(recognizer, seed), self._beside.path(recognizer, seed)
        return beside if beside.exists() and not own.exists() else own

    def records(self) -> list[Record]:
        """Return every record of both folders."""
        return super().records() + self._beside.records()


def open_store(root: Path) -> Store:
    """Return the store of a results folder."""
    return ExternalStore(root) if is_external(root) else Store(root)
