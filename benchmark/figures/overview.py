"""Overviews: recognizers by accuracy and cost, validation beside test, predicted emotions, weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.figures.style import INK, MARKERS, MUTED, PALETTE, panels, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class DistributionDisplay:
    """Number of faces of every emotion: how many there are, and how many each recognizer takes for it.

    The table has the emotions as rows and a column a bar, ``true`` the first of them.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (8.6, 3.8)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        # Recognizers have the colours of the other figures, in the order of the ranking.
        truth = [INK] if "true" in self.table else []
        colours = [*truth, *np.resize(PALETTE, len(self.table.columns) - len(truth))]
        self.table.plot.bar(ax=ax, color=colours, width=0.82, rot=0)
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
        for colour, (name, row) in zip(np.resize(PALETTE, len(table)), table.iterrows(), strict=True):
            ax.vlines(row["ms_per_face"], row["low"], row["high"], color=colour)
            ax.scatter(row["ms_per_face"], row["accuracy"], s=20 + 12 * row["artifact_mb"], color=colour, alpha=0.45)
            ax.scatter(row["ms_per_face"], row["accuracy"], s=9, color=colour)
            text = f"{name}, {row['artifact_mb']:.1f} MB"
            beside = (6 + 2 * row["artifact_mb"] ** 0.5, -4)  # below the line of the front
            ax.annotate(text, (row["ms_per_face"], row["accuracy"]), beside, textcoords="offset points", va="top")
        tidy(ax, title=self.title, xlabel="ms per face, batches of 64", ylabel="accuracy [95% interval]", xscale="log")
        ax.set_xlim(table["ms_per_face"].min() / 2, table["ms_per_face"].max() * 6)
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.minorticks_off()
        ax.grid(axis="y", color=MUTED, alpha=0.25)
        ax.legend(frameon=False, fontsize=9, loc="lower right")
        return ax


@dataclass(frozen=True)
class ValidationTestDisplay:
    """Macro-F1 on the split that ranks beside the one that is reported, whose interval is drawn.

    The table has the index recognizer and the columns validation, test, low and high.
    """

    table: pd.DataFrame
    title: str

    @property
    def size(self) -> tuple[float, float]:
        """Inches, by the number of recognizers."""
        return 7.4, 1.4 + 0.36 * len(self.table)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        places = np.arange(len(self.table))
        ax.hlines(places, self.table["low"], self.table["high"], color=PALETTE[0], linewidth=2, label="95% interval")
        ax.plot(self.table["test"], places, "o", color=PALETTE[0], label="test")
        ax.plot(self.table["validation"], places, "D", color=PALETTE[5], markerfacecolor="none", label="validation")
        ax.set_yticks(places, list(self.table.index))
        ax.invert_yaxis()
        tidy(ax, title=self.title, xlabel="macro-F1")
        ax.grid(axis="x", color=MUTED, alpha=0.25)
        ax.legend(frameon=False, fontsize=9)
        return ax


@dataclass(frozen=True)
class EnsembleWeightsDisplay:
    """Weight of every member in each ensemble.

    The table has the index levels ensemble and member and the column weight.
    """

    table: pd.DataFrame
    title: str

    @property
    def size(self) -> tuple[float, float]:
        """Inches, by the number of weights."""
        return 7.4, 1.2 + 0.32 * len(self.table)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        ensembles = list(self.table.index.unique(level="ensemble"))
        place = np.array([ensembles.index(name) for name in self.table.index.get_level_values("ensemble")])
        heights = np.arange(len(self.table)) + 0.5 * place
        ax.barh(heights, self.table["weight"], color=np.array(PALETTE)[place], height=0.75)
        for height, weight in zip(heights, self.table["weight"], strict=True):
            ax.annotate(f"{weight:.2f}", (weight, height), (4, 0), textcoords="offset points", va="center")
        ax.set_yticks(heights, [f"{ensemble}: {member}" for ensemble, member in self.table.index])
        ax.invert_yaxis()
        tidy(ax, title=self.title, xlabel="weight", xlim=(0, 1.15 * self.table["weight"].max() + 0.1))
        return ax


@dataclass(frozen=True)
class ClassWeightDisplay:
    """Recall of the weak classes under each scheme of class weights, with intervals: a panel an emotion.

    The table has the index levels recognizer, class_weight and metric and the columns estimate, low and high.
    """

    table: pd.DataFrame
    title: str

    @property
    def size(self) -> tuple[float, float]:
        """Inches, by the number of recognizers."""
        return 8.6, 1.5 + 0.5 * self.table.index.unique(level="recognizer").size

    def plot(self, ax: Axes) -> Axes:
        """Draw the panels in the place of `ax`."""
        figure = ax.figure
        metrics = [name for name in self.table.index.unique(level="metric") if name.startswith("recall_")]
        names = list(self.table.index.unique(level="recognizer"))
        schemes = list(self.table.index.unique(level="class_weight"))
        (row,) = panels(ax, 1, len(metrics), sharey=True)
        for panel, metric in zip(row, metrics, strict=True):
            for place, scheme in enumerate(schemes):
                found = self.table.xs((scheme, metric), level=("class_weight", "metric"))
                apart = 0.22 * (place - (len(schemes) - 1) / 2)
                heights = np.array([names.index(name) + apart for name in found.index])
                colour = PALETTE[place]
                panel.hlines(heights, found["low"], found["high"], color=colour, linewidth=1.5)
                panel.plot(found["estimate"], heights, MARKERS[place], color=colour, label=scheme, markersize=5)
            tidy(panel, title=metric.removeprefix("recall_"), xlabel="recall [95% interval]", xlim=(0, 1))
            panel.grid(axis="x", color=MUTED, alpha=0.25)
        row[0].set_yticks(range(len(names)), names)
        row[0].invert_yaxis()
        row[-1].legend(frameon=False, fontsize=9, title="class weights")
        figure.suptitle(self.title, fontsize=11)
        return ax
