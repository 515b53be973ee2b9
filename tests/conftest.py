"""What all tests share: cores and a cache of their own, synthetic faces, a browser, a skip without FER2013."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.without_figures import undraw

if TYPE_CHECKING:
    from benchmark.data import Dataset

if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "sched_setaffinity"):
    # Each process of tests has cores of its own: with more threads than cores, libraries wait for one another. Before
    # any of them is imported, which is why nothing of the project is at the top of this file.
    _place, _places = int(os.environ["PYTEST_XDIST_WORKER"][2:]), int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[_place::_places] or os.sched_getaffinity(0))

hypothesis.settings.register_profile("default", max_examples=25, deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("long", max_examples=1500, deadline=None, database=None)
hypothesis.settings.load_profile("default")


@pytest.fixture(autouse=True, scope="session")
def _tensorflow_is_not_imported_by_a_test_file() -> None:
    # Imported before this project sets its variables, it takes other kernels on some processors.
    assert "tensorflow" not in sys.modules, "a test file imports TensorFlow: import it inside a test"


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FER_BENCHMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def faces() -> Dataset:
    """Synthetic faces: 480 Training, 60 PublicTest, 60 PrivateTest."""
    from benchmark.data.synthetic import synthetic_dataset

    return synthetic_dataset(600)


@pytest.fixture(params=["float32", "mixed_bfloat16"])
def precision(request: pytest.FixtureRequest) -> str:
    """Each that networks train in; for small ones, since bfloat16 takes ten times as long where it is emulated."""
    from models.networks.cpu import has_bfloat16

    if request.param == "mixed_bfloat16" and os.environ.get("ONEDNN_MAX_CPU_ISA") and not has_bfloat16():
        pytest.skip("ONEDNN_MAX_CPU_ISA keeps oneDNN from bfloat16 numbers, which TensorFlow leaves to it all the same")
    return request.param


@pytest.fixture(autouse=True)
def _undrawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    looks_at = request.node.get_closest_marker("drawn")
    if looks_at is None or looks_at.args:
        undraw(monkeypatch, but=looks_at.args if looks_at else ())


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium with a camera that shows two drawn faces, which move."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("needs Chromium on the PATH, e.g. Debian's package chromium")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        arguments += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        arguments += [f"--use-file-for-fake-video-capture={_two_faces(tmp_path_factory.mktemp('camera'))}"]
        chromium = started.chromium.launch(executable_path=path, args=arguments)
        yield chromium
        chromium.close()


def _two_faces(folder: Path) -> Path:
    """Write two seconds of what the browser's camera shows, again and again."""
    import numpy as np
    from PIL import Image

    from benchmark.data.synthetic import draw_face

    faces = [draw_face(emotion, np.random.default_rng(0), clean=True) for emotion in ("Happy", "Surprise")]
    with (folder / "faces.mjpeg").open("wb") as file:
        for shift in 20 * np.sin(np.linspace(0, 2 * np.pi, 40, endpoint=False)):
            frame = Image.new("RGB", (640, 480), "teal")
            for left, face in zip((60, 380), faces, strict=True):
                large = Image.fromarray(face).resize((200, 200), Image.Resampling.BICUBIC)
                frame.paste(large, (round(left + shift), 140))
            frame.save(file, "JPEG")
    return folder / "faces.mjpeg"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist, which reads the groups in this hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # A file's tests to one process, and to one all that need the study which takes longest.
        needs_all = "done" in getattr(item, "fixturenames", ())
        group = "done" if needs_all else item.path.name
        if needs_all:
            item.add_marker(pytest.mark.slow)
        item.add_marker(pytest.mark.xdist_group(group))
    if not os.environ.get("FER2013"):
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason="set FER2013 to the path of the real data"))
