"""The parts of patch_svm against slow and plain computations."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.svm import SVC

from models.parts.mirror_symmetry import STEPS, MirroredPCA, MirroredRbfSVM
from models.parts.patch_codebook import PatchCodebook
from models.parts.rounded_rows import RoundedRows


@pytest.fixture(scope="module")
def codebook(faces):
    return PatchCodebook(side=8, n_words=12, grid=4, n_patches=3000).fit(faces["Training"].X)


def codes_by_definition(codebook, image):
    sums = np.zeros((4, 4, 12))
    for top in range(41):
        for left in range(41):
            patch = image[top : top + 8, left : left + 8].ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + 10)
            white = (patch - codebook.mean_) @ codebook.whitening_
            cosines = codebook.words_ @ white / np.linalg.norm(white)
            # The points of the grid lie in the middle of each quarter of 41 places.
            down, across = (1 - np.abs(place - (np.arange(4) * 10.25 + 4.625)) / 10.25 for place in (top, left))
            sums += np.multiply.outer(np.outer(down.clip(0), across.clip(0)), np.maximum(cosines - 0.4, 0))
    return np.sqrt(sums)


def test_codes_are_those_of_the_definition(codebook, faces):
    X = faces["PublicTest"].X[:2]
    even, odd = codebook.even_odd(X)
    assert even.shape == odd.shape == (2, 4 * 4 * 6)
    assert even.dtype == odd.dtype == np.float32
    image = X[1].reshape(48, 48).astype(float)
    there, back = codes_by_definition(codebook, image), codes_by_definition(codebook, image[:, ::-1])
    np.testing.assert_allclose(even[1].reshape(4, 4, 6), (there + back)[..., :6] / 2**0.5, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(odd[1].reshape(4, 4, 6), (there - back)[..., :6] / 2**0.5, rtol=1e-3, atol=1e-3)


def test_the_same_seed_learns_the_same_codebook(codebook, faces):
    again = PatchCodebook(side=8, n_words=12, grid=4, n_patches=3000).fit(faces["Training"].X)
    np.testing.assert_array_equal(again.words_, codebook.words_)
    assert codebook.whitening_ == pytest.approx(codebook.whitening_.T, abs=1e-4)


def test_a_face_is_coded_the_same_alone_and_among_others(codebook, faces):
    X = faces["PublicTest"].X
    np.testing.assert_array_equal(codebook.even_odd(X)[0][5:6], codebook.even_odd(X[5:6])[0])


def test_words_are_of_length_one_and_come_with_their_mirror_images(codebook):
    assert np.linalg.norm(codebook.words_, axis=1) == pytest.approx(1, abs=1e-4)
    pictures = codebook.words_.reshape(2, 6, 8, 8)
    np.testing.assert_array_equal(pictures[0], pictures[1][:, :, ::-1])


def test_blank_faces_have_codes_and_these_are_even(codebook):
    even, odd = codebook.even_odd(np.full((1, 2304), 90, np.uint8))
    assert np.isfinite(even).all()
    np.testing.assert_allclose(odd, 0, atol=1e-2)


def mirrored(X):
    return np.ascontiguousarray(X.reshape(-1, 48, 48)[:, :, ::-1]).reshape(X.shape)


@pytest.fixture(scope="module")
def pca(codebook, faces):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.parts.mirror_symmetry.STEPS", 127)  # fine enough to compare with a plain PCA
        return MirroredPCA(codebook, n_components=20).fit(faces["Training"].X)


def test_a_mirrored_face_has_the_same_even_part_and_the_opposite_odd_one(pca, faces):
    X = faces["PublicTest"].X
    (even, odd), (even_back, odd_back) = pca.transform(X), pca.transform(mirrored(X))
    np.testing.assert_allclose(even, even_back, atol=1e-5)
    np.testing.assert_allclose(odd, -odd_back, atol=1e-5)
    assert even.shape[1] + odd.shape[1] == 20
    assert np.abs(odd).max() > 0.01


def test_components_are_those_of_faces_and_mirror_images_together(pca, faces):
    X = faces["Training"].X
    even, odd = pca.codebook.even_odd(X)
    codes = np.vstack([np.hstack([even, odd]), np.hstack([even, -odd])]) / 2**0.5
    codes -= codes.mean(axis=0)
    # A value in the face and in its mirror image share their spread.
    plain = PCA(20, svd_solver="full").fit(codes / np.tile(pca.spread_, 2))
    found = np.sort(np.concatenate([(each**2).mean(axis=0) for each in pca.transform(X)]))[::-1]
    assert found / found.sum() == pytest.approx(plain.explained_variance_ / plain.explained_variance_.sum(), rel=0.02)
    assert found.sum() == pytest.approx(1, rel=0.01)


def test_the_machine_is_the_one_fitted_on_faces_and_mirror_images():
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    even = rng.normal(size=(90, 4)).astype(np.float32) + y[:, None]
    odd = rng.normal(size=(90, 3)).astype(np.float32)
    weight = rng.uniform(0.5, 2, 90)
    machine = MirroredRbfSVM(C=2.0, gamma=1.5).fit(even, odd, y, weight)
    even, odd = (RoundedRows(STEPS).fit(part.T).values.T for part in (even, odd))
    rows = np.vstack([np.hstack([even, odd]), np.hstack([even, -odd])])
    plain = SVC(C=2.0, gamma=machine.gamma_, decision_function_shape="ovo", tol=1e-6)
    plain.fit(rows, np.tile(y, 2), sample_weight=np.tile(weight, 2))
    found = machine.decision_function(even, odd)
    np.testing.assert_allclose(found, plain.decision_function(np.hstack([even, odd])), atol=0.02)
    np.testing.assert_allclose(found, machine.decision_function(even, -odd), atol=1e-5)
