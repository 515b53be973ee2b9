from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from PIL import Image

from benchmark.data import USAGES, DataError, load_dataset
from benchmark.data.fetch import HANDLE, fetch


@pytest.fixture
def kagglehub(monkeypatch, tmp_path):
    """A kagglehub that writes a small image copy."""

    def dataset_download(handle, output_dir=None):
        assert handle == HANDLE
        root = tmp_path / "default" if output_dir is None else type(tmp_path)(output_dir)
        for usage, folder in zip(USAGES, ("train", "test", "test"), strict=True):
            path = root / folder / "happy" / f"{usage}_1.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (48, 48), 128).save(path)
        return str(root)

    module = SimpleNamespace(dataset_download=dataset_download)
    monkeypatch.setitem(sys.modules, "kagglehub", module)
    return module


def test_copy_can_be_loaded(kagglehub, tmp_path):
    assert fetch() == tmp_path / "default"
    path = fetch(tmp_path / "chosen")
    assert path == tmp_path / "chosen"
    assert [len(load_dataset(path)[usage]) for usage in USAGES] == [1, 1, 1]


def test_no_network_names_the_other_way(kagglehub, monkeypatch):
    def offline(handle):
        raise ConnectionError("Max retries\nexceeded")

    monkeypatch.setattr(kagglehub, "dataset_download", offline)
    with pytest.raises(
        DataError, match=r"Max retries exceeded.*network.*challenges-in-representation.*--data PATH"
    ) as caught:
        fetch()
    assert "\n" not in str(caught.value)


def test_missing_kagglehub_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DataError, match=r"pip install 'fer-benchmark\[fetch\]'"):
        fetch()
