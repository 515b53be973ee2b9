import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from benchmark import figures
from benchmark.analysis.findings import read_findings
from benchmark.figures.catalogue import displays
from benchmark.figures.style import to_svg
from benchmark.runs.record_store import Probabilities, Store

RIGHT, WRONG = [0, 1, 2, 3, 4, 5, 6], [1, 0, 0, 0, 0, 0, 0]


@pytest.fixture
def found(tmp_path, record):
    """Three recognizers: fast and bad, slow and good, slower and bad."""
    store = Store(tmp_path / "kaggle")
    y, sure = np.arange(7), np.eye(7, dtype=np.float32)
    for name, test, ms in (("fast", WRONG, 1.0), ("good", RIGHT, 2.0), ("slow", WRONG, 3.0)):
        cost = {"fit_seconds": 1.0, "ms_per_face": ms, "artifact_mb": 2.0, "peak_memory_mb": 1.0}
        probabilities = Probabilities(sure, sure[test] * 0.93 + 0.01, y, y)
        store.write(record(name, RIGHT, test, cost=cost), probabilities)
    return read_findings(store.root)


def test_the_front_holds_what_nothing_faster_reaches(found):
    table = displays(found)["figures/cost"].table
    assert table["front"].to_dict() == {"fast": True, "good": True, "slow": False}


def test_recall_has_a_row_a_recognizer_and_emotion(found):
    table = displays(found)["figures/recall"].table
    assert table.index.names == ["recognizer", "emotion"]
    assert table.loc[("good", "Fear"), "estimate"] == 1
    assert table.loc[("slow", "Fear"), "estimate"] == 0
    assert len(table) == 21


def test_the_training_curve_marks_the_epoch_that_was_kept(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    history = {name: [0.5, 0.7, 0.6] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    for name, params in (("stopped", {"patience": 1}), ("fixed", {"epochs": 3})):
        store.write(record(name, RIGHT, RIGHT, history=history, params=params), probabilities)
    drawn = displays(read_findings(store.root))
    assert drawn["figures/training_stopped_seed0"].kept == 2
    assert drawn["figures/training_fixed_seed0"].kept == 3


@pytest.mark.slow
def test_every_figure_is_drawn_the_same_twice_as_png_and_as_svg(found, tmp_path):
    drawn = displays(found)
    assert len(drawn) == 8
    for stem, display in drawn.items():
        once, again = tmp_path / "once.png", tmp_path / "again.png"
        figures.save_figure(display, once)
        figures.save_figure(display, again)
        assert once.read_bytes() == again.read_bytes(), stem
        svg = figures.to_svg(display)
        assert svg == figures.to_svg(display), stem
        root = ET.fromstring(svg)
        assert root.tag.endswith("svg")
        # Text stays text, and takes the colour of the page's.
        texts = [each.text for each in root.iter() if each.tag.endswith("text")]
        assert texts, stem
        assert "#000000" not in svg


def test_png_has_an_opaque_background_and_svg_none(found, tmp_path):
    from PIL import Image

    display = displays(found)["figures/cost"]
    figures.save_figure(display, tmp_path / "cost.png")
    with Image.open(tmp_path / "cost.png") as image:
        assert image.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
        assert image.size == tuple(int(144 * side) for side in display.size)
    background = figures.to_svg(display).partition('id="patch_1"')[2].partition("</g>")[0]
    assert "fill: none" in background


def test_names_of_recognizers_lie_on_nothing_else():
    from matplotlib.figure import Figure

    names = [f"soft_voting_number_{number}" for number in range(14)]
    table = pd.DataFrame({"ms_per_face": 20.0, "accuracy": 0.7, "low": 0.6, "high": 0.8}, index=names)
    display = figures.CostDisplay(table.assign(artifact_mb=8.0, front=True), "t")
    figure = Figure(figsize=display.size, layout="constrained")
    ax = display.plot(figure.subplots())
    figure.draw_without_rendering()
    _, *texts = ax.get_legend().get_texts()
    assert [text.get_text().partition(",")[0] for text in texts] == names
    boxes = [ax.get_window_extent(), *(text.get_window_extent() for text in texts)]
    assert not [1 for place, box in enumerate(boxes) for other in boxes[:place] if box.overlaps(other)]
    assert all(figure.bbox.containsx(box.x1) and figure.bbox.containsy(box.y0) for box in boxes)


def test_few_faces_are_no_dot_of_the_reliability():
    bins = pd.DataFrame(
        {"confidence": [0.3, 0.9], "accuracy": [1.0, 0.8], "faces": [1, 50]},
        index=pd.MultiIndex.from_tuples([("a", 4), ("a", 13)], names=["recognizer", "bin"]),
    )
    from matplotlib.figure import Figure

    figure = Figure()
    figures.ReliabilityDisplay(bins, "t").plot(figure.subplots())
    lines = {line.get_label(): line.get_xdata() for line in figure.axes[0].lines}
    assert list(lines["accuracy"]) == [0.9]


def test_computing_imports_no_matplotlib():
    code = (
        "import sys, benchmark.analysis.findings, benchmark.figures.catalogue\n"
        "heavy = {'matplotlib', 'seaborn', 'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Named:
    """A display of data whose name looks like a formula."""

    table, size = pd.DataFrame({"x": [1]}), (3, 2)
    title = "a$$b, $x_{$"

    def plot(self, ax):
        figure = ax.figure
        figure.suptitle(self.title)
        ax.set(title=self.title, xscale="log", xlim=(1, 100))
        return ax


def test_dollar_signs_in_the_name_of_data_are_no_formula():
    page = to_svg(Named())
    assert page.count("a$$b, $x_{$") >= 2
    assert ">$\\mathdefault" not in page, "the ticks of a logarithmic axis are"
