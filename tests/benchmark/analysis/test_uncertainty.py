from statistics import fmean

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, recall_score

from benchmark.analysis.uncertainty import METRICS, drawn_seeds, first_places, intervals, over_seeds, paired_differences
from benchmark.runs.metrics import evaluate
from models.labels import EMOTIONS

pytestmark = pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")


def guesses(n_faces, n_seeds=1, seed=0, hit=0.6):
    """True labels of equally frequent emotions, and predictions of which a little more than `hit` are right."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_faces) % 7)
    return y, np.where(rng.random((n_seeds, n_faces)) < hit, y, rng.integers(0, 7, (n_seeds, n_faces)))


def flat(scores):
    recall = {f"recall_{emotion}": scores["per_emotion"][emotion]["recall"] for emotion in EMOTIONS}
    return {**{metric: scores[metric] for metric in METRICS[:3]}, **recall}


# Bootstrap intervals


def test_a_row_each_metric():
    table = intervals(*guesses(70), n_resamples=200)
    assert tuple(table.index) == METRICS
    assert METRICS[:4] == ("accuracy", "macro_f1", "balanced_accuracy", "recall_Angry")
    assert table.index.name == "metric"
    assert list(table) == ["estimate", "low", "high"]
    assert (table["low"] < table["estimate"]).all() and (table["estimate"] < table["high"]).all()


@pytest.mark.parametrize("seed", range(10))
def test_estimates_are_those_of_the_benchmark(seed):
    y, (predictions,) = guesses(97, seed=seed)
    proba = np.random.default_rng(seed).dirichlet(np.ones(7), size=97) + 2 * np.eye(7)[predictions]
    assert intervals(y, predictions, n_resamples=2)["estimate"].to_dict() == flat(evaluate(y, proba))


def test_estimates_of_several_seeds_are_means():
    y, predictions = guesses(97, n_seeds=3)
    single = [flat(evaluate(y, np.eye(7)[one])) for one in predictions]
    expected = {metric: fmean(scores[metric] for scores in single) for metric in METRICS}
    assert intervals(y, predictions, n_resamples=2)["estimate"].to_dict() == expected


@pytest.mark.parametrize(("n_faces", "n_right"), [(10, 7), (50, 20), (400, 300)])
def test_right_answers_of_a_resample_are_binomial(n_faces, n_right):
    low, high = intervals([0] * n_faces, [0] * n_right + [1] * (n_faces - n_right)).loc["recall_Angry", ["low", "high"]]
    expected = stats.binom(n_faces, n_right / n_faces).ppf([0.025, 0.975]) / n_faces
    assert [low, high] == pytest.approx(expected, abs=1.01 / n_faces)


def test_accuracy_of_many_faces_is_nearly_normal():
    y, predictions = guesses(3589)
    estimate, low, high = intervals(y, predictions).loc["accuracy"]
    half = 1.96 * np.sqrt(estimate * (1 - estimate) / 3589)
    assert [low, high] == pytest.approx([estimate - half, estimate + half], abs=0.001)


@pytest.mark.parametrize(
    ("metric", "score"),
    [
        ("accuracy", accuracy_score),
        pytest.param(
            "macro_f1",
            lambda y, p: f1_score(y, p, labels=range(7), average="macro", zero_division=0),
            marks=pytest.mark.slow,
        ),
        pytest.param("balanced_accuracy", balanced_accuracy_score, marks=pytest.mark.slow),
        pytest.param(
            "recall_Fear", lambda y, p: recall_score(y, p, labels=[2], average="macro"), marks=pytest.mark.slow
        ),
    ],
)
def test_agrees_with_scipy_resampling_faces(metric, score):
    y, predictions = guesses(140)
    reference = stats.bootstrap(
        (y, *predictions),
        score,
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=800,
        rng=np.random.default_rng(1),
    )
    row = intervals(y, predictions).loc[metric]
    # The 2.5 % quantile of 800 resamples has a standard error of 0.094 standard deviations of the score.
    tolerance = 4 * 0.1 * reference.standard_error
    assert [row["low"], row["high"]] == pytest.approx(reference.confidence_interval, abs=tolerance)


def test_the_same_predictions_twice_tell_no_more():
    y, (predictions,) = guesses(70)
    pd.testing.assert_frame_equal(intervals(y, [predictions, predictions]), intervals(y, predictions))


def test_the_interval_covers_faces_and_seeds():
    y, hits = np.zeros(400, int), np.array([0.4, 0.6, 0.8])
    predictions = np.stack([np.arange(400) >= 400 * hit for hit in hits]).astype(int)
    row = intervals(y, predictions).loc["accuracy"]
    of_seeds, of_faces = np.var(hits, ddof=1) / 3, 0.58 * 0.42 / 400  # the same faces are the easy ones for all three
    assert row["estimate"] == pytest.approx(0.6)
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * np.sqrt(of_seeds + of_faces), rel=0.15)
    faces_alone = intervals(y, predictions[1]).loc["accuracy"]
    assert row["high"] - row["low"] > 2 * (faces_alone["high"] - faces_alone["low"])


def test_who_is_first_how_often():
    y = np.zeros(100, int)
    right_on = {"more": range(60), "as_more": range(60), "fewer": range(40), "others": range(40, 100)}
    predictions = {name: np.where(np.isin(np.arange(100), faces), 0, 1) for name, faces in right_on.items()}
    table = first_places(y, predictions)
    assert table.sum().to_dict() == pytest.approx({"accuracy": 1, "macro_f1": 1})
    assert table.loc["more", "accuracy"] == table.loc["as_more", "accuracy"] == pytest.approx(0.25, abs=0.03)
    assert table.loc["others", "accuracy"] == pytest.approx(0.5, abs=0.05)
    assert table.loc["fewer", "accuracy"] < 0.01


def test_a_recognizer_is_first_by_each_of_its_seeds():
    y = np.zeros(1000, int)
    both = np.stack([y, y, y + 1])  # all right twice, all wrong once: both that are drawn are right in 4 of 9 cases
    assert first_places(y, {"sure": (np.arange(1000) >= 900).astype(int), "moody": both}).loc[
        "moody", "accuracy"
    ] == pytest.approx(4 / 9, abs=0.04)


@pytest.mark.parametrize("n_seeds", [1, 2, 3, 10])
def test_drawn_seeds_vary_as_the_mean_of_so_few_does(n_seeds):
    scores = np.random.default_rng(1).random(n_seeds)
    weights = drawn_seeds(n_seeds, 20_000)
    assert weights.sum(axis=1) == pytest.approx(1)
    expected = scores.var(ddof=1) / n_seeds if n_seeds > 1 else 0
    assert (weights @ scores).var() == pytest.approx(expected, rel=0.05)


@pytest.mark.slow
def test_the_truth_is_covered_about_as_often_as_promised():
    covered = []
    for seed in range(200):
        row = intervals(*guesses(210, seed=seed, hit=0.65), n_resamples=400).loc["accuracy"]
        covered.append(row["low"] <= 0.7 <= row["high"])
    assert 0.9 <= np.mean(covered) <= 0.99


def test_a_higher_level_is_wider():
    y, predictions = guesses(700)
    narrow, wide = intervals(y, predictions, level=0.5), intervals(y, predictions, level=0.99)
    assert (wide["low"] < narrow["low"]).all() and (wide["high"] > narrow["high"]).all()


def test_the_seed_decides():
    y, predictions = guesses(70)
    first = intervals(y, predictions, seed=1)
    pd.testing.assert_frame_equal(first, intervals(y, predictions, seed=1))
    other = intervals(y, predictions, seed=2)
    assert not first.equals(other)
    assert first.to_numpy() == pytest.approx(other.to_numpy(), abs=0.1)


def test_who_is_always_right_is_sure():
    assert (intervals(np.arange(70) % 7, np.arange(70) % 7, n_resamples=500) == 1).all(axis=None)


def test_an_emotion_without_a_face_has_no_interval():
    table = intervals([0, 0, 0, 2], [0, 1, 0, 2])
    assert table.loc["recall_Disgust"].isna().all()
    assert table.loc["accuracy", "low":"high"].tolist() == [0.25, 1]
    assert table.loc["balanced_accuracy", "high"] == 1
    # Macro-F1 is the mean over the two emotions that occur.
    assert table.loc["macro_f1", "high"] == 1


def test_resamples_without_the_emotion_do_not_count_for_its_recall():
    y = [*range(7)] * 3 + [0]
    assert intervals(y, y).loc["recall_Disgust", "low":"high"].tolist() == [1, 1]
    # One face of emotion 1 is in 63 % of the resamples, always right.
    assert intervals([0, 0, 0, 0, 1], [0, 0, 0, 2, 1]).loc["recall_Disgust", "low":"high"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("y", "predictions", "level"),
    [
        ([], [], 0.95),
        ([0, 1], [0], 0.95),
        ([0, 1], [[0, 1], [0, 7]], 0.95),
        ([0, -1], [0, 1], 0.95),
        ([0, 1], np.full((2, 7), 0.3), 0.95),
        ([0, 1], [0, 1], 95),
    ],
)
def test_refuses_what_makes_no_interval(y, predictions, level):
    with pytest.raises(ValueError, match=r"labels|shape|level"):
        intervals(y, predictions, level=level)


# Spread over seeds


def test_mean_and_spread_by_hand(record):
    right, two_wrong, three_wrong = [*range(7)], [1, 0, *range(2, 7)], [0, 0, 0, 0, *range(4, 7)]
    table = over_seeds(
        [
            record("hog", right, right),
            record("hog", right, two_wrong, seed=1),
            record("cnn", right, three_wrong),
            {"recognizer": "cnn", "seed": 1, "status": "failed"},
        ]
    )
    assert list(table) == ["mean", "std", "n"]
    assert list(table.index) == [(name, metric) for name in ("hog", "cnn") for metric in METRICS]
    assert table.loc[("hog", "accuracy")].tolist() == pytest.approx([6 / 7, 2 / 7 / np.sqrt(2), 2])
    assert table.loc[("hog", "recall_Angry")].tolist() == pytest.approx([0.5, np.sqrt(0.5), 2])
    assert table.loc[("hog", "recall_Fear")].tolist() == [1, 0, 2]
    assert table.loc[("cnn", "accuracy")].tolist() == pytest.approx([4 / 7, np.nan, 1], nan_ok=True)


def test_no_record_no_row():
    assert over_seeds([]).empty


# Paired differences


def test_a_recognizer_does_not_differ_from_itself():
    y, (guess,) = guesses(70)
    table = paired_differences(y, guess, guess, n_resamples=200)
    assert (table == 0).all(axis=None)


def test_differences_are_one_minus_other_and_turn_their_sign():
    y, (one, other) = guesses(140, n_seeds=2)
    there, back = (paired_differences(y, *pair, n_resamples=4000) for pair in ((one, other), (other, one)))
    expected = accuracy_score(y, one) - accuracy_score(y, other)
    assert there.loc["accuracy", "estimate"] == pytest.approx(expected)
    assert there["low"].to_numpy() == pytest.approx(-back["high"].to_numpy(), abs=0.03)


def test_paired_intervals_are_those_of_scipy():
    y, (one, other) = guesses(500, n_seeds=2)
    wins = (one == y).astype(float) - (other == y)
    reference = stats.bootstrap(
        (wins,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    found = paired_differences(y, one, other).loc["accuracy"]
    assert (found["low"], found["high"]) == pytest.approx(tuple(reference), abs=0.004)
    # Narrower than as if the faces were others: what is hard for the one is hard for the other.
    easy = np.where(np.arange(500) < 250, y, one)
    similar = np.where(np.arange(500) < 260, y, one)
    assert np.ptp(paired_differences(y, easy, similar).loc["accuracy", ["low", "high"]]) < 0.05


def test_paired_differences_need_as_many_predictions_as_faces():
    with pytest.raises(ValueError, match="shape"):
        paired_differences([0, 1], [0, 1], [0])
