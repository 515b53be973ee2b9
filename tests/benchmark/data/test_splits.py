from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from benchmark.data import USAGES, DataError, load_dataset
from benchmark.data.pictures import Pictures, parse_labels
from benchmark.data.splits import as_dataset
from models.inference.crop import Face

CODES = ("AN", "DI", "FE", "HA", "SA", "SU", "NE")


def pictures(n, usages=None, subjects=None, y=None):
    """Return n pictures, whose first pixels number them."""
    X = np.zeros((n, 2304), np.uint8)
    X[:, 0], X[:, 1] = np.arange(n) % 256, np.arange(n) // 256
    labels = np.arange(n) % 7 if y is None else np.array(y)
    return Pictures(X, labels, usages or [""] * n, subjects or [""] * n, {}, {}, 0, 0)


def numbers(split):
    return (split.X[:, 0] + 256 * split.X[:, 1].astype(int)).tolist()


def test_no_subject_is_in_two_splits_and_every_face_is_in_one(tmp_path):
    subjects = [f"S{number % 30}" for number in range(630)]
    dataset = as_dataset(pictures(630, subjects=subjects), "jaffe", tmp_path)
    parts = [numbers(dataset[usage]) for usage in USAGES]
    assert sorted(number for part in parts for number in part) == list(range(630))
    people = [{subjects[number] for number in part} for part in parts]
    assert [len(part) for part in people] == [24, 3, 3]
    assert not people[0] & people[1] and not people[0] & people[2] and not people[1] & people[2]
    assert "no subject in two splits" in dataset.note and "cut by this benchmark" in dataset.note
    assert dataset.name == f"jaffe-{dataset.fingerprint[:8]}"
    assert as_dataset(pictures(630, subjects=subjects), "jaffe", tmp_path).fingerprint == dataset.fingerprint


def test_without_subjects_the_splits_are_stratified(tmp_path):
    dataset = as_dataset(pictures(700), "kdef", tmp_path)
    assert [dataset[usage].counts.tolist() for usage in USAGES] == [[80] * 7, [10] * 7, [10] * 7]
    assert "560, 70, 70 faces, stratified, seed 0" in dataset.note
    assert "subject" not in dataset.note


def test_a_validation_part_is_cut_by_subject_too(tmp_path):
    usages = ["Training"] * 560 + ["PublicTest"] * 140
    subjects = [f"S{number % 16}" for number in range(560)] + ["T"] * 140
    dataset = as_dataset(pictures(700, usages, subjects), "affectnet", tmp_path)
    assert numbers(dataset["PrivateTest"]) == list(range(560, 700)), "all that the authors hold out"
    people = [{subjects[number] for number in numbers(dataset[usage])} for usage in USAGES]
    assert len(people[1]) == 2 and not people[0] & people[1]
    assert dataset.note.startswith("PublicTest: 70 faces cut from Training, stratified, seed 0, no subject in two")


def test_official_splits_stay_and_what_is_in_none_is_counted(tmp_path):
    usages = [*USAGES * 7, "", ""]
    dataset = as_dataset(pictures(23, usages), "raf-db", tmp_path)
    assert numbers(dataset["PublicTest"]) == list(range(1, 21, 3))
    assert dataset.note == "splits: the data set's own; in no split, left out: 2"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pictures(6), "no split can be cut from 6 faces"),
        (pictures(40, subjects=["A"] * 40), "all of one subject"),
        (pictures(40, subjects=["A"] * 20 + ["B"] * 20), "all of one subject"),
        (pictures(20, usages=["PublicTest", "PrivateTest"] * 10), "no face for Training"),
    ],
)
def test_too_few_faces_or_subjects(data, words, tmp_path):
    with pytest.raises(DataError, match=words):
        as_dataset(data, "custom", tmp_path)


def test_a_data_set_is_loaded_cached_and_described_by_its_note(tmp_path, empty_cache, monkeypatch):
    rng = np.random.default_rng(0)
    for subject in ("KA", "KL", "KM", "KR"):
        for code in CODES:
            for take in (1, 2):
                image = rng.integers(0, 256, (64, 64), dtype=np.uint8)
                Image.fromarray(image).save(tmp_path / f"{subject}.{code}{take}.{take}.tiff")
    (tmp_path / "KA.HA3.9.tiff").write_bytes(b"junk")
    dataset = load_dataset(tmp_path)
    assert sum(len(dataset[usage]) for usage in USAGES) == 56
    assert "by area, from other sizes: 56" in dataset.note
    assert "could not be read: 1" in dataset.note and "KA.HA3.9.tiff" in dataset.note
    monkeypatch.setattr("benchmark.data.read_pictures_of", lambda *args: pytest.fail("read again"))
    assert load_dataset(tmp_path).note == dataset.note
    Image.fromarray(255 - image).save(tmp_path / f"{subject}.{code}{take}.{take}.tiff")
    with pytest.raises(pytest.fail.Exception, match="read again"):
        load_dataset(tmp_path)


def test_faces_are_found_where_asked_and_the_note_says_so(tmp_path, empty_cache, monkeypatch):
    class Corner:
        framings = ((1.0, 0.0),)

        def detect(self, photo):
            return [Face(0, 0, 48, 48, 1.0)]

    monkeypatch.setattr("models.inference.blazeface.BlazeFace", Corner)
    for number in range(40):
        photo = np.full((200, 100), 255, np.uint8)
        photo[:60, :60] = number
        (tmp_path / str(number % 2)).mkdir(exist_ok=True)
        Image.fromarray(photo).save(tmp_path / str(number % 2) / f"{number}.png")
    labels = parse_labels(["0=sad", "1=happy"])
    dataset = load_dataset(tmp_path, labels=labels, find_faces=True)
    assert sorted(level for usage in USAGES for level in dataset[usage].X[:, 0].tolist()) == list(range(40))
    assert dataset.note.startswith("read with --find-faces --labels 0=sad 1=happy; splits: cut by this benchmark")
    whole = load_dataset(tmp_path, labels=labels)
    assert whole.fingerprint != dataset.fingerprint and "--find-faces" not in whole.note
