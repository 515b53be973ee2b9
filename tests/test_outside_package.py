"""The package that CONTRIBUTING.md shows: installed, run, loaded, edited and removed."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PREDICT = (
    "import models, numpy as np; model = models.load('{}'); "
    "print(model.card_['package'], model.predict_proba(np.zeros((1, 2304), np.uint8)).shape)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder in which pip installed the package."""
    if not (find_spec("pip") and find_spec("setuptools")):
        pytest.skip("needs pip and setuptools")
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    shown = re.findall(r"`(\S+)`:\n\n```\w+\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.S)
    files = {name: text for name, text in shown if "/" not in name}
    assert set(files) == {"pyproject.toml", "fer_template.py"}
    for name, text in files.items():
        (source / name).write_text(text, "utf-8")
    # Nothing is downloaded.
    options = "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--no-compile", "--target", site
    done = run("-m", "pip", *options, source)
    assert done.returncode == 0, done.stderr
    return site


def run(*arguments, site="", cwd=None):
    """Run Python where the package is installed in `site`, or is not installed."""
    path = os.pathsep.join(map(str, filter(None, [ROOT, site])))
    environment = {name: value for name, value in os.environ.items() if name != "FER2013"} | {"PYTHONPATH": path}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_package_of_the_documentation_is_a_recognizer_from_outside(site, tmp_path):
    job = "-m", "benchmark.run", "--only", "nearest_mean", "majority", "--limit", "100"
    done = run(*job, site=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    root = tmp_path / "results" / "synthetic" / "kaggle-limit100"
    record = json.loads((root / "runs" / "nearest_mean" / "seed0.json").read_text())
    assert (record["status"], record["package"]) == ("ok", "fer-template")
    assert record["environment"]["versions"]["fer-template"] == "0.1.0"
    assert "| recognizer | package | family |" in (root / "leaderboard.md").read_text()
    assert "classical (fer-template)" in (root / "report.html").read_text("utf-8")
    assert "stale" not in (root / "leaderboard.md").read_text()
    listed = run("-m", "benchmark.run", "--list", site=site, cwd=tmp_path).stdout
    assert re.search(r"^nearest_mean +classical +fer-template  The nearest mean face\.$", listed, re.M)
    assert "fresh" in run(*job, "--dry-run", site=site, cwd=tmp_path).stdout

    model = root / "models" / "nearest_mean.joblib"
    model.unlink()  # its safe copy is enough, since the package trusts its own class
    predict = "-c", PREDICT.format(model.as_posix())
    assert run(*predict, site=site, cwd=tmp_path).stdout == "fer-template (1, 7)\n"

    module = site / "fer_template.py"
    text = module.read_text("utf-8")
    module.write_text(f"# A comment.\n{text}", "utf-8")
    assert "nearest_mean         seed 0  fresh" in run(*job, "--dry-run", site=site, cwd=tmp_path).stdout
    module.write_text(text.replace("/ 100", "/ 99"), "utf-8")
    assert "nearest_mean         seed 0  stale" in run(*job, "--dry-run", site=site, cwd=tmp_path).stdout
    module.write_text(f"{text}import no_such_thing\n", "utf-8")
    assert "nearest_mean         seed 0  broken" in run(*job, "--dry-run", site=site, cwd=tmp_path).stdout

    done = run(*predict, cwd=tmp_path)
    assert "nearest_mean.joblib: needs the package fer-template 0.1.0: pip install fer-template" in done.stderr
    assert run("-m", "benchmark.derive", root, cwd=tmp_path).returncode == 0
    assert "not checked for edits: needs the package fer-template" in (root / "leaderboard.md").read_text()
