import numpy as np
import pytest
from skimage.feature import hog, local_binary_pattern
from sklearn.base import clone

from features import HogDescriptor, LbpDescriptor, cache, descriptor
from features.rows import N_PIXELS, check_rows

DESCRIPTORS = [HogDescriptor(n_jobs=1), LbpDescriptor(n_jobs=1)]


@pytest.fixture
def rows():
    return np.random.default_rng(0).integers(0, 256, (12, N_PIXELS), dtype=np.uint8)


def test_hog_is_scikit_images(rows):
    expected = [hog(row.reshape(48, 48), 9, (6, 6), (2, 2), "L2-Hys") for row in rows]
    vectors = HogDescriptor(n_jobs=1).transform(rows)
    assert vectors.shape == (12, 1764)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_lbp_counts_scikit_images_codes_cell_by_cell(rows):
    vectors = LbpDescriptor(n_jobs=1).transform(rows).reshape(12, 6, 6, 59)
    codes = local_binary_pattern(rows[3].reshape(48, 48), 8, 1, "nri_uniform")
    expected = np.bincount(codes[8:16, 40:48].astype(int).ravel(), minlength=59) / 64
    np.testing.assert_allclose(vectors[3, 1, 5], expected, atol=1e-6)
    np.testing.assert_allclose(vectors.sum(axis=3), 1, atol=1e-5)


def test_lbp_cells_of_unequal_size_still_sum_to_one(rows):
    np.testing.assert_allclose(
        LbpDescriptor(grid=7, n_jobs=1).transform(rows).reshape(12, 49, 59).sum(axis=2), 1, atol=1e-5
    )


@pytest.mark.parametrize("each", DESCRIPTORS, ids=lambda each: type(each).__name__)
def test_contract(each, rows):
    before = rows.copy()
    vectors = clone(each).fit(rows).transform(rows)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(each.transform(rows[5:6])[0], vectors[5])
    assert each.transform(rows[:0]).shape == (0, vectors.shape[1])


def test_the_number_of_processes_changes_nothing(rows, monkeypatch):
    monkeypatch.setattr(descriptor, "BATCH", 5)
    np.testing.assert_array_equal(HogDescriptor(n_jobs=2).transform(rows), HogDescriptor(n_jobs=1).transform(rows))


def test_large_sets_are_described_once(rows, monkeypatch):
    monkeypatch.setattr(descriptor, "CACHED_FROM", 10)
    calls = []
    describe = HogDescriptor._describe_all
    monkeypatch.setattr(HogDescriptor, "_describe_all", lambda self, X: calls.append(len(X)) or describe(self, X))
    first = HogDescriptor(n_jobs=1).transform(rows)
    saved = cache.seconds_saved()
    np.testing.assert_array_equal(HogDescriptor(n_jobs=2).transform(rows), first)
    assert calls == [12]
    assert cache.seconds_saved() > saved
    HogDescriptor(orientations=8, n_jobs=1).transform(rows)
    HogDescriptor(n_jobs=1).transform(rows[::-1])
    monkeypatch.setattr(descriptor, "code_digest", lambda module: "edited")
    HogDescriptor(n_jobs=1).transform(rows)
    assert calls == [12] * 4


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((3, 100), np.uint8), "2304 pixels.*reshape"),
        (np.zeros((3, 48, 48), np.uint8), "flatten"),
        (np.full((1, N_PIXELS), 0.5), r"X \* 255"),
        (np.full((1, N_PIXELS), 256), "0 to 255"),
        (np.full((1, N_PIXELS), -1), "0 to 255"),
        (np.full((1, N_PIXELS), np.nan), "0 to 255"),
        (np.full((1, N_PIXELS), "a"), "uint8"),
    ],
)
def test_rows_of_another_form_are_refused(X, words):
    with pytest.raises(ValueError, match=words):
        check_rows(X)


def test_whole_numbers_of_another_type_are_taken(rows):
    checked = check_rows(rows.astype(float))
    assert checked.dtype == np.uint8
    np.testing.assert_array_equal(checked, rows)
