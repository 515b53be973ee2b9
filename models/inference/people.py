"""Who is who over the frames of a video, by place alone, and their probabilities smoothed over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.inference.crop import Face

# Seconds after which somebody who is not seen is gone: whoever appears then is a new person.
GONE = 1.0
# Seconds over which the velocity of a face is averaged, and over which a face that is not seen slows down.
STEADY, SLOWS = 0.5, 0.5
# Farthest from where a face is expected, in widths of a face and factors of e of its size; grows by one each second.
FARTHEST = 1.0
# How near to a face somebody must be expected to be hidden by it, in the same unit.
HIDDEN = 0.6
TOO_FAR = 1e6


@dataclass
class _Person:
    number: int
    centre: NDArray[np.float64]
    width: float
    seconds: float
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    is_missed: bool = False

    def expected(self, seconds: float) -> NDArray[np.float64]:
        return self.centre + self.velocity * SLOWS * (1 - np.exp((self.seconds - seconds) / SLOWS))

    def see(self, centre: NDArray[np.float64], width: float, seconds: float) -> None:
        passed = seconds - self.seconds
        if passed > 0:
            share = 1 - np.exp(-passed / STEADY)
            self.velocity += share * ((centre - self.centre) / passed - self.velocity)
        self.centre, self.width, self.seconds, self.is_missed = centre, width, seconds, False

    def move_on(self, seconds: float) -> None:
        self.centre, self.seconds, self.is_missed = self.expected(seconds), seconds, False


class People:
    """The people in a video, numbered from 1 in the order in which they appear.

    A face is who was nearest to its place: each person is expected to move on as before, and all faces of a frame are
    assigned at once, so that the sum of the distances is least. Faces are not compared or stored; a person who is not
    seen for a second is forgotten, and a new one after that.

    Parameters
    ----------
    smoothing : float
        Seconds over which probabilities are averaged, exponentially; 0 for none.

    References
    ----------
    A. Bewley, Z. Ge, L. Ott, F. Ramos and B. Upcroft, "Simple online and realtime tracking", ICIP 2016
    (https://doi.org/10.1109/ICIP.2016.7533003); here with a distance instead of an overlap, since faces are few and
    frames may be far apart, and an average instead of a Kalman filter.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing
        self._people: list[_Person] = []
        self._last_number = 0
        self._smoothed: dict[int, tuple[float, Mapping[str, NDArray[np.float32]]]] = {}

    def number(self, faces: Sequence[Face], seconds: float) -> list[int]:
        """Return the number of the person of each face in a frame at a time, not before that of the last frame."""
        self._people = [one for one in self._people if not one.is_missed or seconds - one.seconds <= GONE]
        centres = np.array([(face.left + face.width / 2, face.top + face.height / 2) for face in faces]).reshape(-1, 2)
        widths = np.array([max(face.width, 1.0) for face in faces])
        distance = self._distances(centres, widths, seconds)
        seen_at = self._assign(distance, seconds)
        missed = [row for row in range(len(self._people)) if row not in seen_at.values()]
        for row in missed:
            self._people[row].is_missed = True
        numbers = []
        for face, (centre, width) in enumerate(zip(centres, widths, strict=True)):
            if face not in seen_at:
                self._last_number += 1
                numbers.append(self._last_number)
                self._people.append(_Person(self._last_number, centre, width, seconds))
                continue
            person = self._people[seen_at[face]]
            numbers.append(person.number)
            # The faces of two who pass each other are found as one, somewhere between them: both go on as before.
            hidden = [self._people[row] for row in missed if distance[row, face] < HIDDEN]
            if not hidden:
                person.see(centre, width, seconds)
            for each in (person, *hidden) if hidden else ():
                each.move_on(seconds)
        return numbers

    def smooth(
        self, person: int, seconds: float, by_model: Mapping[str, NDArray[np.float32]]
    ) -> Mapping[str, NDArray[np.float32]]:
        """Return the probabilities of a person, by model, averaged with the earlier ones."""
        before = self._smoothed.get(person)
        if before:
            share = 1 - np.exp((before[0] - seconds) / self.smoothing)
            by_model = {
                name: before[1][name] + np.float32(share) * (p - before[1][name]) for name, p in by_model.items()
            }
        self._smoothed = {number: last for number, last in self._smoothed.items() if seconds - last[0] <= 2 * GONE}
        self._smoothed[person] = seconds, by_model
        return by_model

    def _distances(
        self, centres: NDArray[np.float64], widths: NDArray[np.float64], seconds: float
    ) -> NDArray[np.float64]:
        """Return how far each person is expected from each face, shape (n_people, n_faces)."""
        expected = np.array([person.expected(seconds) for person in self._people]).reshape(-1, 1, 2)
        known = np.array([person.width for person in self._people]).reshape(-1, 1)
        away = np.linalg.norm(expected - centres, axis=2) / np.sqrt(known * widths)
        return away + np.abs(np.log(known / widths))

    def _assign(self, distance: NDArray[np.float64], seconds: float) -> dict[int, int]:
        """Return the place of the person of each face that has one."""
        passed = np.array([seconds - person.seconds for person in self._people]).reshape(-1, 1)
        # A pair that is too far apart costs more than any number of others, and is taken apart again.
        cost = np.where(distance <= FARTHEST + passed, distance, TOO_FAR)
        pairs = zip(*linear_sum_assignment(cost), strict=True)
        return {int(face): int(row) for row, face in pairs if cost[row, face] < TOO_FAR}
