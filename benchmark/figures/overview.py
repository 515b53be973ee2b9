"""Overviews: faces of every emotion, and recognizers by accuracy and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.figures.style import MARKERS, MUTED, PALETTE, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class DistributionDisplay:
    """Number of faces of every emotion in each split.

    The table has the emotions as rows and a column a split.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (8.6, 3.8)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        self.table.plot.bar(ax=ax, color=PALETTE[: len(self.table.columns)], width=0.82, rot=0)
        tidy(ax, title=self.title, xlabel="", ylabel="faces")
        ax.legend(frameon=False, fontsize=9, ncols=2)
        return ax


@dataclass(frozen=True)
class CostDisplay:
    """Test accuracy with its interval against prediction time; the area of a disc is the artifact's size.

    The table has the index recognizer and the columns ms_per_face, accuracy, low, high, artifact_mb and front: whether
    nothing faster is as accurate.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (9.2, 4.4)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        from matplotlib.ticker import LogLocator

        table = self.table
        front = table[table["front"]].sort_values("ms_per_face")
        ax.step(front["ms_per_face"], front["accuracy"], "--", where="post", color=MUTED, label="Pareto front")
        ax.set_xscale("log")
        ax.set_xlim(table["ms_per_face"].min() / 2, table["ms_per_face"].max() * 2)
        ax.set_ylim(table["low"].min() - 0.02, table["high"].max() + 0.02)
        for number, (name, row) in enumerate(table.iterrows()):
            colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
            at = (row["ms_per_face"], row["accuracy"])
            ax.vlines(row["ms_per_face"], row["low"], row["high"], color=colour)
            ax.scatter(*at, s=20 + 12 * row["artifact_mb"], color=colour, alpha=0.35, linewidth=0)
            text = f"{name}, {row['artifact_mb']:.1f} MB"
            ax.scatter(*at, s=44, color=colour, marker=marker, linewidth=0, label=text)
        tidy(ax, title=self.title, xlabel="ms per face, batches of 64", ylabel="accuracy [95% interval]")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.grid(axis="y", color=MUTED, alpha=0.25)
        ax.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))  # where no name lies on another
        return ax
