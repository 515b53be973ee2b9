import json

import numpy as np
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from features.rows import N_PIXELS
from models import artifacts
from models.majority import Majority
from models.predict import main


@pytest.fixture
def model(tmp_path):
    rows = np.zeros((7, N_PIXELS), np.uint8)
    recognizer = Majority().fit(rows, [0, 1, 2, 3, 3, 5, 6], validation=(rows, [3] * 7))
    card = artifacts.save(recognizer, tmp_path / "models", "majority", {"recognizer": "majority"})
    return str(tmp_path / "models" / card["artifact"])


@pytest.fixture
def face():
    return draw_face("Happy", np.random.default_rng(0), clean=True)


@pytest.fixture
def photo(tmp_path, face):
    path = tmp_path / "face.png"
    Image.fromarray(face).resize((200, 180)).convert("RGB").save(path)
    return str(path)


def test_a_model_of_synthetic_faces_says_so(photo, tmp_path, capsys):
    rows = np.zeros((7, N_PIXELS), np.uint8)
    recognizer = Majority().fit(rows, range(7), validation=(rows, range(7)))
    facts = {"recognizer": "majority", "dataset": "synthetic"}
    card = artifacts.save(recognizer, tmp_path / "models", "majority", facts)
    assert main([photo, "--model", str(tmp_path / "models" / card["artifact"])]) == 0
    assert "trained on synthetic faces" in capsys.readouterr().err


def test_a_line_an_image(model, photo, capsys):
    assert main([photo, photo, "--model", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "  Happy     Angry 0.14  " in lines[0]


def test_json_has_all_probabilities(model, photo, capsys):
    assert main([photo, "--model", model, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["image"] == photo
    assert line["emotion"] == "Happy"
    assert list(line["probabilities"]) == ["Angry", "Disgust", "Fear", "Happy", "Surprise", "Neutral"]
    assert line["trained_on"] == "unknown"
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_an_unreadable_image_is_reported_and_the_others_are_done(model, photo, tmp_path, capsys):
    junk = tmp_path / "junk.png"
    junk.write_bytes(b"no image")
    assert main([str(junk), str(tmp_path / "absent.png"), photo, "--model", model]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert f"error: {junk}: not an image that Pillow reads" in err
    assert "absent.png" in err


def test_a_truncated_image_is_reported(model, photo, tmp_path, capsys):
    cut = tmp_path / "cut.png"
    with open(photo, "rb") as file:
        cut.write_bytes(file.read()[:2000])
    assert main([str(cut), "--model", model]) == 1
    assert str(cut) in capsys.readouterr().err


def test_the_plot_shows_the_image_and_its_probabilities(model, photo, tmp_path):
    out = tmp_path / "out.png"
    assert main([photo, "--model", model, "--plot", str(out)]) == 0
    with Image.open(out) as image:
        assert np.asarray(image.convert("L")).std() > 10
        assert image.width > image.height


def test_a_plot_that_cannot_be_written_is_an_error(model, photo, tmp_path, capsys):
    assert main([photo, "--model", model, "--plot", str(tmp_path / "no" / "out.png")]) == 2
    assert "out.png" in capsys.readouterr().err


def test_a_missing_model_is_exit_code_2(photo, tmp_path, capsys):
    assert main([photo, "--model", str(tmp_path / "none.joblib")]) == 2
    assert capsys.readouterr().err.startswith("error: ")
