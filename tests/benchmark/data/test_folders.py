from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmark.data import USAGES, DataError, Dataset, Split, load_dataset
from benchmark.data.fer2013 import OFFICIAL_COUNTS
from benchmark.data.folders import read_folder
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
    assert read_folder(tmp_path).fingerprint == read_folder(tmp_path).fingerprint
    labels = read_folder(tmp_path)["Training"].y
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
    assert read_folder(tmp_path).fingerprint == dataset.fingerprint


def test_cut_copy_of_the_official_training_split_has_its_name(large, tmp_path, monkeypatch):
    monkeypatch.setitem(OFFICIAL_COUNTS, "Training", (10,) * 7)
    write_copy(large, tmp_path, name="{usage[1]}{row}.png")
    assert read_folder(tmp_path).name == "fer2013-folders"


def test_too_few_faces_to_cut_from(table, tmp_path):
    dataset = table.dataset()
    for label in range(7):
        save(dataset["Training"].X[label], tmp_path / "train" / EMOTIONS[label] / "1.png")
        save(dataset["Training"].X[label], tmp_path / "test" / EMOTIONS[label] / "1.png")
    with pytest.raises(DataError, match=r"no PublicTest can be cut from the 7 Training faces.*add faces"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("ANGER", 0),
        ("disgusted", 1),
        ("fearful", 2),
        ("Happiness", 3),
        ("sadness", 4),
        ("Surprised", 5),
        ("neutral", 6),
    ],
)
def test_common_names_of_emotions(name, label):
    assert emotion_of(name) == label
    assert emotion_of("contempt") is None


def test_litter_is_skipped(table, tmp_path):
    write_copy(table.dataset(), tmp_path)
    for name in (".DS_Store", "Thumbs.db"):
        (tmp_path / "train" / "happy" / name).write_bytes(b"junk")
    assert len(read_folder(tmp_path)["Training"]) == 35


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("train/happy/Training_x.jpg", b"junk", ["no readable image", "download it again"]),
        ("train/happy/Training_x.png", None, ["no readable image"]),
        ("train/happy/Training_x.png", (96, 48), ["96x48", "48x48 8-bit"]),
        ("train/contempt/Training_x.png", (48, 48), ["no emotion of FER2013", "rename the folder", "Angry, Disgust"]),
    ],
)
def test_bad_images_are_named(name, content, words, table, tmp_path):
    write_copy(table.dataset(), tmp_path)
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, tuple):
        Image.new("L", content).save(path)
    else:
        path.write_bytes(content or next((tmp_path / "train/happy").iterdir()).read_bytes()[:-100])
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path)
    message = str(caught.value)
    assert message.startswith(str(path if "contempt" not in name else path.parent)) and "\n" not in message
    assert all(word in message for word in words)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], ["without train and test folders", "train/<emotion>/", "fer2013.csv"]),
        (["notes.txt"], ["without train and test folders"]),
        (["fer2013.csv"], ["give the path of the file", "fer2013.csv"]),
        (["train/happy/.hidden"], ["no images", "train/<emotion>/"]),
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


def test_copy_without_held_out_faces(table, tmp_path):
    save(table.dataset()["Training"].X[0], tmp_path / "train" / "happy" / "1.png")
    with pytest.raises(DataError, match="no face has the Usage PublicTest"):
        read_folder(tmp_path)
