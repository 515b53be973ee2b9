import numpy as np
import pytest
from PIL import Image

from benchmark.data import load_dataset
from benchmark.data.corruptions import corrupt
from benchmark.data.synthetic import draw_face
from models.inference.crop import Face
from models.inference.inputs import Photo
from models.inference.prediction import UNCERTAIN, Prediction
from models.inference.quality import doubts

FRONT = ((30.0, 40.0), (72.0, 40.0), (50.0, 60.0), (50.0, 80.0))
ASIDE = ((30.0, 40.0), (50.0, 40.0), (25.0, 60.0), (30.0, 80.0))


@pytest.fixture
def crop():
    return draw_face("Happy", np.random.default_rng(0), clean=True)


def of_width(width, points=()):
    return Face(0.0, 0.0, width, width, 0.9, points)


@pytest.mark.parametrize(
    ("face", "expected"),
    [
        (None, []),
        (of_width(31), ["small"]),
        (of_width(33), []),
        (of_width(100, FRONT), []),
        (of_width(100, ASIDE), ["turned away"]),
        (of_width(20, ASIDE), ["small"]),
    ],
)
def test_what_is_doubtful_by_the_box_and_the_points(face, expected, crop):
    assert doubts(face, crop) == expected


def test_blurred_faces_are_told_from_sharp_ones(crop):
    row = crop.reshape(1, -1)
    assert [doubts(None, corrupt(row, "blur", strength).reshape(48, 48)) for strength in (2, 3)] == [["blurred"]] * 2
    enlarged = Image.fromarray(crop).resize((12, 12), Image.Resampling.BOX).resize((48, 48), Image.Resampling.BICUBIC)
    assert doubts(None, np.asarray(enlarged)) == ["blurred"]
    assert doubts(None, np.full((48, 48), 90, np.uint8)) == [], "an even picture is not blurred: it has no contrast"


@pytest.mark.data
@pytest.mark.slow
def test_hardly_any_face_of_fer2013_is_blurred():
    crops = load_dataset()["PublicTest"].sample(1000).X.reshape(-1, 48, 48)
    assert np.mean([doubts(None, crop) == ["blurred"] for crop in crops]) < 0.01


def test_faint_contrast_is_no_blur(crop):
    assert doubts(None, (100 + crop // 8).astype(np.uint8)) == []


def test_an_answer_below_the_least_probability_is_uncertain(crop):
    values = np.array([0.1, 0.1, 0.1, 0.4, 0.1, 0.1, 0.1], np.float32)
    seen = [
        Prediction(Photo("x"), of_width(20), crop[None], {"one": values}, min_probability=least)
        for least in (0, 0.3, 0.5)
    ]
    assert [each.emotion for each in seen] == ["Happy", "Happy", UNCERTAIN]
    assert [each.row()["emotion"] for each in seen] == ["Happy", "Happy", UNCERTAIN]
    assert seen[2].row()["Happy"] == pytest.approx(0.4), "probabilities stay"
    assert {each.status for each in seen} == {"small"}
