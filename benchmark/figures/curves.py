"""Curves: training, precision against recall, confidence against accuracy, accuracy against corruption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.figures.style import INK, MARKERS, MUTED, PALETTE, panels, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

RELIABILITY_COLUMNS = 4
ROBUSTNESS_COLUMNS = 3
FEWEST = 10


@dataclass(frozen=True)
class TrainingDisplay:
    """Loss and accuracy of every epoch, on training and validation; the kept epoch is marked.

    The table has the index epoch and the columns loss, accuracy, val_loss and val_accuracy.
    """

    table: pd.DataFrame
    title: str
    kept: int
    size: tuple[float, float] = (8.0, 3.4)

    def plot(self, ax: Axes) -> Axes:
        """Draw the two panels in the place of `ax`."""
        figure = ax.figure
        (both,) = panels(ax, 1, 2)
        for panel, metric in zip(both, ("loss", "accuracy"), strict=True):
            for column, label, colour, dash in (
                (metric, "training", PALETTE[0], "--"),
                (f"val_{metric}", "validation", PALETTE[1], "-"),
            ):
                panel.plot(self.table.index, self.table[column], dash, color=colour, label=label)
            panel.axvline(self.kept, color=MUTED, linewidth=1, linestyle=":", label=f"kept: epoch {self.kept}")
            tidy(panel, xlabel="epoch", ylabel=metric)
        both[1].legend(frameon=False, fontsize=9)
        figure.suptitle(self.title, fontsize=11)
        return ax


@dataclass(frozen=True)
class PrecisionRecallDisplay:
    """Precision against recall, a panel for each weak class, a line for each recognizer.

    The table has the index levels recognizer and emotion and the columns recall and precision.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (8.6, 4.8)

    def plot(self, ax: Axes) -> Axes:
        """Draw the panels in the place of `ax`."""
        figure = ax.figure
        emotions = self.table.index.unique(level="emotion")
        (row,) = panels(ax, 1, len(emotions), sharey=True)
        for panel, emotion in zip(row, emotions, strict=True):
            curves = self.table.xs(emotion, level="emotion")
            for place, name in enumerate(curves.index.unique()):
                curve = curves.loc[[name]]
                colour, dash = PALETTE[place % len(PALETTE)], ("-", "--", ":", "-.")[place // 2 % 4]
                # Steps, since between two thresholds there is nothing.
                panel.step(curve["recall"], curve["precision"], dash, where="post", color=colour, label=name)
            tidy(panel, title=emotion, xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        row[0].set_ylabel("precision")
        figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
        figure.suptitle(self.title, fontsize=11)
        return ax


@dataclass(frozen=True)
class ReliabilityDisplay:
    """Share of right answers by the probability of the answer, a panel a recognizer; the bars say where the faces are.

    The table has the index levels recognizer and bin and the columns confidence, accuracy and faces. Bins with fewer
    than `FEWEST` faces have no dot.
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
        return 10.0, 0.9 + 2.7 * -(-len(self.names) // RELIABILITY_COLUMNS)

    def plot(self, ax: Axes) -> Axes:
        """Draw the panels in the place of `ax`."""
        figure = ax.figure
        grid = panels(ax, -(-len(self.names) // RELIABILITY_COLUMNS), RELIABILITY_COLUMNS, sharex=True, sharey=True)
        for panel, name in zip(grid.flat, self.names, strict=False):
            bins = self.table.loc[name]
            share = bins["faces"] / bins["faces"].sum()
            panel.bar(bins["confidence"], share, width=0.05, color=PALETTE[4], label="share of faces")
            panel.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle="--", label="calibrated")
            sure = bins[bins["faces"] >= FEWEST]
            panel.plot(sure["confidence"], sure["accuracy"], "o-", color=INK, markersize=3, label="accuracy")
            tidy(panel, title=name, xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        for empty in grid.flat[len(self.names) :]:
            empty.axis("off")
        for panel in grid[:, 0]:
            panel.set_ylabel("share")
        for panel in grid.flat[max(0, len(self.names) - RELIABILITY_COLUMNS) : len(self.names)]:
            panel.set_xlabel("confidence")
            panel.tick_params(labelbottom=True)
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
        figure.suptitle(self.title, fontsize=11)
        return ax


@dataclass(frozen=True)
class RobustnessDisplay:
    """Accuracy on ever more corrupted test faces; augmented networks were trained on most kinds, as the table says.

    The table has the index levels recognizer, corruption and strength and the column accuracy.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (9.0, 8.0)

    def plot(self, ax: Axes) -> Axes:
        """Draw the panels in the place of `ax`."""
        figure = ax.figure
        kinds = self.table.index.unique(level="corruption")
        names = self.table.index.unique(level="recognizer")
        grid = panels(ax, -(-len(kinds) // ROBUSTNESS_COLUMNS), ROBUSTNESS_COLUMNS, sharex=True, sharey=True)
        for panel, kind in zip(grid.flat, kinds, strict=False):
            for place, name in enumerate(names):
                line = self.table.xs(name).xs(kind)["accuracy"]
                look = {"color": PALETTE[place % len(PALETTE)], "marker": MARKERS[place % len(MARKERS)]}
                panel.plot(line.index, line, markersize=4, label=name, **look)
            tidy(panel, title=kind, ylim=(0, None), xticks=range(4))
            panel.grid(axis="y", color=MUTED, alpha=0.25)
        for panel in grid[:, 0]:
            panel.set_ylabel("accuracy")
        for panel in grid[-1]:
            panel.set_xlabel("strength")
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
        figure.suptitle(self.title, fontsize=11)
        return ax
