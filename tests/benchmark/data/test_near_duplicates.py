from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from benchmark.data import Dataset, Split, load_dataset
from benchmark.data.near_duplicates import THRESHOLD, find_near_duplicates, near_pairs
from benchmark.data.protocol import PROTOCOLS

KAGGLE = PROTOCOLS["kaggle"]


def shifted(face, dy, dx):
    padded = np.pad(face, 3, mode="edge")
    return padded[3 + dy : 51 + dy, 3 + dx : 51 + dx]


def encoded(face):
    stream = io.BytesIO()
    Image.fromarray(face).save(stream, "JPEG", quality=60)
    return np.asarray(Image.open(stream))


CHANGES = {
    "mirrored": lambda face: face[:, ::-1],
    "shifted": lambda face: shifted(face, -3, 3),
    "shifted by one": lambda face: shifted(face, 1, 0),
    "encoded": encoded,
    "brighter": lambda face: np.clip(face * 0.8 + 60.0, 0, 255).astype(np.uint8),
    "less contrast": lambda face: (face * 0.5 + 40).astype(np.uint8),
    "all at once": lambda face: encoded((shifted(face[:, ::-1], 2, -1) * 0.7 + 50).astype(np.uint8)),
}


def with_report(faces, X):
    report = Split(np.ascontiguousarray(X), np.zeros(len(X), np.int64))
    return Dataset("planted", {**faces.splits, "PrivateTest": report})


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(faces, change):
    originals = faces["Training"].X[:20]
    X = np.array([CHANGES[change](face.reshape(48, 48)).ravel() for face in originals])
    rows, others, correlation = near_pairs(X, faces["Training"].X)
    assert {(row, row) for row in range(20)} <= set(zip(rows.tolist(), others.tolist(), strict=True))
    assert (correlation > THRESHOLD).all()
    assert find_near_duplicates(with_report(faces, X), KAGGLE).near.all()


def test_unrelated_faces_are_not_flagged(faces):
    found = find_near_duplicates(faces, KAGGLE)
    assert not (found.fit | found.select).any()
    # Drawn faces share more of their geometry than photographs do: one in ten may come close.
    assert found.near.mean() <= 0.1


def test_rules_from_mild_to_strict(faces):
    train, valid, fresh = faces["Training"].X, faces["PublicTest"].X, faces["PrivateTest"].X
    mirror = valid[1].reshape(48, 48)[:, ::-1].ravel()
    found = find_near_duplicates(with_report(faces, np.array([train[0], valid[0], mirror, fresh[0]])), KAGGLE)
    assert found.fit.tolist() == [True, False, False, False]
    assert found.select.tolist() == [False, True, False, False]
    assert found.near.tolist() == [False, False, True, False]
    assert {rule: rows.tolist() for rule, rows in found.remaining.items()} == {
        "fit": [False, True, True, True],
        "exact": [False, False, True, True],
        "near": [False, False, False, True],
    }


def test_the_protocol_says_which_splits_count(faces):
    splits = {**faces.splits, "PublicTest": Split(faces["PrivateTest"].X[:3], faces["PrivateTest"].y[:3])}
    found = find_near_duplicates(Dataset("swapped", splits), PROTOCOLS["course"])
    assert found.select.all() and not found.fit.any()


def test_blank_images_have_exact_copies_only(faces):
    train = Split(np.vstack([faces["Training"].X, np.full((1, 2304), 7, np.uint8)]), np.append(faces["Training"].y, 0))
    X = np.repeat(np.array([[7], [8], [0], [255]], np.uint8), 2304, axis=1)
    found = find_near_duplicates(with_report(Dataset("blank", {**faces.splits, "Training": train}), X), KAGGLE)
    assert found.fit.tolist() == [True, False, False, False]
    assert not found.near.any()


def test_nothing_left_to_search(faces):
    found = find_near_duplicates(with_report(faces, faces["Training"].X[:2]), KAGGLE)
    assert found.fit.all() and not found.near.any()


@pytest.mark.slow
@pytest.mark.data
def test_exact_copies_of_the_real_private_test(monkeypatch):
    monkeypatch.setattr("benchmark.data.near_duplicates.near_pairs", lambda *rows: (np.zeros(0, int),) * 3)
    data = load_dataset()
    if data.name != "fer2013":
        pytest.skip("not the complete FER2013")
    found = find_near_duplicates(data, KAGGLE)
    y = data["PrivateTest"].y[found.fit]
    assert (len(y), (y == 1).sum(), (y == 5).sum()) == (288, 16, 118)
    assert found.remaining["fit"].sum() == 3301


def test_a_face_with_very_many_near_copies_is_compared_with_the_nearest_alone(faces, monkeypatch):
    monkeypatch.setattr("benchmark.data.near_duplicates.MOST_CANDIDATES", 5)
    face = faces["Training"].X[0].reshape(48, 48)
    generator = np.random.default_rng(0)
    noise = generator.normal(0, np.arange(1, 13)[:, None, None], (12, 48, 48))
    others = np.clip(face + noise, 0, 255).astype(np.uint8).reshape(12, -1)
    rows, other_rows, correlation = near_pairs(face.reshape(1, -1), others)
    assert rows.tolist() == [0] * 5
    assert set(other_rows) <= set(range(7)), "the nearest are those with the least noise"
    assert (correlation > THRESHOLD).all()
