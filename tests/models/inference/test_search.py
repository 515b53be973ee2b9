"""Every second frame of a video is searched, where that makes no difference."""

import numpy as np
import pytest

from models.inference.crop import Face
from models.inference.inputs import Photo
from models.inference.search import search

WIDTH = 60


class Drawn:
    """Finds the faces that are painted: each has a grey level of its own."""

    framings = ((1.0, 0.0),)

    def __init__(self):
        self.n_searched = 0

    def detect(self, photo):
        self.n_searched += 1
        found = []
        for grey in sorted(set(photo.ravel().tolist()) - {0}):
            rows, columns = np.nonzero(photo == grey)
            found.append(Face(float(columns.min()), float(rows.min()), WIDTH, WIDTH, 0.9))
        return found


def photos(paths, rate=25.0, file="clip.mp4"):
    """Yield a second of frames; a path returns where the left of a face is at a frame, or None."""
    for frame in range(round(rate)):
        image = np.zeros((480, 640), np.uint8)
        for person, path in enumerate(paths):
            if path(frame) is not None:
                image[100 * person : 100 * person + WIDTH, round(path(frame)) :][:, :WIDTH] = person + 1
        yield Photo(file, image, frame, frame / rate)


def lefts(paths, **options):
    detector = Drawn()
    searched = list(search(photos(paths, **options), detector))
    assert [each.photo.frame for each in searched] == [*range(len(searched))]
    assert all(each.crops.shape == (len(each.faces), 1, 48, 48) for each in searched)
    return [[face.left for face in each.faces] for each in searched], detector.n_searched


@pytest.mark.parametrize("width_a_second", [0, 0.5, 1, 3])
def test_faces_go_on_halfway_at_half_the_searches(width_a_second):
    step = width_a_second * WIDTH / 25
    found, n_searched = lefts([lambda frame: 50 + step * frame, lambda frame: 400 - step * frame])
    expected = [[50 + step * frame, 400 - step * frame] for frame in range(25)]
    np.testing.assert_allclose(found, expected, atol=1)
    assert n_searched == 13


@pytest.mark.parametrize("first", range(4, 8))
def test_a_face_that_comes_or_goes_is_seen_in_the_same_frames_as_by_searching_all(first):
    found, n_searched = lefts([lambda frame: 50, lambda frame: 200 if first <= frame < first + 9 else None])
    assert [len(faces) for faces in found] == [2 if first <= frame < first + 9 else 1 for frame in range(25)]
    assert n_searched == 15


def test_a_cut_is_searched():
    found, _ = lefts([lambda frame: 50 if frame < 7 else 300])
    assert found == [[50]] * 7 + [[300]] * 18


def test_frames_that_are_far_apart_pictures_and_the_first_frames_of_videos_are_searched():
    assert lefts([lambda frame: 50], rate=15)[1] == 15
    detector = Drawn()
    still = Photo("a.png", np.zeros((60, 60), np.uint8))
    broken = Photo("clip.mp4", error="damaged")
    given = [still, still, *list(photos([lambda frame: 50]))[:4], broken, *list(photos([], file="b.mp4"))[:2]]
    searched = list(search(given, detector))
    assert [(each.photo.file, each.photo.frame, each.photo.error) for each in searched] == [
        (each.file, each.frame, each.error) for each in given
    ]
    assert detector.n_searched == 7


def test_what_cannot_be_searched_is_an_error_and_the_frames_around_it_are_searched():
    detector = Drawn()

    def detect(photo):
        if photo[0, 0]:
            raise ValueError("too bright")
        return Drawn.detect(detector, photo)

    detector.detect = detect
    frames = list(photos([lambda frame: None, lambda frame: 50]))[:5]
    frames[2].image[:] = 255
    searched = list(search(frames, detector))
    assert [len(each.faces) for each in searched] == [1, 1, 0, 1, 1]
    assert "too bright" in searched[2].photo.error
