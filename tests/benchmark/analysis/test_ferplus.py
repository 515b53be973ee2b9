from __future__ import annotations

import numpy as np
import pytest

from benchmark.analysis.ferplus import score_against_ferplus
from benchmark.data.ferplus import CHOICES
from benchmark.data.ferplus_labels import majority_choice

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


def votes(**given):
    """One row of votes, the emotions under FER+'s names."""
    return [given.get(name, 0) for name in CHOICES]


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        (votes(happiness=10), HAPPY),
        (votes(happiness=5, neutral=5), -1),
        (votes(happiness=5, neutral=4, fear=1), HAPPY),  # 5 of 9 without the single vote
        (votes(happiness=5, neutral=3, fear=2), -1),
        (votes(**dict.fromkeys(CHOICES, 1)), -1),
        (votes(contempt=6, neutral=4), CHOICES.index("contempt")),
        (votes(NF=9, unknown=1), CHOICES.index("NF")),
    ],
)
def test_majority(row, seen):
    assert majority_choice(np.array([row])).tolist() == [seen]


def test_scores_worked_out_by_hand():
    given = [
        (votes(happiness=10), HAPPY, HAPPY),
        (votes(surprise=8, fear=2), FEAR, SURPRISE),
        (votes(anger=6, disgust=4), ANGRY, DISGUST),
        (votes(neutral=5, sadness=5), SAD, SAD),
        (votes(contempt=6, neutral=4), NEUTRAL, NEUTRAL),
        (votes(unknown=8, fear=2), FEAR, FEAR),
        (votes(NF=10), DISGUST, HAPPY),
    ]
    proba = np.full((7, 7), 0.05) + 0.65 * np.eye(7)[[predicted for *_, predicted in given]]
    result = score_against_ferplus(np.array([row for row, *_ in given]), np.array([y for _, y, _ in given]), proba)
    assert result["n_faces"] == 3
    assert result["left_out"] == {"contempt": 1, "unknown": 1, "not_a_face": 1, "no_majority": 1}
    assert result["accuracy"] == pytest.approx(2 / 3)
    # Over the three emotions that occur: Happy and Surprise are seen, Angry is not.
    assert result["macro_f1"] == pytest.approx(2 / 3)
    assert result["recall"] == {
        **dict.fromkeys(("Disgust", "Fear", "Sad", "Neutral")),
        **{"Angry": 0, "Happy": 1, "Surprise": 1},
    }
    labels = result["labels"]
    assert (labels["accuracy"], labels["macro_f1"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (labels["per_emotion"]["Fear"], labels["per_emotion"]["Angry"]) == (0, 1)
    # Of all seven, happiness and anger agree; the tie goes to neutral, the file's first column.
    assert labels["all_faces"] == pytest.approx(2 / 7)
    assert labels["all_faces_per_emotion"]["Sad"] == 0
    # The first four have more than half of their votes on the seven emotions.
    high, low = -np.log(0.7), -np.log(0.05)
    by_hand = [high, 0.8 * high + 0.2 * low, 0.4 * high + 0.6 * low, 0.5 * high + 0.5 * low]
    entropies = [0, -0.8 * np.log(0.8) - 0.2 * np.log(0.2), -0.6 * np.log(0.6) - 0.4 * np.log(0.4), np.log(2)]
    assert result["soft"] == {
        "n_faces": 4,
        "cross_entropy": pytest.approx(np.mean(by_hand)),
        "entropy": pytest.approx(np.mean(entropies)),
    }


def test_the_shares_of_the_votes_themselves_reach_the_lowest_cross_entropy():
    rows = np.array([votes(surprise=8, fear=2), votes(anger=6, disgust=3, unknown=1)])
    soft = score_against_ferplus(rows, np.array([SURPRISE, ANGRY]), rows[:, :7].astype(np.float32))["soft"]
    assert soft["cross_entropy"] == pytest.approx(soft["entropy"])


def test_a_probability_of_zero_costs_much_but_not_infinity():
    soft = score_against_ferplus(
        np.array([votes(happiness=10)]), np.array([HAPPY]), np.eye(7, dtype=np.float32)[[SAD]]
    )["soft"]
    assert soft["cross_entropy"] == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_unequal_lengths_and_no_face_left_are_refused():
    row = np.array([votes(NF=10)])
    with pytest.raises(ValueError, match="as many votes"):
        score_against_ferplus(row, np.array([0, 1]), np.full((2, 7), 1 / 7))
    with pytest.raises(ValueError, match="no face"):
        score_against_ferplus(row, np.array([0]), np.full((1, 7), 1 / 7))
