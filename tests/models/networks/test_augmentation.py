import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from benchmark.data.synthetic import draw_face
from models.networks.augmentation import (
    BLUR_SIGMA,
    ERASED_SHARE,
    NOISE_SIGMA,
    apply_changes,
    draw_changes,
    random_affine,
    views,
)
from models.networks.keras_import import import_keras


@pytest.fixture
def faces():
    face = draw_face("Happy", np.random.default_rng(0)).astype(np.float32)
    return np.repeat(face[None, :, :, None], 40, axis=0)


def changed(faces, seed=0, xp=np, **limits):
    return np.asarray(apply_changes(faces, draw_changes(len(faces), np.random.default_rng(seed), **limits), xp))


def changed_one_by_one(faces, seed, shift, rotation, zoom, gamma, blur_noise_prob, erase_prob):
    """The same by scipy, face by face, in the order of the draws that all records rest on."""
    generator = np.random.default_rng(seed)
    transforms = random_affine(len(faces), generator, shift, rotation, zoom).astype(float)
    y, x = np.mgrid[:48, :48]
    moved = [
        map_coordinates(face[..., 0], (b0 * x + b1 * y + b2, a0 * x + a1 * y + a2), order=1, mode="nearest")
        for face, (a0, a1, a2, b0, b1, b2, *_) in zip(faces.astype(float), transforms, strict=True)
    ]
    power = np.exp(generator.uniform(-gamma, gamma, (len(faces), 1, 1)))
    result = 255 * (np.array(moved) / 255) ** power
    for number in np.flatnonzero(generator.random(len(faces)) < blur_noise_prob):
        if generator.random() < 0.5:
            result[number] = gaussian_filter(result[number], generator.uniform(*BLUR_SIGMA), mode="nearest")
        else:
            sigma = generator.uniform(*NOISE_SIGMA)
            result[number] = np.clip(result[number] + generator.normal(0, sigma, (48, 48)), 0, 255)
    for number in np.flatnonzero(generator.random(len(faces)) < erase_prob):
        area = generator.uniform(*ERASED_SHARE) * 48**2
        aspect = np.exp(generator.uniform(np.log(0.4), np.log(2.5)))
        height, width = round(min((area * aspect) ** 0.5, 48)), round(min((area / aspect) ** 0.5, 48))
        top, left = generator.integers(49 - height), generator.integers(49 - width)
        result[number, top : top + height, left : left + width] = generator.uniform(0, 255)
    return result[..., None]


EVERYTHING = {"shift": 4, "rotation": 10, "zoom": 0.15, "gamma": 0.3, "blur_noise_prob": 0.6, "erase_prob": 0.5}


@pytest.mark.parametrize("library", ["numpy", "keras.ops"])
@pytest.mark.parametrize("limits", [EVERYTHING, {**EVERYTHING, "gamma": 0.0, "blur_noise_prob": 0.0}])
def test_a_seed_gives_the_faces_that_scipy_gives_one_by_one(limits, library):
    faces = np.random.default_rng(1).integers(0, 256, (60, 48, 48, 1)).astype(np.float32)
    xp = np if library == "numpy" else import_keras().ops
    expected = changed_one_by_one(faces, 5, **limits)
    np.testing.assert_allclose(changed(faces, 5, xp, **limits), expected, atol=0.01)


def test_without_changes_half_of_the_faces_are_mirrored(faces):
    result = changed(faces)
    mirrored = [np.allclose(each, face[:, ::-1], atol=1e-2) for each, face in zip(result, faces, strict=True)]
    same = [np.allclose(each, face, atol=1e-2) for each, face in zip(result, faces, strict=True)]
    assert np.array_equal(mirrored, ~np.array(same))
    assert 10 < sum(mirrored) < 30


def transforms(shift=0.0, rotation=0.0, zoom=0.0):
    """Return columns moved, rows moved, degrees and log scale of 200 random transforms, the mirror undone."""
    a0, a1, a2, b0, b1, b2, *_ = random_affine(200, np.random.default_rng(0), shift, rotation, zoom).astype(float).T
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
    down = random_affine(40, np.random.default_rng(0), 4, 0, 0)[:, 5]
    np.testing.assert_allclose(moved[:, 20, 20, 0], 20 + down, atol=1e-3)


def test_a_rectangle_of_one_level_is_erased(faces):
    plain, erased = changed(faces), changed(faces, erase_prob=1)
    assert np.isclose(changed(faces, erase_prob=0.5), plain).all(axis=(1, 2, 3)).sum() in range(8, 33)
    for before, after in zip(plain, erased, strict=True):
        rows, columns = np.nonzero(before[..., 0] != after[..., 0])
        part = after[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert np.ptp(part) == 0
        assert 0.5 * ERASED_SHARE[0] < part.size / 48**2 < 1.1 * ERASED_SHARE[1]


def test_gamma_keeps_black_white_and_the_order_of_the_levels(faces):
    ramp = np.repeat(np.linspace(0, 255, 48, dtype=np.float32)[None, :, None, None], 200, axis=0).repeat(48, axis=2)
    result = changed(ramp, gamma=0.3)
    np.testing.assert_allclose(result[:, [0, -1]], ramp[:, [0, -1]], atol=1e-3)
    assert (np.diff(result[:, :, 0, 0], axis=1) > 0).all()
    powers = np.log(np.log(result[:, 24, 0, 0] / 255) / np.log(ramp[0, 24, 0, 0] / 255))
    assert -0.301 < powers.min() < -0.27
    assert 0.27 < powers.max() < 0.301


def test_degraded_faces_are_blurred_or_noisy_as_far_as_stated():
    rough = np.random.default_rng(1).normal(128, 20, (1, 48, 48, 1)).astype(np.float32)
    spread = np.std(changed(np.repeat(rough, 400, axis=0), blur_noise_prob=0.5), axis=(1, 2, 3))
    untouched = np.isclose(spread, rough.std(), atol=1e-3)
    assert 0.4 < untouched.mean() < 0.6
    assert 0.15 < (spread < rough.std() - 1e-2).mean() < 0.35, "blurred"
    assert 0.15 < (spread > rough.std() + 1e-2).mean() < 0.35, "noisy"
    assert spread.max() < np.hypot(rough.std(), NOISE_SIGMA[1]) + 1
    white_noise_left = 1 / (2 * np.sqrt(np.pi) * BLUR_SIGMA[1])
    assert spread.min() > 0.8 * white_noise_left * rough.std()


def test_views_are_the_face_and_its_mirror_image_at_three_scales(faces):
    faces = faces[:2]
    larger, larger_mirrored, same, mirrored, *_ = views(faces, zoom=0.15)
    np.testing.assert_allclose(same, faces, atol=1e-3)
    np.testing.assert_allclose(mirrored, faces[:, :, ::-1], atol=1e-3)
    np.testing.assert_allclose(larger_mirrored, larger[:, :, ::-1], atol=1e-2)
    spot = np.zeros((1, 48, 48, 1), np.float32)
    spot[:, 16:32, 16:32] = 255
    areas = [view.sum() for view in views(spot, zoom=0.15)]
    assert areas[0] > 1.2 * areas[2] > 1.4 * areas[4]
    assert len(list(views(faces, zoom=0.0))) == 2


def test_the_generator_decides_everything_and_the_input_stays(faces):
    before = faces.copy()
    np.testing.assert_array_equal(changed(faces, **EVERYTHING), changed(faces, **EVERYTHING))
    assert not np.array_equal(changed(faces, **EVERYTHING), changed(faces, seed=1, **EVERYTHING))
    np.testing.assert_array_equal(faces, before)
