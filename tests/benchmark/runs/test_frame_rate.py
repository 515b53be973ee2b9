"""Frames a second from a video's file to rows."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmark import speed
from benchmark.runs import frame_rate
from models import ArtifactError
from models.inference.blazeface import BlazeFace
from models.inference.video import EACH_SECOND, read_frames

pytest.importorskip("av")
pytest.importorskip("skimage")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(frame_rate, "FRAMES", 4)
    monkeypatch.setattr(frame_rate, "keep_to_one_core", lambda: None)


@pytest.mark.parametrize("faces", frame_rate.PLACES)
def test_the_faces_of_the_video_are_found(faces, tmp_path):
    ((frame, *_),) = read_frames(str(frame_rate.write_clip(tmp_path / "clip.mp4", faces)), EACH_SECOND)
    assert frame.shape == (480, 640)
    assert len(BlazeFace().detect(frame)) == faces


def test_from_file_to_rows(tmp_path, capsys):
    clips = [str(frame_rate.write_clip(tmp_path / f"{faces}.mp4", faces)) for faces in frame_rate.PLACES]
    assert frame_rate.main(["fer-benchmark", "results/fer2013/kaggle", *clips]) == 0
    one, five = json.loads(capsys.readouterr().out)
    assert (one["found"], five["found"]) == (1, 5)
    assert one["frames_per_second"] > 0


def test_a_tool_that_is_not_here_is_a_note_and_the_others_take_turns(tmp_path, monkeypatch, capsys):
    turns = []

    def measured(module, name, *_):
        turns.append(name)
        if name == "deepface":
            raise ArtifactError("deepface: cannot be timed: No module named 'deepface'")
        return [{"tool": name, "faces": faces, "found": faces, "frames_per_second": len(turns)} for faces in (1, 5)]

    monkeypatch.setattr(frame_rate, "measured", measured)
    assert speed.main([str(tmp_path / "kaggle"), "--video"]) == 0
    assert turns == ["fer-benchmark", "fer", "fer, MTCNN", "deepface"] + 2 * ["fer-benchmark", "fer", "fer, MTCNN"]
    table = pd.read_csv(tmp_path / frame_rate.VIDEO_SPEED)
    assert list(table) == ["tool", "faces", "found", "frames_per_second", "processor"]
    np.testing.assert_array_equal(table["frames_per_second"], [5, 5, 6, 6, 7, 7])
    assert "note: deepface: cannot be timed: No module named 'deepface'" in capsys.readouterr().err


def test_a_folder_without_models_is_an_error(tmp_path, capsys):
    assert speed.main([str(tmp_path), "--video"]) == 2
    assert "error: fer-benchmark: cannot be timed: " in capsys.readouterr().err
    assert not list(tmp_path.parent.glob(frame_rate.VIDEO_SPEED))
