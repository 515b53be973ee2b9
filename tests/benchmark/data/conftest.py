"""A small table in FER2013's layout, and its forms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from benchmark.data import USAGES, Dataset, Split


class Table(NamedTuple):
    """The columns of a FER2013 CSV."""

    emotion: list[int]
    pixels: list[str]
    usage: list[str]

    def csv(self) -> str:
        return "emotion,pixels,Usage\n" + "".join(f"{e},{p},{u}\n" for e, p, u in zip(*self, strict=True))

    def icml_csv(self) -> str:
        return "emotion, Usage, pixels\n" + "".join(f"{e}, {u},{p}\n" for e, p, u in zip(*self, strict=True))

    def dataset(self) -> Dataset:
        X = np.array([row.split() for row in self.pixels]).astype(np.uint8)
        y, usage = np.array(self.emotion), np.array(self.usage)
        return Dataset("", {name: Split(X[usage == name], y[usage == name]) for name in USAGES})


@pytest.fixture
def table() -> Table:
    """70 rows: 5 Training, 3 PublicTest and 2 PrivateTest faces of each emotion, interleaved."""
    rng = np.random.default_rng(0)
    emotion = np.tile(np.arange(7), 10)
    usage: Sequence[str] = np.repeat([USAGES[i] for i in (0, 1, 0, 2, 0, 1, 0, 2, 0, 1)], 7).tolist()
    faces = rng.integers(0, 256, (70, 2304))
    faces[:, :4] = [0, 255, 9, 10]
    return Table(emotion.tolist(), [" ".join(map(str, face)) for face in faces.tolist()], list(usage))


@pytest.fixture
def csv_path(table: Table, tmp_path: Path) -> Path:
    path = tmp_path / "fer2013.csv"
    path.write_text(table.csv())
    return path


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test alone; the environment variable FER2013 is not set."""
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FER2013", raising=False)
    return tmp_path / "cache"
