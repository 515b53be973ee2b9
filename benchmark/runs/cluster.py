"""Runs of studies on the workers of a Dask cluster, or on local ones.

This process has the list of runs and sends the next one to a worker that is free. A worker gets the faces once, does
each run in a process and a folder of its own, and returns its files, which are stored here: no disk has to be shared.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, get_worker
from distributed.client import ClosedClientError
from filelock import BaseFileLock
from filelock import Timeout as Locked

from benchmark.data import Dataset
from benchmark.data.protocol import Setting
from benchmark.runs.own_process import do_alone
from benchmark.runs.record_store import Record
from benchmark.runs.run_list import Run
from benchmark.runs.study import Study, StudyError
from models.artifacts.cards import LIBRARIES
from models.files.code_digest import project_digest

CONNECT = 15  # seconds to find the scheduler
PATIENCE = 60  # seconds without a worker, or for the files of a run to come
CHECK = 0.2  # seconds between looks at the workers
TRIES = 3  # workers that a run may lose: one that ends its worker would end them all
Done = tuple[Run, str, Record]
Times = Mapping[str, float]
START = "dask worker tcp://HOST:8786 --nthreads 1 --no-nanny"
CODE = project_digest()  # what this process runs, even if the files are edited meanwhile


@contextmanager
def connect(scheduler: str | None, jobs: int) -> Iterator[Client]:
    """Connect with a cluster, or start local workers.

    Parameters
    ----------
    scheduler : str or None
        Address, ``tcp://HOST:8786``.
    jobs : int
        Local workers where no scheduler is given: threads of this process, since each run has a process of its own.
        The cores are divided among them, because libraries with more threads than cores wait for one another.

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
    dask.config.set({"distributed.worker.profile.enabled": False})
    options = {"processes": False, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0}
    with LocalCluster(n_workers=jobs, **options) as cluster, Client(cluster) as client:
        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
        for place, address in enumerate(client.nthreads() if len(cores) >= jobs else ()):
            part = cores[place * len(cores) // jobs : (place + 1) * len(cores) // jobs]
            # Of the thread that does the runs: a process has the cores of the thread that starts it.
            client.submit(os.sched_setaffinity, 0, part, workers=[address]).result()
        yield client


@contextmanager
def _scheduler_is_there() -> Iterator[None]:
    """Say in one line that the scheduler was lost."""
    try:
        yield
    except (CancelledError, ClosedClientError, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise  # of the results folder
        raise StudyError("the scheduler was lost: start it again, and the same command goes on") from error


@dataclass
class Task:
    """A run for a worker: its state before, the lock that keeps others from it, and how many workers it lost."""

    study: Study
    run: Run
    state: str
    lock: BaseFileLock
    lost: int = 0


class Cluster:
    """The runs of some studies, and the workers that do them.

    Parameters
    ----------
    client : distributed.Client
    studies : sequence of Study
        Of the same data.
    seconds : sequence of mapping of str to float
        Expected times by recognizer, of each study: the longest of all runs start first, so that none ends alone.
    """

    def __init__(self, client: Client, studies: Sequence[Study], seconds: Sequence[Times]) -> None:
        self.client, self.studies = client, studies
        self._faces: dict[str, Future] = {}  # by address, of the workers that can be used
        self._refused: set[str] = set()
        self._away: dict[str, tuple[Task, Future]] = {}  # by address of the worker
        self._done: dict[Study, list[Done]] = {study: [] for study in studies}
        self._seen = float("-inf")  # when there was a worker that can be used
        runs = [(study, run, known) for study, known in zip(studies, seconds, strict=True) for run in study.runs]
        runs.sort(key=lambda item: -item[2].get(item[1].entry.name, float("inf")))
        self._queue = [task for study, run, _ in runs for task in self._tasks_of(study, run)]

    def _tasks_of(self, study: Study, run: Run) -> Iterator[Task]:
        """Yield a task, unless the run is to be done here or another process is at it."""
        state, entry = study.state(run), run.entry
        if state in ("fresh", "broken") or entry.members or entry.skip_reason() or study.fitted_before(run):
            return
        lock = study.store.lock(entry.name, run.seed)
        with suppress(Locked):
            lock.acquire(blocking=False)
            yield Task(study, run, state, lock)

    def execute(self, study: Study) -> Iterator[Done]:
        """Yield what `Study.execute` yields: what workers do, then the ensembles and what else is left, done here.

        Raises
        ------
        StudyError
            If the scheduler or all workers are lost. What ended before is stored.
        """
        ended, done = [], self._done[study]
        while done or any(task.study is study for task in self._unfinished()):
            if done:
                ended.append(done[0][0])
                yield done.pop(0)
            else:
                self._step()
        yield from study.execute([run for run in study.runs if run not in ended])

    def close(self) -> None:
        """End the runs that are not finished, and leave them to others."""
        with suppress(CancelledError, ClosedClientError, OSError):
            self.client.cancel([future for _, future in self._away.values()])
        for task in self._unfinished():
            task.lock.release()
        self._queue, self._away = [], {}

    def _unfinished(self) -> list[Task]:
        return [*self._queue, *(task for task, _ in self._away.values())]

    @_scheduler_is_there()
    def _step(self) -> None:
        """Store what is finished, send runs to the workers that are free, and wait a little."""
        self._look()
        for address in [address for address, (_, future) in self._away.items() if future.done()]:
            self._store(*self._away.pop(address))
        for address in sorted(self._faces.keys() - self._away.keys())[: len(self._queue)]:
            task = self._queue.pop(0)
            arguments = task.run, task.study.setting, task.study.code, self._faces[address]
            self._away[address] = task, self.client.submit(do_there, *arguments, workers=[address], pure=False)
        time.sleep(CHECK)

    def _look(self) -> None:
        """Check the workers that joined, and have the runs of those that left done again."""
        here = self.client.nthreads().keys()
        joined = here - self._faces.keys() - self._refused
        for address, reason in reasons(self.client, joined).items() if joined else ():
            if reason:
                self._refused.add(address)
                print(f"note: without {address}: {reason}", file=sys.stderr)
            else:
                with suppress(TimeoutError):  # it left meanwhile
                    self._faces[address] = self.client.scatter(self.studies[0].data, workers=[address], hash=False)
        self._faces = {address: faces for address, faces in self._faces.items() if address in here}
        for address in self._away.keys() - here:
            self._lose(*self._away.pop(address))
        if self._faces:
            self._seen = time.monotonic()
        elif self._queue and time.monotonic() - self._seen > PATIENCE:
            raise StudyError(f"no worker can be used: start some with: {START}, and the same command goes on")

    def _store(self, task: Task, future: Future) -> None:
        if future.status == "error":
            self._finish(task, task.study.fail(task.run, repr(future.exception())))
            return
        try:
            record, files = future.result(timeout=PATIENCE)
        except (CancelledError, TimeoutError):
            self._lose(task, future)
        else:
            self._finish(task, task.study.store.take(record, files))

    def _lose(self, task: Task, future: Future) -> None:
        future.cancel()
        task.lost += 1
        if task.lost < TRIES:
            self._queue.insert(0, task)
        else:
            self._finish(task, task.study.fail(task.run, f"{TRIES} workers were lost at it: give them more memory"))

    def _finish(self, task: Task, record: Record) -> None:
        task.lock.release()
        self._done[task.study].append((task.run, task.state, record))


def reasons(client: Client, workers: set[str]) -> dict[str, str]:
    """Return why each of some workers cannot be used, or an empty string."""
    versions: Any = client.get_versions(packages=LIBRARIES)  # its own check names no worker
    ours, refusals = versions["client"]["packages"], {}
    for address, answer in client.run(reason_there, CODE, workers=sorted(workers), on_error="return").items():
        theirs = versions["workers"][address]["packages"]
        others = [f"{name} {theirs[name]} where it is {ours[name]} here" for name in ours if theirs[name] != ours[name]]
        reason = str(answer) or ", ".join(others)
        refusals[address] = f"{reason}: install the same there, and start it again with: {START}" if reason else ""
    return refusals


def reason_there(code: str) -> str:
    """Return why this worker cannot be used by a job with some code, or an empty string."""
    if current_process().daemon:
        return "it is under a nanny and may start no processes"
    return "" if CODE == project_digest() == code else "its code is not that of this job"


def do_there(run: Run, setting: Setting, code: dict[str, str], data: Dataset) -> tuple[Record, dict[str, bytes]]:
    """Do a run on a worker, in a process that ends once nobody waits for it; return its record and its files."""
    task = get_worker().state.tasks[get_worker().get_current_task()]
    with TemporaryDirectory() as folder:
        study = Study(
            [run.entry], [run.seed], data, setting, Path(folder), alone=True, code=code, rerun=[run.entry.name]
        )
        record = do_alone(study, run, is_wanted=lambda: task.state == "executing")
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        return record, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
