import io
import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import models
from benchmark.data.synthetic import draw_face
from features.rows import N_PIXELS
from models.inference.crop import Face
from models.inference.inputs import Photo
from models.inference.pipeline import predict_images, predict_photos
from models.inference.probabilities import emotion_probabilities, predict_by_model
from models.recognizers.majority import Majority
from models.recognizers.soft_voting import SoftVoting


class OnePerBrightCorner:
    """Finds a face in each corner that is white."""

    framings = ((1.0, 0.0),)

    def detect(self, photo):
        corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
        return [Face(float(k), 0, 40, 40, 0.9) for k, place in enumerate(corners) if photo[place] == 255]


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


def files(given, majority):
    return predict_images(given, model=majority, whole=True)["file"].tolist()


def test_pictures_are_taken_in_every_form(majority, tmp_path):
    face = draw_face("Happy", np.random.default_rng(0))
    path = str(tmp_path / "a.png")
    Image.fromarray(face).save(path)
    content = Path(path).read_bytes()
    for one in (Image.fromarray(face), content, bytearray(content), io.BytesIO(content), face[..., None]):
        table = predict_images(one, model=majority, whole=True)
        assert table[["file", "status"]].to_numpy().tolist() == [["0", "ok"]]
    (entry,) = os.scandir(tmp_path)
    for paths in (path, entry, Path(path), np.array([path]), np.array([os.fsencode(path)]),
                  np.array([Path(path)], object), pd.Series([path], [7]), iter([path]), {path},
                  np.array(path)):  # fmt: skip
        assert files(paths, majority) == [path]
    batch = np.stack([np.dstack([face] * 3)] * 2)
    assert files(batch, majority) == files(batch[..., :1], majority) == ["0", "1"]
    assert files([path, face, batch, [content, path]], majority) == [path, "1", "2[0]", "2[1]", "3[0]", path]
    with open(path, "rb") as file:
        assert files(file, majority) == [path]
    assert files(np.array([]), majority) == []


@pytest.mark.parametrize("given", [None, 3, [None], [1, 2], {"a": 1}, pd.DataFrame({"file": ["a.png"]}), io.StringIO()])
def test_anything_else_is_a_type_error_before_anything_is_predicted(given, majority):
    with pytest.raises(TypeError, match=r"is not a picture: give a path, a Pillow image, bytes.*batch.*list"):
        predict_images(given, model=majority)


@pytest.mark.parametrize("error", [TypeError, RuntimeError])
def test_a_tensor_that_is_no_array_here_is_named(error, majority):
    class Tensor(list):
        def __array__(self, *args, **kwargs):
            raise error("first move it to the CPU")

    with pytest.raises(TypeError, match=r"Tensor cannot be read as an array \(first move it to the CPU\)"):
        predict_images(Tensor([1]), model=majority)


def test_the_place_of_what_is_no_picture_is_named(majority):
    with pytest.raises(TypeError, match=r"^picture 1: NoneType is not a picture"):
        predict_images(["a.png", None], model=majority)


class Choosy(OnePerBrightCorner):
    """Fails on pictures of one column."""

    def __init__(self, error):
        self.error = error

    def detect(self, photo):
        if photo.shape[1] == 1:
            raise self.error
        return super().detect(photo)


@pytest.mark.parametrize("error", [ValueError("tile"), MemoryError(), ZeroDivisionError("by zero"), AssertionError()])
def test_what_the_detector_does_not_like_is_that_pictures_row(majority, error):
    photos = [photo(1, "a"), Photo("thin", np.zeros((1200, 1), np.uint8)), photo(1, "b")]
    found = list(predict_photos(photos, {"majority": majority}, Choosy(error)))
    assert [each.photo.file for each in found] == ["a", "thin", "b"]
    assert [each.status[:5] for each in found] == ["ok", "error", "ok"]
    assert "1x1200 pixels" in found[1].status


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ModuleNotFoundError("no LiteRT"), PermissionError("weights")])
def test_what_no_picture_can_help_is_no_row(majority, error):
    photos = [Photo("thin", np.zeros((1200, 1), np.uint8))]
    with pytest.raises(type(error)):
        list(predict_photos(photos, {"majority": majority}, Choosy(error)))


def test_a_fault_of_a_recognizer_is_not_hidden(majority):
    class Broken(Majority):
        def predict_proba(self, X):
            raise TypeError("a fault")

    with pytest.raises(TypeError, match="a fault"):
        list(predict_photos([photo(1)], {"broken": Broken()}, OnePerBrightCorner()))


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
    assert predict_by_model({"vote": vote, "a": beside}, rows)["vote"].argmax(axis=1).tolist() == [3] * 3
    assert inside.asked + beside.asked == 1, "the same model is asked once"
    other = Fixed(5, "other")
    found = predict_by_model({"vote": vote, "a": other}, rows)
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
    assert emotion_probabilities(Labelled(classes), ROWS).tolist() == [[1, 0, 0, 0, 0, 0, 0]]


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
        emotion_probabilities(Labelled(classes), ROWS)
