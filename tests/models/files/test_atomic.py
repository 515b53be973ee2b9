import errno
from pathlib import Path

import pytest

from models.files.arrays import open_atomic
from models.files.atomic import LONGEST_NAME, advice, explain, file_name, write_whole


@pytest.mark.parametrize(
    "text",
    ["../../x", "..", ".", "", "a/b", "a\\b", "a\nb", "a b", "a" * 300, "a\0b", "é" * 200, "a.", "\udce9", "c:x"],
)
def test_every_text_has_a_name_of_its_own(text, tmp_path):
    name = file_name(text)
    assert (tmp_path / name).resolve().parent == tmp_path.resolve()
    (tmp_path / name).mkdir()
    assert len(name) <= LONGEST_NAME
    assert name != file_name(text + "x")
    assert not name.endswith(".")
    assert file_name(name) == name


def test_what_is_safe_stays():
    for text in ("cnn_aug.weight_power=0", "a.x=-1-a.y=1e-05", "patch_svm.patch_sizes=(9,)"):
        assert file_name(text) == text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EACCES, "permissions"),
        (errno.EISDIR, "is a folder"),
        (errno.ENOTDIR, "move the file away"),
        (errno.EROFS, "can be written"),
        (errno.ENAMETOOLONG, "shorten"),
        (12345, "another place"),
    ],
)
def test_the_advice_fits_the_error(code, words):
    assert words in advice(OSError(code, "said"))


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "no" / "x", tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(OSError, match=r"No such|Not a|Is a") as caught:
            write_whole(path, b"")
        assert caught.value.filename == str(path)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file", tmp_path / "folder"]


def test_a_file_whose_writing_breaks_off_stays_as_it_was(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")

    def break_off():
        with open_atomic(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("file", b"old")]


def test_an_explanation_says_place_reason_and_fix():
    results = Path("results")
    full = OSError(errno.ENOSPC, "No space left on device", "results/x.csv")
    assert explain(full, results, "choose --results DIR") == (
        "results/x.csv: No space left on device: free some space, or choose --results DIR"
    )
    elsewhere = PermissionError(errno.EACCES, "Permission denied", b"/cache/x")
    assert explain(elsewhere, results, "choose --results DIR") == (
        "/cache/x: Permission denied: change its permissions"
    )
    assert explain(OSError("no errno"), results) == "results: no errno: choose another place"
