import numpy as np
import pytest

from benchmark.analysis.per_class import average_precision, precision_recall, recall_at_precision, top_confusions
from benchmark.runs.record_store import Probabilities


def disgust(scores):
    """Return probabilities of which only those of Disgust matter."""
    proba = np.zeros((len(scores), 7), dtype=np.float32)
    proba[:, 1] = scores
    proba[:, 6] = 1 - proba[:, 1]
    return proba


# By falling probability of Disgust: right, wrong, right, right, wrong.
Y = np.array([1, 0, 1, 1, 2])
P = disgust([0.9, 0.8, 0.6, 0.5, 0.1])


def test_curve_by_hand():
    curve = precision_recall(Y, P, "Disgust")
    assert list(curve.columns) == ["recall", "precision", "threshold"]
    by_threshold = {round(float(row.threshold), 1): (row.recall, row.precision) for row in curve.itertuples()}
    assert by_threshold[0.5] == pytest.approx((1, 3 / 4))
    assert by_threshold[0.6] == pytest.approx((2 / 3, 2 / 3))
    assert by_threshold[0.8] == pytest.approx((1 / 3, 1 / 2))
    assert by_threshold[0.9] == pytest.approx((1 / 3, 1))
    assert by_threshold[np.inf] == (0, 1)
    assert curve["threshold"].is_monotonic_increasing


def test_average_precision_by_hand():
    # Recall rises by a third at precisions 1/1, 2/3 and 3/4.
    assert average_precision(Y, P, "Disgust") == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_recall_at_precision_by_hand():
    # On validation 0.5 finds all three at precision 3/4, 0.9 one at precision 1.
    # On test two of four faces reach 0.5, one rightly; one reaches 0.9, wrongly.
    y_test, test = np.array([1, 1, 0, 0]), disgust([0.7, 0.2, 0.95, 0.3])
    table = recall_at_precision(Probabilities(P, test, Y, y_test), "Disgust", [0.7, 0.9])
    assert table["asked"].tolist() == [0.7, 0.9]
    assert table["threshold"].tolist() == pytest.approx([0.5, 0.9])
    assert table["valid_recall"].tolist() == pytest.approx([1, 1 / 3])
    assert table["valid_precision"].tolist() == pytest.approx([3 / 4, 1])
    assert table["test_recall"].tolist() == [0.5, 0]
    assert table["test_precision"].tolist() == [0.5, 0]


def test_a_precision_out_of_reach_finds_nothing():
    y = np.array([0, 1])
    table = recall_at_precision(Probabilities(disgust([0.9, 0.2]), disgust([0.9, 0.2]), y, y), "Disgust", [0.6])
    assert table.loc[0, "threshold"] == np.inf
    assert table.loc[0, "valid_recall"] == table.loc[0, "test_recall"] == 0
    assert np.isnan(table.loc[0, "valid_precision"]) and np.isnan(table.loc[0, "test_precision"])


def test_thresholds_come_from_validation_alone():
    random = np.random.default_rng(0)
    y = random.integers(7, size=200)
    proba = random.dirichlet(np.ones(7), 200)
    proba[np.arange(200), y] += 0.3
    for emotion in ("Disgust", "Fear"):
        tables = [recall_at_precision(Probabilities(proba, test, y, y), emotion) for test in (proba, proba[::-1])]
        chosen = ["asked", "threshold", "valid_recall", "valid_precision"]
        assert tables[0][chosen].equals(tables[1][chosen])
        assert not tables[0].equals(tables[1])
        assert (tables[0]["valid_precision"] >= tables[0]["asked"]).all()


@pytest.mark.parametrize("function", [precision_recall, average_precision])
def test_an_emotion_without_faces_is_refused(function):
    with pytest.raises(ValueError, match="no face shows Fear"):
        function(np.array([0, 1]), disgust([0.1, 0.9]), "Fear")


def test_confusions_by_hand():
    counts = np.zeros((7, 7), dtype=int)
    counts[1] = [20, 10, 5, 0, 5, 1, 0]  # true Disgust
    counts[0, 1], counts[4, 1] = 4, 6  # taken for Disgust
    table = top_confusions(counts.tolist(), "Disgust")
    missed = table[table["confusion"] == "true Disgust predicted as"]
    assert missed["other"].tolist() == ["Angry", "Fear", "Sad"]
    assert missed["count"].tolist() == [20, 5, 5]
    assert missed["share"].tolist() == pytest.approx([20 / 41, 5 / 41, 5 / 41])
    wrong = table[table["confusion"] == "predicted Disgust that were"]
    assert wrong["other"].tolist() == ["Sad", "Angry"]
    assert wrong["count"].tolist() == [6, 4]
    assert wrong["share"].tolist() == pytest.approx([6 / 20, 4 / 20])
    assert top_confusions(counts, "Disgust", n=1)["other"].tolist() == ["Angry", "Sad"]


def test_an_emotion_never_confused_has_no_rows():
    table = top_confusions(np.diag(np.full(7, 3)), "Fear")
    assert table.empty
    assert list(table.columns) == ["confusion", "other", "count", "share"]
