"""Rows of numbers in eight bits, so that a file is small and predicts with what was fitted."""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


class RoundedRows:
    """Rows of numbers, each rounded to a whole multiple of a step.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_values)
    n_steps : int
        Steps up to the largest absolute value, at most 127. The fewer there are, the better the file is compressed.
    common_step : bool
        One step for all rows, so that small rows have fewer values. Otherwise each row has a step of its own.

    Attributes
    ----------
    multiples : ndarray of shape (n_rows, n_values), dtype int8
        All that is saved, with `step`.
    step : ndarray of shape (n_rows, 1), or (1, 1) if it is common, dtype float32
    """

    def __init__(self, rows: NDArray[np.floating], n_steps: int, common_step: bool = False) -> None:
        step = np.abs(rows).max(axis=None if common_step else 1, keepdims=True, initial=0) / n_steps
        self.step = np.where(step > 0, step, 1).astype(np.float32)
        self.multiples = np.rint(rows / self.step).astype(np.int8)

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """The rounded rows."""
        return np.multiply(self.multiples, self.step)

    @cached_property
    def squares(self) -> NDArray[np.float32]:
        """The squared length of each column of the rounded rows, shape (n_values,)."""
        return np.einsum("ij,ij->j", self.values, self.values)

    def columns(self, chosen: NDArray) -> RoundedRows:
        """Return the chosen columns of the rows, as a mask or as places; the steps stay the same."""
        rows = copy(self)
        rows.multiples = self.multiples[:, chosen]
        return rows

    def __getstate__(self) -> dict[str, NDArray]:
        return {"multiples": self.multiples, "step": self.step}
