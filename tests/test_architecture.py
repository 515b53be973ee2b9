"""What is imported when a model predicts; the order of the folders is checked by import-linter (.ci/lint)."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_predicting_with_a_classical_model_needs_no_network_library():
    code = (
        "import sys, models.predict, models.recognizers.hog_svm, models.registry\n"
        "models.registry.recognizers()\n"
        "assert not {'tensorflow', 'keras', 'matplotlib', 'benchmark'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


COMMANDS = [
    path
    for folder in ("benchmark", "models")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "python -m" in path.read_text("utf-8").split("\n", 1)[0]
]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_can_print_every_name(path):
    assert "    prepare_streams()\n" in path.read_text("utf-8")
