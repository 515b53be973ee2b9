"""Faces labelled by the votes of FER+."""

import numpy as np
import pytest

from benchmark.data import DataError, Dataset, Split
from benchmark.data.ferplus import CHOICES, FerPlus
from benchmark.data.ferplus_labels import majority_choice, relabelled, vote_shares
from models.labels import EMOTIONS

ANGRY, HAPPY, SAD = (EMOTIONS.index(name) for name in ("Angry", "Happy", "Sad"))


def row(**votes):
    return [votes.get(name, 0) for name in CHOICES]


# Votes, label in FER2013, majority.
FACES = [
    (row(happiness=8, sadness=1, anger=1), HAPPY, HAPPY),
    (row(happiness=6, sadness=4), SAD, HAPPY),
    (row(anger=5, sadness=2, contempt=2, unknown=1), ANGRY, ANGRY),
    (row(happiness=5, sadness=5), HAPPY, None),
    (row(happiness=2, sadness=2, anger=2, fear=2, disgust=2), ANGRY, None),
    (row(contempt=7, anger=3), ANGRY, None),
    (row(unknown=9, anger=1), ANGRY, None),
    (row(NF=10), ANGRY, None),
]
VOTES = np.array([votes for votes, *_ in FACES])
LABELLED = [position for position, (*_, majority) in enumerate(FACES) if majority is not None]


def dataset(note=""):
    X = np.arange(len(FACES), dtype=np.uint8)[:, None].repeat(2304, axis=1)
    y = np.array([label for _, label, _ in FACES])
    return Dataset("toy", {usage: Split(X, y) for usage in ("Training", "PublicTest", "PrivateTest")}, note)


def ferplus(votes=VOTES):
    return FerPlus("fer2013new.csv", dict.fromkeys(("Training", "PublicTest", "PrivateTest"), votes))


def test_faces_with_a_majority_among_the_seven_emotions_get_it_as_label():
    data = relabelled(dataset(), ferplus())
    for usage in data:
        assert data[usage].X[:, 0].tolist() == LABELLED
        assert data[usage].y.tolist() == [FACES[position][2] for position in LABELLED]
        assert data[usage].soft_labels.shape == (len(LABELLED), 7)
    assert (data["Training"].y == majority_choice(VOTES)[LABELLED]).all()


def test_what_is_left_out_is_counted_by_reason():
    note = relabelled(dataset("A note."), ferplus()).note
    assert note.startswith("A note. Labels: the majority of FER+'s ten annotators; networks")
    for usage in ("Training", "PublicTest", "PrivateTest"):
        assert f"5 of 8 {usage} faces (2 without a majority, 1 contempt, 1 unknown, 1 not a face)" in note
        assert f"0.667 in {usage}" in note


def test_shares_are_of_the_emotions_with_two_votes_or_more():
    shares = vote_shares(VOTES[:3])
    expected = np.zeros((3, 7))
    expected[0, HAPPY] = 1
    expected[1, [HAPPY, SAD]] = 0.6, 0.4
    expected[2, [ANGRY, SAD]] = 5 / 7, 2 / 7
    np.testing.assert_allclose(shares, expected, atol=1e-6)
    assert shares.dtype == np.float32


def test_labels_and_shares_are_in_the_fingerprint():
    data = dataset()
    first = relabelled(data, ferplus())
    assert first.fingerprint != data.fingerprint
    assert relabelled(data, ferplus()).fingerprint == first.fingerprint
    other = VOTES.copy()
    other[1] = row(happiness=7, sadness=3)
    second = relabelled(data, ferplus(other))
    assert second["Training"].y.tolist() == first["Training"].y.tolist()
    assert second.fingerprint != first.fingerprint, "other shares"


def test_a_part_of_the_faces_keeps_its_shares():
    data = relabelled(dataset(), ferplus())
    part = data["Training"].sample(2)
    for face, label, shares in zip(part.X, part.y, part.soft_labels, strict=True):
        assert FACES[face[0]][2] == label
        np.testing.assert_array_equal(shares, vote_shares(VOTES[face[:1]])[0])
    assert data.limited(2).fingerprint != data.fingerprint


def test_a_split_without_a_majority_is_refused():
    with pytest.raises(DataError, match="no face of Training has one of the seven emotions for a majority"):
        relabelled(dataset(), ferplus(np.array([row(contempt=4, anger=4)] * len(FACES))))
