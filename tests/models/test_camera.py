"""A camera from end to end, with an OpenCV that has a drawn camera and a window."""

import json
import types

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from models.predict import main

MODEL = ["--model", "results/fer2013/kaggle/models/majority.joblib"]


class OpenCV(types.ModuleType):
    CAP_PROP_BUFFERSIZE, WND_PROP_VISIBLE = 38, 4
    error = type("error", (Exception,), {})

    def __init__(self, n_frames=3, keys=(), then=None, has_windows=True):
        super().__init__("cv2")
        self.n_frames, self.keys, self.then, self.has_windows = n_frames, list(keys), then, has_windows
        self.shown, self.open = [], 0

    def VideoCapture(self, number):
        self.open, self.number = self.open + 1, number
        return self

    def set(self, *setting):
        assert setting == (self.CAP_PROP_BUFFERSIZE, 1)

    def read(self):
        if not self.n_frames:
            if self.then:
                raise self.then
            return False, None
        self.n_frames -= 1
        drawn = Image.fromarray(draw_face("Happy", np.random.default_rng(0), clean=True))
        face = np.asarray(drawn.resize((200, 180)))
        return True, np.stack([face, face, 0 * face], axis=2)  # blue, green, red

    def release(self):
        self.open -= 1

    def imshow(self, title, image):
        if not self.has_windows:
            raise self.error("not implemented")
        self.shown.append(image)

    def waitKey(self, milliseconds):
        return self.keys.pop(0) if self.keys else -1

    def getWindowProperty(self, title, which):
        return 1.0

    def destroyAllWindows(self):
        self.shown.append("closed")


@pytest.fixture
def camera(monkeypatch):
    def install(**options):
        opencv = OpenCV(**options)
        monkeypatch.setitem(__import__("sys").modules, "cv2", opencv)
        monkeypatch.setenv("DISPLAY", ":0")
        return opencv

    return install


def test_rows_as_they_come_until_the_user_ends(camera, capsys):
    opencv = camera(n_frames=3, then=KeyboardInterrupt)
    assert main(["--camera", "1", *MODEL, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["frame"] for row in rows] == [0, 1, 2]
    assert {row["person"] for row in rows} == {1}
    assert {row["file"] for row in rows} == {"camera 1"}
    assert np.diff([row["time"] for row in rows]).min() > 0
    assert (opencv.open, opencv.number) == (0, 1)
    assert len(opencv.shown) == 4
    assert opencv.shown[0][100, 100, 2] == 0, "blue, green, red"
    assert (opencv.shown[0] != opencv.shown[0][:, :, :1]).any()


def test_q_ends_it_and_the_table_is_whole(camera, tmp_path):
    camera(n_frames=5, keys=[-1, ord("q")])
    assert main(["--camera", *MODEL, "--smoothing", "0.5", "--csv", str(tmp_path / "out.csv")]) == 0
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["frame"].tolist() == [0, 1]
    assert table["smooth_Happy"].notna().all()


@pytest.mark.parametrize(
    ("n_frames", "reason"), [(0, "camera 0: gives no pictures: connect it"), (2, "gives no more pictures: was it")]
)
def test_a_camera_that_gives_nothing_is_an_error(camera, capsys, n_frames, reason):
    opencv = camera(n_frames=n_frames)
    assert main(["--camera", *MODEL]) == 1
    captured = capsys.readouterr()
    assert reason in captured.err
    assert len(captured.out.splitlines()) == n_frames
    assert opencv.open == 0


@pytest.mark.parametrize("has", [{"has_windows": False}, {}])
def test_without_windows_or_a_screen_it_prints_all_the_same(camera, monkeypatch, capsys, has):
    opencv = camera(n_frames=2, then=KeyboardInterrupt, **has)
    monkeypatch.delenv("DISPLAY" if not has else "NONE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert main(["--camera", *MODEL]) == 0
    assert "person 1" in capsys.readouterr().out
    assert not opencv.shown


def test_without_opencv_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    assert main(["--camera", *MODEL]) == 1
    assert "pip install 'fer-benchmark[camera]'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["a.png", "--camera"], ["--camera", "--plot", "out.png"]])
def test_it_is_a_camera_or_files(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([*arguments])
    assert "--camera" in capsys.readouterr().err
