"""What a digest of code counts, tried on packages made here."""

import importlib

import pytest

from models.files import code_digest as source

RECIPE = '''"""Module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from {package} import helpers
from {package}.parts import Machine
from models.registry import Range, recognizer

if TYPE_CHECKING:
    from pathlib import Path

SPACE = {{"C": Range(0.1, 10.0)}}
SIDES = (7, 11)


@recognizer(family="classical", space=SPACE)
def mine(random_state: int = 0) -> Machine:
    """One line."""
    # why
    if random_state < 0:
        raise ValueError(f"random_state is {{random_state}}: give 0 or more")
    return Machine(SIDES, helpers.scale(np.ones(3)))
'''
PARTS = '''"""Parts."""

from .base import Base


class Machine(Base):
    """A machine.

    Parameters
    ----------
    sides : tuple
    """

    step: float = 0.5

    def __init__(self, sides: tuple, scale: float) -> None:
        self.sides = sides
        self.scale = scale
'''
FILES = {
    "__init__": "",
    "recipe": RECIPE,
    "parts": PARTS,
    "base": "class Base:\n    power = 2\n",
    "helpers": (
        "def scale(x):\n    return _double(x)\n\n\ndef _double(x):\n    return 2 * x\n\n\ndef unused():\n    return 1\n"
    ),
}
# What does not count, by file: what is there, and what takes its place.
WORDS = {
    "a comment": ("recipe", "# why", "# for this reason"),
    "a docstring": ("recipe", '"""One line."""', '"""Another line.\n\n    And more.\n    """'),
    "a docstring that is new": ("base", "class Base:\n", 'class Base:\n    """The base."""\n\n'),
    "an error message": ("recipe", "give 0 or more", "negative numbers make no seed"),
    "an annotation": ("recipe", "random_state: int = 0", 'random_state: "int | None" = 0'),
    "an annotation of a result": ("recipe", " -> Machine", ""),
    "an annotation of a class": ("parts", "step: float = 0.5", "step = 0.5"),
    "a wider search space": ("recipe", "Range(0.1, 10.0)", "Range(0.01, 100.0)"),
    "a search space in the decorator": ("recipe", "space=SPACE", 'space={"C": (1, 2)}'),
    "a wrapped line": ("recipe", "Machine(SIDES, helpers", "Machine(\n        SIDES,\n        helpers"),
    "an import for checkers": ("recipe", "from pathlib import Path", "from pathlib import PurePath"),
    "a function that is not used": ("helpers", "return 1", "return 3"),
}
CODE = {
    "a constant": ("recipe", "(7, 11)", "(7, 13)"),
    "a default": ("recipe", "random_state: int = 0", "random_state: int = 1"),
    "a class in another module": ("parts", "0.5", "0.25"),
    "what that class derives from": ("base", "power = 2", "power = 3"),
    "a function of a module that is imported whole": ("helpers", "_double(x)\n\n\ndef _d", "x\n\n\ndef _d"),
    "what that function calls": ("helpers", "2 * x", "3 * x"),
    "which error is raised": ("recipe", "raise ValueError", "raise TypeError"),
    "what a module does when it is imported": ("base", "class Base", "print()\n\n\nclass Base"),
    "another library": ("recipe", "import numpy as np", "import scipy as np"),
    "a file that is no Python any more": ("base", "class Base:", "class Base"),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a package of its own name, as a user's may lie anywhere; return it with what edits it."""
    name = f"code_of_{tmp_path.name.replace('-', '_')}"
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    for stem, text in FILES.items():
        (folder / f"{stem}.py").write_text(text.format(package=name) if stem == "recipe" else text, "utf-8")

    def edit(stem, old, new):
        path = folder / f"{stem}.py"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    importlib.invalidate_caches()
    return f"{name}.recipe", folder, edit


@pytest.mark.parametrize("what", WORDS)
def test_words_and_layout_do_not_count(package, what):
    module, _, edit = package
    before = source.code_digest(module)
    edit(*WORDS[what])
    assert source.code_digest(module) == before


@pytest.mark.parametrize("what", CODE)
def test_what_is_computed_counts(package, what):
    module, _, edit = package
    before = source.code_digest(module)
    edit(*CODE[what])
    assert source.code_digest(module) != before


def test_where_code_lies_does_not_count(package):
    module, folder, edit = package
    before = source.code_digest(module)
    (folder / "base.py").rename(folder / "ground.py")
    edit("parts", ".base", ".ground")
    assert source.code_digest(module) == before, "a file that is renamed"
    (folder / "deep").mkdir()
    (folder / "deep" / "__init__.py").touch()
    (folder / "helpers.py").rename(folder / "deep" / "helpers.py")
    edit("recipe", f"from {folder.name} import helpers", f"from {folder.name}.deep import helpers")
    assert source.code_digest(module) == before, "a file that is moved"
    text = (folder / "deep" / "helpers.py").read_text("utf-8")
    first, _, rest = text.partition("def _double")
    (folder / "deep" / "helpers.py").write_text(f"from {folder.name}.more import _double\n\n\n{first}", "utf-8")
    (folder / "more.py").write_text(f"def _double{rest}", "utf-8")
    assert source.code_digest(module) == before, "a file that is parted"
    (folder / "recipe.py").rename(folder / "recette.py")
    importlib.invalidate_caches()
    assert source.code_digest(f"{folder.name}.recette") == before, "the recipe itself"


def test_a_module_in_one_file_counts_with_what_lies_beside_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lonely_recipe.py").write_text("import lonely_helper\n\n\ndef mine():\n    return lonely_helper.x()\n")
    (tmp_path / "lonely_helper.py").write_text("def x():\n    return 1\n")
    before = source.code_digest("lonely_recipe")
    assert source.code_digest("lonely_recipe") == before
    (tmp_path / "lonely_helper.py").write_text("def x():\n    return 2\n")
    assert source.code_digest("lonely_recipe") != before


def test_the_same_name_elsewhere_is_other_code(tmp_path, monkeypatch):
    digests = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "twin_recipe.py").write_text(f"def mine():\n    return {number}\n")
        monkeypatch.syspath_prepend(folder)
        digests.append(source.code_digest("twin_recipe"))
    assert digests[0] != digests[1]


def test_a_package_that_imports_its_compiled_module_from_itself_has_a_digest(package):
    module, folder, edit = package
    edit("recipe", "from models.registry", f"from {folder.name} import _compiled\nfrom models.registry")
    edit("recipe", "helpers.scale(", "_compiled.scale(")
    (folder / "__init__.py").write_text("try:\n    from . import _compiled\nexcept ImportError:\n    pass\n")
    assert source.code_digest(module) == source.code_digest(module)


@pytest.mark.parametrize("name", ["no_such_module", "sys", "__main__", "a.b.c"])
def test_code_that_cannot_be_found_is_never_the_same(name):
    assert source.code_digest(name) != source.code_digest(name)


def test_recognizers_reach_their_parts_and_no_others():
    found = source.reached("models.recognizers.hog_svm")
    assert {
        "models.recognizers.hog_svm",
        "models.base",
        "models.calibration",
        "models.parts.rbf_svm",
        "features.hog",
    } <= found
    assert not {"features.lbp", "features", "models", "models.recognizers.cnn", "models.registry"} & found
    assert source.code_digest("models.recognizers.hog_svm") != source.code_digest("models.recognizers.lbp_xgb")


def test_the_digest_of_the_project_counts_every_line(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "ROOT", tmp_path)
    (tmp_path / "models").mkdir()
    digests = set()
    for text in (b"x = 1\n", b"x = 1  # one\n", b"x = 1\r\n"):
        (tmp_path / "models" / "x.py").write_bytes(text)
        digests.add(source.project_digest())
    assert len(digests) == 2, "but not how a line ends"
