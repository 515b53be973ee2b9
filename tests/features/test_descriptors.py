import numpy as np
import pytest
from skimage.feature import hog, local_binary_pattern
from sklearn.base import clone

from features import HogDescriptor, LbpDescriptor, descriptor
from features.rows import N_PIXELS, check_rows

DESCRIPTORS = [HogDescriptor(), LbpDescriptor()]


@pytest.fixture
def rows():
    return np.random.default_rng(0).integers(0, 256, (12, N_PIXELS), dtype=np.uint8)


@pytest.fixture
def even_faces(rows):
    """Faces with areas of one grey level, where rounding decides, and steps from black to white."""
    return np.vstack([rows, rows // 64 * 64, rows // 128 * 255])


@pytest.mark.parametrize(("orientations", "cell", "block"), [(9, 6, 2), (8, 5, 3), (12, 7, 1), (4, 12, 4)])
def test_hog_is_scikit_images(even_faces, orientations, cell, block):
    expected = [hog(row.reshape(48, 48), orientations, (cell,) * 2, (block,) * 2, "L2-Hys") for row in even_faces]
    vectors = HogDescriptor(orientations, cell, block).transform(even_faces)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


@pytest.mark.parametrize(("n_points", "radius", "grid"), [(8, 1, 6), (8, 2.5, 7), (16, 2, 4), (4, 1, 1)])
def test_lbp_counts_scikit_images_codes_cell_by_cell(even_faces, n_points, radius, grid):
    n_codes = n_points * (n_points - 1) + 3
    vectors = LbpDescriptor(n_points, radius, grid).transform(even_faces).reshape(-1, grid, grid, n_codes)
    edges = [-(-48 * place // grid) for place in range(grid + 1)]
    for row, vector in zip(even_faces, vectors, strict=True):
        codes = local_binary_pattern(row.reshape(48, 48), n_points, radius, "nri_uniform")
        for down, across in np.ndindex(grid, grid):
            cell = codes[edges[down] : edges[down + 1], edges[across] : edges[across + 1]]
            expected = np.histogram(cell, n_codes, (0, n_codes))[0] / cell.size
            np.testing.assert_allclose(vector[down, across], expected, atol=1e-6)


def test_lbp_of_too_many_points_is_refused(rows):
    with pytest.raises(ValueError, match="16 at most"):
        LbpDescriptor(n_points=24).transform(rows)


def test_lbp_cells_of_unequal_size_still_sum_to_one(rows):
    np.testing.assert_allclose(LbpDescriptor(grid=7).transform(rows).reshape(12, 49, 59).sum(axis=2), 1, atol=1e-5)


@pytest.mark.parametrize("each", DESCRIPTORS, ids=lambda each: type(each).__name__)
def test_contract(each, rows):
    before = rows.copy()
    vectors = clone(each).fit(rows).transform(rows)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(each.transform(rows[5:6])[0], vectors[5])
    assert each.transform(rows[:0]).shape == (0, vectors.shape[1])


def test_the_faces_beside_a_face_change_nothing(rows, monkeypatch):
    for each in DESCRIPTORS:
        whole = each.transform(rows)
        with monkeypatch.context() as patched:
            patched.setattr(descriptor, "BATCH", 5)
            np.testing.assert_array_equal(each.transform(rows), whole)


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
