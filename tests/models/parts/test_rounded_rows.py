"""Rows in eight bits: how near they are, and what is saved of them."""

import pickle

import numpy as np
import pytest

from models.artifacts.formats import read_skops, write_skops
from models.parts.rounded_rows import RoundedRows


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(3, 50)) * [[1e-3], [1], [1e3]]


@pytest.mark.parametrize("n_steps", [15, 127])
def test_they_are_near_and_each_has_its_own_step(n_steps, rows):
    rows[1] = 0
    rounded = RoundedRows(n_steps).fit(rows)
    assert rounded.multiples_.dtype == np.int8
    assert (np.abs(rounded.values - rows) <= rounded.step_ * 0.501).all()
    assert np.abs(rounded.multiples_[[0, 2]]).max(axis=1).tolist() == [n_steps, n_steps]
    np.testing.assert_array_equal(rounded.multiples_[1], 0)


def test_a_common_step_is_that_of_the_largest_value(rows):
    rounded = RoundedRows(127, common_step=True).fit(rows)
    assert rounded.step_.shape == (1, 1) and np.abs(rounded.multiples_).max() == 127
    assert (np.abs(rounded.values - rows) <= rounded.step_ * 0.501).all()
    np.testing.assert_array_equal(rounded.multiples_[0], 0)


def test_squares_are_those_of_the_columns(rows):
    rounded = RoundedRows(15).fit(rows)
    np.testing.assert_allclose(rounded.squares, (rounded.values**2).sum(axis=0), rtol=1e-5)


def test_they_are_saved_without_what_they_unpack(rows):
    rounded = RoundedRows(15).fit(rows)
    size = len(pickle.dumps(rounded))
    chosen = np.arange(50) % 2 == 0
    np.testing.assert_array_equal(rounded.columns(chosen).values, rounded.values[:, chosen])
    np.testing.assert_array_equal(rounded.columns(np.array([7, 3])).squares, rounded.squares[[7, 3]])
    assert len(pickle.dumps(rounded)) == size
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rounded)).values, rounded.values)


def test_a_safe_file_holds_them(rows, tmp_path):
    rounded = RoundedRows(15).fit(rows)
    write_skops(rounded, tmp_path / "rows.skops")
    np.testing.assert_array_equal(read_skops(tmp_path / "rows.skops").values, rounded.values)


def test_no_columns_are_no_error():
    assert RoundedRows(15).fit(np.zeros((3, 0))).values.shape == (3, 0)
