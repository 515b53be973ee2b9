"""Imports point one way: features <- models <- benchmark."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "features": {"features"},
    "models": {"features", "models"},
    "benchmark": {"features", "models", "benchmark"},
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            yield node.module.split(".")[0]


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        outside = set(imported(path)) & (set(ALLOWED) - ALLOWED[package])
        assert not outside, f"{path.relative_to(ROOT)} imports {outside}"


def test_predicting_with_a_classical_model_needs_no_network_library():
    code = (
        "import sys, models.predict, models.recognizers.hog_svm, models.registry\n"
        "models.registry.recognizers()\n"
        "assert not {'tensorflow', 'keras', 'matplotlib', 'benchmark'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
