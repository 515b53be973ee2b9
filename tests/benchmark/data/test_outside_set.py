import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark import run
from benchmark.analysis.findings import read_findings
from benchmark.analysis.stored_models import choose
from benchmark.analysis.tables import drops
from benchmark.data import DataError
from benchmark.data.outside_set import read_outside
from benchmark.data.pictures import parse_labels
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.evaluate import main
from benchmark.runs.record_store import Store
from benchmark.runs.study import Study
from features.rows import as_images
from models.inference.crop import Face
from models.labels import EMOTIONS, emotion_of
from models.registry import recognizers


class Squares:
    """Finds the two faces that are in every photo but the black ones, the smaller one first."""

    framings = ((1.0, 0.0),)

    def detect(self, photo):
        return [Face(0, 0, 10, 10, 0.9), Face(20, 30, 48, 48, 0.8)] if photo.any() else []


@pytest.fixture
def crops(faces, tmp_path):
    """A tree of the faces of PrivateTest, under names that people use, and what else lies in such trees."""
    names = ("anger", "Disgusted", "fearful", "happiness", "SADNESS", "surprised")
    split = faces["PrivateTest"].sample(60)
    folder = tmp_path / "web photos"
    for number, (image, label) in enumerate(zip(as_images(split.X), split.y, strict=True)):
        if label == EMOTIONS.index("Neutral"):
            continue
        path = folder / "test" / names[label] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    (folder / "test" / "contempt").mkdir()
    Image.fromarray(image).save(folder / "test" / "contempt" / "1.png")
    Image.fromarray(image).save(folder / "loose.png")
    (folder / "test" / "anger" / "notes.txt").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    root = tmp_path_factory.mktemp("trained") / "fer2013" / "kaggle"
    entries = [recognizers()[name] for name in ("majority", "hog_svm")]
    setting = Setting(PROTOCOLS["kaggle"], overrides={"hog_svm": {"pixels_per_cell": 12}})
    study = Study(entries, [0], faces.limited(150), setting, root)
    assert [record["status"] for _, _, record in study.execute()] == ["ok", "ok"]
    return root.parents[1]


@pytest.fixture
def results(trained, tmp_path):
    """The parent of results folders, with two recognizers in the place of those of FER2013."""
    return shutil.copytree(trained, tmp_path / "results")


def test_crops_are_read_as_they_are_and_folders_label_them(crops, faces):
    outside = read_outside(crops, cropped=True)
    split = faces["PrivateTest"].sample(60)
    known = split.y != EMOTIONS.index("Neutral")
    pairs = {(row.tobytes(), int(label)) for row, label in zip(split.X[known], split.y[known], strict=True)}
    assert {(row.tobytes(), int(label)) for row, label in zip(outside.split.X, outside.split.y, strict=True)} == pairs
    assert outside.name == "web-photos"
    assert outside.pictures.left_out == {".": 1, "test/contempt": 1}
    assert "contempt (1)" in outside.note
    assert outside.fingerprint == read_outside(crops, cropped=True).fingerprint


def test_the_largest_face_of_a_photo_counts(tmp_path):
    photo = np.random.default_rng(0).integers(1, 256, (100, 100), dtype=np.uint8)
    for name, image in {"happy/1.png": photo, "happy/2.png": 0 * photo}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    outside = read_outside(tmp_path, cropped=False, detector=Squares())
    np.testing.assert_allclose(outside.split.X.reshape(1, 48, 48)[0].astype(int), photo[30:78, 20:68], atol=1)
    assert outside.pictures.no_face == 1
    assert "no face was found, left out: 1" in outside.note


def test_folders_without_photos_emotions_or_faces_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_outside(tmp_path / "missing", cropped=True)
    (tmp_path / "contempt").mkdir()
    Image.new("L", (48, 48)).save(tmp_path / "contempt" / "1.png")
    with pytest.raises(DataError, match="named after an emotion"):
        read_outside(tmp_path, cropped=True)
    (tmp_path / "happy").mkdir()
    Image.new("L", (48, 48)).save(tmp_path / "happy" / "1.png")
    with pytest.raises(DataError, match="add --cropped"):
        read_outside(tmp_path, cropped=False, detector=Squares())


@pytest.mark.drawn("hog_svm", "majority")
def test_stored_models_are_scored_ranked_as_before_and_compared(crops, results, capsys):
    (crops / "test" / "anger" / "broken.png").write_text("junk")
    arguments = [str(crops), "--cropped", "--results", str(results)]
    assert main(arguments) == 1, "a file could not be read"
    printed = capsys.readouterr()
    assert "broken.png" in printed.err
    root = results / "web-photos" / "outside-cropped"
    board = pd.read_csv(root / "leaderboard.csv").set_index("recognizer")
    fitted = {name: Store(results / "fer2013" / "kaggle").read(name, 0) for name in board.index}
    assert board["rank"].tolist() == [1, 2]
    drop = pd.read_csv(root / "analysis" / "drop.csv").set_index("recognizer")
    for name, record in fitted.items():
        assert board.loc[name, "valid_macro_f1"] == record["valid"]["macro_f1"]
        assert drop.loc[name, "reference_accuracy"] == record["test"]["accuracy"]
        assert board.loc[name, "drop"] == pytest.approx(record["test"]["accuracy"] - board.loc[name, "test_accuracy"])
        assert drop.loc[name, "low"] <= board.loc[name, "drop"] <= drop.loc[name, "high"]
        assert (root / "confusion" / f"{name}.png").is_file()
    page = (root / "report.html").read_text("utf-8")
    assert "Faces from elsewhere" in page
    assert "web photos&#39; --cropped" in page, "the command that makes it again"
    assert not (root / "best.json").exists(), "faces from elsewhere choose no model"


def test_models_of_another_protocol_have_a_folder_of_their_own(crops, results, faces):
    study = Study(
        [recognizers()["majority"]], [0], faces, Setting(PROTOCOLS["ferplus"]), results / "fer2013" / "ferplus"
    )
    list(study.execute())
    assert main([str(crops), "--cropped", "--protocol", "ferplus", "--results", str(results)]) == 0
    record = Store(results / "web-photos" / "outside-cropped-ferplus").read("majority", 0)
    assert record["protocol"]["name"] == "outside-cropped-ferplus"
    assert record["protocol"]["labels"] == "ferplus"
    assert record["command"].endswith("--cropped --protocol ferplus")
    assert not (results / "web-photos" / "outside-cropped").exists()


def test_an_emotion_without_photos_has_no_recall(crops, results, capsys):
    for folder in (crops / "test").iterdir():
        if emotion_of(folder.name) not in (EMOTIONS.index("Happy"), EMOTIONS.index("Sad")):
            shutil.rmtree(folder)
    assert main([str(crops), "--cropped", "--results", str(results)]) == 0
    assert re.search(r"majority +0\.\d{3} +0\.\d{3} +-?0\.\d{3} +ok", capsys.readouterr().out), "nothing for weak ones"
    root = results / "web-photos" / "outside-cropped"
    board = pd.read_csv(root / "leaderboard.csv")
    assert board[["disgust_recall", "disgust_f1", "fear_recall", "fear_f1"]].isna().all(axis=None)
    text = (root / "runs" / "majority" / "seed0.json").read_text("utf-8")
    scores = json.loads(text, parse_constant=pytest.fail)["test"]
    assert scores["per_emotion"]["Disgust"] == {"precision": 0.0, "recall": None, "f1": None, "support": 0}
    assert scores["macro_f1"] == pytest.approx(
        np.mean([scores["per_emotion"][name]["f1"] for name in ("Happy", "Sad")])
    )
    recall = pd.read_csv(root / "figures" / "recall.csv").set_index(["recognizer", "emotion"])
    assert sorted(recall.loc["hog_svm"].dropna().index) == ["Happy", "Sad"]
    for name in ("leaderboard.md", "report.html"):
        shown = re.sub(r'data-value="nan"|(?s:<script.*?</script>)', "", (root / name).read_text("utf-8"))
        assert not re.search(r"\bnan\b|\bNone\b", shown), name


def test_what_is_fresh_is_not_scored_again(crops, results, monkeypatch):
    arguments = [str(crops), "--cropped", "--models", "maj*", "--results", str(results)]
    assert main(arguments) == 0
    path = results / "web-photos" / "outside-cropped" / "runs" / "majority" / "seed0.json"
    assert not (path.parents[1] / "hog_svm").exists()
    finished = json.loads(path.read_text("utf-8"))["finished"]
    monkeypatch.setattr(
        "benchmark.evaluate.predict_by_model", lambda models, X: {} if not models else pytest.fail("again")
    )
    monkeypatch.setattr("benchmark.evaluate.derive", read_findings)
    assert main(arguments) == 0
    assert json.loads(path.read_text("utf-8"))["finished"] == finished
    (crops / "test" / "contempt" / "2.png").write_bytes((crops / "loose.png").read_bytes())
    with pytest.raises(pytest.fail.Exception, match="again"):
        main(arguments)  # what is left out is told by the records too


def test_scores_on_other_photos_are_never_shown_as_these(crops, results, capsys):
    arguments = [str(crops), "--cropped", "--models", "majority", "--results", str(results)]
    assert main(arguments) == 0
    next(crops.glob("test/anger/*.png")).unlink()
    for model in (results / "fer2013" / "kaggle" / "models").glob("majority.*"):
        model.rename(model.with_suffix(model.suffix + ".away"))
    assert main(arguments) == 2
    assert "no model of a finished run" in capsys.readouterr().err
    for model in (results / "fer2013" / "kaggle" / "models").glob("majority.*.away"):
        model.rename(model.with_suffix(""))
    assert main(arguments) == 0
    assert "held scores on other photos" in capsys.readouterr().err


def test_videos_are_counted_and_left_out(crops):
    (crops / "test" / "anger" / "clip.mp4").write_bytes(b"frames of one person")
    assert read_outside(crops, cropped=True).pictures.left_out["videos"] == 1


def test_linked_folders_are_entered_and_litter_is_not(crops):
    before = read_outside(crops, cropped=True)
    happy = crops / "test" / "happiness"
    happy.rename(crops.with_name("elsewhere"))
    happy.symlink_to(crops.with_name("elsewhere"))
    (happy / "round").symlink_to(crops)
    first = next(happy.glob("*.png"))
    for name in ("._1.png", ".ipynb_checkpoints/1-checkpoint.png", "__MACOSX/1.png"):
        (happy / name).parent.mkdir(exist_ok=True)
        (happy / name).write_bytes(b"junk" if name.startswith("._") else first.read_bytes())
    after = read_outside(crops, cropped=True)
    assert (after.fingerprint, after.pictures.left_out, after.unreadable) == (
        before.fingerprint,
        before.pictures.left_out,
        {},
    )


def test_what_cannot_be_read_is_counted_and_said(crops, tmp_path):
    bad = ("broken.png", "gone.png", "IMG_2.HEIC")
    (crops / "test" / "anger" / bad[0]).write_bytes(b"junk")
    (crops / "test" / "anger" / bad[1]).symlink_to(crops / "nowhere.png")
    (crops / "test" / "anger" / bad[2]).write_bytes(b"junk")
    outside = read_outside(crops, cropped=True)
    assert sorted(map(str, outside.unreadable)) == sorted(str(crops / "test" / "anger" / name) for name in bad)
    assert "files that could not be read: 3" in outside.note
    (tmp_path / "alone" / "sad").mkdir(parents=True)
    (tmp_path / "alone" / "sad" / "1.png").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"no face in 1 photos.*sad/1\.png: \w+"):
        read_outside(tmp_path / "alone", cropped=True)


def test_a_folder_that_cannot_be_listed_is_counted(crops, monkeypatch):
    locked, listed = crops / "test" / "anger", os.listdir

    def fail(path="."):
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", fail)
    assert list(read_outside(crops, cropped=True).unreadable) == [str(locked)]


def test_folders_of_numbers_need_to_be_said(crops, results, capsys, monkeypatch):
    expected = read_outside(crops, cropped=True)
    for folder in (crops / "test").iterdir():
        label = emotion_of(folder.name)
        folder.rename(folder.with_name("7" if label is None else f"{label + 10}"))
    arguments = [str(crops), "--cropped", "--models", "majority", "--results", str(results)]
    assert main(arguments) == 2
    assert "test/10: a number names no emotion" in capsys.readouterr().err
    monkeypatch.setattr("benchmark.evaluate.derive", read_findings)
    labels = [f"{label + 10}={emotion.lower()}" for label, emotion in enumerate(EMOTIONS)]
    assert main([*arguments, "--labels", *labels]) == 0
    record = Store(results / "web-photos" / "outside-cropped").read("majority", 0)
    assert record["data_fingerprint"] == read_outside(crops, True, labels=parse_labels(labels)).fingerprint
    assert record["n_faces"]["report"] == len(expected.split)
    assert record["command"].endswith("--cropped --labels " + " ".join(labels))
    assert main([*arguments, "--labels", "10=bliss"]) == 2
    assert "'bliss' is no emotion" in capsys.readouterr().err


def test_models_are_chosen_by_name(results):
    root = results / "fer2013" / "kaggle"
    assert set(choose(root, None)) == {"majority", "hog_svm"}
    assert set(choose(root, ["hog*"])) == {"hog_svm"}
    with pytest.raises(DataError, match="which has"):
        choose(root, ["resnet"])
    with pytest.raises(DataError, match="no finished run"):
        choose(results, None)


@pytest.mark.parametrize("options", [["--evaluate", "photos"], ["--evaluate", "photos", "--cropped"]])
def test_the_former_option_names_the_command(options, capsys):
    with pytest.raises(SystemExit) as stop:
        run.main(options)
    assert stop.value.code == 2
    assert "python -m benchmark.evaluate photos" in capsys.readouterr().err


def test_results_that_cannot_be_written_are_an_error(crops, results, capsys):
    (results / "web-photos").write_text("in the way")
    assert main([str(crops), "--cropped", "--results", str(results)]) == 2
    assert "choose --results" in capsys.readouterr().err


def test_the_drop_has_newcombes_interval(record):
    # Newcombe 1998, table II, example (a): 56/70 against 48/80, method 10: 0.0524 to 0.3339.
    reference = {"accuracy": 56 / 70, "balanced_accuracy": 0.7, "n_faces": 70}
    here = {**record("a", [0] * 7, [0] * 7), "reference": reference}
    here["test"] = {**here["test"], "accuracy": 48 / 80}
    here["n_faces"] = {"fit": 1, "select": 1, "report": 80}
    row = drops([here]).loc["a"]
    assert row["drop"] == pytest.approx(0.2)
    assert row[["low", "high"]].tolist() == pytest.approx([0.0524, 0.3339], abs=5e-5)


def test_a_photo_that_the_detector_cannot_take_is_counted_and_the_others_are_scored(tmp_path):
    class Picky(Squares):
        def detect(self, photo):
            if min(photo.shape) < 2:
                raise ZeroDivisionError("division by zero")
            return super().detect(photo)

    (tmp_path / "happy").mkdir()
    for name, size in (("1", (1, 900)), ("2", (90, 90))):
        Image.new("L", size, 90).save(tmp_path / "happy" / f"{name}.png")
    found = read_outside(tmp_path, cropped=False, detector=Picky())
    assert len(found.split) == 1
    ((file, reason),) = found.unreadable.items()
    assert file.endswith("1.png")
    assert "1x900" in reason
