"""Style of all figures: colours, panels, and drawing a display into a PNG or SVG."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart with every kind of colour vision, and two dark colours of Tol's.
PALETTE = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999", "#f0e442"),
    *("#882255", "#332288"),
)
# Shapes repeat what colours say, for print without colour; one more than colours, so that no pair comes back soon.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "d")
MUTED = "#808080"
DOTS_PER_INCH = 144
INK = "#000000"


class Display(Protocol):
    """A figure that can be drawn: its table, and how to draw it.

    Attributes
    ----------
    table : DataFrame
        All that is drawn; written beside the figure as CSV.
    title : str
    size : tuple of float
        Width and height in inches.
    """

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> tuple[float, float]: ...  # noqa: D102

    def plot(self, ax: Axes) -> Axes:
        """Draw into `ax`, or several panels into its place."""
        ...


def panels(ax: Axes, rows: int, columns: int, **options: Any) -> Any:
    """Return a grid of axes, shape (rows, columns), in the place of `ax`."""
    figure = ax.figure
    ax.remove()
    return figure.subplots(rows, columns, squeeze=False, **options)


def tidy(ax: Axes, **labels: Any) -> None:
    """Set labels and limits; take off the frame that says nothing."""
    ax.set(**labels)
    ax.spines[["top", "right"]].set_visible(False)


def save_figure(display: Display, path: Path) -> None:
    """Draw `display` into the PNG file `path`, the same bytes for the same table.

    The background is opaque, so that the figure reads on a dark page too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _drawn(display).savefig(path, format="png", metadata={"Software": None})


def to_svg(display: Display) -> str:
    """Return `display` as an SVG element for a page: no background, and ink in the colour of the page's text."""
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": display.title, "path.simplify_threshold": 0.5}):
        _drawn(display).savefig(file, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator")))
    text = file.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _drawn(display: Display) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=display.size, layout="constrained", dpi=DOTS_PER_INCH)
    display.plot(figure.subplots())
    # Titles name data, whose names may hold dollar signs; the ticks of logarithmic axes are formulas.
    for title in (*figure.texts, *(ax.title for ax in figure.axes)):
        title.set_parse_math(False)
    return figure
