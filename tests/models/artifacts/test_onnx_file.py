"""Networks and their votes as ONNX files, run without this project."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from features.rows import N_PIXELS
from models import EMOTIONS
from models.artifacts import onnx_file
from models.artifacts.onnx_file import ExportError, write_onnx
from models.networks.keras_import import import_keras
from models.parts.tuned_voting import TunedVoting
from models.recognizers.cnn import CNN
from models.recognizers.cnn_aug import AugmentedCNN
from models.recognizers.majority import Majority

onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'fer-benchmark[onnx]'")
if find_spec("tf2onnx") is None:
    pytest.skip("needs tf2onnx: pip install 'fer-benchmark[onnx]'", allow_module_level=True)
README = Path(__file__).parents[3] / "models" / "README.md"
ROWS = np.random.default_rng(3).integers(0, 256, (5, N_PIXELS), np.uint8)


def untrained(kind, name, n_classes, temperature):
    recognizer = kind()
    recognizer.network_ = recognizer.build(n_classes, "float32")
    recognizer.classes_, recognizer.temperature_ = np.arange(n_classes), temperature
    recognizer.card_ = {"recognizer": name, "artifact": f"{name}.h5", "sha256": f"{name}'s", "dataset": "fer2013"}
    return recognizer


@pytest.fixture(scope="module")
def vote():
    """Two untrained networks, one with views and one that knows six of the seven classes."""
    import_keras().utils.set_random_seed(0)
    recognizer = TunedVoting()
    recognizer.weights_, recognizer.names_ = {"cnn": 0.3, "cnn_aug": 0.7}, ("cnn", "cnn_aug")
    recognizer.classes_, recognizer.temperature_ = np.arange(7), 0.8
    recognizer.card_ = {"recognizer": "soft_voting_networks", "artifact": "soft_voting_networks.joblib", "sha256": "s"}
    return recognizer.attach(
        {"cnn": untrained(CNN, "cnn", 6, 1.0), "cnn_aug": untrained(AugmentedCNN, "cnn_aug", 7, 1.7)}
    )


@pytest.fixture(scope="module")
def file(vote, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "cnn_deep.onnx"  # the name in the examples
    assert write_onnx(vote, path) < 1e-5
    return path


def test_a_vote_of_networks_is_one_file_with_views_and_calibration_inside(vote, file):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("faces", "tensor(uint8)", ["n", 48, 48])
    assert (returned.name, returned.type, returned.shape) == ("probabilities", "tensor(float)", ["n", 7])
    (proba,) = session.run(None, {"faces": ROWS.reshape(-1, 48, 48)})
    np.testing.assert_allclose(proba, vote.predict_proba(ROWS), atol=1e-5)


def test_the_file_says_what_it_is(file):
    about = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert json.loads(about["classes"]) == list(EMOTIONS)
    assert (about["model_name"], about["model_license"]) == ("soft_voting_networks", "MIT")
    assert (about["source"], about["source_sha256"]) == ("soft_voting_networks.joblib", "s")
    assert json.loads(about["members_sha256"]) == {"cnn": "cnn's", "cnn_aug": "cnn_aug's"}
    assert "0 (black) to 255" in about["input"]


def test_floats_go_in_where_they_are_asked_for(vote, tmp_path):
    network = vote.members_["cnn"]
    write_onnx(network, tmp_path / "cnn.onnx", "float32")
    session = onnxruntime.InferenceSession(tmp_path / "cnn.onnx")
    (proba,) = session.run(None, {"faces": ROWS.reshape(-1, 48, 48).astype(np.float32)})
    np.testing.assert_allclose(proba, network.predict_proba(ROWS), atol=1e-5)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(EMOTIONS[:6])


@pytest.mark.parametrize("wrong", [0.1, np.nan])
def test_a_file_with_other_probabilities_is_not_written(vote, tmp_path, monkeypatch, wrong):
    network = vote.members_["cnn"]
    right = CNN.predict_proba
    monkeypatch.setattr(CNN, "predict_proba", lambda self, X: right(self, X) + wrong)
    path = tmp_path / "cnn.onnx"
    path.write_text("an earlier one")
    with pytest.raises(ExportError, match="differs from cnn by"):
        write_onnx(network, path)
    assert [each.name for each in tmp_path.iterdir()] == ["cnn.onnx"]
    assert path.read_text() == "an earlier one"


def test_what_has_no_network_is_refused_and_told_apart(vote, tmp_path):
    with pytest.raises(ExportError, match=r"^Majority: only networks, saved as \.h5, and votes of networks alone"):
        write_onnx(Majority(), tmp_path / "x.onnx")
    mixed = TunedVoting()
    mixed.members_ = {"cnn": vote.members_["cnn"], "hog_svm": Majority()}
    with pytest.raises(ExportError, match=r"^hog_svm: only networks"):
        write_onnx(mixed, tmp_path / "x.onnx")


def test_another_backend_is_refused(vote, tmp_path, monkeypatch):
    monkeypatch.setattr(import_keras().backend, "backend", lambda: "jax")
    with pytest.raises(ExportError, match="KERAS_BACKEND=tensorflow"):
        onnx_file._convert(vote, "uint8")


def example(language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README.read_text("utf-8"), re.S | re.M)
    (found,) = [block for block in blocks if "InferenceSession" in block]
    return found


@pytest.fixture
def folder(file, tmp_path):
    """A folder with all that the examples read."""
    shutil.copy(file, tmp_path)
    face = ROWS[0].reshape(48, 48)
    Image.fromarray(face).save(tmp_path / "face.png")
    (tmp_path / "face.raw").write_bytes(face.tobytes())
    return tmp_path


def test_the_example_in_python_runs_without_this_project(vote, folder):
    code = example("python") + "\nimport sys\nassert not {'models', 'features', 'tensorflow'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = {name: float(value) for name, value in re.findall(r"'(\w+)': ([\d.]+)", done.stdout)}
    assert tuple(printed) == EMOTIONS
    np.testing.assert_allclose(list(printed.values()), vote.predict_proba(ROWS[:1])[0], atol=1e-3)


@pytest.mark.slow
def test_the_example_in_javascript_runs_in_node(vote, folder):
    if not shutil.which("npm"):
        pytest.skip("needs Node.js with npm")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "onnxruntime-web"]
    if subprocess.run(install, cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("npm's registry cannot be reached")
    (folder / "example.mjs").write_text(example("js"), "utf-8")
    done = subprocess.run(["node", "example.mjs"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed = {name: float(value) for name, value in re.findall(r"(\w+) ([\d.]+)", done.stdout)}
    assert tuple(printed) == EMOTIONS
    np.testing.assert_allclose(list(printed.values()), vote.predict_proba(ROWS[:1])[0], atol=1e-3)
