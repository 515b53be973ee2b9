import numpy as np
import pytest

from benchmark.data.corruptions import CORRUPTIONS, STRENGTHS, corrupt

GREY = ("noise", "brightness", "contrast")


def change(X, kind, strength):
    return np.abs(corrupt(X, kind, strength).astype(int) - X).mean()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_faces_change_more_with_strength_and_always_alike(faces, kind):
    X = faces["PrivateTest"].X[:40]
    before = X.copy()
    changes = [change(X, kind, strength) for strength in STRENGTHS]
    assert changes == sorted(changes)
    assert changes[0] > 0
    np.testing.assert_array_equal(X, before)
    first, again, other = (corrupt(X, kind, 2, seed) for seed in (0, 0, 1))
    assert first.dtype == np.uint8 and first.shape == X.shape
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (kind in ("blur", "jpeg", "contrast")), "the others are random"


@pytest.mark.parametrize("kind", sorted(CORRUPTIONS.keys() - {"noise", "brightness", "occlusion"}))
def test_a_face_of_one_level_has_nothing_to_lose(kind):
    flat = np.full((3, 2304), 120, np.uint8)
    np.testing.assert_allclose(corrupt(flat, kind, 3).astype(int), flat, atol=4)


def test_amounts_are_what_the_table_says():
    flat = np.full((400, 2304), 120, np.uint8)
    assert corrupt(flat, "noise", 2).std() == pytest.approx(16, rel=0.02)
    assert set(np.unique(corrupt(flat, "brightness", 1))) == {90, 150}
    hidden = (corrupt(flat, "occlusion", 3) != 120).mean(axis=1)
    assert hidden[hidden > 0].mean() == pytest.approx(0.2, abs=0.01)
    spot = np.zeros((200, 48, 48), np.uint8)
    spot[:, 23:25, 23:25] = 200
    moved = corrupt(spot.reshape(200, -1), "shift", 2).reshape(200, 48, 48)
    rows, columns = np.mgrid[:48, :48] - 23.5
    centre = np.array([(rows * moved).sum(axis=(1, 2)), (columns * moved).sum(axis=(1, 2))]) / moved.sum(axis=(1, 2))
    np.testing.assert_allclose(np.hypot(*centre), 6, atol=0.1)
    assert (np.sign(centre).mean(axis=1) ** 2 < 0.1).all(), "in all directions"


@pytest.mark.parametrize(("kind", "strength"), [("fog", 1), ("blur", 4), ("blur", 0)])
def test_an_unknown_corruption_is_refused(kind, strength):
    with pytest.raises(ValueError, match="no corruption"):
        corrupt(np.zeros((1, 2304), np.uint8), kind, strength)
