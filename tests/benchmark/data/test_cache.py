from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

import benchmark.data
from benchmark.data import DataError, load_dataset
from benchmark.data.cache import content_digest


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def no_reader(monkeypatch):
    def fail(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(benchmark.data, "read_csv", fail)


def test_second_load_reads_the_copy(csv_path, empty_cache, monkeypatch, tmp_path, request):
    first = load_dataset(csv_path)
    request.getfixturevalue("no_reader")
    moved = csv_path.rename(tmp_path / "renamed.csv")
    second = load_dataset(moved)
    assert (second.name, second.note, second.fingerprint) == (first.name, first.note, first.fingerprint)
    assert second["Training"].X.dtype == np.uint8


def test_other_content_is_read(csv_path, empty_cache):
    first = load_dataset(csv_path)
    text = csv_path.read_text()
    csv_path.write_text(text.replace("255", "254", 1))
    assert load_dataset(csv_path).fingerprint != first.fingerprint
    assert len(entries(empty_cache)) == 2


@pytest.mark.slow
def test_damaged_copy_is_made_anew_or_still_right(csv_path, empty_cache):
    expected = load_dataset(csv_path).fingerprint
    (entry,) = empty_cache.iterdir()
    good = entry.read_bytes()
    rng = np.random.default_rng(0)
    for position in [*range(60), *rng.integers(0, len(good), 60), *range(len(good) - 60, len(good))]:
        bad = bytearray(good)
        bad[position] ^= 1 << rng.integers(8)
        entry.write_bytes(bad)
        assert load_dataset(csv_path).fingerprint == expected
    for length in (0, 1, 1000, len(good) // 2, len(good) - 1):
        entry.write_bytes(good[:length])
        assert load_dataset(csv_path).fingerprint == expected
        assert entry.stat().st_size == len(good)
    assert entries(empty_cache) == [entry.name]


def test_two_processes_at_once(csv_path, empty_cache):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        datasets = list(pool.map(load_dataset, [csv_path] * 4))
    assert len({dataset.fingerprint for dataset in datasets}) == 1
    assert len(entries(empty_cache)) == 1


def test_works_without_a_writable_cache(csv_path, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "file"))
    assert len(load_dataset(csv_path)["Training"]) == 35


def test_failed_write_leaves_nothing(csv_path, empty_cache, monkeypatch):
    def full(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    assert len(load_dataset(csv_path)["Training"]) == 35
    assert entries(empty_cache) == []


def test_path_comes_from_the_environment(csv_path, empty_cache, monkeypatch):
    monkeypatch.setenv("FER2013", str(csv_path))
    assert load_dataset().fingerprint == load_dataset(csv_path).fingerprint


def test_synthetic_faces_are_the_default_and_kept(empty_cache, monkeypatch):
    from benchmark.data import synthetic

    small = synthetic.synthetic_dataset(n_faces=70, seed=0)
    monkeypatch.setattr(synthetic, "synthetic_dataset", lambda seed: small)
    assert load_dataset().fingerprint == small.fingerprint
    monkeypatch.setattr(synthetic, "synthetic_dataset", None)
    assert load_dataset().fingerprint == small.fingerprint


def test_a_digest_sees_the_content_of_files_and_where_texts_end(tmp_path):
    file = tmp_path / "x"
    file.write_bytes(b"1")
    before = content_digest(file)
    file.write_bytes(b"2")
    assert content_digest(file) != before
    assert content_digest("ab", "c") != content_digest("a", "bc")


def test_a_linked_csv_is_that_csv_and_a_pipe_is_refused(csv_path, empty_cache, tmp_path):
    link = tmp_path / "link.csv"
    link.symlink_to(csv_path)
    first = load_dataset(link)
    assert first.fingerprint == load_dataset(csv_path).fingerprint
    csv_path.write_text(csv_path.read_text().replace("255", "254", 1))
    assert load_dataset(link).fingerprint != first.fingerprint
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe: not a regular file, .*save it"):
        load_dataset(tmp_path / "pipe")
