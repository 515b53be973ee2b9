import io
import os
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from models.inference.read_image import PhotoError, read_photo, resize_to_face


@pytest.fixture
def face():
    return draw_face("Happy", np.random.default_rng(0), clean=True)


def stored(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(face, orientation, form):
    undo = {
        1: face,
        2: face[:, ::-1],
        3: face[::-1, ::-1],
        4: face[::-1],
        5: face.T,
        6: np.rot90(face),
        7: face[::-1, ::-1].T,
        8: np.rot90(face, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if form == "WEBP" else {"quality": 100} if form == "AVIF" else {}
    content = stored(Image.fromarray(np.ascontiguousarray(undo[orientation])), form, exif=exif, **options)
    assert np.abs(read_photo(content).astype(int) - face).max() <= (2 if form in ("AVIF", "WEBP") else 0)


@pytest.mark.parametrize(
    ("mode", "form"),
    [("L", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("P", "PNG"), ("P", "GIF"), ("CMYK", "TIFF"),
     ("CMYK", "JPEG"), ("YCbCr", "JPEG"), ("RGB", "WEBP"), ("RGB", "BMP")],
)  # fmt: skip
def test_colour_modes_keep_the_shades(face, mode, form):
    exact = form not in ("JPEG", "WEBP") and mode != "CMYK"
    options = {"quality": 95} if form in ("JPEG", "WEBP") else {}
    read = read_photo(stored(Image.fromarray(face).convert(mode), form, **options)).astype(int)
    assert np.abs(read - face).max() <= (1 if exact else 16)
    assert np.abs(read - face).mean() <= 2


@pytest.mark.parametrize(
    ("dtype", "top", "form"),
    [(np.uint16, 65535, "PNG"), (np.uint16, 65535, "TIFF"), (np.int32, 65535, "TIFF"), (np.int32, 255, "TIFF"),
     (np.float32, 1, "TIFF"), (np.float32, 255, "TIFF")],
)  # fmt: skip
def test_more_than_8_bits_keep_their_shades(face, dtype, top, form):
    content = stored(Image.fromarray((face / 255 * top).astype(dtype)), form)
    assert np.abs(read_photo(content).astype(int) - face).max() <= 1


def test_a_dark_16_bit_picture_stays_dark(face):
    assert read_photo(stored(Image.fromarray(face.astype(np.uint16)), "PNG")).max() <= 1


def test_what_is_transparent_is_white(face):
    rgba = np.dstack([face] * 3 + [np.full_like(face, 255)])
    rgba[:10, :, 3] = 0
    read = read_photo(stored(Image.fromarray(rgba)))
    assert (read[:10] == 255).all()
    np.testing.assert_array_equal(read[10:], face[10:])
    palette = Image.fromarray(face).convert("P")
    assert (read_photo(stored(palette, transparency=int(face[0, 0])))[face == face[0, 0]] == 255).all()


def test_of_an_animation_the_first_frame_counts(face):
    frames = [Image.fromarray(each) for each in (255 - face, face)]
    read = read_photo(stored(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.abs(read.astype(int) - (255 - face)).max() <= 1


@pytest.mark.parametrize("shape", [(0, 4), (4,), (4, 4, 2), (2, 4, 4, 3), (3, 9, 9), (5, 9, 9)])
def test_other_arrays_are_explained(shape):
    with pytest.raises(PhotoError, match=r"give \(height, width\).*channels last"):
        read_photo(np.zeros(shape, np.uint8))


def test_one_channel_is_grey(face):
    np.testing.assert_array_equal(read_photo(face[..., None]), face)


def test_alpha_has_a_range_of_its_own(face):
    opaque, colours = np.ones(face.shape), np.dstack([face] * 3).astype(float)
    np.testing.assert_array_equal(read_photo(np.dstack([colours, opaque])), face)


class DirEntry:
    """A path of another class."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


class Tensor:
    """What TensorFlow, PyTorch and JAX have in common."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


def test_a_picture_may_be_given_in_any_form(face, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "face.png"
    Image.fromarray(face).save(path)
    content = path.read_bytes()
    written = io.BytesIO()
    written.write(content)
    with path.open("rb") as file, Image.open(path) as image:
        given = [str(path), path, DirEntry(str(path)), DirEntry(os.fsencode(path)), "~/face.png", Path("~/face.png"),
                 content, bytearray(content), memoryview(content), written, file, image, Image.fromarray(face),
                 Tensor(face), Tensor(face / 255)]  # fmt: skip
        for each in given:
            np.testing.assert_array_equal(read_photo(each), face)


@pytest.mark.parametrize("given", [None, 3, np.int64(3), [], {}, io.StringIO("x"), object(), pd.DataFrame({"a": [1]})])
def test_anything_else_is_a_type_error_that_lists_what_is_taken(given):
    with pytest.raises(TypeError, match="a path, a Pillow image, bytes, an open binary file, an array or tensor"):
        read_photo(given)


def ftyp(brand):
    return b"\0\0\0\x18ftyp" + brand + bytes(12)


@pytest.mark.parametrize(
    ("name", "content", "package"),
    [("IMG_1.HEIC", b"junk", "pillow-heif"), ("a.jpg", ftyp(b"heic"), "pillow-heif"),
     ("", ftyp(b"mif1"), "pillow-heif"),
     ("a.jxl", b"junk", "pillow-jxl-plugin"), ("", b"\xff\x0a" + bytes(9), "pillow-jxl-plugin")],
)  # fmt: skip
def test_a_format_of_a_plugin_names_it(name, content, package, tmp_path, monkeypatch):
    for module in ("pillow_heif", "pillow_jxl"):
        monkeypatch.setitem(sys.modules, module, None)
    source = content
    if name:
        source = tmp_path / name
        source.write_bytes(content)
    with pytest.raises(PhotoError, match=f"pip install {package}, or save it as JPEG"):
        read_photo(source)


def test_a_plugin_that_is_installed_is_used(face, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))

    def register_heif_opener():
        Image.register_open("HEIF", lambda file, name: Image.fromarray(face), lambda start: start[4:12] == b"ftypheic")

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register_heif_opener))
    np.testing.assert_array_equal(read_photo(ftyp(b"heic")), face)
    with pytest.raises(PhotoError, match="not an image"):
        read_photo(ftyp(b"hevc"))


@pytest.mark.parametrize("name", ["a.NEF", "a.dng", "a.cr2", "a.tif"])
def test_the_preview_in_a_raw_file_is_not_taken_for_the_picture(face, tmp_path, name):
    preview = {254: 1} if name == "a.tif" else {}
    Image.fromarray(face).save(tmp_path / name, "TIFF", tiffinfo=preview)
    with pytest.raises(PhotoError, match="raw file: export it as JPEG"):
        read_photo(tmp_path / name)


@pytest.mark.parametrize("content", [b"IIRO", ftyp(b"crx ")])
def test_a_raw_file_that_pillow_does_not_know_is_said(content, tmp_path):
    (tmp_path / "a.CR3").write_bytes(content)
    with pytest.raises(PhotoError, match="raw file: export it as JPEG"):
        read_photo(tmp_path / "a.CR3")


def test_what_pillow_recognizes_without_reading_it_is_no_damaged_picture():
    with pytest.raises(PhotoError, match="HDF5, which Pillow recognizes but cannot read: save it as"):
        read_photo(b"\x89HDF\r\n\x1a\n" + bytes(999))


def entry(tag, kind, count, value, order="<"):
    return struct.pack(f"{order}HHI", tag, kind, count) + value


def block(*entries, order="<", count=None, links=bytes(4)):
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return head + struct.pack(f"{order}H", count or len(entries)) + b"".join(entries) + links


QUARTER = entry(0x0112, 3, 1, b"\6\0\0\0")
QUARTER_BIG = entry(0x0112, 3, 1, b"\0\6\0\0", ">")
FAR = struct.pack("<I", 99_999)
# What phones, programs and converters leave.
TURNED = {
    "more entries announced": block(QUARTER, count=5),
    "text before it lies outside": block(entry(0x010E, 2, 500, FAR), QUARTER),
    "fraction lies outside": block(entry(0x011A, 5, 1, FAR), QUARTER),
    "unknown type": block(entry(0x010F, 77, 1, bytes(4)), QUARTER),
    "details lie outside": block(QUARTER, entry(0x8769, 4, 1, FAR)),
    "position is the block itself": block(QUARTER, entry(0x8825, 4, 1, b"\x08\0\0\0")),
    "text as resolution": block(QUARTER, entry(0x011A, 2, 4, b"abc\0")),
    "as a long": block(entry(0x0112, 4, 1, b"\6\0\0\0")),
    "cut": block(QUARTER, QUARTER)[:-9],
    "header cut off": block(QUARTER_BIG, order=">")[6:],
    "header twice": b"Exif\0\0Exif\0\0" + block(QUARTER_BIG, order=">"),
}
UPRIGHT = {
    "no header": b"\0\x08\0\x02\x01\x12\0\x03" + bytes(20),
    "nothing": b"II*\0",
    "no directory": b"MM\0*" + b"\xff" * 4,
    "an orientation that there is not": block(entry(0x0112, 3, 1, b"\x09\0\0\0")),
    "of the thumbnail": block(entry(0x010E, 2, 3, b"ab\0\0"), links=b"\x1a\0\0\0\1\0" + QUARTER + bytes(4)),
}


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("case", [*TURNED, *UPRIGHT])
def test_an_exif_block_that_is_not_well_formed_does_no_harm(face, form, case):
    exif = (TURNED | UPRIGHT)[case]
    if form == "JPEG" and not exif.startswith(b"Exif"):
        exif = b"Exif\0\0" + exif
    image = Image.fromarray(np.rot90(face[:, :40]) if case in TURNED else face[:, :40])
    options = {"lossless": True} if form == "WEBP" else {"quality": 100}
    read = read_photo(stored(image.convert("RGB"), form, exif=exif, **options))
    assert read.shape == (48, 40)
    assert np.abs(read.astype(int) - face[:, :40]).mean() <= 2


def test_what_is_no_picture_is_explained(face):
    whole = stored(Image.fromarray(face), "PNG")
    for content, words in ((b"junk", "not an image"), (b"", "not an image"), (whole[:600], "damaged")):
        with pytest.raises(PhotoError, match=words):
            read_photo(content)
    with pytest.raises(FileNotFoundError):
        read_photo("nowhere.png")


def test_a_bomb_is_refused_before_it_is_unpacked():
    content = stored(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(content) < 200_000
    with pytest.raises(PhotoError, match="at most 50 megapixels"):
        read_photo(content)
    with pytest.raises(PhotoError, match="9000x9000 pixels: scale it down"):
        read_photo(stored(Image.new("1", (9000, 9000)), "PNG"))


def test_squeezing_leaves_a_face_of_the_right_size_alone(face):
    np.testing.assert_array_equal(resize_to_face(face), face)
    assert np.corrcoef(resize_to_face(np.kron(face, np.ones((3, 2), np.uint8))).ravel(), face.ravel())[0, 1] > 0.99
