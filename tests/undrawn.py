"""A job without figures, which have tests of their own: to draw them takes most of the time.

``python -m tests.undrawn benchmark.run --all``
"""

import importlib
import runpy
import sys
from pathlib import Path
from typing import Any


def _leave_empty(display: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


STAND_INS = {
    "benchmark.derive.save_figure": _leave_empty,
    "benchmark.report.page.to_svg": lambda display: "<svg></svg>",
}


def undraw() -> None:
    """Leave figures out of this process."""
    for name, stand_in in STAND_INS.items():
        module, _, function = name.rpartition(".")
        setattr(importlib.import_module(module), function, stand_in)


if __name__ == "__main__":
    undraw()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
