import io

import numpy as np
import pytest
from PIL import Image

from models.inference.inputs import find_files, read_files
from models.inference.video import Span


@pytest.fixture
def tree(tmp_path):
    for name in ("b.png", "a.JPG", "deep/c.webp", "deep/notes.txt", "clip.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix in (".png", ".JPG", ".webp"):
            Image.new("L", (8, 6), 100).save(path)
        else:
            path.write_text("no picture")
    return tmp_path


def video(path, levels, rate=10):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in levels:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return str(path)


def test_a_folder_stands_for_its_pictures_and_videos(tree):
    names = [path.removeprefix(f"{tree}/") for path in find_files([tree])]
    assert names == ["a.JPG", "b.png", "clip.mp4", "deep/c.webp"]


def test_patterns_and_files_keep_their_order(tree):
    found = find_files([f"{tree}/deep/*", "-", f"{tree}/**/*.png", f"{tree}/none*.png", "absent.png"])
    assert found == [
        f"{tree}/deep/c.webp",
        f"{tree}/deep/notes.txt",
        "-",
        f"{tree}/b.png",
        f"{tree}/none*.png",
        "absent.png",
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path):
    path = tmp_path / "face[1].png"
    Image.new("L", (4, 4)).save(path)
    assert find_files([path]) == [str(path)]


def test_a_part_of_a_pattern_that_is_a_name_is_that_name(tmp_path, monkeypatch):
    names = ["b [2020]/1.png", "b [2020]/a[1].png", "b [2020]/a1.png", "b [2020]/deep [x]/2.png", "b 2/3.png"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for pattern, expected in {
        "b [2020]/*.png": names[:1] + ["b [2020]/a1.png", "b [2020]/a[1].png"],
        "b [2020]/**/*2.png": ["b [2020]/deep [x]/2.png"],
        "**/deep [x]/*": ["b [2020]/deep [x]/2.png"],
        "*/a[1].png": ["b [2020]/a[1].png"],
        "b [2020]/a[12].png": ["b [2020]/a1.png"],
        "b [2]/*.png": ["b 2/3.png"],
        "b [78]/*.png": ["b [78]/*.png"],
    }.items():
        assert find_files([pattern]) == expected, pattern


def test_linked_folders_are_entered_loops_end_and_litter_is_left_out(tree, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    Image.new("L", (4, 4)).save(elsewhere / "s.png")
    (tree / "sad").symlink_to(elsewhere)
    (tree / "deep" / "loop").symlink_to(tree)
    (tree / "gone.png").symlink_to(tree / "nowhere")
    for litter in (".ipynb_checkpoints/1-checkpoint.png", "__MACOSX/1.png", "._1.png", "@eaDir/1.png"):
        (tree / litter).parent.mkdir(exist_ok=True)
        (tree / litter).touch()
    found = [file.removeprefix(f"{tree}/") for file in find_files([tree])]
    assert found == ["a.JPG", "b.png", "clip.mp4", "deep/c.webp", "gone.png", "sad/s.png"]
    for pattern in ("*.png", "**/*.png", "*/*.png"):
        assert all(file.removeprefix(f"{tree}/") in found for file in find_files([f"{tree}/{pattern}"]))


@pytest.mark.parametrize("name", ["IMG_1.HEIC", "a.hif", "a.avif", "a.jxl", "a.jp2", "a.DNG", "a.cr3", "a.nef", "a.arw",
                                  "a.orf", "a.rw2", "a.raf", "a.pef", "a.srw", "a.3gp", "a.3g2", "a.MTS", "a.m2ts",
                                  "a.ts", "a.flv", "a.vob", "a.mxf", "a.divx", "a.asf", "a.gif"])  # fmt: skip
def test_what_cameras_make_is_never_overlooked(name, tmp_path):
    (tmp_path / name).write_bytes(b"junk")
    assert find_files([tmp_path]) == [str(tmp_path / name)]
    (photo,) = read_files([str(tmp_path / name)])
    assert ": " in photo.error, "the fix follows what is wrong"


@pytest.mark.parametrize("name", ["a.h5", "a.hdf", "a.grib", "a.bufr", "a.wmf", "a.emf", "a.eps", "a.ps", "a.pdf"])
def test_what_pillow_cannot_read_by_itself_is_no_picture(name, tmp_path):
    (tmp_path / name).touch()
    assert find_files([tmp_path]) == []
    assert find_files([tmp_path / name]) == [str(tmp_path / name)]


def test_the_home_folder_is_known(tree, monkeypatch):
    monkeypatch.setenv("HOME", str(tree))
    assert find_files(["~/b.png", "~/deep", "~/*.JPG"]) == [
        f"{tree}/{name}" for name in ("b.png", "deep/c.webp", "a.JPG")
    ]


def test_what_cannot_be_read_is_an_error_and_the_others_follow(tree, tmp_path):
    files = [str(tree / "deep" / "notes.txt"), "absent.png", str(tree / "clip.mp4"), str(tree / "b.png")]
    photos = list(read_files(files))
    assert [photo.file for photo in photos] == files
    assert "not an image" in photos[0].error
    assert photos[1].error == "No such file or directory: check the path"
    assert "save it again" in photos[2].error or "pip install" in photos[2].error
    assert photos[3].image.shape == (6, 8)
    assert not photos[3].error


def test_standard_input_is_a_picture(monkeypatch):
    buffer = io.BytesIO()
    Image.new("L", (5, 7), 9).save(buffer, "PNG")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(buffer.getvalue())))
    (photo,) = read_files(["-"])
    assert (photo.image == 9).all()


def test_of_a_video_a_frame_in_so_many_seconds(tmp_path):
    path = video(tmp_path / "clip.mp4", range(0, 250, 10))
    photos = list(read_files([path], Span(0.5)))
    assert [photo.frame for photo in photos] == [0, 5, 10, 15, 20]
    assert [photo.seconds for photo in photos] == pytest.approx([0, 0.5, 1, 1.5, 2])
    for photo in photos:
        assert photo.image.shape == (48, 64)
        assert photo.image.mean() == pytest.approx(10 * photo.frame, abs=4)


def test_a_cut_video_gives_the_frames_before_and_an_error(tmp_path):
    path = tmp_path / "clip.mkv"
    video(path, np.random.default_rng(0).integers(0, 255, 40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    photos = list(read_files([str(path)], Span(0.1)))
    assert 0 < len(photos) < 41


def test_without_pyav_a_video_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (photo,) = read_files([str(tmp_path / "clip.mp4")])
    assert "pip install 'fer-benchmark[video]'" in photo.error


@pytest.mark.parametrize("seconds", [(-1,), (float("nan"),), (1, -1), (1, 2, 2), (1, 2, 1), (1, float("nan"))])
def test_a_span_has_seconds_in_order(seconds):
    with pytest.raises(ValueError, match="give seconds of 0 or more, and an end after the start"):
        Span(*seconds)


def test_every_frame_of_a_part(tmp_path):
    path = video(tmp_path / "clip.mp4", range(0, 250, 10))
    photos = list(read_files([path], Span(0, start=0.5, end=1.0)))
    assert [photo.frame for photo in photos] == [5, 6, 7, 8, 9]
    assert [photo.share for photo in photos] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])


@pytest.mark.parametrize(("suffix", "form", "codec"), [("3gp", "3gp", "mpeg4"), ("MTS", "mpegts", "mpeg2video")])
def test_a_video_is_known_by_every_suffix(tmp_path, suffix, form, codec):
    av = pytest.importorskip("av")
    path = tmp_path / f"clip.{suffix}"
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode()])
    (photo,) = read_files([str(path)])
    assert photo.image.mean() == pytest.approx(90, abs=4)


def test_whatever_a_picture_makes_of_its_reader_the_others_follow(tree, monkeypatch):
    def fail(file, span):
        raise ZeroDivisionError("odd")

    monkeypatch.setattr("models.inference.inputs.read_frames", fail)
    photos = list(read_files([str(tree / "clip.mp4"), "a\0b.png", str(tree / "b.png")]))
    assert photos[0].error == "cannot be read (ZeroDivisionError: odd): save it again"
    assert [bool(photo.error) for photo in photos] == [True, True, False]


def test_without_standard_input_the_row_says_so(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    (photo,) = read_files(["-"])
    assert photo.error == "there is no standard input: give a file"
