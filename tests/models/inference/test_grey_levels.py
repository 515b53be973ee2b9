import numpy as np
import pytest
import scipy.ndimage
from PIL import Image
from skimage import data, img_as_int

from models.inference.grey_levels import PhotoError, eight_bits
from models.inference.read_image import read_photo


@pytest.fixture(scope="module")
def astronaut():
    return data.astronaut()


@pytest.mark.parametrize(
    ("dtype", "top"),
    [("u1", 255), ("u2", 65535), (">u2", 65535), ("f2", 1), ("f2", 255),
     *((dtype, 255) for dtype in ("i2", ">i2", "i4", ">i4", "i8", "u4", "u8")), ("i2", 32767),
     *((dtype, 65535) for dtype in ("i4", ">i4", "i8", "u4", ">u4", "u8")),
     *((dtype, top) for dtype in ("f4", ">f4", "f8", "g") for top in (1, 255, 65535))],
)  # fmt: skip
def test_every_type_and_byte_order(astronaut, dtype, top):
    levels = (astronaut / 255 * top).astype(dtype)
    for each in (levels, levels[..., 0]):
        expected = astronaut if each.ndim == 3 else astronaut[..., 0]
        assert np.abs(eight_bits(each).astype(int) - expected).max() <= 1


def test_booleans_are_black_and_white():
    assert eight_bits(np.array([[False, True]])).tolist() == [[0, 255]]


def test_skimages_signed_integers(astronaut):
    assert np.abs(eight_bits(img_as_int(astronaut)).astype(int) - astronaut).max() <= 1


SHARPEN = np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])[..., None]


@pytest.mark.parametrize("top", [1, 255, 65535])
@pytest.mark.parametrize(
    "change",
    [lambda f: f * 1.0001, lambda f: f - 1e-6, lambda f: scipy.ndimage.zoom(f, (0.8, 0.8, 1), order=3),
     lambda f: scipy.ndimage.convolve(f, SHARPEN), lambda f: f + np.random.default_rng(0).normal(0, 0.1, f.shape)],
    ids=["rounded", "shifted", "resampled", "sharpened", "noisy"],
)  # fmt: skip
def test_what_lies_a_little_outside_the_range_is_clipped(astronaut, change, top):
    assert read_photo(change(astronaut / 255) * top).mean() == pytest.approx(115.4, abs=2)


def test_integers_may_lie_a_little_outside_too(astronaut):
    sharpened = scipy.ndimage.convolve(astronaut.astype(np.int16), SHARPEN)
    assert sharpened.min() < 0
    assert sharpened.max() > 255
    assert read_photo(sharpened).mean() == pytest.approx(115.4, abs=2)


@pytest.mark.parametrize(
    ("change", "levels"),
    [(lambda a: a / 127.5 - 1, "-1 to 1"), (lambda a: a / 255 - 0.5, "-0.5 to 0.5"), (lambda a: a / 127.5, "0 to 2"),
     (lambda a: (a - a.mean()) / a.std(), "-1.4.* to 1.7"), (lambda a: a - a.mean(), "-114.* to 140"),
     (lambda a: (a.astype(int) - 128).astype("i1"), "-128 to 127"), (lambda a: a.astype(int) * 65793, "0 to 1.67"),
     (lambda a: a.astype(int) * 4, "0 to 1020"), (lambda a: a * 1e9, "0 to 2.55e"), (lambda a: a * np.nan, "finite")],
)  # fmt: skip
def test_what_can_be_no_pictures_range_is_named(astronaut, change, levels):
    with pytest.raises(PhotoError, match=f"{levels}.*: give 0 to 1"):
        read_photo(change(astronaut))


@pytest.mark.parametrize(
    ("level", "grey"), [(0.0, 0), (1.0, 255), (0.02, 5), (-1e-9, 0), (200.0, 200), (65535.0, 255), (7, 7)]
)
def test_a_picture_of_one_level_is_that_level(level, grey):
    assert (eight_bits(np.full((9, 9), level)) == grey).all()


def test_dark_pictures_stay_dark(astronaut):
    assert eight_bits(astronaut * (0.02 / 255)).max() == 5
    assert eight_bits(astronaut.astype(np.uint16)).max() == 1, "the range of uint16 is known"
    assert eight_bits((astronaut > 100).astype(np.uint8)).max() == 1


def test_levels_that_are_no_number_are_black():
    levels = np.full((9, 9), 0.5)
    levels[0, 0], levels[0, 1], levels[0, 2] = np.nan, np.inf, -np.inf
    assert eight_bits(levels)[0, :4].tolist() == [0, 255, 0, 128]


@pytest.mark.parametrize("scale", [1 / 255, 1.0001 / 255, 1, 257], ids=["1", "a little above 1", "255", "65535"])
def test_files_follow_the_same_rule(astronaut, tmp_path, scale):
    Image.fromarray((astronaut[..., 0] * float(scale)).astype(np.float32)).save(tmp_path / "a.tif")
    assert np.abs(read_photo(tmp_path / "a.tif").astype(int) - astronaut[..., 0]).max() <= 1
    Image.fromarray((astronaut[..., 0] / 127.5 - 1).astype(np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(PhotoError, match="levels from -1 to 1"):
        read_photo(tmp_path / "b.tif")
