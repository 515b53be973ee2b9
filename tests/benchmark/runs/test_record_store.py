import json

import numpy as np
import pytest

from benchmark.runs.record_store import Store, current_records


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_what_is_written_comes_back(store, record, probabilities):
    written = store.write(record("majority", [0] * 7, [0] * 7), probabilities)
    read = store.read("majority", 0)
    assert read == written
    assert store.path("majority", 0).relative_to(store.root).as_posix() == "runs/majority/seed0.json"
    np.testing.assert_array_equal(store.probabilities(read).test, probabilities.test)
    assert not list(store.root.rglob("*.tmp"))


def test_fresh_means_same_digest_finished_and_unharmed(store, record, probabilities):
    written = store.write(record("majority", [0] * 7, [0] * 7), probabilities)
    assert store.is_fresh(written, "d")
    assert not store.is_fresh(written, "other")
    assert not store.is_fresh(None, "d")
    assert not store.is_fresh({**written, "status": "failed"}, "d")
    path = store.path("majority", 0).with_suffix(".npz")
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert not store.is_fresh(written, "d")
    path.unlink()
    assert not store.is_fresh(written, "d")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', "\x00"])
def test_a_record_that_cannot_be_read_is_missing(store, text):
    path = store.path("majority", 0)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert store.read("majority", 0) is None
    assert store.records() == []


def test_a_failure_keeps_its_error_and_no_probabilities(store, record):
    store.write(record("cnn", [0] * 7, [0] * 7, status="failed", error="ValueError: x"))
    assert "probabilities_sha256" not in json.loads(store.path("cnn", 0).read_text())


def test_a_run_of_another_folder_takes_the_place_of_all_forms_of_the_old_one(tmp_path, record, probabilities):
    there, here = Store(tmp_path / "there"), Store(tmp_path / "here")
    written = there.write(record("cnn", [0] * 7, [0] * 7, artifact="cnn.h5"), probabilities)
    files = {path.relative_to(there.root).as_posix(): path.read_bytes() for path in there.root.rglob("*.*")}
    files |= {f"models/{name}": b"new" for name in ("cnn.h5", "cnn.json")}
    (here.root / "models").mkdir(parents=True)
    for name in ("cnn.h5", "cnn.json", "cnn.tflite", "cnn.int8.tflite", "cnn_aug.h5"):
        (here.root / "models" / name).write_bytes(b"old")
    assert here.take(written, files) == here.read("cnn", 0) == written
    assert here.is_intact(written)
    content = {path.name: path.read_bytes() for path in (here.root / "models").iterdir()}
    assert content == {"cnn.h5": b"new", "cnn.json": b"new", "cnn_aug.h5": b"old"}
    failed = {**written, "status": "failed"}
    assert here.take(failed, {}) == failed and here.read("cnn", 0) == written


def test_two_seeds_are_two_records(store, record, probabilities):
    for seed in (0, 1):
        store.write(record("majority", [0] * 7, [0] * 7, seed=seed), probabilities)
    assert [each["seed"] for each in store.records()] == [0, 1]


def test_a_loss_that_was_infinite_makes_no_record_vanish(tmp_path, record, probabilities):
    store = Store(tmp_path)
    history = {"loss": [1.0, float("nan")], "val_loss": [float("inf"), 2.0]}
    store.write(record("a", [0] * 7, [0] * 7, history=history), probabilities)
    assert store.read("a", 0)["history"]["loss"][0] == 1.0
    store.write(record("a", [0] * 7, [0] * 7, history={"loss": [1.0], "val_loss": [1.0, 2.0]}), probabilities)
    assert store.read("a", 0) is None


def test_an_edited_record_is_seen(store, record, probabilities):
    written = store.write(record("majority", [0] * 7, [0] * 7), probabilities)
    assert current_records(store) == [written]
    path = store.path("majority", 0)
    for edit in ({"params": {"C": 2}}, {"digest": "new"}, {"test": {**written["test"], "accuracy": 1.0}}):
        path.write_text(json.dumps({**written, **edit}))
        (edited,) = current_records(store)
        assert edited["status"] == "stale"
        assert "edited since it was written" in edited["error"]
    del written["checksum"]  # of a version that had none
    path.write_text(json.dumps(written))
    assert current_records(store) == [written]
