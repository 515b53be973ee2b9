from __future__ import annotations

import numpy as np
import pytest

from benchmark.data import load_dataset
from benchmark.data.dataset import OFFICIAL_COUNTS, USAGES, Dataset
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.data.synthetic import BUDGET, SHARES, draw_face, synthetic_dataset
from benchmark.runs.study import Study
from models.labels import EMOTIONS
from models.registry import recognizers


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return synthetic_dataset(300, seed=3)


def clean_faces(per_emotion: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(EMOTIONS)), per_emotion)
    return np.stack([draw_face(EMOTIONS[label], rng, clean=True) for label in y]), y


def test_the_counts_are_those_of_fer2013():
    assert [sum(OFFICIAL_COUNTS[usage]) for usage in USAGES] == [28709, 3589, 3589]


def test_the_splits_have_the_layout_of_fer2013_and_nearly_its_shares(dataset):
    assert (dataset.name, tuple(dataset)) == ("synthetic", USAGES)
    assert "not FER2013" in dataset.note
    assert [len(dataset[usage]) for usage in USAGES] == [200, 50, 50]
    official = np.array(OFFICIAL_COUNTS["Training"]) / sum(OFFICIAL_COUNTS["Training"])
    assert np.abs(np.array(SHARES) / 100 - official).max() < 0.05
    for usage in USAGES:
        split = dataset[usage]
        assert (split.X.shape, split.X.dtype, split.y.dtype) == ((len(split), 2304), np.uint8, np.int64)
        assert split.counts.min() >= 1
        assert np.abs(split.counts - np.array(SHARES) * len(split) / 100).max() <= 1


def test_the_embedded_test_part_is_large_enough_to_tell_scores_apart(monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    data = load_dataset()
    for usage in ("PublicTest", "PrivateTest"):
        assert len(data[usage]) >= 200
        assert data[usage].counts.min() >= 15


def test_the_budget_of_the_embedded_faces_is_in_their_runs(monkeypatch, tmp_path):
    monkeypatch.delenv("FER2013", raising=False)
    data, known = load_dataset(limit=70), recognizers()
    setting = Setting(PROTOCOLS["kaggle"], overrides={"cnn_deep": {"epochs": 3}})
    study = Study([known[name] for name in BUDGET], [0], data, setting, tmp_path)
    made = {run.entry.name: study.make(run).get_params() for run in study.runs}
    assert made.pop("cnn_deep")["epochs"] == 3  # what is asked for goes before
    for name, params in made.items():
        assert params == {**known[name].make().get_params(), **BUDGET[name]}


@pytest.mark.parametrize("n_faces", [70, 71, 74, 99])
def test_small_datasets_have_every_emotion_in_every_split(n_faces):
    splits = synthetic_dataset(n_faces).splits.values()
    assert sum(map(len, splits)) == n_faces
    assert all(split.counts.min() >= 1 for split in splits)


def test_too_few_faces_are_refused():
    with pytest.raises(ValueError, match="at least 70"):
        synthetic_dataset(69)


def test_the_seed_decides_every_pixel():
    assert synthetic_dataset(70, seed=5).fingerprint == synthetic_dataset(70, seed=5).fingerprint
    assert synthetic_dataset(70, seed=5).fingerprint != synthetic_dataset(70, seed=6).fingerprint


def test_a_face_is_the_same_however_many_are_drawn(dataset):
    for usage, split in synthetic_dataset(70, seed=3).splits.items():
        larger = {(x.tobytes(), label) for x, label in zip(dataset[usage].X, dataset[usage].y, strict=True)}
        assert all((x.tobytes(), label) in larger for x, label in zip(split.X, split.y, strict=True))


def test_no_two_faces_are_equal(dataset):
    X = np.concatenate([dataset[usage].X for usage in USAGES])
    assert len(np.unique(X, axis=0)) == len(X)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_is_a_grey_image_with_contrast(emotion):
    for clean in (False, True):
        face = draw_face(emotion, np.random.default_rng(0), clean)
        assert (face.shape, face.dtype) == ((48, 48), np.uint8)
        assert face.std() > 10


def test_an_unknown_emotion_is_refused():
    with pytest.raises(ValueError, match=r"'Joy'.*Angry, Disgust, Fear, Happy, Sad, Surprise, Neutral"):
        draw_face("Joy", np.random.default_rng(0))


def test_clean_expressions_can_be_told_apart():
    def described(faces):
        # Edges, as the tones of skin and background say nothing of the expression.
        down = np.abs(np.diff(faces.astype(float), axis=1))[:, 7:43, 6:42].reshape(len(faces), 12, 3, 18, 2)
        cells = down.mean(axis=(2, 4)).reshape(len(faces), -1)
        return cells / np.linalg.norm(cells, axis=1, keepdims=True)

    faces, y = clean_faces(30, seed=0)
    centroids = np.stack([described(faces[y == label]).mean(axis=0) for label in range(len(EMOTIONS))])
    faces, y = clean_faces(15, seed=1)
    nearest = np.linalg.norm(described(faces)[:, None] - centroids, axis=2).argmin(axis=1)
    assert (nearest == y).mean() > 0.5
