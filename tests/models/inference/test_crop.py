import numpy as np
import pytest
from PIL import Image
from skimage import data

from models.inference.blazeface import BlazeFace, merge_boxes
from models.inference.crop import Face, crop_faces, crop_square
from models.inference.read_image import read_photo

FACE = (150, 60, 150, 150)  # left, top, width and height of a generous box about the astronaut's face


@pytest.fixture(scope="module")
def detector():
    return BlazeFace()


@pytest.fixture(scope="module")
def astronaut():
    """Eileen Collins, NASA, public domain."""
    return read_photo(data.astronaut())


def inside(face, box):
    left, top, width, height = box
    x, y = face.left + face.width / 2, face.top + face.height / 2
    return left < x < left + width and top < y < top + height and 0.3 * width < face.width < width


def test_a_face_is_found_once_and_where_it_is(detector, astronaut):
    (face,) = detector.detect(astronaut)
    assert inside(face, FACE)
    assert 0.5 < face.score <= 1


@pytest.mark.parametrize("name", ["coffee", "brick", "coins", "text", "page", "moon", "rocket"])
def test_a_picture_without_a_face_has_none(detector, name):
    assert detector.detect(read_photo(getattr(data, name)())) == []


@pytest.mark.parametrize(
    ("width", "height"),
    [(60, 400), (400, 60), (1, 1), (48, 48), (2000, 3), (1, 1200), (1200, 1), (1, 65535), (2, 1100)],
)
def test_any_shape_is_looked_at(detector, width, height):
    assert detector.detect(np.full((height, width), 128, np.uint8)) == []


def test_several_faces_the_surest_first(detector, astronaut):
    part = astronaut[:300, 100:350]
    faces = detector.detect(np.hstack([part, part[:, ::-1]]))
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score
    assert sorted(face.left + face.width / 2 > 250 for face in faces) == [False, True]


def test_a_small_face_in_a_large_photo_is_found_once(detector, astronaut):
    photo = np.full((1600, 2400), 120, np.uint8)
    photo[700:1000, 1500:1800] = astronaut[:300, 100:400]
    (face,) = detector.detect(photo)
    assert inside(face, (1550, 760, 150, 150))
    assert all(abs(a - b) < 6 for a, b in zip((face.left, face.top), (1573, 773), strict=True))


def test_boxes_of_one_face_become_their_weighted_mean():
    found = np.array([[0, 0, 10, 10, 0.5], [2, 0, 10, 10, 1.0], [50, 50, 10, 10, 0.6]])
    merged = merge_boxes(found, overlap=0.4)
    np.testing.assert_allclose(merged, [[4 / 3, 0, 10, 10, 1.0], [50, 50, 10, 10, 0.6]])
    assert merge_boxes(np.zeros((0, 5)), 0.4).shape == (0, 5)


def test_a_crop_is_the_square_at_48_pixels():
    ramp = np.broadcast_to(np.arange(96, dtype=np.uint8), (96, 96))
    np.testing.assert_array_equal(crop_square(ramp, (44, 34), 48), ramp[10:58, 20:68])
    half = crop_square(ramp, (48, 48), 96).astype(int)
    assert np.abs(half[:, 2:-2] - (2 * np.arange(2, 46) + 0.5)).max() <= 1


def test_beyond_the_border_its_levels_go_on():
    photo = np.full((60, 60), 50, np.uint8)
    photo[:, -1] = 200
    cut = crop_square(photo, (54, 4), 48)
    assert (cut[:, 31:] >= 190).all()
    np.testing.assert_array_equal(crop_square(photo, (-476, -476), 48), np.full((48, 48), 50))


def test_fine_patterns_are_smoothed_not_aliased():
    board = (np.indices((480, 480)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert np.abs(crop_square(board, (240, 240), 480).astype(int) - 127).max() <= 3


def test_the_framing_of_the_detector_counts():
    class Framing:
        framings = ((2.0, 0.5), (1.0, 0.0))

    photo = np.asarray(Image.linear_gradient("L"))
    crops = crop_faces(photo, [Face(100, 100, 24, 24, 1.0)], Framing())
    assert crops.shape == (1, 2, 48, 48)
    # Twice 24 pixels wide, its middle half a box lower than 112.
    np.testing.assert_array_equal(crops[0, 0], photo[100:148, 88:136])
    np.testing.assert_array_equal(crops[0, 1], crop_square(photo, (112, 112), 24))
    assert crop_faces(photo, [], Framing()).shape == (0, 2, 48, 48)


def with_points(*points, width=100.0):
    return Face(0.0, 0.0, width, width, 1.0, points)


@pytest.mark.parametrize("tilt", [-70, -30, 0, 12, 45])
def test_a_face_that_leans_is_turned_upright(tilt):
    class Square:
        framings = ((1.0, 0.3),)

    upright = np.asarray(Image.linear_gradient("L")).T.copy()
    leaning = np.asarray(Image.fromarray(upright).rotate(-tilt, Image.Resampling.BICUBIC))
    turn = np.radians(tilt)
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = [tuple(turned @ point + 128) for point in ((-10, -5), (10, -5), (0, 5), (0, 12))]
    face = Face(104.0, 104.0, 48.0, 48.0, 1.0, tuple(points))
    assert face.tilt == pytest.approx(tilt)
    plain = Face(104.0, 104.0, 48.0, 48.0, 1.0)
    expected = crop_faces(upright, [plain], Square()).astype(int)
    assert np.abs(crop_faces(leaning, [face], Square()).astype(int) - expected).max() <= 3


def test_the_tilt_is_that_of_points_that_can_tell():
    assert with_points().tilt == 0
    slightly = with_points((30, 40), (70, 44), (50, 60), (48, 80))
    assert 3 < slightly.tilt < 7
    photo = np.asarray(Image.linear_gradient("L"))
    np.testing.assert_array_equal(*(crop_faces(photo, [face], BlazeFace()) for face in (slightly, with_points())))
    aside = with_points((30, 40), (50, 60), (20, 60), (30, 80))
    assert aside.is_turned_away and aside.tilt == 0
    assert not slightly.is_turned_away


def test_the_points_are_eyes_nose_and_mouth(detector, astronaut):
    (face,) = detector.detect(astronaut)
    for found, seen in zip(face.points, [(203, 112), (247, 108), (231, 132), (228, 152)], strict=True):
        assert np.hypot(*np.subtract(found, seen)) < 12
    assert abs(face.tilt) < 10 and not face.is_turned_away
