"""People keep their numbers over the frames of a drawn video whose right answer is known."""

import numpy as np
import pytest

from models.inference.crop import Face
from models.inference.people import People

RATE, WIDTH = 25, 60


def share_kept(paths, rate=RATE, missed=0.0, jitter=0.03, seed=0):
    """Return in which share of their frames people keep the number that they have most often.

    `paths` has for each person a function of seconds that returns the centre, or None where nobody is. What overlaps
    by more than 40% is found as one face, as the detector does it.
    """
    rng, people, given = np.random.default_rng(seed), People(), {}
    for frame in range(int(6 * rate)):
        seconds = frame / rate
        centres = {who: path(seconds) for who, path in enumerate(paths)}
        seen = {who: np.array(at) for who, at in centres.items() if at is not None and rng.random() >= missed}
        for who in sorted(seen):
            for other in sorted(seen):
                if who < other and who in seen and overlap(seen[who], seen[other]) > 0.4:
                    seen[who] = (seen[who] + seen.pop(other)) / 2
        order = rng.permutation(sorted(seen))
        faces = [face(seen[who] + rng.normal(0, jitter * WIDTH, 2)) for who in order]
        for who, number in zip(order, people.number(faces, seconds), strict=True):
            given.setdefault(int(who), []).append(number)
    kept = sum(max(map(numbers.count, set(numbers))) for numbers in given.values())
    return kept / sum(map(len, given.values()))


def overlap(one, other):
    return np.prod(np.maximum(WIDTH - np.abs(one - other), 0)) / WIDTH**2


def face(centre, width=WIDTH):
    return Face(centre[0] - width / 2, centre[1] - width / 2, width, width, 0.9)


def line(x, y, dx, dy, first=0.0, last=99.0):
    return lambda s: (x + dx * s, y + dy * s) if first <= s < last else None


SCENES = {
    "still, side by side": [line(100, 100, 0, 0), line(200, 100, 0, 0), line(300, 110, 0, 0)],
    "moving": [line(50, 100, 80, 10), line(400, 300, -40, -30)],
    "crossing": [line(50, 100, 90, 0), line(590, 100, -90, 0)],
    "crossing slowly": [line(100, 100, 50, 5), line(400, 130, -50, -5)],
    "overtaking": [line(50, 100, 110, 0), line(250, 110, 20, 0)],
    "two pairs that cross": [line(50, 80, 90, 0), line(590, 80, -90, 0), line(50, 300, 70, 0), line(500, 310, -70, 0)],
    "leaving and entering": [line(50, 100, 20, 0, last=3), line(400, 100, 0, 0), line(250, 250, 0, 20, first=2)],
}


@pytest.mark.parametrize("paths", SCENES.values(), ids=SCENES)
@pytest.mark.parametrize(("rate", "missed"), [(25, 0.0), (25, 0.2), (10, 0.1)])
def test_people_keep_their_numbers(paths, rate, missed):
    assert np.mean([share_kept(paths, rate, missed, seed=seed) for seed in range(10)]) >= 0.95


def test_in_frames_a_second_apart_who_stays_keeps_the_number():
    assert share_kept([line(100, 100, 5, 0), line(300, 100, 0, 5)], rate=1) == 1


def test_who_is_gone_for_a_second_is_new_and_who_is_missed_for_less_is_not():
    people = People()
    assert people.number([face((100, 100))], 0.0) == [1]
    assert people.number([], 0.5) == []
    assert people.number([face((100, 100))], 0.9) == [1]
    assert people.number([], 1.5) == []
    assert people.number([face((100, 100))], 2.0) == [2]


def test_a_new_face_elsewhere_or_of_another_size_is_somebody_else():
    people = People()
    assert people.number([face((100, 100))], 0.0) == [1]
    assert people.number([face((300, 100))], 0.04) == [2]
    assert people.number([face((100, 100), 4 * WIDTH)], 0.08) == [3]


def test_smoothing_is_in_seconds_and_for_each_person():
    sure, unsure = np.eye(7, dtype=np.float32)[[3, 4]]
    fine, coarse = People(smoothing=0.5), People(smoothing=0.5)
    for seconds in np.arange(0, 1.01, 0.1):
        of_many = fine.smooth(1, seconds, {"a": sure if seconds == 0 else unsure})["a"]
    coarse.smooth(1, 0.0, {"a": sure})
    of_two = coarse.smooth(1, 1.0, {"a": unsure})["a"]
    np.testing.assert_allclose(of_many, of_two, atol=1e-6)
    np.testing.assert_allclose(of_two[[3, 4]], [np.exp(-2), 1 - np.exp(-2)], rtol=1e-5)
    np.testing.assert_array_equal(coarse.smooth(2, 1.0, {"a": sure})["a"], sure)
