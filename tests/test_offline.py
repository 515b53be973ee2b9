"""Nothing asks for another machine unless `fetch` is called; so do the runs of test_faults.py and the page."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'tests' / 'offline'}{os.pathsep}{ROOT}"}


def python(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("host", ["example.org", "192.0.2.1"])
def test_the_guard_refuses_other_machines_by_name_and_by_number(host):
    done = python("-c", f"import socket; socket.create_connection(({host!r}, 80), timeout=1)")
    assert done.returncode == 1
    assert f"asked for {host}" in done.stderr


@pytest.mark.slow
def test_prediction_and_description_stay_on_this_machine(tmp_path):
    Image.fromarray(np.full((60, 60), 90, np.uint8)).save(tmp_path / "photo.png")
    for arguments, cwd, words in (
        (("models.predict", tmp_path / "photo.png"), ROOT, "no face"),
        (("models.predict", tmp_path / "photo.png", "--whole", "--plot", tmp_path / "plot.png"), ROOT, "photo.png"),
        (("benchmark.data", "describe"), tmp_path, "faces"),  # which draws a figure where it stands
    ):
        done = python("-m", *arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
        assert "asked for" not in done.stderr
