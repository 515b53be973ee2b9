"""Recognizers of other packages, installed here as a module and the metadata that pip writes."""

import importlib
import json
import sys

import numpy as np
import pytest

from features.rows import N_PIXELS
from models import ArtifactError, load
from models.artifacts.save_load import save
from models.files import code_reader
from models.files.code_digest import code_digest
from models.recognizers.majority import Majority
from models.registry import recognizers

MODULE = """
from models.recognizers.majority import Majority
from models.registry import recognizer

class {kind}(Majority):
    '''Another class.'''
    extra_ = 1

@recognizer(family="classical", trusted_types=("{trusted}",))
def {name}(random_state: int = 0) -> {kind}:
    '''From elsewhere.'''
    return {kind}(random_state)
"""
ROWS = np.zeros((4, N_PIXELS), np.uint8)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install packages for this test: each a module, under an entry point of some name."""
    recognizers()
    monkeypatch.setattr("models.registry._registered", dict(sys.modules["models.registry"]._registered))
    before = set(sys.modules)

    def install(package, text=None, name="mine", point="mine"):
        site, module = tmp_path / package, package.replace("-", "_")
        info = site / f"{module}-1.5.dist-info"
        info.mkdir(parents=True)
        text = MODULE.format(kind="Mine", name=name, trusted=f"{module}.Mine") if text is None else text
        (site / f"{module}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[fer_benchmark.recognizers]\n{point} = {module}\n")
        monkeypatch.syspath_prepend(site)
        importlib.invalidate_caches()
        return site / f"{module}.py"

    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def remove(module, monkeypatch):
    """Have a package that was installed gone."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(module.parent)])
    registered = sys.modules["models.registry"]._registered
    for name in [name for name, (entry, _) in registered.items() if entry.module == module.stem]:
        del registered[name]
    sys.modules.pop(module.stem, None)


def saved(folder, trusted=True):
    """Save a fitted recognizer of the installed package; return its file."""
    entry = recognizers()["mine"]
    fitted = entry.make().fit(ROWS, [0, 0, 1, 2], validation=(ROWS, [0, 0, 1, 2]))
    card = save(fitted, folder, "mine", {"recognizer": "mine", "package": entry.package})
    assert set(card["copies"]) == ({".skops"} if trusted else set())
    assert card["versions"][entry.package] == "1.5"
    return folder / card["artifact"]


def test_an_entry_point_is_a_recognizer_with_its_package(install):
    before = recognizers()
    install("fer-mine")
    after = recognizers()
    entry = after.pop("mine")
    assert after == before and not any(other.package for other in before.values())
    assert (entry.package, entry.module, entry.summary) == ("fer-mine", "fer_mine", "From elsewhere.")
    assert isinstance(entry.make(), Majority)


def test_a_module_that_no_entry_point_names_is_no_row(install, monkeypatch):
    module = install("fer-mine")
    (module.parent / "fer_mine-1.5.dist-info" / "entry_points.txt").unlink()
    before = recognizers()
    importlib.import_module("fer_mine")
    assert recognizers() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def torn(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        (MODULE.format(kind="Mine", name="mine", trusted="x") + "1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_package_that_cannot_be_imported_is_skipped_with_the_reason(install, text, words):
    before = recognizers()
    install("fer-mine", text)
    after = recognizers()
    entry = after.pop("mine")
    assert after == before
    assert words in entry.error
    assert entry.skip_reason() == f"fer-mine cannot be imported ({entry.error}): update it, or pip uninstall fer-mine"


def test_a_name_that_is_taken_is_an_error_that_names_both(install):
    cnn = recognizers()["cnn"]
    install("fer-mine", name="cnn", point="cnn")
    after = recognizers()
    assert after["cnn"] == cnn
    assert all(word in after["fer-mine"].error for word in ("fer_mine.py and ", "cnn.py both have a recognizer cnn"))
    install("fer-a", name="twin", point="a")
    install("fer-b", name="twin", point="b")
    after = recognizers()
    assert after["twin"].package == "fer-a"
    assert all(word in after["b"].error for word in ("fer_a.py", "fer_b.py", "recognizer twin"))


def test_the_digest_is_of_the_packages_code_although_it_is_installed(install, monkeypatch):
    module = install("fer-mine")
    monkeypatch.setattr("models.files.code_reader._INSTALLED", (*code_reader._INSTALLED, str(module.parent)))
    entry = recognizers()["mine"]
    digest, text = code_digest(entry.module), module.read_text()
    module.write_text(f"# why\n{text}")
    assert code_digest(entry.module) == digest
    module.write_text(text.replace("extra_ = 1", "extra_ = 2"))
    assert code_digest(entry.module) != digest


def test_its_model_is_loaded_where_the_package_is(install, tmp_path, monkeypatch):
    module = install("fer-mine")
    path = saved(tmp_path / "models")
    path.unlink()
    assert type(load(path)).__module__ == "fer_mine", "by the file that runs no code"
    remove(module, monkeypatch)
    with pytest.raises(ArtifactError, match=r"needs the package fer-mine 1\.5: pip install fer-mine$"):
        load(path)
    install("fer-other")
    with pytest.raises(ArtifactError, match=r"its mine is that of fer-mine, not that of fer-other: pip uninstall"):
        load(path)


def test_where_the_package_is_broken_its_model_says_so(install, tmp_path):
    module = install("fer-mine", name="mine", point="points")
    path = saved(tmp_path / "models")
    for name in ("fer_mine",):
        del sys.modules[name]
    del sys.modules["models.registry"]._registered["mine"]
    module.write_text("import no_such_thing")
    importlib.invalidate_caches()
    with pytest.raises(ArtifactError, match=r"fer-mine cannot be imported \(ModuleNotFoundError.*no_such_thing"):
        load(path)


def test_types_are_trusted_only_if_the_package_says_so(install, tmp_path, monkeypatch):
    module = install("fer-mine", MODULE.format(kind="Mine", name="mine", trusted="fer_mine.Other"))
    with pytest.warns(UserWarning, match=r"the model holds fer_mine\.Mine.*trusted_types"):
        saved(tmp_path / "untrusted", trusted=False)
    remove(module, monkeypatch)
    trusting = install("fer-trusting")
    path = saved(tmp_path / "models")
    remove(trusting, monkeypatch)
    install("fer-trusting-2", MODULE.format(kind="Mine", name="mine", trusted="none"))
    card = {**json.loads(path.with_suffix(".json").read_text()), "package": "fer-trusting-2"}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match="do not use this file"):
        load(path)


@pytest.mark.parametrize("package", ["x --index-url http://elsewhere", 7, ["fer-mine"]])
def test_a_card_names_a_package_and_nothing_else(install, tmp_path, package):
    install("fer-mine")
    path = saved(tmp_path / "models")
    card = {**json.loads(path.with_suffix(".json").read_text()), "package": package}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ArtifactError, match="not a valid card"):
        load(path)
