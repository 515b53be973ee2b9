"""The parts of patch_svm against slow and plain computations."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from features.hog import HogDescriptor
from models.parts.mirror_symmetry import MirroredPCA, MirroredRbfSVM, mirrored
from models.parts.patch_codebook import PatchCodebook


@pytest.fixture(scope="module")
def codebook(faces):
    return PatchCodebook(side=9, n_words=12, grid=3, n_patches=3000).fit(faces["Training"].X)


def test_codes_are_those_of_the_definition(codebook, faces):
    X = faces["PublicTest"].X[:2]
    codes = codebook.transform(X)
    assert codes.shape == (2, 3 * 3 * 12)
    assert codes.dtype == np.float32
    image = X[1].reshape(48, 48).astype(float)
    sums = np.zeros((3, 3, 12))
    for top in range(40):
        for left in range(40):
            patch = image[top : top + 9, left : left + 9].ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
            distances = np.linalg.norm((patch - codebook.mean_) @ codebook.whitening_ - codebook.words_, axis=1)
            # 40 places fall into cells of 13, 14 and 13.
            cell = (np.searchsorted([13, 27], top, "right"), np.searchsorted([13, 27], left, "right"))
            sums[cell] += np.maximum(distances.mean() - distances, 0)
    np.testing.assert_allclose(codes[1].reshape(3, 3, 12), np.sqrt(sums), rtol=1e-3, atol=1e-3)


def test_the_same_seed_learns_the_same_codebook(codebook, faces):
    again = PatchCodebook(side=9, n_words=12, grid=3, n_patches=3000).fit(faces["Training"].X)
    np.testing.assert_array_equal(again.words_, codebook.words_)
    assert codebook.whitening_ == pytest.approx(codebook.whitening_.T, abs=1e-4)


def test_a_face_is_coded_the_same_alone_and_among_others(codebook, faces):
    X = faces["PublicTest"].X
    np.testing.assert_array_equal(codebook.transform(X)[5:6], codebook.transform(X[5:6]))


def test_mirroring_twice_changes_nothing(faces):
    X = faces["PublicTest"].X
    assert (mirrored(X) != X).any()
    np.testing.assert_array_equal(mirrored(mirrored(X)), X)


@pytest.fixture(scope="module")
def pca(faces):
    return MirroredPCA(HogDescriptor(pixels_per_cell=12), n_components=20).fit(faces["Training"].X)


def test_a_mirrored_face_has_the_same_even_part_and_the_opposite_odd_one(pca, faces):
    X = faces["PublicTest"].X
    (even, odd), (even_back, odd_back) = pca.transform(X), pca.transform(mirrored(X))
    np.testing.assert_allclose(even, even_back, atol=1e-5)
    np.testing.assert_allclose(odd, -odd_back, atol=1e-5)
    assert even.shape[1] + odd.shape[1] == 20
    assert np.abs(odd).max() > 0.01


def test_components_are_those_of_faces_and_mirror_images_together(pca, faces):
    X = faces["Training"].X
    vectors = HogDescriptor(pixels_per_cell=12).transform(np.vstack([X, mirrored(X)]))
    plain = PCA(20).fit(vectors)
    even, odd = pca.transform(X)
    found = np.sort(np.concatenate([(each**2).mean(axis=0) for each in (even, odd)]))[::-1]
    assert found / found.sum() == pytest.approx(plain.explained_variance_ / plain.explained_variance_.sum(), rel=0.02)
    assert found.sum() == pytest.approx(1, rel=0.01)


def test_the_machine_is_the_one_fitted_on_faces_and_mirror_images():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    even = rng.normal(size=(90, 4)).astype(np.float32) + y[:, None]
    odd = rng.normal(size=(90, 3)).astype(np.float32)
    weight = rng.uniform(0.5, 2, 90)
    machine = MirroredRbfSVM(C=2.0, gamma=1.5).fit(even, odd, y, weight)
    rows = np.vstack([np.hstack([even, odd]), np.hstack([even, -odd])])
    plain = SVC(C=2.0, gamma=machine.gamma_, decision_function_shape="ovo", tol=1e-6)
    plain.fit(rows, np.tile(y, 2), sample_weight=np.tile(weight, 2))
    found = machine.decision_function(even, odd)
    np.testing.assert_allclose(found, plain.decision_function(np.hstack([even, odd])), atol=0.02)
    np.testing.assert_allclose(found, machine.decision_function(even, -odd), atol=1e-5)
