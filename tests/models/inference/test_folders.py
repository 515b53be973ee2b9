import os

import pytest

from models.inference.folders import files_below, is_litter


@pytest.fixture
def tree(tmp_path):
    for name in ("top/b.png", "top/a/c.png", "other/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path / "top"


def names(tree):
    return [str(path.relative_to(tree)) for path in files_below(tree)]


def test_links_are_followed_and_loops_end(tree):
    (tree / "other").symlink_to(tree.parent / "other")
    (tree / "again").symlink_to(tree.parent / "other")
    (tree / "a" / "up").symlink_to(tree)
    (tree.parent / "other" / "round").symlink_to(tree / "a")
    assert names(tree) == ["a/c.png", "again/d.png", "again/round/c.png", "b.png", "other/d.png", "other/round/c.png"]


def test_a_link_to_nothing_or_to_itself_is_reported(tree):
    (tree / "gone.png").symlink_to("nowhere.png")
    (tree / "self.png").symlink_to("self.png")
    assert names(tree) == ["a/c.png", "b.png", "gone.png", "self.png"]


def test_a_folder_that_cannot_be_listed_is_reported(tree, monkeypatch):
    def listdir(folder, real=os.listdir):
        if folder.name == "a":
            raise PermissionError
        return real(folder)

    monkeypatch.setattr(os, "listdir", listdir)
    assert names(tree) == ["a", "b.png"]


def test_what_is_no_file_is_left_out(tree):
    os.mkfifo(tree / "pipe.png")
    assert names(tree) == ["a/c.png", "b.png"]


@pytest.mark.parametrize("name", [".DS_Store", ".ipynb_checkpoints", "._a.png", "__MACOSX", "Thumbs.db", "desktop.ini",
                                  "@eaDir", "$RECYCLE.BIN", "#recycle", "~$a.docx", "__pycache__", "Picasa.ini",
                                  "IMG_1.AAE", "1.jpg.crdownload"])  # fmt: skip
def test_what_systems_archives_and_notebooks_leave_is_no_data(name, tree):
    assert is_litter(name)
    (tree / "a" / name).mkdir()
    (tree / "a" / name / "x.png").touch()
    assert names(tree) == ["a/c.png", "b.png"]


def test_a_hidden_folder_that_is_asked_for_is_read(tree):
    assert names(tree.rename(tree.with_name(".hidden"))) == ["a/c.png", "b.png"]
