"""A job without figures, which have tests of their own: to draw them takes most of the time.

``python -m tests.without_figures benchmark.run --all``
"""

import runpy
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest


def undraw(patch: pytest.MonkeyPatch, but: Collection[str] = ()) -> None:
    """Leave figures out of what is derived, but those whose files have one of these stems."""
    from benchmark import figures

    def save_some(display: Any, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.stem in but:
            figures.save_figure(display, path)

    patch.setattr("benchmark.derive.save_figure", save_some)
    patch.setattr("benchmark.report.page.to_svg", lambda display: "<svg></svg>")


if __name__ == "__main__":
    undraw(pytest.MonkeyPatch())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
