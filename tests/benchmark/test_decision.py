from itertools import product

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.decision import FOLDS, apply, compare, cross_fit, decide, fit_offsets
from benchmark.metrics import evaluate
from benchmark.store import Probabilities

ZERO = np.zeros(7)
PRIOR = np.array([0.13, 0.02, 0.14, 0.25, 0.18, 0.11, 0.17])


def macro_f1(y, decided):
    return f1_score(y, decided, labels=range(7), average="macro", zero_division=0)


def forecasts(n, prior, seed, sharpness=1.5):
    """Return labels drawn from `prior`, and their posteriors under a uniform one."""
    random = np.random.default_rng(seed)
    y = random.choice(7, n, p=prior)
    evidence = random.normal(size=(n, 7)) + sharpness * np.eye(7)[y]
    return y, apply(np.ones((n, 7)), sharpness * evidence)


def active(n, classes, seed):
    """Return a tiny problem in which only the first classes occur."""
    random = np.random.default_rng(seed)
    proba = np.zeros((n, 7))
    proba[:, :classes] = random.dirichlet(np.ones(classes), n)
    return random.integers(classes, size=n), proba


# Two Disgust faces taken for Angry; log odds Angry against Disgust: 2.5, 1.5, 0.5 (the two of Disgust), 1.0 (Angry).
Y_HAND = np.array([0, 1, 1, 0])
ODDS = np.array([2.5, 1.5, 0.5, 1.0])
P_HAND = np.zeros((4, 7))
P_HAND[:, 0], P_HAND[:, 1] = 1 / (1 + np.exp(-ODDS)), 1 / (1 + np.exp(ODDS))


def test_offsets_by_hand():
    # argmax says Angry four times: F1 2/3 and 0. With an Angry offset from -2.5 to -1.5 only the last face is wrong, F1
    # 2/3 and 4/5; from -1 to -0.5 only the second is, F1 4/5 and 2/3. The interval nearer 0 wins: its middle, -0.75.
    offsets = fit_offsets(Y_HAND, P_HAND)
    assert offsets[0] - offsets[1] == pytest.approx(-0.75)
    assert offsets[2:] == pytest.approx(np.full(5, 0.75 / 7))
    assert offsets.sum() == pytest.approx(0)
    assert decide(P_HAND, offsets).tolist() == [0, 0, 1, 0]
    assert macro_f1(Y_HAND, decide(P_HAND, offsets)) == pytest.approx((4 / 5 + 2 / 3) / 7)


def test_zero_offsets_are_argmax_ties_and_zeros_included():
    proba = np.array([[0.4, 0.4, 0.2, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0.5, 0.5, 0, 0, 0]], dtype=np.float32)
    assert decide(proba, ZERO).tolist() == proba.argmax(axis=1).tolist() == [0, 6, 2]


def test_apply_by_hand():
    proba = np.array([[0.5, 0.25, 0.25, 0, 0, 0, 0]])
    adjusted = apply(proba, np.array([0, np.log(4), 0, 0, 0, 0, 0]))
    assert adjusted == pytest.approx(np.array([[2, 4, 1, 0, 0, 0, 0]]) / 7)


def test_apply_and_decide_agree():
    _, proba = forecasts(500, PRIOR, 0)
    offsets = np.random.default_rng(1).normal(size=7)
    assert (apply(proba, offsets).argmax(axis=1) == decide(proba, offsets)).all()
    assert apply(proba, offsets).sum(axis=1) == pytest.approx(1)


def test_nothing_to_gain_leaves_argmax():
    assert (fit_offsets(np.arange(7), np.eye(7) * 0.93 + 0.01) == 0).all()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("drop", [None, 0.0, 0.05])
def test_never_below_argmax_on_validation(seed, drop):
    random = np.random.default_rng(seed)
    y = random.integers(7, size=60)
    # One decimal only: many faces share a breakpoint or have equal probabilities.
    proba = np.round(random.dirichlet(np.ones(7), 60), 1) + 0.01
    offsets = fit_offsets(y, proba, drop)
    assert macro_f1(y, decide(proba, offsets)) >= macro_f1(y, decide(proba, ZERO))
    if drop is not None:
        assert (y == decide(proba, offsets)).mean() >= (y == proba.argmax(axis=1)).mean() - drop - 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_two_classes_reach_the_best_of_all_offsets(seed):
    y, proba = active(15, 2, seed)
    odds = np.sort(np.log(proba[:, 0] / proba[:, 1]))
    between = np.concatenate([[odds[0] - 1], (odds[1:] + odds[:-1]) / 2, [odds[-1] + 1]])
    best = max(macro_f1(y, decide(proba, np.array([0, offset, 0, 0, 0, 0, 0]))) for offset in between)
    assert macro_f1(y, decide(proba, fit_offsets(y, proba))) == pytest.approx(best)


@pytest.mark.parametrize("seed", range(3))
def test_three_classes_against_brute_force(seed):
    y, proba = active(12, 3, seed)
    offsets = fit_offsets(y, proba)
    reached = macro_f1(y, decide(proba, offsets))
    grid = np.linspace(-3, 3, 21)
    for label, step in product(range(3), grid):
        assert macro_f1(y, decide(proba, offsets + step * np.eye(7)[label])) <= reached + 1e-12
    best = max(macro_f1(y, decide(proba, np.array([0, *pair, 0, 0, 0, 0]))) for pair in product(grid, grid))
    assert reached == pytest.approx(best, abs=0.03)


def test_recovers_a_planted_prior_shift():
    planted = np.array([0, 3.0, 0, -1.0, 0, 0, 0])
    y, proba = forecasts(3000, PRIOR, 0)
    y_test, proba_test = forecasts(3000, PRIOR, 1)
    skewed = apply(proba_test, planted)
    offsets = fit_offsets(y, apply(proba, planted))
    restored = macro_f1(y_test, decide(skewed, offsets))
    assert restored > macro_f1(y_test, decide(skewed, ZERO)) + 0.15
    assert restored == pytest.approx(macro_f1(y_test, decide(proba_test, fit_offsets(y, proba))), abs=0.02)
    assert np.corrcoef(offsets + planted, np.log(PRIOR))[0, 1] > 0.9


def test_accuracy_is_kept_where_asked():
    prior = np.array([0.04] * 6 + [0.76])
    y, proba = forecasts(2000, prior, 0, sharpness=0.8)
    proba = apply(proba, np.log(prior))
    fitted = {drop: decide(proba, fit_offsets(y, proba, drop)) for drop in (None, 0.01, 0.0)}
    accuracy = {drop: (y == decided).mean() for drop, decided in fitted.items()}
    argmax = (y == proba.argmax(axis=1)).mean()
    assert accuracy[None] < argmax - 0.01 <= accuracy[0.01] < argmax <= accuracy[0.0]
    assert macro_f1(y, fitted[None]) > macro_f1(y, fitted[0.01]) > macro_f1(y, fitted[0.0])


def test_deterministic_and_whatever_the_order_of_faces():
    y, proba = forecasts(400, PRIOR, 0)
    order = np.random.default_rng(0).permutation(400)
    offsets = fit_offsets(y, proba)
    assert (fit_offsets(y, proba) == offsets).all()
    assert (fit_offsets(y[order], proba[order]) == offsets).all()


def test_cross_fit_gives_a_face_the_offsets_of_the_other_folds():
    y, proba = forecasts(300, PRIOR, 0)
    adjusted = cross_fit(y, proba)
    fold = np.argsort(np.argsort(y, kind="stable"), kind="stable") % FOLDS
    assert adjusted[fold == 3] == pytest.approx(apply(proba[fold == 3], fit_offsets(y[fold != 3], proba[fold != 3])))
    assert all(np.ptp(np.bincount(fold[y == label], minlength=FOLDS)) <= 1 for label in range(7))


def test_compare_fits_on_validation_and_reports_on_test():
    y, proba = forecasts(400, PRIOR, 0)
    y_test, proba_test = forecasts(300, PRIOR, 1)
    table = compare(Probabilities(proba, proba_test, y, y_test))
    assert list(table.index) == ["argmax", "offsets", "offsets_accuracy"]
    plain = evaluate(y_test, proba_test)
    assert table.loc["argmax", "test_macro_f1"] == plain["macro_f1"]
    assert table.loc["argmax", "disgust_recall"] == plain["per_emotion"]["Disgust"]["recall"]
    assert table.loc["argmax", "cross_fit_macro_f1"] == table.loc["argmax", "valid_macro_f1"]
    test = evaluate(y_test, apply(proba_test, fit_offsets(y, proba)))
    assert table.loc["offsets", "test_macro_f1"] == test["macro_f1"]
    assert table.loc["offsets", "fear_f1"] == test["per_emotion"]["Fear"]["f1"]
    assert table["valid_macro_f1"].idxmax() == "offsets"
    assert table.loc["offsets_accuracy", "valid_accuracy"] >= table.loc["argmax", "valid_accuracy"] - 0.01
    other = compare(Probabilities(proba, proba_test[::-1], y, y_test))
    assert other.filter(regex="valid|cross").equals(table.filter(regex="valid|cross"))


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="for 3 labels"):
        fit_offsets(np.array([0, 1, 2]), np.full((2, 7), 1 / 7))
    with pytest.raises(ValueError, match="negative"):
        fit_offsets(np.array([0]), np.full((1, 7), 1 / 7), max_accuracy_drop=-0.1)
