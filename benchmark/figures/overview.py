"""Overviews: faces of every emotion, and recognizers by accuracy and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.figures.style import MUTED, PALETTE, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = (150, 12)  # width and height of the name of a recognizer, in points


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
    size: tuple[float, float] = (7.4, 4.4)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        from matplotlib.ticker import LogLocator

        table = self.table
        front = table[table["front"]].sort_values("ms_per_face")
        ax.step(front["ms_per_face"], front["accuracy"], "--", where="post", color=MUTED, label="Pareto front")
        ax.set_xscale("log")
        ax.set_xlim(table["ms_per_face"].min() / 2, table["ms_per_face"].max() * 6)
        ax.set_ylim(table["low"].min() - 0.02, table["high"].max() + 0.02)
        points = ax.transData.transform(table[["ms_per_face", "accuracy"]]) * 72 / ax.figure.dpi
        lowered = _lowered(points)
        for number, (name, row) in enumerate(table.iterrows()):
            colour = PALETTE[number % len(PALETTE)]
            ax.vlines(row["ms_per_face"], row["low"], row["high"], color=colour)
            ax.scatter(row["ms_per_face"], row["accuracy"], s=20 + 12 * row["artifact_mb"], color=colour, alpha=0.45)
            ax.scatter(row["ms_per_face"], row["accuracy"], s=9, color=colour)
            text = f"{name}, {row['artifact_mb']:.1f} MB"
            beside = (6 + 2 * row["artifact_mb"] ** 0.5, -4 - lowered[number])  # below the line of the front
            line = (
                {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "relpos": (0, 0.5)} if lowered[number] else None
            )
            at = (row["ms_per_face"], row["accuracy"])
            ax.annotate(text, at, beside, textcoords="offset points", va="top", arrowprops=line)
        tidy(ax, title=self.title, xlabel="ms per face, batches of 64", ylabel="accuracy [95% interval]")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.grid(axis="y", color=MUTED, alpha=0.25)
        ax.legend(frameon=False, fontsize=9, loc="lower right")
        return ax


def _lowered(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return how far down to move the labels of points, shape (n, 2), so that none lies on another; in points."""
    heights = points[:, 1].copy()
    order = np.argsort(-heights, kind="stable")
    for place, label in enumerate(order):
        for other in sorted(order[:place], key=lambda above: -heights[above]):
            beside = abs(points[label, 0] - points[other, 0]) < LABEL[0]
            if beside and abs(heights[label] - heights[other]) < LABEL[1]:
                heights[label] = heights[other] - LABEL[1]
    return points[:, 1] - heights
