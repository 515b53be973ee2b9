import numpy as np
import pytest
from scipy.special import softmax

from models.calibration import apply_temperature, best_temperature
from models.parts.tuned_voting import TunedVoting, greedy_selection
from models.recognizers.soft_voting import SoftVoting

CLASSES = np.arange(3)


@pytest.fixture
def labels():
    return np.random.default_rng(0).integers(0, 3, 3000)


def sampled(labels, sharpness, seed):
    """Return probabilities, with `labels` drawn from them once sharpness is 1; above 1 they are too sure."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(len(labels), 3))
    logits[np.arange(len(labels)), labels] += 1
    return softmax(sharpness * logits, axis=1)


def log_loss(proba, y):
    return -np.log(proba[np.arange(len(y)), y]).mean()


def test_the_temperature_undoes_sharpening(labels):
    calm = sampled(labels, 1, seed=1)
    sharpened = apply_temperature(calm, 0.5)
    np.testing.assert_allclose(apply_temperature(sharpened, 2.0), calm, atol=1e-12)
    assert best_temperature(sharpened, labels) == pytest.approx(2 * best_temperature(calm, labels), rel=1e-3)
    assert best_temperature(calm, labels) == pytest.approx(1, abs=0.1)


def test_an_average_of_calibrated_members_is_calibrated_too(labels):
    members = {str(seed): sampled(labels, 1, seed) for seed in range(4)}
    plain = np.mean(list(members.values()), axis=0)
    voting = SoftVoting().fit(members, labels, CLASSES)
    assert voting.temperature_ < 0.9, "averaging made them too mild"
    voted = voting.combine(members)
    assert log_loss(voted, labels) < log_loss(plain, labels) - 0.01
    np.testing.assert_array_equal(voted.argmax(axis=1), plain.argmax(axis=1))


def test_the_selection_comes_near_the_best_weights_there_are(labels):
    probas = [sampled(labels, 1, seed) for seed in (1, 2)]
    chosen = greedy_selection(np.stack([each[np.arange(len(labels)), labels] for each in probas]), 100)
    assert chosen.sum() == 100
    grid = np.linspace(0, 1, 101)
    losses = [log_loss(share * probas[0] + (1 - share) * probas[1], labels) for share in grid]
    found = log_loss(chosen[0] / 100 * probas[0] + chosen[1] / 100 * probas[1], labels)
    assert found == pytest.approx(min(losses), abs=1e-5)


def test_the_vote_is_better_than_its_members_and_useless_ones_are_left_out(labels):
    members = {
        "sure": sampled(labels, 1, seed=1),
        "calm": sampled(labels, 1, seed=2),
        "noise": np.random.default_rng(3).dirichlet(np.ones(3), len(labels)),
    }
    voting = TunedVoting().fit(members, labels, CLASSES)
    assert set(voting.weights_) == {"sure", "calm"} == set(voting.names_)
    assert sum(voting.weights_.values()) == pytest.approx(1)
    voted = voting.combine(members)
    np.testing.assert_allclose(voted.sum(axis=1), 1, atol=1e-6)
    assert log_loss(voted, labels) < min(log_loss(each, labels) for each in members.values())
    expected = sum(weight * members[name] for name, weight in voting.weights_.items())
    np.testing.assert_allclose(voted, apply_temperature(expected, voting.temperature_), atol=1e-6)


def test_small_weights_go_one_after_the_other(labels):
    other = sampled(labels, 1, seed=2)
    # Two that are right at different times, so that both are wanted: together as much as the good one, or more.
    halves = [np.where((np.arange(len(labels)) % 2 == part)[:, None], other, 1 / 3) for part in (0, 1)]
    members = {"good": sampled(labels, 1, seed=1), "first": halves[0], "second": halves[1]}
    free = TunedVoting(min_weight=0.0).fit(members, labels, CLASSES).weights_
    small = sorted(free.values())[:2]
    assert 0 < small[0] <= small[1] < 0.4, "else this test shows nothing"
    strict = TunedVoting(min_weight=small[1] + 0.01).fit(members, labels, CLASSES).weights_
    assert len(strict) == 2, "with one of the two gone, the other has enough"
    assert sum(strict.values()) == pytest.approx(1)


def test_one_member_stays_whatever_is_asked(labels):
    members = {"good": sampled(labels, 1, seed=1), "other": sampled(labels, 1, seed=2)}
    assert list(TunedVoting(min_weight=2.0).fit(members, labels, CLASSES).weights_.values()) == [1.0]


def test_probabilities_of_zero_do_no_harm():
    certain = np.eye(3)[[0, 1, 2, 0]]
    members = {"sure": certain, "even": np.full((4, 3), 1 / 3)}
    voting = TunedVoting(min_weight=0.0).fit(members, [1, 1, 2, 0], CLASSES)
    voted = voting.combine(members)
    assert voting.weights_["even"] > 0
    assert (voted > 0).all(), "one sure mistake would cost any log loss"
    np.testing.assert_allclose(voted.sum(axis=1), 1, atol=1e-6)
