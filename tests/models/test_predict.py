import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import models
from benchmark.data.synthetic import draw_face
from features.rows import N_PIXELS
from models import EMOTIONS
from models.artifacts import save_load as artifacts
from models.inference.inputs import Photo
from models.inference.pipeline import Prediction
from models.inference.plot import plot_photo
from models.predict import main
from models.recognizers.majority import Majority


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


def test_a_model_of_ferplus_says_so(photo, tmp_path, capsys):
    rows = np.zeros((7, N_PIXELS), np.uint8)
    recognizer = Majority().fit(rows, range(7), validation=(rows, range(7)))
    facts = {"recognizer": "majority", "dataset": "fer2013", "protocol": {"labels": "ferplus"}}
    card = artifacts.save(recognizer, tmp_path / "models", "majority", facts)
    assert main([photo, "--json", "--model", str(tmp_path / "models" / card["artifact"])]) == 0
    assert json.loads(capsys.readouterr().out)["trained_on"] == {"majority": "fer2013, labels of FER+"}


def test_the_answer_is_uncertain_below_the_least_probability(model, photo, tmp_path, capsys):
    table = tmp_path / "out.csv"
    assert main([photo, "--model", model, "--whole", "--csv", str(table), "--min-probability", "0.99"]) == 0
    assert pd.read_csv(table)["emotion"].tolist() == ["uncertain"]
    assert models.predict_images(photo, model, whole=True, min_probability=0.99)["emotion"].tolist() == ["uncertain"]
    assert models.Stream(model, whole=True, min_probability=0.99)(photo)["emotion"].tolist() == ["uncertain"]
    with pytest.raises(SystemExit):
        main([photo, "--min-probability", "1.5"])
    assert "not from 0 to 1" in capsys.readouterr().err


def test_a_line_an_image(model, photo, capsys):
    assert main([photo, photo, "--model", model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "  Happy     Angry 0.14  " in lines[0]


@pytest.mark.parametrize(("options", "exact"), [([], False), (["--exact"], True)])
def test_networks_are_read_in_eight_bits_unless_exact_ones_are_asked_for(model, photo, monkeypatch, options, exact):
    asked = []
    monkeypatch.setattr(
        "models.inference.pipeline.load", lambda path, results, exact: asked.append(exact) or artifacts.load(path)
    )
    assert main([photo, "--model", model, *options]) == 0
    assert asked == [exact]


def test_json_has_all_probabilities(model, photo, capsys):
    assert main([photo, "--model", model, "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["file"] == photo
    assert line["emotion"] == "Happy"
    assert line["status"] == "ok"
    assert line["trained_on"] == {"majority": "unknown"}
    assert sum(line[emotion] for emotion in EMOTIONS) == pytest.approx(1, abs=1e-3)


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


@pytest.fixture
def folder(tmp_path, photo):
    """A face, a picture without one, and junk."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    Path(photo).rename(folder / "a face.png")
    Image.new("L", (64, 64), 128).save(folder / "b grey.png")
    (folder / "c junk.png").write_bytes(b"junk")
    return folder


def test_a_folder_as_csv_has_a_row_a_face_and_a_row_a_failure(model, folder, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert main([str(folder), "--model", model, "--csv", str(out)]) == 1
    table = pd.read_csv(out)
    assert [Path(name).name for name in table["file"]] == ["a face.png", "b grey.png", "c junk.png"]
    assert table["status"].tolist()[:2] == ["ok", "no face"]
    assert table["status"][2].startswith("error: not an image")
    assert table.loc[0, "emotion"] == "Happy"
    assert table.loc[0, ["left", "top", "width", "height", "score"]].notna().all()
    assert "c junk.png: not an image" in capsys.readouterr().err


def test_no_face_is_said_and_no_failure(model, folder, capsys):
    assert main([str(folder / "b grey.png"), "--model", model]) == 0
    assert capsys.readouterr().out.endswith("b grey.png  no face\n")
    assert main([str(folder / "b grey.png"), "--model", model, "--whole"]) == 0
    assert "Happy" in capsys.readouterr().out


def test_an_empty_folder_is_said(model, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty"), "--model", model]) == 1
    assert "no pictures or videos in there" in capsys.readouterr().err


def test_models_stand_side_by_side(model, photo, capsys):
    assert main([photo, "--model", model, model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert ["majority-1:" in lines[0], "majority-2:" in lines[1]] == [True, True]


def test_a_folder_of_plots(model, folder, tmp_path):
    out = tmp_path / "plots"
    assert main([str(folder), "--model", model, "--plot", str(out)]) == 1
    assert sorted(path.name for path in out.iterdir()) == ["a face.png.png", "b grey.png.png"]


def test_one_plot_for_several_pictures_is_refused_before_anything_is_done(model, folder, tmp_path, capsys):
    table = tmp_path / "earlier.csv"
    table.write_text("kept")
    arguments = ["--model", model, "--plot", str(tmp_path / "out.png"), "--csv", str(table)]
    assert main([str(folder), *arguments]) == 2
    assert table.read_text() == "kept"
    out, err = capsys.readouterr()
    assert out == ""
    assert "or a folder for several" in err


def test_a_csv_that_cannot_be_written_is_an_error(model, photo, tmp_path, capsys):
    assert main([photo, "--model", model, "--csv", str(tmp_path / "no" / "out.csv")]) == 2
    assert "out.csv" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--every -1", "--every x", "--start nan", "--end 0", "--start 2 --end 1"])
def test_seconds_are_not_below_zero_and_in_order(photo, option, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([photo, *option.split()])
    assert "usage" in capsys.readouterr().err


def test_a_picture_given_twice_is_drawn_twice(model, photo, tmp_path):
    assert main([photo, photo, "--model", model, "--plot", str(tmp_path / "plots")]) == 0
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["face.png-2.png", "face.png.png"]


def test_a_picture_that_cannot_be_drawn_is_said_and_the_others_are(model, photo, tmp_path, monkeypatch, capsys):
    drawn = []

    def plot(predictions):
        drawn.append(predictions)
        raise ValueError("odd")

    monkeypatch.setattr("models.inference.plot.plot_photo", plot)
    assert main([photo, photo, "--model", model, "--plot", str(tmp_path / "plots")]) == 1
    out, err = capsys.readouterr()
    assert len(drawn) == len(out.splitlines()) == 2, "the answers are there"
    assert f"error: {photo}: cannot be drawn (odd)" in err


def test_a_missing_detector_says_what_to_install(model, photo, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert main([photo, "--model", model]) == 2
    err = capsys.readouterr().err
    assert "ai_edge_litert" in err
    assert "--whole" in err
    assert main([photo, "--model", model, "--whole"]) == 0


@pytest.mark.parametrize(("content", "words"), [(b"other", "SHA-256 differs"), (None, "No such file")])
def test_a_detector_that_is_not_the_one_that_was_shipped_is_not_loaded(
    model, photo, capsys, monkeypatch, tmp_path, content, words
):
    weights = tmp_path / "blazeface.tflite"
    if content:
        weights.write_bytes(content)
    monkeypatch.setattr("models.inference.blazeface.WEIGHTS", weights)
    assert main([photo, "--model", model]) == 2
    err = capsys.readouterr().err
    assert str(weights) in err
    assert words in err
    assert main([photo, "--model", model, "--whole"]) == 0


def test_predicting_imports_no_network_or_figure_library_before_it_needs_one():
    code = "import sys, models.predict; assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_an_interruption_is_exit_code_130(model, photo, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("models.predict.predict_photos", interrupted)
    assert main([photo, "--model", model]) == 130


def test_a_reader_that_has_seen_enough_is_no_error(model, photo):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "models.predict", photo, "--whole", "--model", model]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, cwd=Path(__file__).parents[2]
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


ODD_NAMES = ("a$$b.png", "a_{x}.png", "a\nb.png", "\x1b[31m.png", "\ud55c.png", "caf\udce9.png", f"{250 * 'x'}.png")


@pytest.fixture
def odd(tmp_path, photo):
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in ODD_NAMES:
        try:
            (folder / name).write_bytes(Path(photo).read_bytes())
        except (OSError, ValueError):  # no name on this system
            continue
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_every_name_is_written_to_every_console(model, odd, encoding):
    done = subprocess.run(
        [sys.executable, "-m", "models.predict", str(odd), str(odd / "caf\udce9 absent.png"), "--model", model],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == len(list(odd.iterdir()))
    assert len(done.stderr.splitlines()) == 1
    assert b"caf\\udce9 absent.png" in done.stderr


def test_every_name_has_its_row_its_object_and_its_figure(model, odd, tmp_path, capsys):
    names = sorted(path.name for path in odd.iterdir())
    table, plots = tmp_path / "odd.csv", tmp_path / "plots"
    assert main([str(odd), "--model", model, "--csv", str(table), "--plot", str(plots)]) == 0
    assert len(pd.read_csv(table)) == len(names)
    assert len(list(plots.iterdir())) == len(names)
    capsys.readouterr()
    assert main([str(odd), "--model", model, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(Path(row["file"]).name for row in rows) == names


@pytest.mark.parametrize("name", ["a$$b.png", "$x_{$.png", "caf\udce9.png", "a\nb.png"])
def test_a_name_in_a_figure_is_no_formula(name, face):
    plot_photo([Prediction(Photo(name, face))]).savefig(io.BytesIO())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("closed", ["", "2>&-", "2>&- <&-"])
def test_a_full_disk_is_named_and_closed_streams_are_no_fault(model, photo, tmp_path, closed):
    command = f"{sys.executable} -m models.predict {photo} --model {model}"
    root = Path(__file__).parents[2]
    for target, where in (("--csv /dev/full", "/dev/full"), ("> /dev/full", "standard output")):
        done = subprocess.run(
            f"{command} {target} {closed}", shell=True, cwd=root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert closed or f"error: {where}: No space left on device: free some space" in done.stderr
        assert len(done.stderr.splitlines()) == (0 if closed else 1)
    out = tmp_path / "out.csv"
    subprocess.run(f"{command} --csv {out} >&- {closed}", shell=True, cwd=root, check=True)
    assert pd.read_csv(out)["emotion"].tolist() == ["Happy"]
