"""The examples in the docstrings of what people import from `models` run."""

import doctest
from pathlib import Path

import pytest

import models

ROOT = Path(__file__).parents[2]
DOCUMENTED = {"models": models} | {name: getattr(models, name) for name in models.__all__ if name != "EMOTIONS"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_example_runs(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    (example,) = doctest.DocTestFinder(recurse=False).find(DOCUMENTED[name], name, module=False, globs={})
    assert example.examples, f"{name}: no example in its docstring"
    assert doctest.DocTestRunner().run(example).failed == 0
