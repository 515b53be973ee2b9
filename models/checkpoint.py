"""State of a training after each epoch, so that an interrupted one goes on where it was."""

from __future__ import annotations

import contextlib
import json
import os
import time
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from features.cache import count_as_saved


class Checkpoint:
    """State of a training after its last whole epoch: variables of network and optimizer, and the history.

    Parameters
    ----------
    path : Path
        The file; it is complete before it takes its name.
    network : keras.Model
        Compiled.
    """

    def __init__(self, path: Path, network: Any) -> None:
        self.path = path
        self.network = network
        self._seconds_before, self._start = 0.0, time.perf_counter()
        network.optimizer.build(network.trainable_variables)

    @property
    def variables(self) -> list[Any]:
        """All that training changes, seeds of dropout included; without the metrics, which start anew each epoch."""
        metrics = {id(variable) for variable in self.network.metrics_variables}
        own = [variable for variable in self.network.variables if id(variable) not in metrics]
        return [*own, *self.network.optimizer.variables]

    def read(self) -> dict[str, list[float]]:
        """Take up the stored state; return its history, empty where there is none or the file is damaged.

        The time that the training took until then counts as saved, so that its cost is not that of the rest alone.
        """
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                arrays = dict(stored)
            history = json.loads(str(arrays["history"]))
            seconds = float(arrays["seconds"])
            values = [arrays[str(number)] for number in range(len(self.variables))]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error):
            return {}
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)
        self._seconds_before = seconds
        count_as_saved(seconds)
        return history

    def write(self, history: Mapping[str, list[float]]) -> None:
        """Store the state; where the file cannot be written, training goes on without."""
        # JAX keeps the state of a training elsewhere until it is asked for.
        getattr(self.network, "jax_state_sync", lambda: None)()
        arrays: dict[str, Any] = {str(number): np.asarray(variable) for number, variable in enumerate(self.variables)}
        arrays["seconds"] = self._seconds_before + time.perf_counter() - self._start
        arrays["history"] = json.dumps(history)
        partial = self.path.with_name(f"{self.path.stem}.{os.getpid()}.partial.npz")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(partial, **arrays)
            os.replace(partial, self.path)

    def forget(self) -> None:
        """Delete the file."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
