from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from benchmark.data import USAGES, DataError, Dataset, Split, load_dataset
from benchmark.data.fer2013 import OFFICIAL_COUNTS
from benchmark.data.pictures import parse_labels
from models.labels import EMOTIONS, emotion_of


def save(row, path, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(row.reshape(48, 48)).convert(mode).save(path)


def write_copy(dataset, root, name="{usage}_{row}.png", folders=("train", "test", "test"), mode="L"):
    for usage, folder in zip(USAGES, folders, strict=True):
        for row, (pixels, label) in enumerate(zip(dataset[usage].X, dataset[usage].y, strict=True)):
            emotion = EMOTIONS[label].lower()
            save(pixels, root / folder / emotion / name.format(usage=usage, row=f"{row:03}"), mode)


def faces(split):
    return sorted((pixels.tobytes(), int(label)) for pixels, label in zip(split.X, split.y, strict=True))


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_prefixes_tell_the_split(mode, table, tmp_path):
    expected = table.dataset()
    write_copy(expected, tmp_path, mode=mode)
    dataset = load_dataset(tmp_path)
    assert all(faces(dataset[usage]) == faces(expected[usage]) for usage in USAGES)
    assert dataset.name.startswith("custom-")
    assert dataset["Training"].X.dtype == np.uint8


def test_rows_follow_the_paths(table, tmp_path):
    write_copy(table.dataset(), tmp_path)
    assert load_dataset(tmp_path).fingerprint == load_dataset(tmp_path).fingerprint
    labels = load_dataset(tmp_path)["Training"].y
    assert [EMOTIONS[label] for label in dict.fromkeys(labels)] == sorted(EMOTIONS)


@pytest.mark.parametrize(
    "folders", [("train", "valid", "test"), ("Train", "validation", "Test"), ("training", "val", "test")]
)
def test_three_folders_without_prefixes(folders, table, tmp_path):
    expected = table.dataset()
    write_copy(expected, tmp_path / "images", name="{row}.png", folders=folders)
    dataset = load_dataset(tmp_path)
    assert all(faces(dataset[usage]) == faces(expected[usage]) for usage in USAGES)


@pytest.fixture
def large(table):
    """70 Training faces: enough to cut PublicTest from."""
    dataset = table.dataset()
    train = dataset["Training"]
    doubled = Split(np.concatenate([train.X, 255 - train.X]), np.tile(train.y, 2))
    return Dataset("", {**dataset.splits, "Training": doubled})


@pytest.mark.parametrize("held_out", ["test", "validation"])
def test_validation_is_cut_from_training_where_one_part_is_held_out(held_out, large, tmp_path):
    write_copy(large, tmp_path, name="{usage[1]}{row}.png", folders=("train", held_out, held_out))
    dataset = load_dataset(tmp_path)
    assert [len(dataset[usage]) for usage in USAGES] == [61, 9, 35]
    assert (dataset["PublicTest"].counts > 0).all()
    assert sorted(faces(dataset["Training"]) + faces(dataset["PublicTest"])) == faces(large["Training"])
    assert faces(dataset["PrivateTest"]) == sorted(faces(large["PublicTest"]) + faces(large["PrivateTest"]))
    assert dataset.note.startswith("PublicTest: 9 faces cut from Training")
    assert dataset.name.startswith("custom-")
    assert load_dataset(tmp_path).fingerprint == dataset.fingerprint


def test_cut_copy_of_the_official_training_split_has_its_name(large, tmp_path, monkeypatch, empty_cache):
    monkeypatch.setitem(OFFICIAL_COUNTS, "Training", (10,) * 7)
    write_copy(large, tmp_path, name="{usage[1]}{row}.png")
    assert load_dataset(tmp_path).name == "fer2013-folders"


def test_too_few_faces_to_cut_from(table, tmp_path):
    dataset = table.dataset()
    for label in range(7):
        save(dataset["Training"].X[label], tmp_path / "train" / EMOTIONS[label] / "1.png")
        save(dataset["Training"].X[label], tmp_path / "test" / EMOTIONS[label] / "1.png")
    with pytest.raises(DataError, match=r"no split can be cut from 7 faces.*add faces"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (["ANGER", "0_angry", "angry (2)"], 0),
        (["disgusted", "1disgust", "digust"], 1),
        (["fearful", "Fear-3", "2. fear"], 2),
        (["Happiness", "3-happy", "happy_faces", "Joy", "hapiness", "happy-48"], 3),
        (["sadness", "04.sad", " sad "], 4),
        (["Surprised", "suprise", "Surprise images 2"], 5),
        (["neutral", "neutral\uff16", "06-Neutral"], 6),
        (["contempt", "7_contempt", "1", "04", "happy_sad", "not_happy", "faces", "angel", "danger", ""], None),
    ],
)
def test_common_names_of_emotions(names, label):
    assert [emotion_of(name) for name in names] == [label] * len(names)


def test_folders_of_numbers_need_to_be_said(table, tmp_path):
    expected, order = table.dataset(), ["6", "3", "5", "4", "1", "2", "7"]
    write_copy(expected, tmp_path)
    for emotion in tmp_path.glob("t*/*"):
        emotion.rename(emotion.with_name(order[emotion_of(emotion.name)]))
    with pytest.raises(DataError, match=r"test/1: a number names no emotion: .*--labels 1=surprise 2=fear"):
        load_dataset(tmp_path)
    said = [f"0{number}={name}" for number, name in zip(order, EMOTIONS, strict=True)]
    dataset = load_dataset(tmp_path, labels=parse_labels(said))
    assert all(faces(dataset[usage]) == faces(expected[usage]) for usage in USAGES)
    others = load_dataset(tmp_path, labels=parse_labels([*said[1:], f"{order[0]}=joy"]))
    assert others.fingerprint != dataset.fingerprint, "what the folders show is part of the data"


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["1"], "write it as NAME=EMOTION"),
        (["=happy"], "write it as NAME=EMOTION"),
        (["1=7"], "'7' is no emotion of FER2013: use one of Angry"),
        (["1=contempt"], "'contempt' is no emotion"),
        (["1=happy", "01=sad"], "01 comes twice"),
    ],
)
def test_labels_that_say_nothing_are_refused(items, words):
    with pytest.raises(DataError, match=words):
        parse_labels(items)


def test_litter_is_skipped(table, tmp_path):
    write_copy(table.dataset(), tmp_path / "copy")
    for name in (".DS_Store", "Thumbs.db", "._1.png", ".ipynb_checkpoints/1-checkpoint.png", "@eaDir/1.png"):
        for folder in ("", "train/", "train/happy/", "train/happy/more/"):
            for root in (tmp_path, tmp_path / "copy", tmp_path / "__MACOSX"):
                path = root / folder / name
                path.parent.mkdir(exist_ok=True, parents=True)
                path.write_bytes(b"junk")
    shutil.rmtree(tmp_path / "train")
    assert len(load_dataset(tmp_path)["Training"]) == 35


def test_images_are_found_at_every_depth_and_behind_links(table, tmp_path):
    expected = table.dataset()
    write_copy(expected, tmp_path / "elsewhere")
    copy = tmp_path / "copy"
    (copy / "train" / "from a friend").mkdir(parents=True)
    (copy / "test").symlink_to(tmp_path / "elsewhere" / "test")
    for emotion in (tmp_path / "elsewhere" / "train").iterdir():
        (copy / "train" / "from a friend" / emotion.name).symlink_to(emotion)
    (tmp_path / "elsewhere" / "train" / "happy" / "round").symlink_to(copy / "train")
    dataset = load_dataset(copy)
    assert all(faces(dataset[usage]) == faces(expected[usage]) for usage in USAGES)


def test_what_is_digested_is_what_is_read(table, tmp_path):
    expected = table.dataset()
    negative = Dataset("", {usage: Split(255 - expected[usage].X, expected[usage].y) for usage in USAGES})
    for name, dataset in (("a", expected), ("b", negative)):
        write_copy(dataset, tmp_path / name)
        (tmp_path / f"link {name}").mkdir()
        for part in ("train", "test"):
            (tmp_path / f"link {name}" / part).symlink_to(tmp_path / name / part)
    for name in "ab":
        assert load_dataset(tmp_path / f"link {name}").fingerprint == load_dataset(tmp_path / name).fingerprint
    before = load_dataset(tmp_path / "link b").fingerprint
    save(expected["Training"].X[0], next((tmp_path / "b" / "train" / "angry").iterdir()))
    assert load_dataset(tmp_path / "link b").fingerprint not in {before, load_dataset(tmp_path / "link a").fingerprint}


@pytest.mark.parametrize("fault", ["junk", "cut short", "link to nothing"])
def test_what_cannot_be_read_is_counted_and_named_and_the_rest_is_read(fault, table, tmp_path):
    write_copy(table.dataset(), tmp_path)
    path = next((tmp_path / "train" / "happy").iterdir())
    content = path.read_bytes()
    path.unlink()
    if fault == "link to nothing":
        path.symlink_to(tmp_path / "nowhere.png")
    else:
        path.write_bytes(b"junk" if fault == "junk" else content[:-100])
    dataset = load_dataset(tmp_path)
    assert len(dataset["Training"]) == 34
    assert f"could not be read: 1 ({path.name})" in dataset.note
    assert "\n" not in dataset.note


def test_other_expressions_are_left_out_and_counted(table, tmp_path):
    write_copy(table.dataset(), tmp_path)
    for number in range(2):
        save(table.dataset()["Training"].X[0], tmp_path / "train" / "contempt" / f"{number}.png")
    dataset = load_dataset(tmp_path)
    assert [len(dataset[usage]) for usage in USAGES] == [35, 21, 14]
    assert "none of the seven emotions: train/contempt (2)" in dataset.note


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], ["train/happy/1.jpg", "fer2013.csv"]),
        (["notes.txt"], ["named after an emotion"]),
        (["fer2013.csv"], ["give the path of the file", "fer2013.csv"]),
        (["train/happy/.hidden"], ["named after an emotion"]),
        (["train/angel/1.jpg"], ["(1 in train/angel)"]),
    ],
)
def test_folder_that_is_no_image_copy(files, words, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert all(word in str(caught.value) for word in words)
