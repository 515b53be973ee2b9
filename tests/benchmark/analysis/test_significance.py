import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from benchmark.analysis.significance import detectable_difference, mcnemar_matrix, versus_best


def guesses(n_faces, n_seeds=1, seed=0, hit=0.6):
    """True labels of equally frequent emotions, and predictions of which a little more than `hit` are right."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_faces) % 7)
    return y, np.where(rng.random((n_seeds, n_faces)) < hit, y, rng.integers(0, 7, (n_seeds, n_faces)))


def against(only_best, only_other, both=10):
    """Predictions of two recognizers for faces of emotion 0: each is alone in being right that often."""
    best = [0] * (both + only_best) + [1] * only_other
    other = [0] * both + [1] * only_best + [0] * only_other
    return np.zeros(len(best), int), {"best": best, "other": other}


def p_value(only_best, only_other):
    return mcnemar_matrix(*against(only_best, only_other)).loc["best", "other"]


def missing(**wrong):
    """Predictions for 40 faces of which the best gets all right, the others all but that many."""
    faces = np.arange(40)
    return 0 * faces, {"best": 0 * faces, **{name: (faces < n).astype(int) for name, n in wrong.items()}}


# McNemar's test


@pytest.mark.parametrize(
    ("only_best", "only_other", "expected"),
    [(0, 0, 1), (1, 0, 1), (6, 0, 2 / 2**6), (5, 1, 2 * (1 + 6) / 2**6), (3, 3, 1), (0, 10, 2 / 2**10)],
)
def test_few_discordant_faces_by_hand(only_best, only_other, expected):
    assert p_value(only_best, only_other) == pytest.approx(expected)


def test_many_discordant_faces_by_hand():
    # (|10 - 30| - 1)^2 / 40 = 9.025, the square of a standard normal deviate.
    assert p_value(10, 30) == pytest.approx(2 * stats.norm.sf(np.sqrt(9.025)))


@pytest.mark.parametrize("both", [0, 500])
def test_faces_on_which_both_agree_do_not_count(both):
    assert mcnemar_matrix(*against(9, 2, both)).loc["best", "other"] == p_value(9, 2)


def test_the_exact_test_ends_at_25_discordant_faces():
    assert p_value(7, 17) == pytest.approx(stats.binomtest(7, 24).pvalue)
    assert p_value(7, 18) == pytest.approx(stats.chi2.sf(100 / 25, 1))


@pytest.mark.parametrize(("only_best", "only_other"), [(3, 9), (12, 40), (130, 90), (700, 701)])
def test_agrees_with_statsmodels(only_best, only_other):
    exact = only_best + only_other < 25
    reference = mcnemar([[10, only_best], [only_other, 0]], exact=exact, correction=True)
    assert p_value(only_best, only_other) == pytest.approx(reference.pvalue)


def test_the_approximation_is_close_to_the_exact_test():
    assert p_value(230, 180) == pytest.approx(stats.binomtest(230, 410).pvalue, abs=0.001)


@pytest.mark.parametrize("discordant", [3, 40])
def test_equally_good_is_no_difference(discordant):
    assert p_value(discordant, discordant) == 1


def test_matrix_of_all_pairs():
    y, predictions = guesses(500, n_seeds=3)
    names = ["hog", "lbp", "cnn"]
    table = mcnemar_matrix(y, dict(zip(names, predictions, strict=True)))
    assert list(table) == list(table.index) == names
    assert (np.diag(table) == 1).all()
    assert (table == table.T).all(axis=None)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        counts = pd.crosstab(predictions[i] == y, predictions[j] == y)
        assert table.iloc[i, j] == pytest.approx(mcnemar(counts, exact=False).pvalue)


def test_predictions_of_other_faces_are_refused():
    with pytest.raises(ValueError, match="cnn: 2 predictions for 3 faces"):
        mcnemar_matrix([0, 1, 2], {"hog": [0, 1, 2], "cnn": [0, 1]})


# Against the best


def test_counts_against_the_best():
    table = versus_best(*against(9, 2), best="best")
    assert list(table) == ["only_best_right", "only_other_right", "p", "p_holm", "distinguishable", "detectable"]
    assert list(table.index) == ["other"]
    assert table.loc["other", ["only_best_right", "only_other_right"]].tolist() == [9, 2]
    assert table.loc["other", "p"] == table.loc["other", "p_holm"] == p_value(9, 2)


def test_holm_by_hand():
    # p = 2^-4, 2^-7, 2^-5, 2^-6: the smallest four times, the next three times and so on.
    table = versus_best(*missing(five=5, eight=8, six=6, seven=7), best="best")
    assert table["p"].to_dict() == pytest.approx({"five": 2**-4, "eight": 2**-7, "six": 2**-5, "seven": 2**-6})
    holm = {"five": 2 * 2**-5, "eight": 4 * 2**-7, "six": 2 * 2**-5, "seven": 3 * 2**-6}
    assert table["p_holm"].to_dict() == pytest.approx(holm)
    assert table["distinguishable"].to_dict() == {"five": False, "eight": True, "six": False, "seven": True}


def test_holm_neither_falls_nor_exceeds_one():
    table = versus_best(*missing(eight=8, as_eight=8, none=0, one=1), best="best")
    assert table["p_holm"].tolist() == pytest.approx([4 * 2**-7, 4 * 2**-7, 1, 1])


def test_holm_agrees_with_statsmodels_and_the_matrix():
    y, predictions = guesses(800, n_seeds=6, hit=0.5)
    named = {f"r{i}": np.where(np.arange(800) < 50 * i, y, one) for i, one in enumerate(predictions)}
    table = versus_best(y, named, "r5")
    assert list(table.index) == ["r0", "r1", "r2", "r3", "r4"]
    assert table["p"].tolist() == mcnemar_matrix(y, named).loc["r5", table.index].tolist()
    reject, corrected, *_ = multipletests(table["p"], alpha=0.05, method="holm")
    assert table["p_holm"].tolist() == corrected.tolist()
    assert table["distinguishable"].tolist() == reject.tolist()
    assert set(reject) == {True, False}


@pytest.mark.parametrize(("n_faces", "differing"), [(3589, 0.2), (3589, 0.05), (400, 0.3)])
def test_the_detectable_difference_is_found_with_the_power_that_it_promises(n_faces, differing):
    difference = detectable_difference(n_faces, differing)
    rng = np.random.default_rng(0)
    shares = [(differing + difference) / 2, (differing - difference) / 2]
    counts = rng.multinomial(n_faces, [*shares, 1 - differing], size=4000)[:, :2]
    # The test without its correction for continuity, which the formula leaves out too.
    z = np.abs(counts[:, 0] - counts[:, 1]) / np.sqrt(counts.sum(axis=1))
    assert (z > 1.96).mean() == pytest.approx(0.8, abs=0.025)


def test_two_points_are_what_the_test_split_can_show_of_unlike_recognizers():
    assert detectable_difference(3589, 0.2) == pytest.approx(0.021, abs=0.0005)
    assert np.isnan(detectable_difference(3589, np.nan)) and detectable_difference(3589, 0.0) == 0


def test_the_best_alone_has_no_comparison():
    table = versus_best([0, 1], {"best": [0, 1]}, "best")
    assert table.empty and "p_holm" in table


def test_the_best_must_be_there():
    with pytest.raises(KeyError, match="cnn"):
        versus_best([0, 1], {"hog": [0, 1]}, "cnn")


def test_a_pair_is_compared_on_the_seeds_of_both():
    y = np.zeros(40, int)
    predictions = {"best": {1: y, 3: y + 1}, "worse": {0: y, 1: y + 1, 2: y}, "other": {4: y}}
    matrix = mcnemar_matrix(y, predictions)
    assert matrix.loc["best", "worse"] == mcnemar_matrix(y, {"best": y, "worse": y + 1}).loc["best", "worse"]
    assert matrix["other"].isna().tolist() == [True, True, False]
    table = versus_best(y, predictions, "best")
    assert table.loc["worse", ["only_best_right", "only_other_right"]].tolist() == [40, 0]
    assert table.loc["worse", "p_holm"] == table.loc["worse", "p"], "one comparison alone"
    assert table.loc["other"].drop("distinguishable").isna().all() and not table.loc["other", "distinguishable"]


# Several seeds


def several(*accuracies, n_faces=1000):
    """Predictions by seed for faces of emotion 0: with each seed other faces are right."""
    orders = [np.random.default_rng(seed).permutation(n_faces) for seed in range(len(accuracies))]
    return {seed: (orders[seed] >= n_faces * right).astype(int) for seed, right in enumerate(accuracies)}


def test_seeds_that_change_nothing_are_one_seed():
    y, predictions = against(9, 2)
    repeated = {name: dict.fromkeys(range(3), labels) for name, labels in predictions.items()}
    assert mcnemar_matrix(y, repeated).equals(mcnemar_matrix(y, predictions))
    assert versus_best(y, repeated, "best").equals(versus_best(y, predictions, "best"))


def test_several_seeds_tell_more_than_one():
    y, one, other = np.zeros(1000, int), several(0.7, 0.7, 0.7), several(0.65, 0.65, 0.65)
    other = {seed: labels[::-1] for seed, labels in other.items()}  # right on other faces
    alone = mcnemar_matrix(y, {"a": one[0], "b": other[0]}).loc["a", "b"]
    assert mcnemar_matrix(y, {"a": one, "b": other}).loc["a", "b"] < alone


def test_the_spread_of_the_seeds_counts():
    y = np.zeros(1000, int)
    steady, moody = {"a": several(0.7, 0.7, 0.7)}, {"a": several(0.8, 0.75, 0.55)}
    other = {"b": several(0.6, 0.6, 0.6)}
    assert mcnemar_matrix(y, steady | other).loc["a", "b"] < 0.001
    # One of three trainings is worse: both that are drawn are that one in 1 of 9 cases.
    assert mcnemar_matrix(y, moody | other).loc["a", "b"] == pytest.approx(2 / 9, abs=0.05)


def test_the_test_of_several_seeds_is_the_same_in_both_orders():
    y, one, other = np.zeros(500, int), several(0.7, 0.6, 0.5, n_faces=500), several(0.6, 0.6, 0.7, n_faces=500)
    table = mcnemar_matrix(y, {"a": one, "b": other})
    assert table.loc["a", "b"] == table.loc["b", "a"] == mcnemar_matrix(y, {"b": other, "a": one}).loc["a", "b"]
    tested = versus_best(y, {"a": one, "b": other}, "b")
    assert tested.loc["a", "p"] == table.loc["a", "b"]
    # The mean over the seeds of the faces of which only the one is right, less those of which only the other is.
    gap = tested.loc["a", "only_best_right"] - tested.loc["a", "only_other_right"]
    assert gap == pytest.approx(500 * (1.9 - 1.8) / 3)


@pytest.mark.slow
def test_methods_are_called_different_for_their_seeds_less_often_than_by_one_training():
    rng, found = np.random.default_rng(0), []
    for _ in range(40):
        hits = rng.normal(0.6, 0.015, (2, 3, 1))
        one, other = (rng.random((2, 3, 1000)) > hits).astype(int)
        pair = {"a": dict(enumerate(one)), "b": dict(enumerate(other))}
        single = {name: labels[0] for name, labels in pair.items()}
        found.append([versus_best(np.zeros(1000, int), each, "a").loc["b", "p"] < 0.05 for each in (pair, single)])
    several_seeds, one_seed = np.mean(found, axis=0)
    assert several_seeds < 0.1 < one_seed
