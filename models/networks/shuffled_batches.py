"""The batches of faces that a training sees, in an order that its seed decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.networks.augmentation import Changes, apply_changes

Draw = Callable[[int, np.random.Generator], Changes]
# Faces of shape (n_faces, 48, 48), dtype uint8, and their changes, if any; labels; weights.
Batch = tuple[tuple[NDArray[np.uint8], Changes | None], NDArray, NDArray]


class ShuffledBatches:
    """The batches of an epoch; a batch depends on seed, epoch and place alone.

    Parameters
    ----------
    images : ndarray of shape (n_faces, 48, 48), dtype uint8
    y : ndarray of shape (n_faces, ...)
        Labels as the loss takes them.
    weight : ndarray of shape (n_faces,), dtype float64
    batch_size : int
    random_state : int
    draw : callable, optional
        Takes the number of faces in a batch and a generator, and returns their `Changes`.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        y: NDArray,
        weight: NDArray,
        batch_size: int,
        random_state: int,
        draw: Draw | None = None,
    ) -> None:
        self.images, self.y, self.weight = images, y, weight
        self.batch_size, self.random_state, self.draw = batch_size, random_state, draw
        self.begin(0)

    def begin(self, epoch: int) -> None:
        """Shuffle the faces for an epoch."""
        self.epoch = epoch
        self.order = self._generator().permutation(len(self.images))

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)  # noqa: PLE0303

    def __getitem__(self, place: int) -> Batch:
        chosen = self.order[place * self.batch_size : (place + 1) * self.batch_size]
        changes = self.draw and self.draw(len(chosen), self._generator(place))
        return (self.images[chosen], changes), self.y[chosen], self.weight[chosen]

    def _generator(self, *place: int) -> np.random.Generator:
        return np.random.default_rng((self.random_state, self.epoch, *place))


def changed_batch(batch: Batch, xp: Any = np) -> tuple[Any, Any, Any]:
    """Return the changed faces of a batch, shape (n_faces, 48, 48, 1), dtype float32, its labels and its weights.

    Parameters
    ----------
    batch : Batch
    xp : module
        As of `apply_changes`.
    """
    (images, changes), y, weight = batch
    faces = images[..., None].astype(np.float32)
    return faces if changes is None else apply_changes(faces, changes, xp), y, weight
