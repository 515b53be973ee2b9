"""Readers of the tools' weights; what the networks predict is compared with their records where they are installed."""

import os
import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

from benchmark.external import tool_networks


def test_weights_of_tensorflow_js(tmp_path):
    small = np.array([[0, 128], [255, 1]], np.uint8)
    large = np.array([1.5, -2.0], np.float32)
    (tmp_path / "net.bin").write_bytes(small.tobytes() + large.tobytes())
    packed = {"name": "a", "shape": [2, 2], "dtype": "float32"}
    packed["quantization"] = {"dtype": "uint8", "scale": 0.5, "min": -1.0}
    manifest = [{"weights": [packed, {"name": "b", "shape": [2], "dtype": "float32"}], "paths": ["net.bin"]}]
    arrays = tool_networks._read_weights(tmp_path / "net.bin", manifest)
    assert arrays["a"] == pytest.approx(small * 0.5 - 1)
    assert arrays["b"].tolist() == large.tolist()
    assert {array.dtype for array in arrays.values()} == {np.dtype("float32")}


@pytest.fixture
def torch_file(tmp_path, monkeypatch):
    """Write a file as PyTorch did before 1.6: pickles, then each storage behind its length."""
    fake = types.ModuleType("old_torch")
    for name in ("FloatStorage", "_rebuild_tensor_v2"):
        setattr(fake, name, type(name, (), {"__module__": "old_torch"}))
    monkeypatch.setitem(sys.modules, "old_torch", fake)

    class Stored:
        pass

    class Tensor:
        def __reduce__(self):
            return fake._rebuild_tensor_v2, (Stored(), 1, (2, 2), (2, 1), False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", fake.FloatStorage, "7", "cpu", 5, None) if isinstance(value, Stored) else None

    path = tmp_path / "net.pkl"
    with path.open("wb") as file:
        for content in (119547037146038801333356, 1001, {"little_endian": True}):
            pickle.dump(content, file, protocol=2)
        Pickler(file, protocol=2).dump({"network": OrderedDict(weight=Tensor())})
        pickle.dump(["7"], file, protocol=2)
        file.write(np.int64(5).tobytes() + np.arange(5, dtype=np.float32).tobytes())
    return path


def test_a_file_of_old_pytorch(torch_file):
    assert tool_networks._read_torch(torch_file)["network"]["weight"].tolist() == [[1, 2], [3, 4]]


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("exit 1",)

    with (tmp_path / "evil.pkl").open("wb") as file:
        for content in (1, 2, {}, Evil()):
            pickle.dump(content, file, protocol=2)
    with pytest.raises(pickle.UnpicklingError, match="system is no part of an array"):
        tool_networks._read_torch(tmp_path / "evil.pkl")
