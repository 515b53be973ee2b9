"""Training on JAX: many steps in one compiled call, the faces changed on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from models.networks.shuffled_batches import Batch, ShuffledBatches, changed_batch

STEPS_PER_CALL = 32


def on_cpu() -> bool:
    """Return whether JAX computes on the CPU, where its compiler leaves convolutions inside a loop to one core."""
    import jax

    return bool(jax.default_backend() == "cpu")


class Blocks:
    """Batches stacked along a new first axis, a block a call; a smaller last batch is a block of its own.

    While the device works on a block, the host draws the changes of the next ones. On a CPU a block is one batch.

    Parameters
    ----------
    batches : ShuffledBatches
    """

    def __init__(self, batches: ShuffledBatches) -> None:
        self.batches = batches
        whole = len(batches.images) // batches.batch_size
        steps = 1 if on_cpu() else STEPS_PER_CALL
        self.places = [range(start, min(start + steps, whole)) for start in range(0, whole, steps)]
        if whole < len(batches):
            self.places.append(range(whole, len(batches)))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> Batch:
        import jax

        return jax.tree.map(lambda *each: np.stack(each), *(self.batches[place] for place in self.places[number]))


def blockwise_train_function(keras: Any, network: Any) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return what Keras' trainer calls for a step on JAX, for a network whose data come in `Blocks`.

    Parameters
    ----------
    keras : module
    network : keras.Model
        Compiled.

    Returns
    -------
    callable
        Takes the state of the training and an iterator over blocks; returns the metrics and the state after the next
        block.
    """
    import jax

    def step(state: Any, batch: Batch) -> tuple[Any, Any]:
        logs, state = network.train_step(state, changed_batch(batch, keras.ops))
        return state, logs

    @partial(jax.jit, donate_argnums=0)
    def steps(state: Any, block: Batch) -> tuple[Any, Any]:
        state, logs = jax.lax.scan(step, state, block, unroll=on_cpu())
        return jax.tree.map(lambda each: each[-1], logs), state

    return lambda state, blocks: steps(state, next(blocks))
