import numpy as np
import pytest

from benchmark.data.synthetic import draw_face
from models.augmentation import ERASED_SHARE, affine, augment


@pytest.fixture
def faces():
    face = draw_face("Happy", np.random.default_rng(0)).astype(np.float32)
    return np.repeat(face[None, :, :, None], 40, axis=0)


def changed(faces, shift=0.0, rotation=0.0, zoom=0.0, erasing=0.0, seed=0):
    return augment(faces, np.random.default_rng(seed), shift, rotation, zoom, erasing)


def test_without_changes_half_of_the_faces_are_mirrored(faces):
    result = changed(faces)
    mirrored = [np.allclose(each, face[:, ::-1], atol=1e-2) for each, face in zip(result, faces, strict=True)]
    same = [np.allclose(each, face, atol=1e-2) for each, face in zip(result, faces, strict=True)]
    assert np.array_equal(mirrored, ~np.array(same))
    assert 10 < sum(mirrored) < 30


@pytest.mark.parametrize("change", [{"shift": 4}, {"rotation": 10}, {"zoom": 0.2}])
def test_a_point_moves_no_farther_than_asked(change):
    x, y = 40.0, 10.0
    for a0, a1, a2, b0, b1, b2, *_ in affine(
        200, np.random.default_rng(0), *({"shift": 0, "rotation": 0, "zoom": 0} | change).values()
    ):
        where = np.array([a0 * x + a1 * y + a2 - 23.5, b0 * x + b1 * y + b2 - 23.5])
        where[0] *= np.sign(a0)  # undo the mirror
        before = np.array([x - 23.5, y - 23.5])
        if "shift" in change:
            assert (np.abs(np.abs(where) - np.abs(before)) <= 4 + 1e-4).all()
        elif "rotation" in change:
            assert np.hypot(*where) == pytest.approx(np.hypot(*before), rel=1e-5)
            angle = np.arctan2(where[1], where[0]) - np.arctan2(before[1], before[0])
            assert abs(np.rad2deg(angle)) <= 10 + 1e-3
        else:
            assert abs(np.log(np.hypot(*where) / np.hypot(*before))) <= 0.2 + 1e-5


def test_beyond_the_border_its_levels_go_on(faces):
    result = changed(np.full_like(faces, 77.0), shift=10, rotation=30, zoom=0.3)
    np.testing.assert_allclose(result, 77, atol=1e-3)


def test_a_rectangle_of_one_level_is_erased(faces):
    plain, erased = changed(faces), changed(faces, erasing=1)
    assert np.isclose(changed(faces, erasing=0.5), plain).all(axis=(1, 2, 3)).sum() in range(8, 33)
    for before, after in zip(plain, erased, strict=True):
        rows, columns = np.nonzero(before[..., 0] != after[..., 0])
        part = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert np.ptp(part) == 0
        assert 0.5 * ERASED_SHARE[0] < part.size / 48**2 < 1.1 * ERASED_SHARE[1]


def test_the_generator_decides_everything_and_the_input_stays(faces):
    before = faces.copy()
    options = {"shift": 4, "rotation": 10, "zoom": 0.1, "erasing": 0.5}
    np.testing.assert_array_equal(changed(faces, **options), changed(faces, **options))
    assert not np.array_equal(changed(faces, **options), changed(faces, seed=1, **options))
    np.testing.assert_array_equal(faces, before)
