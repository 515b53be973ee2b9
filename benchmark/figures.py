"""Figures. Each holds the table it draws; drawing computes no metric, and computing imports no matplotlib."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart with every kind of colour vision.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442")


@dataclass(frozen=True)
class ConfusionDisplay:
    """Confusion matrix, counts with true emotions as rows; the colour is the share of the row."""

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (5.6, 4.8)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        import seaborn as sns

        shares = self.table.div(self.table.sum(axis=1).clip(lower=1), axis=0)
        sns.heatmap(
            shares, ax=ax, annot=True, fmt=".2f", vmin=0, vmax=1, cmap="Blues", square=True,
            annot_kws={"size": 8}, cbar_kws={"label": "share of the true emotion", "shrink": 0.8},
        )  # fmt: skip
        ax.set(title=self.title, xlabel="predicted", ylabel="true")
        ax.tick_params(axis="x", rotation=45)
        ax.tick_params(axis="y", rotation=0)
        return ax


@dataclass(frozen=True)
class RecallDisplay:
    """Recall of every emotion (columns) by every recognizer (rows)."""

    table: pd.DataFrame
    title: str

    @property
    def size(self) -> tuple[float, float]:
        """Inches, by the number of recognizers."""
        return 6.8, 1.9 + 0.45 * len(self.table)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        import seaborn as sns

        sns.heatmap(
            self.table, ax=ax, annot=True, fmt=".2f", vmin=0, vmax=1, cmap="Blues", cbar_kws={"label": "recall"}
        )
        ax.set(title=self.title, xlabel="", ylabel="")
        ax.tick_params(axis="x", rotation=30)
        ax.tick_params(axis="y", rotation=0)
        return ax


@dataclass(frozen=True)
class TrainingDisplay:
    """Loss and accuracy of every epoch, on training and validation; the kept epoch is marked.

    The table has the index epoch and the columns loss, accuracy, val_loss and val_accuracy.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (8.0, 3.4)

    def plot(self, ax: Axes) -> Axes:
        """Draw the two panels in the place of `ax`."""
        figure = ax.figure
        ax.remove()
        panels: Any = figure.subplots(1, 2)
        kept = self.table["val_accuracy"].idxmax()
        for panel, metric in zip(panels, ("loss", "accuracy"), strict=True):
            for column, label, colour, dash in (
                (metric, "training", PALETTE[0], "--"),
                (f"val_{metric}", "validation", PALETTE[1], "-"),
            ):
                panel.plot(self.table.index, self.table[column], dash, color=colour, label=label)
            panel.axvline(kept, color="#666666", linewidth=1, linestyle=":", label=f"kept: epoch {kept}")
            panel.set(xlabel="epoch", ylabel=metric)
            panel.spines[["top", "right"]].set_visible(False)
        panels[1].legend(frameon=False, fontsize=8)
        figure.suptitle(self.title, fontsize=11)
        return ax


@dataclass(frozen=True)
class DistributionDisplay:
    """Number of faces of every emotion (rows): one group of bars an emotion, one colour a column."""

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (8.6, 3.8)

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`."""
        colours = [
            "#333333" if name == "true" else PALETTE[place % len(PALETTE)] for place, name in enumerate(self.table)
        ]
        self.table.plot.bar(ax=ax, color=colours, width=0.82, rot=0)
        ax.set(title=self.title, xlabel="", ylabel="faces")
        ax.legend(frameon=False, fontsize=8, ncols=2)
        ax.spines[["top", "right"]].set_visible(False)
        return ax


@dataclass(frozen=True)
class PrecisionRecallDisplay:
    """Precision against recall of the weak classes, a panel each, a line a recognizer.

    The table has the index levels recognizer and emotion and the columns recall and precision.
    """

    table: pd.DataFrame
    title: str
    size: tuple[float, float] = (8.6, 4.0)

    def plot(self, ax: Axes) -> Axes:
        """Draw the panels in the place of `ax`."""
        figure = ax.figure
        ax.remove()
        emotions = self.table.index.unique(level="emotion")
        panels: Any = figure.subplots(1, len(emotions), sharey=True, squeeze=False)
        for panel, emotion in zip(panels[0], emotions, strict=True):
            curves = self.table.xs(emotion, level="emotion")
            for place, name in enumerate(curves.index.unique()):
                curve = curves.loc[[name]]
                colour = PALETTE[place % len(PALETTE)]
                # Steps, since between two thresholds there is nothing.
                panel.plot(curve["recall"], curve["precision"], color=colour, label=name, drawstyle="steps-post")
            panel.set(title=emotion, xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
            panel.spines[["top", "right"]].set_visible(False)
        panels[0, 0].set_ylabel("precision")
        panels[0, -1].legend(frameon=False, fontsize=8)
        figure.suptitle(self.title, fontsize=11)
        return ax


def save_figure(display: Any, path: Path) -> None:
    """Draw `display` into the PNG file `path`, the same bytes for the same table."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=display.size, layout="constrained", dpi=144)
    display.plot(figure.subplots())
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", metadata={"Software": None})
