import numpy as np
import pytest

from models import export
from models.artifacts import save_load as artifacts
from models.recognizers.majority import Majority


@pytest.fixture
def results(tmp_path):
    rows = np.zeros((4, 2304), np.uint8)
    recognizer = Majority().fit(rows, [0, 0, 1, 2], validation=(rows, [0, 0, 1, 2]))
    artifacts.save(recognizer, tmp_path / "models", "majority", {"recognizer": "majority"})
    return tmp_path


@pytest.fixture(autouse=True)
def _has_packages(monkeypatch):
    monkeypatch.setattr(export, "PACKAGES", ("json",))


def test_the_model_is_found_by_its_name_and_the_file_is_written(results, monkeypatch, capsys):
    def write(recognizer, path, input_type):
        path.write_bytes(b"x" * 3_000_000)
        return 2e-7 if (recognizer.card_["recognizer"], input_type) == ("majority", "float32") else 1

    monkeypatch.setattr(export, "write_onnx", write)
    path = results / "out.onnx"
    arguments = ["majority", "--results", str(results), "--onnx", str(path), "--input", "float32"]
    assert export.main(arguments) == 0
    assert capsys.readouterr().out == f"{path}: 3.0 MB, probabilities within 2e-07 of the model's\n"


def test_a_model_without_networks_is_refused(results, capsys):
    assert export.main(["majority", "--results", str(results), "--onnx", str(results / "out.onnx")]) == 2
    assert "error: majority: only networks" in capsys.readouterr().err
    assert not (results / "out.onnx").exists()


def test_an_unknown_name_is_explained(results, capsys):
    assert export.main(["cnn_depp", "--results", str(results), "--onnx", "out.onnx"]) == 2
    assert "cnn_depp: no such file, and" in capsys.readouterr().err


def test_a_missing_package_names_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(export, "PACKAGES", ("json", "tf2onnx", "onnx"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "json" or None)
    assert export.main(["majority", "--onnx", "out.onnx"]) == 2
    assert capsys.readouterr().err == "error: needs tf2onnx, onnx: pip install 'fer-benchmark[onnx]'\n"


def test_a_folder_that_is_missing_is_explained(results, monkeypatch, capsys):
    def write(recognizer, path, input_type):
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(export, "write_onnx", write)
    assert export.main(["majority", "--results", str(results), "--onnx", str(results / "no" / "out.onnx")]) == 2
    assert "make the folder first, or correct the path, or give another --onnx FILE" in capsys.readouterr().err
