import sys

import numpy as np
import pytest

from benchmark.data import DataError
from benchmark.external.declaration import read_declaration
from benchmark.external.model import ExternalModel, images, model_digest, model_file
from benchmark.external.readers import NotInstalledError
from models.networks.keras_import import import_keras

PIXELS = "import numpy as np\ndef predict(faces):\n    return faces.reshape(len(faces), -1)[:, :7] / 255\n"


@pytest.fixture(scope="module")
def network():
    """Return a Keras network that returns the first seven pixels."""
    keras = import_keras()
    layers = [keras.Input((48, 48, 1)), keras.layers.Flatten(), keras.layers.Dense(7, use_bias=False)]
    model = keras.Sequential(layers)
    model.set_weights([np.eye(2304, 7)])
    return model


def opened(path, **options):
    return ExternalModel(read_declaration(path), **options)


@pytest.mark.parametrize(
    ("shape", "kind", "changes"),
    [
        ([1, 48, 48], "FLOAT", {"layout": "NCHW"}),
        ([48, 48], "UINT8", {"input": "rows", "size": None, "channels": None, "range": None}),
    ],
)
def test_onnx(declare, tmp_path, coded, shape, kind, changes):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make, kind = onnx.helper, getattr(onnx.TensorProto, kind)
    bounds = [onnx.numpy_helper.from_array(np.array([value]), name) for name, value in (("a", 0), ("b", 7), ("c", 1))]
    first_seven = [make.make_node("Flatten", ["x"], ["flat"]), make.make_node("Slice", ["flat", "a", "b", "c"], ["y"])]
    values = [make.make_tensor_value_info(name, kind, ["n", *sides]) for name, sides in (("x", shape), ("y", [7]))]
    graph = make.make_graph(first_seven, "net", values[:1], values[1:], bounds)
    opset = make.make_opsetid("", 13)
    onnx.save(make.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "net.onnx")
    split = coded(wrong_every=1000)["PublicTest"]
    model = opened(declare(model="net.onnx", output="scores", **changes))
    assert (model.predict_proba(split.X).argmax(axis=1) == split.y).mean() > 0.9
    with pytest.raises(DataError, match=r"takes images of shape .* say \(224, 224, 3\)"):
        opened(declare(model="net.onnx", size=224, channels=3))


def test_onnx_without_its_package_says_how_to_install_it(declare, tmp_path, monkeypatch):
    (tmp_path / "net.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotInstalledError, match=r"needs onnxruntime: pip install 'fer-benchmark\[onnx\]'"):
        opened(declare(model="net.onnx"))


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".tflite"])
def test_keras_and_litert(declare, tmp_path, coded, network, suffix):
    if suffix == ".tflite":
        from tensorflow import lite

        (tmp_path / "net.tflite").write_bytes(lite.TFLiteConverter.from_keras_model(network).convert())
    else:
        network.save(tmp_path / f"net{suffix}")
    split = coded(wrong_every=1000)["PublicTest"]
    path = declare(model=f"net{suffix}", output="scores")
    assert (opened(path).predict_proba(split.X).argmax(axis=1) == split.y).mean() > 0.9
    with pytest.raises(DataError, match=r"\(48, 48, 1\), .* say \(64, 64, 1\)"):
        opened(declare(model=f"net{suffix}", size=64))


def test_functions_take_rows_or_images(declare, coded):
    split = coded(wrong_every=1000)["PublicTest"]
    rows = declare(PIXELS, model="their_model:predict", input="rows", size=None, channels=None, range=None)
    assert (opened(rows).predict_proba(split.X).argmax(axis=1) == split.y).mean() > 0.9
    grey = declare(PIXELS, range=[0, 255])
    assert (opened(grey).predict_proba(split.X).argmax(axis=1) == split.y).mean() > 0.9


def test_a_function_gets_the_path_of_its_weights(declare, tmp_path, coded):
    (tmp_path / "w.bin").write_bytes(b"7")
    code = "def predict(faces, path):\n    return [int(path.read_text()) - 1] * len(faces)\n"
    model = opened(declare(code, weights="w.bin", output="labels"))
    assert model.predict_proba(coded()["PublicTest"].X).argmax(axis=1).tolist() == [6] * 140
    assert model.file == tmp_path / "w.bin"


def test_images_are_as_declared(declare):
    rows = np.tile(np.arange(48, dtype=np.uint8), (2, 48))
    assert images(rows, read_declaration(declare(range=[-1, 1]))).shape == (2, 48, 48, 1)
    large = images(rows, read_declaration(declare(size=224, channels=3, layout="NCHW", range=[0, 255])))
    assert large.shape == (2, 3, 224, 224)
    assert large.dtype == np.float32
    assert (large.min(), large.max()) == (0, 47)
    assert (large[:, 0] == large[:, 2]).all()
    scaled = read_declaration(declare(channels=3, range=None, mean=[0.5, 0.4, 0.3], std=[0.5]))
    assert images(rows, scaled)[0, 0, 0] == pytest.approx([-1, -0.8, -0.6])


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": "none.onnx"}, DataError, "no such file: put the model there"),
        ({"model": "net.pt"}, DataError, r"net.pt is none of \.onnx, .*: convert it"),
        ({"model": "net.h5"}, DataError, "the model cannot be loaded"),
        ({"model": "net.tflite"}, DataError, "the model cannot be loaded"),
        ({"model": "net.h5", "sha256": "0" * 64}, DataError, r"another file than the declared one \(sha256\): put"),
        ({"model": "no_such_module_x:f"}, NotInstalledError, "needs no_such_module_x: pip install no_such_module_x"),
        ({"model": "json:f"}, DataError, "AttributeError"),
        (
            {"model": "a.h5", "package": "no_such_x"},
            NotInstalledError,
            "no_such_x is not installed: pip install no_such_x",
        ),
        ({"model": "a.h5", "package": "no_x", "install": "do this"}, NotInstalledError, "not installed: do this"),
    ],
)
def test_a_model_that_cannot_be_used_is_explained(declare, tmp_path, changes, error, message):
    for name in ("net.h5", "net.pt", "net.tflite"):
        (tmp_path / name).write_bytes(b"no model")
    with pytest.raises(error, match=message):
        opened(declare(**changes))


def test_a_function_that_raises_or_returns_something_else_is_explained(declare, coded):
    X = coded()["PublicTest"].X
    with pytest.raises(DataError, match=r"the model fails .KeyError: 'no'.: correct it"):
        opened(declare("def predict(faces):\n    raise KeyError('no')\n")).predict_proba(X)
    with pytest.raises(DataError, match=r"have the shape \(\)"):
        opened(declare("def predict(faces):\n    return None\n")).predict_proba(X)


def test_packages_may_lie_in_a_folder(declare, tmp_path, network):
    folder = tmp_path / "here" / "node_modules" / "@them" / "net"
    folder.mkdir(parents=True)
    network.save(folder / "net.h5")
    path = declare(model="net.h5", package="@them/net", output="scores")
    assert opened(path, packages=tmp_path / "here").file == folder / "net.h5"


def test_the_digest_depends_on_the_file_and_on_the_code_of_a_function(declare, tmp_path):
    (tmp_path / "net.h5").write_bytes(b"1")
    declared = read_declaration(declare(model="net.h5"))
    first = model_digest(declared, model_file(declared))
    (tmp_path / "net.h5").write_bytes(b"2")
    assert model_digest(declared, model_file(declared)) != first
    one, other = (read_declaration(declare(code)) for code in (PIXELS, PIXELS.replace("255", "256")))
    assert model_digest(one, None) != model_digest(other, None)


def test_the_declared_tools_are_read_and_skipped_where_they_are_not_installed(monkeypatch):
    from benchmark.score import TOOLS

    paths = sorted(TOOLS.glob("*.toml"))
    assert len(paths) == 9
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for path in paths:
        declared = read_declaration(path)
        assert declared.name == path.stem
        assert "sha256" in declared.facts
        with pytest.raises(NotInstalledError, match=r"is not installed: .*(install|unpack)"):
            ExternalModel(declared)
