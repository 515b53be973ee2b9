"""Rows of numbers in eight bits, so that a file is small and predicts with what was fitted."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator


class RoundedRows(BaseEstimator):
    """Rows of numbers, each rounded to a whole multiple of a step.

    An estimator, so that a safe file may hold it.

    Parameters
    ----------
    n_steps : int
        Steps up to the largest absolute value, at most 127. The fewer there are, the better the file is compressed.
    common_step : bool
        One step for all rows, so that small rows have fewer values. Otherwise each row has a step of its own.

    Attributes
    ----------
    multiples_ : ndarray of shape (n_rows, n_values), dtype int8
        All that is saved, with `step_`.
    step_ : ndarray of shape (n_rows, 1), or (1, 1) if it is common, dtype float32
    """

    def __init__(self, n_steps: int, common_step: bool = False) -> None:
        self.n_steps = n_steps
        self.common_step = common_step

    def fit(self, rows: NDArray[np.floating]) -> RoundedRows:
        """Round rows, of shape (n_rows, n_values)."""
        step = np.abs(rows).max(axis=None if self.common_step else 1, keepdims=True, initial=0) / self.n_steps
        self.step_ = np.where(step > 0, step, 1).astype(np.float32)
        self.multiples_ = np.rint(rows / self.step_).astype(np.int8)
        return self

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """The rounded rows."""
        return np.multiply(self.multiples_, self.step_)

    @cached_property
    def squares(self) -> NDArray[np.float32]:
        """The squared length of each column of the rounded rows, shape (n_values,)."""
        return np.einsum("ij,ij->j", self.values, self.values)

    def columns(self, chosen: NDArray[Any]) -> RoundedRows:
        """Return the chosen columns of the rows, a mask or places; the steps stay the same."""
        rows = copy(self)
        rows.multiples_ = self.multiples_[:, chosen]
        return rows

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("values", "squares")}
