"""Recognizers of tests that another process must be able to import."""

from __future__ import annotations

import os
from typing import Any

from models.recognizers.majority import Majority


class Killed(Majority):
    """Its process ends while it is fitted, as one does that needs too much memory."""

    def _fit(self, *arrays: Any) -> None:
        os._exit(9)


class Large(Majority):
    """Needs 300 MB to be fitted."""

    def _fit(self, *arrays: Any) -> None:
        assert bytearray(300_000_000).count(0)
        super()._fit(*arrays)
