import numpy as np
import pandas as pd
import pytest

from benchmark.data import DataError, Split
from benchmark.data.scenes import CONDITIONS, photographs
from benchmark.data.scenes import make_scene as really_make_scene
from benchmark.scenes import is_face_of, main, score_framings, score_scenes
from models.inference.crop import Face
from models.inference.read_image import read_photo


class Edge:
    """Takes a face for Happy where the crop shows what was put there and no more: a white rim on black."""

    classes_ = np.arange(7)

    def predict_proba(self, X):
        images = X.reshape(-1, 48, 48)
        rim = np.stack([images[:, 2, 24], images[:, -3, 24], images[:, 24, 2], images[:, 24, -3]])
        return np.eye(7)[np.where((rim.min(axis=0) > 150) & (images[:, 12:-12, 12:-12].max(axis=(1, 2)) < 60), 3, 0)]


class Knows:
    """Finds the faces of the scenes that are made; its boxes are 0.8 as wide, their middle a tenth of that too low."""

    framings = ((1.25, -0.1),)

    def __init__(self, finds=lambda scene: True):
        self.scenes = []
        self.finds = finds

    def detect(self, photo):
        (scene,) = [each for each in self.scenes if np.array_equal(read_photo(each.photo), photo)]
        width = 0.8 * scene.side
        wrong = Face(scene.x + scene.side, scene.y, width, width, 1.0)
        right = Face(scene.x - width / 2, scene.y - width / 2 + 0.1 * width, width, width, 0.9)
        return [wrong, right] if self.finds(scene) else [wrong]


@pytest.fixture
def detector(monkeypatch):
    found = Knows()

    def make_scene(*args):
        scene = really_make_scene(*args)
        found.scenes[:] = [scene]
        return scene

    monkeypatch.setattr("benchmark.scenes.make_scene", make_scene)
    return found


@pytest.fixture
def happy():
    images = np.full((6, 48, 48), 255, np.uint8)
    images[:, 5:-5, 5:-5] = 0
    return Split(images.reshape(6, -1), np.full(6, 3))


def test_photographs_are_all_of_one_shape():
    assert {photo.shape for photo in photographs()} == {(480, 640, 3)}
    assert len(photographs()) >= 3


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_scene_holds_the_face_where_it_says(name, faces):
    face = faces["PublicTest"].X[0].reshape(48, 48)
    one, same = (really_make_scene(face, CONDITIONS[name], np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one.photo, same.photo)
    height, width, _ = one.photo.shape
    assert 0 < one.x < width and 0 < one.y < height
    if name == "plain" or name.endswith("pixels"):
        left, top, side = (round(value) for value in (one.x - one.side / 2, one.y - one.side / 2, one.side))
        if left >= 0 and top >= 0:
            inside = read_photo(one.photo)[top : top + side, left : left + side]
            assert inside.mean() == pytest.approx(face.mean(), abs=4)


def test_faces_have_many_sizes_and_small_ones_small_photographs():
    face, generator = np.zeros((48, 48), np.uint8), np.random.default_rng(0)
    sides = [really_make_scene(face, CONDITIONS["plain"], generator).side for _ in range(30)]
    assert 64 <= min(sides) < 90 and 180 < max(sides) <= 240
    assert really_make_scene(face, CONDITIONS["24 pixels"], generator).photo.shape == (180, 240, 3)


def test_a_box_is_of_the_face_by_its_place_and_its_width():
    scene = really_make_scene(np.zeros((48, 48), np.uint8), CONDITIONS["48 pixels"], np.random.default_rng(0))
    assert is_face_of(scene, Face(scene.x - 20, scene.y - 20, 40, 40, 1.0))
    assert not is_face_of(scene, Face(scene.x - 60, scene.y - 60, 120, 120, 1.0))
    assert not is_face_of(scene, Face(scene.x, scene.y, 40, 40, 1.0))


def test_all_is_right_where_crops_are_the_faces(detector, happy, monkeypatch):
    monkeypatch.setattr("benchmark.scenes.CONDITIONS", {"plain": CONDITIONS["plain"]})
    table = score_scenes({"edge": Edge()}, happy, detector)
    assert table.loc["plain"].to_dict() == {
        "faces": 6,
        "found": 1,
        "edge_face": 1,
        "edge_scene": 1,
        "edge_scene_ece": 0,
    }
    detector.framings = ((1.5, 0.2),)
    assert score_scenes({"edge": Edge()}, happy, detector).loc["plain", "edge_scene"] == 0
    detector.finds = lambda scene: False
    assert score_scenes({"edge": Edge()}, happy, detector).loc["plain"].to_dict() == {"faces": 6, "found": 0}


def test_the_best_framing_is_the_one_that_undoes_what_the_detector_does(detector, happy, monkeypatch):
    monkeypatch.setattr("benchmark.scenes.SCALES", (1.0, 1.25))
    monkeypatch.setattr("benchmark.scenes.SHIFTS", (-0.4, -0.1, 0.2))
    table = score_framings({"edge": Edge()}, happy, detector)["edge"]
    alone = table[table.index.get_level_values("second_scale").isna()]
    assert len(alone) == 6 and len(table) == 6 + 15
    assert alone.idxmax()[:2] == (1.25, -0.1)
    assert alone[1.0].max() == 0
    detector.finds = lambda scene: False
    with pytest.raises(DataError, match="finds none"):
        score_framings({"edge": Edge()}, happy, detector)


def test_the_command_needs_models(tmp_path, capsys):
    assert main(["--results", str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "rows"), [([], len(CONDITIONS)), (["--framings"], 16 + 120)])
def test_the_command_writes_the_table(option, rows, faces, detector, tmp_path, monkeypatch, capsys):
    records = {"edge": {"protocol": {"select": "PublicTest"}}}
    monkeypatch.setattr("benchmark.scenes.choose", lambda *asked: records)
    monkeypatch.setattr("benchmark.scenes.data_of", lambda *asked: faces)
    monkeypatch.setattr("benchmark.scenes.load_models", lambda *asked: {"edge": Edge()})
    monkeypatch.setattr("benchmark.scenes.BlazeFace", lambda: detector)
    assert main(["--results", str(tmp_path), "--faces", "7", *option]) == 0
    file = "framings.csv" if option else "scenes.csv"
    assert len(pd.read_csv(tmp_path / "synthetic" / file)) == rows
    assert file in capsys.readouterr().out
