from __future__ import annotations

import numpy as np
import pytest

from benchmark.data import Dataset, Split
from benchmark.data.describe import describe

# Each letter is an image: a, b, c, d and e are pictures, B is blank; the number is the label.
SPLITS = {"Training": "a0 a0 a1 b3 B3 B4", "PublicTest": "b3 c2 e2", "PrivateTest": "a0 a0 b5 c2 d6 B6"}


def picture(letter):
    pixels = np.full(2304, ord(letter), np.uint8)
    pixels[-1] += letter != "B"
    return pixels


@pytest.fixture
def dataset():
    return Dataset(
        "toy",
        {
            usage: Split(np.array([picture(f[0]) for f in faces.split()]), np.array([int(f[1]) for f in faces.split()]))
            for usage, faces in SPLITS.items()
        },
        "A toy.",
    )


def test_counts_worked_out_by_hand(dataset):
    facts = describe(dataset)
    assert facts.counts.loc["PrivateTest"].tolist() == [2, 0, 1, 0, 0, 1, 2]
    assert facts.blank.to_dict() == {"Training": 2, "PublicTest": 0, "PrivateTest": 1}
    assert (facts.n_faces, facts.n_distinct) == (15, 6)
    assert facts.repeats.to_dict() == {"Training": 3, "PublicTest": 0, "PrivateTest": 1}
    assert facts.shared.loc["PublicTest in Training"].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert facts.shared.loc["PrivateTest in Training"].tolist() == [2, 0, 0, 0, 0, 1, 1]
    assert facts.shared.loc["PrivateTest in PublicTest"].tolist() == [0, 0, 1, 0, 0, 1, 0]
    assert (facts.conflicting_images, facts.conflicting_faces) == (3, 5 + 3 + 3)


def test_weights_of_the_training_split(dataset):
    weights = describe(dataset).weights
    assert weights.loc["balanced", "Disgust"] == pytest.approx(2 * weights.loc["balanced", "Angry"])
    assert weights.loc["frequency", ["Angry", "Disgust", "Happy"]].tolist() == pytest.approx([1.2, 0.6, 1.2])
    assert weights.loc["none", ["Angry", "Disgust", "Happy"]].tolist() == [1, 1, 1]


def test_text_states_the_facts(dataset):
    text = str(describe(dataset))
    for fact in (
        "toy: 15 faces",
        "A toy.",
        "Blank (constant) images: 3 (2 Training, 0 PublicTest, 1 PrivateTest)",
        "Distinct images: 6 of 15",
        "3 images, 11 faces",
        "PrivateTest in Training",
        "balanced",
    ):
        assert fact in text
