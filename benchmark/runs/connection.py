"""The connection with a Dask cluster, or with local workers: who of them can be used, and who has the faces."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster

from benchmark.data import Dataset
from benchmark.runs.study import StudyError
from benchmark.runs.worker import SOFTWARE, Faces, at_work, difference, has_plugin, keep_to, software_there

CONNECT = 15  # seconds to find the scheduler
START = "dask worker tcp://HOST:8786 --nthreads 1 --no-nanny"


@contextmanager
def connect(scheduler: str | None, jobs: int) -> Iterator[Client]:
    """Connect with a cluster, or start local workers with the cores divided among them.

    Parameters
    ----------
    scheduler : str or None
        Address, ``tcp://HOST:8786``.
    jobs : int
        Local workers where no scheduler is given.

    Raises
    ------
    StudyError
        If no scheduler answers.
    """
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what is lost is said here, once
    if scheduler:
        try:
            client = Client(scheduler, timeout=CONNECT)
        except (OSError, ValueError) as error:
            raise StudyError(f"{scheduler}: no scheduler answers: start one there with: dask scheduler") from error
        with client:
            yield client
        return
    local = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None, "memory_limit": 0}
    # Daemons could not start processes; the profiler would look at a worker that waits, a hundred times a second.
    settings = {"distributed.worker.daemon": False, "distributed.worker.profile.enabled": False}
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=jobs, **local) as cluster,
        Client(cluster) as client,
    ):
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        for place, address in enumerate(client.nthreads() if len(cores) >= jobs else ()):
            client.run(keep_to, cores[place * len(cores) // jobs : (place + 1) * len(cores) // jobs], workers=[address])
        yield client


class Workers:
    """The workers of a cluster, but for those that run something else than this process does; each of these is named.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.refused: set[str] = set()
        self._known: set[str] = set()

    def look(self) -> bool:
        """Refuse what joined and cannot be used; return whether there was any."""
        joined = self.client.nthreads().keys() - self._known
        self._known |= joined
        answers = self.client.run(software_there, workers=sorted(joined), on_error="return") if joined else {}
        reasons = {address: self._reason(found) for address, found in answers.items()}
        for address, reason in reasons.items():
            if reason:
                self.refuse(address, reason)
        return any(reasons.values())

    @staticmethod
    def _reason(found: Any) -> str:
        return difference(SOFTWARE, found) if isinstance(found, dict) else f"{type(found).__name__}: {found}"

    def refuse(self, address: str, reason: str) -> None:
        """Give a worker nothing more."""
        if address not in self.refused:
            self.refused.add(address)
            print(f"note: without {address}: {reason}", file=sys.stderr)

    def here(self) -> set[str]:
        """Return the addresses of those that can be used now."""
        return self.client.nthreads().keys() - self.refused

    def usable(self) -> list[str]:
        """Return what `here` does.

        Raises
        ------
        StudyError
            If there is none.
        """
        found = sorted(self.here())
        if not found:
            raise StudyError(f"no worker can be used: start some with: {START}")
        return found

    def begun(self) -> set[Any]:
        """Return the keys of the futures that they are at."""
        answers = self.client.run(at_work, workers=self.usable(), on_error="ignore")
        return {key for keys in answers.values() for key in keys}

    def give(self, data: Dataset) -> str:
        """Give the faces to all, and to those that join later; return the name under which they have them.

        Raises
        ------
        StudyError
            If they cannot take them.
        """
        faces = Faces(data)
        if not self._have(faces):
            try:
                self.client.register_plugin(faces)
            except Exception as error:  # of any worker, of refused ones too
                if not self._have(faces):
                    raise StudyError(f"the workers cannot take the faces: {error}") from error
        return faces.name

    def _have(self, faces: Faces) -> bool:
        return all(self.client.run(has_plugin, faces.name, workers=self.usable()).values())
