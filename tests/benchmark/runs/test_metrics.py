import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from benchmark.runs.metrics import evaluate, expected_calibration_error, macro_f1, reliability, shares


def proba(rows):
    return np.array(rows, dtype=np.float32)


Y = np.array([0, 0, 1, 3])
P = proba(
    [
        [0.7, 0.1, 0.1, 0.1, 0, 0, 0],
        [0.2, 0.6, 0.1, 0.1, 0, 0, 0],
        [0.1, 0.8, 0.1, 0.0, 0, 0, 0],
        [0.5, 0.1, 0.0, 0.4, 0, 0, 0],
    ]
)


def test_scores_by_hand():
    scores = evaluate(Y, P)
    assert scores["accuracy"] == 0.5
    assert scores["top2"] == 1.0
    assert scores["balanced_accuracy"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert scores["log_loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 0.4]).mean(), rel=1e-5)
    disgust = scores["per_emotion"]["Disgust"]
    assert disgust == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}
    # Angry: precision 1/2, recall 1/2; the third emotion that occurs scores 0, those that do not occur do not count.
    assert scores["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    confusion = np.array(scores["confusion"])
    assert confusion[0, 0] == confusion[0, 1] == confusion[1, 1] == confusion[3, 0] == 1
    assert confusion.sum() == 4


def test_an_emotion_without_faces_has_neither_recall_nor_f1():
    scores = evaluate(np.array([0, 3]), np.eye(7)[[0, 1]])["per_emotion"]
    assert scores["Disgust"] == {"precision": 0.0, "recall": None, "f1": None, "support": 0}
    assert scores["Sad"] == {"precision": 0.0, "recall": None, "f1": None, "support": 0}
    assert scores["Happy"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}


@given(st.integers(0, 10_000), st.integers(1, 30))
def test_macro_f1_is_that_of_scikit_learn_over_the_emotions_that_occur(seed, n_faces):
    y, predicted = np.random.default_rng(seed).integers(0, 7, (2, n_faces))
    expected = f1_score(y, predicted, labels=np.unique(y), average="macro", zero_division=0)
    assert evaluate(y, np.eye(7)[predicted])["macro_f1"] == pytest.approx(expected)
    # Resamples and FER+ count it from the same function.
    counts = [np.bincount(labels, minlength=7) for labels in (y[predicted == y], predicted, y)]
    assert macro_f1(*(np.stack([count, 2 * count]) for count in counts)) == pytest.approx([expected] * 2)


def test_calibration_error_by_hand():
    # Bins of width 1/15: 0.7 right, 0.6 wrong, 0.8 right, 0.5 wrong each stand alone.
    expected = (abs(0.7 - 1) + 0.6 + abs(0.8 - 1) + 0.5) / 4
    assert expected_calibration_error(Y, P) == pytest.approx(expected, rel=1e-5)


def test_a_calibrated_forecast_has_no_error():
    y = np.array([0, 0, 0, 1])
    P = np.tile([0.75, 0.25, 0, 0, 0, 0, 0], (4, 1))
    assert expected_calibration_error(y, P) == pytest.approx(0)


def test_confidence_one_falls_in_the_last_bin():
    assert expected_calibration_error(np.array([2]), np.eye(7)[[2]]) == 0


def test_reliability_by_hand():
    # Confidences 0.72, 0.70 (one bin: 10/15 to 11/15) and 0.3; right, wrong, right.
    proba = np.zeros((3, 7))
    proba[:, 0] = [0.72, 0.70, 0.3]
    proba[:, 1:] = (1 - proba[:, :1]) / 6
    table = reliability(np.array([0, 3, 0]), proba)
    assert table.index.tolist() == [4, 10]
    assert table["faces"].tolist() == [1, 2]
    assert table["confidence"].tolist() == pytest.approx([0.3, 0.71])
    assert table["accuracy"].tolist() == [1.0, 0.5]


def test_shares_of_a_row_without_faces_are_missing():
    counts = pd.DataFrame([[3, 1], [0, 0]])
    np.testing.assert_array_equal(shares(counts), [[0.75, 0.25], [np.nan, np.nan]])
