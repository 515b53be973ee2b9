import numpy as np
import pandas as pd
import pytest

from benchmark.data import DataError, Split
from benchmark.framing import SCALES, SHIFTS, detect_faces, framing_by_boxes, main, make_scene, score_framings
from features.rows import as_images
from models.inference.crop import Face


class Perfect:
    """Knows where the faces of some scenes are; its boxes are 0.8 as wide, their middle a tenth of that too low."""

    scale, shift = 1.0, 0.0

    def __init__(self, scenes):
        self.scenes = {each.photo.tobytes(): each for each in scenes}

    def detect(self, photo):
        each = self.scenes[photo.tobytes()]
        width = 0.8 * each.side
        low = each.top + each.side / 2 - width / 2 + 0.1 * width
        wrong = Face(each.left - 300, each.top, width, width, 1.0)
        return [wrong, Face(each.left + 0.1 * each.side, low, width, width, 0.9)]


class Blind:
    scale, shift = 1.0, 0.0

    def detect(self, photo):
        return []


class Edge:
    """Takes a face for Happy where the crop shows what was put there and no more: a white rim on black."""

    classes_ = np.arange(7)

    def predict_proba(self, X):
        images = X.reshape(-1, 48, 48)
        rim = np.stack([images[:, 1, 24], images[:, -2, 24], images[:, 24, 1], images[:, 24, -2]])
        return np.eye(7)[np.where(rim.min(axis=0) > 150, 3, 0)]


@pytest.fixture
def scenes(faces):
    generator = np.random.default_rng(0)
    return [make_scene(face, generator) for face in as_images(faces["PublicTest"].X[:20])]


def test_scenes_hold_the_face_at_many_places_and_sizes(scenes, faces):
    assert {each.photo.shape for each in scenes} == {(300, 400)}
    assert len({(each.left, each.top) for each in scenes}) == 20
    assert max(each.side for each in scenes) > 2 * min(each.side for each in scenes)
    for each, face in zip(scenes, as_images(faces["PublicTest"].X[:20]), strict=True):
        inside = each.photo[each.top : each.top + each.side, each.left : each.left + each.side]
        assert inside.mean() == pytest.approx(face.mean(), abs=2)


def test_the_framing_by_boxes_undoes_what_the_detector_does(scenes):
    found = detect_faces(scenes, Perfect(scenes))
    assert all(found)
    assert framing_by_boxes(scenes, found) == pytest.approx((1.25, -0.1))
    assert detect_faces(scenes, Blind()) == [None] * 20


def test_accuracy_is_highest_where_crops_are_the_faces(monkeypatch, capsys):
    images = np.full((30, 48, 48), 255, np.uint8)
    images[:, 4:-4, 4:-4] = 0
    happy = Split(images.reshape(30, -1), np.full(30, 3))
    generator = np.random.default_rng(0)
    detector = Perfect([make_scene(image, generator) for image in images])
    monkeypatch.setattr("benchmark.framing.SCALES", (1.0, 1.25))
    monkeypatch.setattr("benchmark.framing.SHIFTS", (-0.4, -0.1, 0.2))
    table = score_framings({"edge": Edge()}, happy, detector)["edge"]
    assert table.idxmax() == (1.25, -0.1)
    assert table.max() == 1
    assert table[1.0].max() == 0
    assert "scale 1.25, shift -0.10" in capsys.readouterr().out
    with pytest.raises(DataError, match="finds none"):
        score_framings({"edge": Edge()}, happy, Blind())


def test_the_command_needs_models(tmp_path, capsys):
    assert main(["--results", str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err


def test_the_command_writes_the_table(faces, tmp_path, monkeypatch, capsys):
    records = {"edge": {"protocol": {"select": "PublicTest"}}}
    monkeypatch.setattr("benchmark.framing.models_and_data", lambda *asked: (records, {"edge": Edge()}, faces))
    monkeypatch.setattr("benchmark.framing.BlazeFace", Somewhere)
    assert main(["--results", str(tmp_path), "--faces", "20"]) == 0
    table = pd.read_csv(tmp_path / "synthetic" / "framing.csv")
    assert len(table) == len(SCALES) * len(SHIFTS)
    assert "found" in capsys.readouterr().out


class Somewhere:
    """Takes the whole picture for a face."""

    scale, shift = 1.0, 0.0

    def detect(self, photo):
        return [Face(x, y, 100, 100, 0.9) for x in range(0, 400, 40) for y in range(0, 300, 40)]
