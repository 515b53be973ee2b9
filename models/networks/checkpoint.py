"""Checkpoint of a network's training: the saved state from which an interrupted training resumes."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.files.arrays import Arrays, count_as_saved, read_arrays, write_arrays

_finished: set[Path] = set()


def delete_finished_checkpoints() -> None:
    """Delete the checkpoints of the trainings that finished in this process, once their results are saved."""
    while _finished:
        with contextlib.suppress(OSError):
            _finished.pop().unlink(missing_ok=True)


class Checkpoint:
    """State of a training after its last whole epoch: variables of network and optimizer, history, best weights.

    Where there is a saved state, the network resumes from it. The time that the training took until then counts as
    saved, so that the recorded cost is that of the whole training.

    Parameters
    ----------
    path : Path
        The file; it is complete before it takes its name.
    network : keras.Model
        Compiled.

    Attributes
    ----------
    history : dict of str to list of float
        What Keras logged of every epoch.
    best : list of ndarray
        Weights of the best epoch so far, empty before there is one; saved and read with the rest.
    """

    def __init__(self, path: Path, network: Any) -> None:
        self.path = path
        self.network = network
        self.history: dict[str, list[float]] = {}
        self.best: list[NDArray] = []
        self._seconds_before, self._start = 0.0, time.perf_counter()
        network.optimizer.build(network.trainable_variables)
        self._read()

    @property
    def epochs(self) -> int:
        """Whole epochs that are done."""
        return len(self.history.get("loss", ()))

    @property
    def variables(self) -> list[Any]:
        """All that training changes, seeds of dropout included; without the metrics, which start anew each epoch."""
        metrics = {id(variable) for variable in self.network.metrics_variables}
        own = [variable for variable in self.network.variables if id(variable) not in metrics]
        return [*own, *self.network.optimizer.variables]

    def _read(self) -> None:
        variables = self.variables
        try:
            arrays = read_arrays(self.path)
            history = json.loads(str(arrays["history"]))
            seconds = float(arrays["seconds"])
            values = [arrays[str(number)] for number in range(len(variables))]
            best = [arrays[f"best{number}"] for number in range(int(arrays["n_best"]))]
        except (OSError, KeyError, ValueError):
            return
        if any(tuple(variable.shape) != value.shape for variable, value in zip(variables, values, strict=True)):
            return
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._seconds_before, self.history, self.best = seconds, history, best
        count_as_saved(seconds)

    def write(self) -> None:
        """Store the state; where the file cannot be written, training goes on without."""
        # JAX keeps the state of a training elsewhere until it is asked for.
        getattr(self.network, "jax_state_sync", lambda: None)()
        arrays: Arrays = {str(number): np.asarray(variable) for number, variable in enumerate(self.variables)}
        arrays |= {f"best{number}": weight for number, weight in enumerate(self.best)}
        arrays["n_best"] = len(self.best)
        arrays["seconds"] = self._seconds_before + time.perf_counter() - self._start
        arrays["history"] = json.dumps(self.history)
        with contextlib.suppress(OSError):
            write_arrays(self.path, arrays)

    def mark_finished(self) -> None:
        """Let `delete_finished_checkpoints` delete the file."""
        _finished.add(self.path)
