"""Recognizers of tests that another process must be able to import."""

from __future__ import annotations

import atexit
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from models.recognizers.majority import Majority


class Killed(Majority):
    """Its process ends while it is fitted, as one does that needs too much memory."""

    def _fit(self, *arrays: Any) -> None:
        os._exit(9)


class Tidies(Majority):
    """Its process has something to tidy up at its end, which takes a moment."""

    def _fit(self, *arrays: Any) -> None:
        super()._fit(*arrays)
        atexit.register(Path(os.environ["TIDY"]).touch)
        atexit.register(time.sleep, 0.3)


class Guesses(Majority):
    """Answers by chance, with each seed otherwise."""

    def _fit(self, X: Any, *others: Any) -> None:
        self.directions_ = np.random.default_rng(self.random_state).normal(size=(X.shape[1], len(self.classes_)))

    def _predict_proba(self, X: Any) -> Any:
        return softmax(X / 2550 @ self.directions_, axis=1)


class Large(Majority):
    """Needs 300 MB to be fitted."""

    def _fit(self, *arrays: Any) -> None:
        assert bytearray(300_000_000).count(0)
        super()._fit(*arrays)
