import numpy as np
import pytest

from models.files import arrays as cache

ARRAYS = {"a": np.arange(1000.0)}


def never():
    raise AssertionError("computed although it was stored")


def test_computed_once():
    stored = cache.cached_arrays("key", lambda: ARRAYS)
    again = cache.cached_arrays("key", never)
    np.testing.assert_array_equal(stored["a"], again["a"])
    assert set(again) == {"a"}


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_is_computed_anew(damage):
    cache.cached_arrays(damage, lambda: ARRAYS)
    path = cache.cache_dir() / f"{damage}.npz"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[: len(content) // 2], "flip": content, "empty": b""}[damage])
    np.testing.assert_array_equal(cache.cached_arrays(damage, lambda: ARRAYS)["a"], ARRAYS["a"])
    assert set(cache.cached_arrays(damage, never)) == {"a"}


def test_a_cache_that_cannot_be_written_is_no_failure(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "file" / "cache"))
    assert set(cache.cached_arrays("key", lambda: ARRAYS)) == {"a"}


def test_what_was_used_longest_ago_goes_first(monkeypatch, tmp_path):
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "BYTES_LIMIT", 20_000)
    for name in ("first", "second"):
        cache.cached_arrays(name, lambda: ARRAYS)
    import os

    os.utime(tmp_path / "first.npz", (2e9, 2e9))
    cache.cached_arrays("third", lambda: ARRAYS)
    assert sorted(path.stem for path in tmp_path.glob("*")) == ["first", "third"]
