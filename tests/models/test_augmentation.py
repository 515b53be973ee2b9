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


def transforms(shift=0.0, rotation=0.0, zoom=0.0):
    """Return columns moved, rows moved, degrees and log scale of 200 random transforms, the mirror undone."""
    a0, a1, a2, b0, b1, b2, *_ = affine(200, np.random.default_rng(0), shift, rotation, zoom).astype(float).T
    # Where the centre comes from, seen from the centre.
    columns, rows = 23.5 * (a0 + a1 - 1) + a2, 23.5 * (b0 + b1 - 1) + b2
    return columns, rows, np.rad2deg(np.arctan2(b0, b1)), np.log(np.hypot(b0, b1))


@pytest.mark.parametrize(
    ("change", "limit", "places"), [("shift", 4, (0, 1)), ("rotation", 10, (2,)), ("zoom", 0.2, (3,))]
)
def test_changes_fill_the_range_that_was_asked_for_and_nothing_else(change, limit, places):
    for place, values in enumerate(transforms(**{change: limit})):
        if place in places:
            assert -limit - 1e-4 <= values.min() < -0.9 * limit
            assert 0.9 * limit < values.max() <= limit + 1e-4
        else:
            np.testing.assert_allclose(values, 0, atol=1e-4)


def test_beyond_the_border_its_levels_go_on(faces):
    result = changed(np.full_like(faces, 77.0), shift=10, rotation=30, zoom=0.3)
    np.testing.assert_allclose(result, 77, atol=1e-3)


def test_faces_follow_their_transform(faces):
    ramp = np.broadcast_to(np.arange(48, dtype=np.float32)[None, :, None], (40, 48, 48))[..., None]
    moved = changed(np.ascontiguousarray(ramp), shift=4)
    down = affine(40, np.random.default_rng(0), 4, 0, 0)[:, 5]
    np.testing.assert_allclose(moved[:, 20, 20, 0], 20 + down, atol=1e-3)


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
