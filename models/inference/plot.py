"""Figures of predictions: the picture with a box around every face, and a bar chart for each face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.files.streams import one_line
from models.inference.annotate import COLOURS
from models.inference.prediction import NO_FACE, Prediction
from models.labels import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_FACES = 8


def plot_photo(predictions: Sequence[Prediction]) -> Figure:
    """Return a figure of one picture, whose image was kept, with the faces found in it.

    The first eight faces get a bar chart each, with the bars of several models side by side.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    shown = [prediction for prediction in predictions if prediction.probabilities][:MOST_FACES]
    figure = Figure(figsize=(9, max(3.6, 2.3 * len(shown))), layout="constrained", dpi=120)
    halves: Any = figure.subfigures(1, 2, width_ratios=(1.2, 1))
    left, right = halves
    picture = left.subplots()
    photo = predictions[0].photo
    picture.imshow(photo.image, cmap="gray", vmin=0, vmax=255)
    picture.axis("off")
    name = one_line(Path(photo.file).name)
    # A dollar sign in a name begins no formula.
    picture.set_title(f"{name}{'' if shown else f': {NO_FACE}'}", fontsize=10, parse_math=False)
    charts = right.subplots(max(1, len(shown)), 1, squeeze=False)[:, 0]
    if not shown:
        charts[0].axis("off")
    for number, (prediction, chart) in enumerate(zip(shown, charts, strict=False)):
        colour = COLOURS[number % len(COLOURS)]
        assert prediction.probabilities
        label = f"{number + 1} {prediction.emotion}" if len(shown) > 1 else prediction.emotion
        if prediction.face:
            box = prediction.face
            picture.add_patch(Rectangle((box.left, box.top), box.width, box.height, fill=False, ec=colour, lw=2))
            words = {"color": "white", "fontsize": 9, "va": "bottom", "bbox": {"color": colour, "pad": 2}}
            picture.text(box.left, box.top, label, **words)
        height = 0.8 / len(prediction.probabilities)
        for place, (name, values) in enumerate(prediction.probabilities.items()):
            at = np.arange(len(EMOTIONS)) + (place - (len(prediction.probabilities) - 1) / 2) * height
            bars = chart.barh(at, values, height, color=colour, alpha=1 / (1 + 0.6 * place), label=name)
            chart.bar_label(bars, [f"{value:.2f}" for value in values], padding=2, fontsize=7)
        chart.set_yticks(range(len(EMOTIONS)), EMOTIONS, fontsize=8)
        chart.set(xlim=(0, 1.12), title=label)
        chart.invert_yaxis()
        chart.spines[["top", "right"]].set_visible(False)
        chart.tick_params(axis="x", labelsize=7)
        if len(prediction.probabilities) > 1:
            chart.legend(fontsize=7, frameon=False)
    charts[-1].set_xlabel("probability", fontsize=8)
    return figure
