import importlib
import sys

import pytest

import models.recognizers
from models.networks.keras_import import gpu_is_seen
from models.registry import (
    Entry,
    RegistryError,
    find_recognizer,
    recognizer,
    recognizers,
    run_of,
    run_stem,
)


def test_members_come_before_their_ensembles():
    names = list(recognizers())
    for name, entry in recognizers().items():
        assert all(names.index(run_of(member)[0]) < names.index(name) for member in entry.members)


@pytest.mark.parametrize(("run", "stem"), [(("cnn_deep", 0), "cnn_deep"), (("cnn_deep", 12), "cnn_deep-seed12")])
def test_a_run_and_its_name(run, stem):
    assert run_stem(*run) == stem
    assert run_of(stem) == run
    assert run_of("cnn_deep-seed0", 3) == ("cnn_deep", 0) and run_of("cnn_deep", 3) == ("cnn_deep", 3)


def test_a_member_without_a_seed_of_its_own_has_that_of_the_vote_if_it_uses_one():
    known = recognizers()
    assert known["soft_voting"].member_stems(2) == ["cnn-seed2", "hog_svm", "lbp_xgb-seed2"]
    assert known["deep_ensemble"].member_stems(0) == ["cnn_deep", "cnn_deep-seed1", "cnn_deep-seed2"]


def test_a_vote_uses_the_seed_if_a_member_does(add):
    add(
        "added",
        RECIPE.replace('family="classical"', 'family="ensemble", members=("hog_svm", "majority")').format(name="added"),
    )
    entries = recognizers()
    unused = {name for name, entry in entries.items() if not entry.uses_seed}
    assert unused == {"majority", "hog_svm", "deep_ensemble", "soft_voting_seeds", "added"}


def test_every_recognizer_is_one_file_with_a_summary():
    ours = {name: entry for name, entry in recognizers().items() if not entry.package}
    for name, entry in ours.items():
        assert entry.factory.__module__ == entry.module == f"models.recognizers.{name}"
        assert entry.summary.endswith(".")
        assert entry.family in {"neural", "classical", "ensemble", "floor"}


def test_an_unknown_name_brings_near_matches():
    with pytest.raises(KeyError, match="did you mean hog_svm"):
        find_recognizer("hogsvm")
    with pytest.raises(KeyError, match="majority"):
        find_recognizer("zzz")


def test_a_missing_package_is_a_reason_to_skip():
    assert Entry("x", requires=("json",)).skip_reason() == ""
    assert "pip install no_such_package" in Entry("x", requires=("json", "no_such_package")).skip_reason()


def test_what_needs_a_gpu_is_skipped_where_none_is_seen(monkeypatch):
    entry = Entry("cnn_large", tier="gpu")
    monkeypatch.setattr("models.registry.gpu_is_seen", lambda: False)
    assert "--only cnn_large" in entry.skip_reason()
    monkeypatch.setattr("models.registry.gpu_is_seen", lambda: True)
    assert entry.skip_reason() == ""


@pytest.mark.parametrize(("devices", "seen"), [(["gpu:0", "gpu:1"], True), (["cpu:0"], False), (None, False)])
def test_keras_is_asked_for_gpus(monkeypatch, devices, seen):
    lists = {} if devices is None else {"list_devices": lambda: devices}
    keras = type("keras", (), {"distribution": type("distribution", (), lists)})
    monkeypatch.setattr("models.networks.keras_import.import_keras", lambda: keras)
    assert gpu_is_seen.__wrapped__() is seen


def test_a_broken_entry_cannot_be_made():
    with pytest.raises(ImportError, match="torn"):
        Entry("x", error="SyntaxError: torn").make()


RECIPE = """
from models.registry import recognizer

@recognizer(family="classical")
def {name}(random_state: int = 0):
    'One line.'
"""


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Put files into the package, for this test."""
    recognizers()
    monkeypatch.setattr("models.registry._registered", dict(models.registry._registered))
    monkeypatch.setattr(models.recognizers, "__path__", [*models.recognizers.__path__, str(tmp_path)])
    before = set(sys.modules)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_new_file_is_a_new_recognizer(add):
    add("added", RECIPE.format(name="added"))
    assert recognizers()["added"].error == ""
    assert recognizers()["added"].error == "", "again"
    importlib.reload(sys.modules["models.recognizers.added"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RECIPE.format(name="cnn"), ("added.py", "cnn.py", "rename one")),
        (RECIPE.format(name="other"), ("added.py", "other", "name the function added")),
        (RECIPE.format(name="added") + RECIPE.format(name="added"), ("added.py", "two recognizers called added")),
        (RECIPE.format(name="added") + "def torn(:", ("SyntaxError", "added.py")),
        (RECIPE.format(name="added").replace("@", "import no_such_thing\n@"), ("no_such_thing",)),
        (RECIPE.format(name="added") + "raise SystemExit(3)", ("SystemExit",)),
        ("import models.registry as r\n@r.recognizer(\n", ("SyntaxError",)),
    ],
    ids=["taken", "another name", "twice", "syntax", "import", "exit", "torn"],
)
def test_a_recognizer_that_cannot_be_had_is_a_row_with_the_reason(add, text, words):
    before = recognizers()
    add("added", text)
    after = recognizers()
    assert {name: entry for name, entry in after.items() if name != "added"} == before
    assert all(word in after["added"].error for word in words), after["added"].error


def test_a_file_without_a_recognizer_is_no_row(add):
    before = recognizers()
    add("helper", "x = 1")
    assert recognizers() == before


def test_a_name_taken_from_outside_is_an_error_that_names_both_files():
    def cnn():
        """Another one."""

    with pytest.raises(RegistryError, match=r"test_registry.* and .*models.recognizers.cnn.py both have .*cnn"):
        recognizer(family="classical")(cnn)
