import itertools

import numpy as np
import pytest
from PIL import Image

import models
from benchmark.data.synthetic import draw_face
from features.rows import N_PIXELS
from models.faces import Face
from models.majority import Majority
from models.prediction import all_emotions, predict_images, predict_photos, side_by_side
from models.soft_voting import SoftVoting
from models.sources import Photo


class OnePerBrightCorner:
    """Finds a face in each corner that is white."""

    scale, shift = 1.0, 0.0

    def detect(self, photo):
        corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
        return [Face(float(k), 0, 20, 20, 0.9) for k, place in enumerate(corners) if photo[place] == 255]


@pytest.fixture
def majority():
    rows = np.zeros((7, N_PIXELS), np.uint8)
    return Majority().fit(rows, [0, 1, 2, 3, 3, 5, 6], validation=(rows, [3] * 7))


def photo(n_faces, name="x"):
    image = np.zeros((60, 60), np.uint8)
    for place in [(0, 0), (0, -1), (-1, 0), (-1, -1)][:n_faces]:
        image[place] = 255
    return Photo(name, image)


def test_every_face_is_a_prediction_in_the_order_of_the_photos(majority):
    photos = [photo(2, "two"), Photo("bad", error="torn"), photo(0, "none"), photo(1, "one")]
    found = list(predict_photos(photos, {"majority": majority}, OnePerBrightCorner()))
    assert [(each.photo.file, each.status) for each in found] == [
        ("two", "ok"),
        ("two", "ok"),
        ("bad", "error: torn"),
        ("none", "no face"),
        ("one", "ok"),
    ]
    assert [each.face.left for each in found if each.face] == [0, 1, 0]
    assert all(each.photo.image is None for each in found), "pictures are not piled up"
    assert found[0].probabilities["majority"].shape == (7,)
    assert found[0].probabilities["majority"][4] == 0, "an emotion that training lacked"


def test_photos_are_read_as_they_are_needed(majority):
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield photo(1, str(number))

    stream = predict_photos(endless(), {"majority": majority}, OnePerBrightCorner())
    assert [next(stream).photo.file for _ in range(200)] == [str(number) for number in range(200)]
    assert len(taken) <= 256


def test_pictures_that_are_kept_are_not_piled_up(majority):
    taken = []

    def photos():
        for number in range(9):
            taken.append(number)
            yield photo(1, str(number))

    stream = predict_photos(photos(), {"majority": majority}, OnePerBrightCorner(), keep_images=True)
    assert next(stream).photo.image is not None
    assert taken == [0]


def test_a_whole_picture_is_a_face(majority, tmp_path):
    face = draw_face("Happy", np.random.default_rng(0))
    table = predict_images([face, np.zeros((0, 4), np.uint8)], model=majority, whole=True)
    assert table["status"].tolist()[0] == "ok"
    assert table["status"].tolist()[1].startswith("error: an array of shape (0, 4)")
    assert table.loc[0, "emotion"] == "Happy"
    assert table.loc[0, list(models.EMOTIONS)].sum() == pytest.approx(1, abs=1e-3)
    assert table["left"].isna().all()


def test_models_stand_side_by_side(majority, tmp_path):
    Image.fromarray(draw_face("Sad", np.random.default_rng(0))).save(tmp_path / "a.png")
    table = predict_images(tmp_path, model=[majority, majority], whole=True)
    assert table["file"].tolist() == [str(tmp_path / "a.png")]
    assert table.loc[0, "Majority-1_emotion"] == table.loc[0, "Majority-2_emotion"] == "Happy"


def test_nothing_at_all_is_an_empty_table(majority, tmp_path):
    assert len(predict_images(tmp_path, model=majority)) == 0
    assert list(predict_images([], model=majority).columns)[:2] == ["file", "frame"]


class Fixed:
    """Says the same of every face; counts how often it is asked."""

    classes_ = np.arange(7)

    def __init__(self, label, sha256):
        self.label, self.card_, self.asked = label, {"sha256": sha256}, 0

    def predict_proba(self, X):
        self.asked += 1
        return np.tile(np.eye(7, dtype=np.float32)[self.label], (len(X), 1))


def test_an_ensemble_shares_the_probabilities_of_its_own_members_only():
    rows = np.zeros((3, 2304), np.uint8)
    inside = Fixed(3, "same")
    vote = SoftVoting().fit({"a": np.eye(7)}, np.arange(7), np.arange(7)).attach({"a": inside})
    beside = Fixed(3, "same")
    assert side_by_side({"vote": vote, "a": beside}, rows)["vote"].argmax(axis=1).tolist() == [3] * 3
    assert (inside.asked, beside.asked) == (0, 1), "the same model is asked once"
    other = Fixed(5, "other")
    found = side_by_side({"vote": vote, "a": other}, rows)
    assert list(found) == ["vote", "a"]
    assert found["vote"].argmax(axis=1).tolist() == [3] * 3, "another model of that name has no vote"
    assert found["a"].argmax(axis=1).tolist() == [5] * 3


ROWS = np.zeros((1, N_PIXELS), np.uint8)


class Labelled:
    def __init__(self, classes):
        self.classes_ = classes

    def predict_proba(self, X):
        return np.tile(np.arange(len(self.classes_), dtype=float), (len(X), 1))


@pytest.mark.parametrize(
    "classes",
    [
        [3, 0],
        np.array([3, 0], np.uint8),
        np.array([3.0, 0.0]),
        np.array(["Happy", "Angry"]),
        [np.str_("happy"), "anger"],
        np.array(["Happy", 0], object),
    ],
)
def test_labels_of_every_form_find_their_columns(classes):
    assert all_emotions(Labelled(classes), ROWS).tolist() == [[1, 0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "classes",
    [
        [0, 7],
        [-1, 0],
        [0.5, 1],
        [np.nan, 1],
        np.array([False, True]),
        ["Happy", "cat"],
        ["happy", "Happiness"],
        [3.0, "Happy"],
        [None, 1],
        [b"Happy", 1],
    ],
)
def test_labels_that_are_no_emotions_are_an_error_that_says_what_is(classes):
    with pytest.raises(ValueError, match=r"whole numbers from 0 to 6, or names: Angry, .*, Neutral"):
        all_emotions(Labelled(classes), ROWS)
