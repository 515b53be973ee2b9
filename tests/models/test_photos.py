import io

import numpy as np
import pytest
from PIL import Image

from benchmark.data.synthetic import draw_face
from models.photos import PhotoError, read_photo, squeeze


@pytest.fixture
def face():
    return draw_face("Happy", np.random.default_rng(0), clean=True)


def stored(image, form="PNG", **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(face, orientation):
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
    content = stored(Image.fromarray(np.ascontiguousarray(undo[orientation])), exif=exif)
    np.testing.assert_array_equal(read_photo(content), face)


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


@pytest.mark.parametrize("scale", [1, 255, 65535])
def test_arrays_of_every_range(face, scale):
    array = {1: face / 255, 255: face, 65535: face.astype(np.uint16) * 257}[scale]
    np.testing.assert_array_equal(read_photo(array), face)
    np.testing.assert_array_equal(read_photo(np.dstack([array] * 3)), face)


@pytest.mark.parametrize("shape", [(0, 4), (4,), (4, 4, 2), (2, 4, 4, 3)])
def test_other_arrays_are_explained(shape):
    with pytest.raises(PhotoError, match="give \\(height, width\\)"):
        read_photo(np.zeros(shape, np.uint8))


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
    np.testing.assert_array_equal(squeeze(face), face)
    assert np.corrcoef(squeeze(np.kron(face, np.ones((3, 2), np.uint8))).ravel(), face.ravel())[0, 1] > 0.99
