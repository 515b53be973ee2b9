"""The wheel, installed in a fresh environment without TensorFlow, predicts from any folder."""

import json
import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from models.inference.pipeline import predict_images

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
LARGE = {"tensorflow", "keras", "xgboost", "matplotlib", "seaborn", "statsmodels", "skimage", "onnxruntime"}
WHEEL_MB = 15


def run(*command, cwd):
    command = [str(part) for part in command]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    done = run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    if "ConnectionError" in done.stdout + done.stderr or "No matching distribution found for setuptools" in done.stdout:
        pytest.skip("PyPI cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory):
    """The folder of programs of an environment that has the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    done = run(scripts / "python", "-m", "pip", "install", "-q", "--no-compile", wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    return scripts


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(draw_face("Happy", np.random.default_rng(0), clean=True)).save(path)
    return path


@pytest.mark.slow
def test_the_wheel_is_small_and_has_the_default_model_once(wheel):
    assert wheel.stat().st_size < WHEEL_MB * 1e6
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.removeprefix("models/default/") for name in names if name.startswith("models/default/")} == {
        "best.json",
        *(f"models/{name}.{suffix}" for name in ("cnn_aug", "cnn_deep") for suffix in ("json", "int8.tflite")),
        *(f"models/soft_voting_networks.{suffix}" for suffix in ("json", "skops")),
    }
    packages = {path.parent.relative_to(ROOT) for path in ROOT.glob("[bfm]*/**/__init__.py")}
    assert all((folder / "__init__.py").as_posix() in names for folder in packages)
    assert {"models/inference/blazeface.tflite", "benchmark/report/template.html"} <= names


def test_without_results_there_is_no_default_model_and_no_error(tmp_path):
    code = "import setuptools, runpy, sys; setuptools.setup = lambda **options: print(sorted(options['package_data']))"
    done = run(sys.executable, "-c", f"{code}; runpy.run_path(sys.argv[1])", ROOT / "setup.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "models.default" not in done.stdout and "models.inference" in done.stdout
    done = run(sys.executable, "-c", f"{code}; runpy.run_path(sys.argv[1])", ROOT / "setup.py", cwd=ROOT)
    assert "models.default" in done.stdout


@pytest.mark.slow
def test_it_predicts_as_the_clone_does_from_any_folder_without_large_packages(scripts, photo):
    done = run(scripts / "fer-predict", photo, "--whole", "--json", cwd=photo.parent)
    assert (done.returncode, done.stderr) == (0, "")
    row = json.loads(done.stdout)
    here = predict_images(
        photo, whole=True, results=ROOT / "results" / "fer2013" / "kaggle", model="soft_voting_networks"
    )
    assert [row[name] for name in ("Happy", "Fear")] == pytest.approx(here.loc[0, ["Happy", "Fear"]].tolist(), abs=0.02)
    code = "import models, numpy as np; r = models.load(exact=False); r.predict_proba(np.zeros((1, 2304), np.uint8))"
    code += f"; models.predict_images({str(photo)!r})"
    code += "; import sys; from importlib.util import find_spec; print([n for n in sys.argv[1:] if find_spec(n)])"
    done = run(scripts / "python", "-c", code, *LARGE, cwd=photo.parent)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            ["-m", "benchmark.run", "--all"],
            "benchmark needs filelock, jinja2, .*pip install 'fer-benchmark\\[train\\]'",
        ),
        (["-m", "models.predict", "face.png", "--plot", "o.png"], "--plot needs .*'fer-benchmark\\[plot\\]'"),
        (["-m", "models.predict", "face.png", "--exact"], "only 8-bit versions are here"),
        (
            ["-m", "models.predict", "face.png", "--model", ROOT / "results/fer2013/kaggle/models/cnn.h5", "--exact"],
            "needs keras: pip install 'fer-benchmark\\[train\\]'",
        ),
        (["-m", "models.export", "cnn_deep", "--onnx", "o.onnx"], "pip install 'fer-benchmark\\[onnx\\]'"),
    ],
)
def test_what_it_lacks_is_named_with_its_extra(scripts, photo, command, words):
    done = run(scripts / "python", *command, cwd=photo.parent)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.splitlines()
    assert re.search(words, line), line
