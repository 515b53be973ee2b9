import pytest

from models.registry import Entry, find, gpu_is_seen, recognizers


def test_members_come_before_their_ensembles():
    names = list(recognizers())
    for name, entry in recognizers().items():
        assert all(names.index(member) < names.index(name) for member in entry.members)


def test_every_recognizer_is_one_file_with_a_summary():
    for name, entry in recognizers().items():
        assert entry.factory.__module__ == entry.module == f"models.{name}"
        assert entry.summary.endswith(".")
        assert entry.family in {"neural", "classical", "ensemble", "floor"}


def test_an_unknown_name_brings_near_matches():
    with pytest.raises(KeyError, match="did you mean hog_svm"):
        find("hogsvm")
    with pytest.raises(KeyError, match="majority"):
        find("zzz")


def test_a_missing_package_is_a_reason_to_skip():
    assert Entry("x", requires=("json",)).skip() == ""
    assert "pip install no_such_package" in Entry("x", requires=("json", "no_such_package")).skip()


def test_what_needs_a_gpu_is_skipped_where_none_is_seen(monkeypatch):
    entry = Entry("cnn_large", tier="gpu")
    monkeypatch.setattr("models.registry.gpu_is_seen", lambda: False)
    assert "--only cnn_large" in entry.skip()
    monkeypatch.setattr("models.registry.gpu_is_seen", lambda: True)
    assert entry.skip() == ""


def test_keras_is_asked_for_gpus(monkeypatch):
    asked = []
    keras = type("keras", (), {"distribution": type("d", (), {"list_devices": asked.append})})
    monkeypatch.setattr("models.keras_recognizer.import_keras", lambda: keras)
    gpu_is_seen.cache_clear()
    assert not gpu_is_seen()
    gpu_is_seen.cache_clear()
    assert asked == ["gpu"]


def test_a_broken_entry_cannot_be_made():
    with pytest.raises(ImportError, match="torn"):
        Entry("x", error="SyntaxError: torn").make()
