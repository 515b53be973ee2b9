import io

import numpy as np
import pytest
from PIL import Image

from models.sources import find_files, read_files


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


def test_what_cannot_be_read_is_an_error_and_the_others_follow(tree, tmp_path):
    files = [str(tree / "deep" / "notes.txt"), "absent.png", str(tree / "clip.mp4"), str(tree / "b.png")]
    photos = list(read_files(files))
    assert [photo.file for photo in photos] == files
    assert "not an image" in photos[0].error
    assert photos[1].error == "No such file or directory: check the path"
    assert "save it anew" in photos[2].error or "pip install" in photos[2].error
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
    photos = list(read_files([path], every=0.5))
    assert [photo.frame for photo in photos] == [0, 5, 10, 15, 20]
    assert [photo.seconds for photo in photos] == pytest.approx([0, 0.5, 1, 1.5, 2])
    for photo in photos:
        assert photo.image.shape == (48, 64)
        assert photo.image.mean() == pytest.approx(10 * photo.frame, abs=4)


def test_a_cut_video_gives_the_frames_before_and_an_error(tmp_path):
    path = tmp_path / "clip.mkv"
    video(path, np.random.default_rng(0).integers(0, 255, 40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    photos = list(read_files([str(path)], every=0.1))
    assert 0 < len(photos) < 41


def test_without_pyav_a_video_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    (photo,) = read_files([str(tmp_path / "clip.mp4")])
    assert "pip install 'fer-benchmark[video]'" in photo.error


@pytest.mark.parametrize("every", [0, -1, float("nan")])
def test_seconds_must_be_above_zero(every):
    with pytest.raises(ValueError, match="above 0"):
        list(read_files([], every))
