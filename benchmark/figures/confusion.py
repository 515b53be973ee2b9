"""Heat maps: confusion matrices, alone and side by side, and the recall of every emotion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.figures.style import panels
from benchmark.runs.metrics import shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CONFUSION_COLUMNS = 3


@dataclass(frozen=True)
class ConfusionDisplay:
    """Confusion matrix, counts with true emotions as rows; the colour is the share of the row."""

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (5.6, 4.8)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        _heat_map(shares(self.table), ax, cbar_kws={"label": "share of the true emotion", "shrink": 0.8})
        ax.set(title=self.title, xlabel="predicted", ylabel="true")
        return ax


@dataclass(frozen=True)
class ConfusionGridDisplay:
    """Confusion matrices of several recognizers on one scale.

    The table has the index levels recognizer and true, and counts in a column an emotion.
    """

    table: pd.DataFrame
    title: str

    @property
    def names(self) -> list[str]:
        """Recognizers, in the order of the table."""
        return list(self.table.index.unique(level="recognizer"))

    @property
    def size(self) -> tuple[float, float]:
        """Inches, by the number of recognizers."""
        return 12.0, 0.5 + 4.1 * -(-len(self.names) // CONFUSION_COLUMNS)

    def plot(self, ax: Axes) -> Axes:
        """Draw the matrices in the place of `ax`."""
        figure = ax.figure
        grid = panels(ax, -(-len(self.names) // CONFUSION_COLUMNS), CONFUSION_COLUMNS)
        for panel, name in zip(grid.flat, self.names, strict=False):
            _heat_map(shares(self.table.loc[name]), panel, cbar=False)
            panel.set(title=name, xlabel="predicted", ylabel="true")
            panel.label_outer(remove_inner_ticks=False)
        for empty in grid.flat[len(self.names) :]:
            empty.axis("off")
        figure.suptitle(f"{self.title}\nshare of the true emotion, colours from 0 to 1 in all", fontsize=12)
        return ax


@dataclass(frozen=True)
class RecallDisplay:
    """Recall of every emotion by every recognizer, with its interval.

    The table has the index levels recognizer and emotion and the columns estimate, low and high.
    """

    table: pd.DataFrame
    title: str

    @property
    def size(self) -> tuple[float, float]:
        """Inches, by the number of recognizers."""
        return 8.6, 1.5 + 0.55 * self.table.index.unique(level="recognizer").size

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        wide = {column: self.table[column].unstack("emotion", sort=False) for column in ("estimate", "low", "high")}
        texts = np.vectorize(lambda estimate, low, high: f"{estimate:.2f}\n[{low:.2f}, {high:.2f}]")(
            *(table.to_numpy() for table in wide.values())
        )
        cells = {"annot": texts, "fmt": "", "square": False}
        _heat_map(wide["estimate"], ax, cbar_kws={"label": "recall [95% interval]"}, **cells)
        ax.set(title=self.title, xlabel="", ylabel="")
        ax.tick_params(axis="x", rotation=0)
        return ax


def _heat_map(table: pd.DataFrame, ax: Axes, **options: Any) -> None:
    import seaborn as sns

    defaults = {
        "annot": True, "fmt": ".2f", "vmin": 0, "vmax": 1, "cmap": "Blues", "square": True, "annot_kws": {"size": 9},
    }  # fmt: skip
    sns.heatmap(table, ax=ax, **{**defaults, **options})
    ax.tick_params(axis="x", rotation=45)
    ax.tick_params(axis="y", rotation=0)
