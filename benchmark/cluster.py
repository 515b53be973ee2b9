"""Runs of a study on other processes or machines: the workers of a Dask cluster, or local ones.

A worker gets the faces once, does a run in a folder of its own and sends its files back; one writer, here, stores them.
So no disk has to be shared. Every run takes a whole worker; ensembles, which only combine what is stored, stay here.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, wait
from distributed.client import ClosedClientError
from filelock import BaseFileLock
from filelock import Timeout as Locked

from benchmark.store import Record
from benchmark.study import Run, Study, StudyError
from benchmark.worker import SOFTWARE, Faces, Files, Job, difference, fit_there, has_plugin, keep_to, software_there
from models.files import write_whole

CONNECT = 15  # seconds to find the scheduler
PATIENCE = 60  # seconds without a worker after which the study gives up
CHECK = 2  # seconds between looks at the cluster
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
    # Daemons could not start processes.
    with (
        dask.config.set({"distributed.worker.daemon": False}),
        LocalCluster(n_workers=jobs, **local) as cluster,
        Client(cluster) as client,
    ):
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        for place, address in enumerate(client.nthreads() if len(cores) >= jobs else ()):
            client.run(keep_to, cores[place * len(cores) // jobs : (place + 1) * len(cores) // jobs], workers=[address])
        yield client


def send(client: Client, studies: Sequence[Study], rerun: bool, seconds: Sequence[Mapping[str, float]]) -> list[Sent]:
    """Send every run of some studies that is not fresh to a cluster.

    Parameters
    ----------
    client : distributed.Client
    studies : sequence of Study
        Of the same data.
    rerun : bool
    seconds : sequence of mapping of str to float
        Expected times by recognizer, of each study: the longest of all start first, so that none of them ends alone.

    Raises
    ------
    StudyError
        If no worker can be used, or the scheduler is lost.
    """
    refused: set[str] = set()
    sent = [Sent(client, study, rerun, refused) for study in studies]
    runs = [(each, run, known) for each, known in zip(sent, seconds, strict=True) for run in each.study.runs]
    runs.sort(key=lambda item: -item[2].get(item[1].entry.name, float("inf")))
    with _scheduler():
        for place, (each, run, _) in enumerate(runs):
            each.send(run, -place)
    return sent


@contextmanager
def _scheduler() -> Iterator[None]:
    """Say in one line that the scheduler was lost."""
    try:
        yield
    except (CancelledError, ClosedClientError, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise  # of the results folder
        raise StudyError(
            "the scheduler was lost: finished runs are kept, the same command goes on when it runs again"
        ) from error


class Sent:
    """The runs of a study that a cluster is at."""

    def __init__(self, client: Client, study: Study, rerun: bool, refused: set[str]) -> None:
        self.client = client
        self.study = study
        self.rerun = rerun
        self.done: list[Run] = []
        self._pending: dict[Future, tuple[Run, str, BaseFileLock, int]] = {}
        self._refused = refused  # shared, so that a worker is named once
        with _scheduler():
            for address, found in client.run(software_there, on_error="return").items():
                if address not in refused:
                    self._refuse(address, found)
            self._workers()
            faces = Faces(study.data)
            self._faces = faces.name
            if not all(client.run(has_plugin, faces.name).values()):
                client.register_plugin(faces)

    def execute(self) -> Iterator[tuple[Run, str, Record]]:
        """Yield what `Study.execute` yields: what comes back, then the ensembles and what else is left, done here.

        Raises
        ------
        StudyError
            If the scheduler or all workers are lost. What ended before is stored.
        """
        try:
            with _scheduler():
                yield from self._collect()
        finally:
            self.withdraw()
        yield from self.study.execute(self.rerun, [run for run in self.study.runs if run not in self.done])

    def send(self, run: Run, priority: int) -> None:
        """Send a run away, unless it is to be done here or another process is at it."""
        state = self.study.state(run, self.rerun)
        if state in ("fresh", "broken") or run.entry.members or run.entry.skip():
            return
        if self.study.is_fitted(run, self.rerun):  # what is left of it takes no cluster
            return
        lock = self.study.store.lock(run.entry.name, run.seed)
        with suppress(Locked):
            lock.acquire(blocking=False)
            self._submit(run, state, lock, priority)

    def _collect(self) -> Iterator[tuple[Run, str, Record]]:
        """Store what comes back, and yield it."""
        seen = time.monotonic()
        while self._pending:
            done = set()
            with suppress(TimeoutError):
                done = wait(list(self._pending), timeout=CHECK, return_when="FIRST_COMPLETED").done
            for future in done:
                run, state, lock, priority = self._pending.pop(future)
                record = self._store(run, state, lock, priority, future)
                if record is not None:
                    self.done.append(run)
                    yield run, state, record
            if self.client.nthreads().keys() - self._refused:
                seen = time.monotonic()
            elif time.monotonic() - seen > PATIENCE:
                raise StudyError(f"all workers were lost: start some with: {START}, and the same command goes on")

    def withdraw(self) -> None:
        """Leave what is not finished to others."""
        with suppress(CancelledError, ClosedClientError, OSError):
            self.client.cancel(list(self._pending))
        for _, _, lock, _ in self._pending.values():
            lock.release()
        self._pending.clear()

    def _submit(self, run: Run, state: str, lock: BaseFileLock, priority: int) -> None:
        job = Job(run.entry.name, run.seed, self.study.setting, self._faces, self.rerun, SOFTWARE)
        only = self._workers() if self._refused else None
        future = self.client.submit(fit_there, job, workers=only, pure=False, priority=priority)
        self._pending[future] = run, state, lock, priority

    def _store(self, run: Run, state: str, lock: BaseFileLock, priority: int, future: Future) -> Record | None:
        """Return the record of a run, stored; None where the worker was refused, and another one has the run now."""
        error = future.exception()
        if error is None:
            address, answer = future.result()
            if isinstance(answer, str):
                self._refused.add(address)
                print(f"note: without {address}: {answer}", file=sys.stderr)
                self._submit(run, state, lock, priority)
                return None
            record = take(self.study, answer)
        else:
            failed = {"status": "failed", "error": f"{type(error).__name__}: {error}".splitlines()[0], "traceback": ""}
            record = self.study.keep({**self.study.facts(run), **failed})
        lock.release()
        return record

    def _refuse(self, address: str, found: Any) -> None:
        reason = difference(SOFTWARE, found) if isinstance(found, dict) else f"{type(found).__name__}: {found}"
        if reason:
            self._refused.add(address)
            print(f"note: without {address}: {reason}", file=sys.stderr)

    def _workers(self) -> list[str]:
        workers = [address for address in self.client.nthreads() if address not in self._refused]
        if not workers:
            raise StudyError(f"no worker can be used: start some with: {START}")
        return workers


def take(study: Study, files: Files) -> Record:
    """Store the files of a run; the record comes last, so that what has a record is complete.

    A failed run never takes the place of a finished one.
    """
    (name,) = (name for name in files if name.startswith("runs/") and name.endswith(".json"))
    record = json.loads(files[name])
    if record["status"] != "ok":
        return study.keep(record)
    for each in sorted(files, key=lambda each: each == name):
        path = study.store.root / each
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, files[each])
    return record
