"""A video's emotions over time: a figure, and the seconds of each emotion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.files.streams import one_line
from models.inference.prediction import NO_FACE, UNCERTAIN, Prediction
from models.labels import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# One for each emotion: Okabe and Ito's, without yellow, and grey for Neutral.
CURVES = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#0072b2", "#56b4e9", "#777777")
MOST_PEOPLE = 6


def seconds_by_person(predictions: Sequence[Prediction]) -> pd.DataFrame:
    """Return for how many seconds each person showed each emotion, the likeliest one of the first model.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of all frames of a video, in their order. A frame stands for the time until the next one.

    Returns
    -------
    DataFrame
        A row a person, a column an emotion, and one for ``uncertain`` where that is an answer.
    """
    times = _times(predictions)
    steps = dict(zip(times, np.diff(times, append=times[-1:] + _step(times)), strict=True))
    table = pd.DataFrame(0.0, index=pd.Index([], name="person", dtype=int), columns=[*EMOTIONS, UNCERTAIN])
    for prediction in predictions:
        if prediction.person and prediction.photo.seconds is not None:
            if prediction.person not in table.index:
                table.loc[prediction.person] = 0.0
            table.loc[prediction.person, prediction.emotion] += steps[prediction.photo.seconds]
    return table if table[UNCERTAIN].any() else table.drop(columns=UNCERTAIN)


def plot_timeline(predictions: Sequence[Prediction]) -> Figure:
    """Return a figure of a video: a panel a person, a curve an emotion, of the first model.

    The six people who are seen longest have a panel. A curve is broken where its person is not seen.

    Parameters
    ----------
    predictions : sequence of Prediction
        Of all frames of a video, in their order.
    """
    from matplotlib.figure import Figure

    frames = pd.Series([each.person for each in predictions], dtype="Int64").value_counts()
    people = sorted(frames.index[:MOST_PEOPLE])
    figure = Figure(figsize=(9, 1.2 + 1.9 * max(1, len(people))), layout="constrained", dpi=120)
    panels = figure.subplots(max(1, len(people)), 1, sharex=True, squeeze=False)[:, 0]
    times = _times(predictions)
    for panel, person in zip(panels, people, strict=False):
        own = [each for each in predictions if each.person == person]
        seconds, values = _broken(own, 1.5 * _step(times))
        for label, colour, curve in zip(EMOTIONS, CURVES, values.T, strict=True):
            panel.plot(seconds, curve, color=colour, lw=1.6, label=label, marker="." if len(own) < 60 else None)
        panel.set(ylim=(0, 1), ylabel=f"person {person}")
        panel.spines[["top", "right"]].set_visible(False)
    left_out = f", {len(frames) - len(people)} more people" if len(frames) > len(people) else ""
    name = one_line(Path(predictions[0].photo.file).name)
    figure.suptitle(f"{name}{left_out if people else f': {NO_FACE}'}", fontsize=10, parse_math=False)
    if people:
        figure.legend(
            *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False, fontsize=8
        )
        panels[-1].set(xlabel="seconds", xlim=(times[0], max(times[-1], times[0] + 1e-3)))
    else:
        panels[0].axis("off")
    return figure


def _times(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    return np.unique([each.photo.seconds for each in predictions if each.photo.seconds is not None])


def _step(times: NDArray[np.float64]) -> float:
    """Return the usual time between two frames."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def _broken(own: Sequence[Prediction], longest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the times and probabilities of a person, with NaN between two that are farther apart than `longest`."""
    seconds = np.array([each.photo.seconds for each in own], dtype=float)
    values = np.array([each.first_probabilities for each in own], dtype=float)
    gaps = np.flatnonzero(np.diff(seconds) > longest) + 1
    return np.insert(seconds, gaps, np.nan), np.insert(values, gaps, np.nan, axis=0)
