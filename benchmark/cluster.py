"""Runs of a study on other processes or machines: the workers of a Dask cluster, or local ones.

A worker gets the faces once, does a run in a folder of its own and sends its files back; one writer, here, stores them.
So no disk has to be shared. Every run takes a whole worker; ensembles, which only combine what is stored, stay here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import current_process, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import dask
from distributed import Client, Future, LocalCluster, Worker, WorkerPlugin, get_worker, wait
from distributed.client import ClosedClientError
from filelock import BaseFileLock
from filelock import Timeout as Locked

from benchmark.data import Dataset
from benchmark.protocol import Setting
from benchmark.store import Record
from benchmark.study import Run, Study, StudyError
from features.source import ROOT, code_only
from models.artifacts import versions
from models.files import write_whole
from models.registry import find

CONNECT = 15  # seconds to find the scheduler
PATIENCE = 60  # seconds without a worker after which the study gives up
CHECK = 2  # seconds between looks at the cluster
START = "dask worker tcp://HOST:8786 --nthreads 1 --no-nanny"
PACKAGES = ("benchmark", "features", "models")
Files = dict[str, bytes]
_data: Dataset | None = None


class Faces(WorkerPlugin):
    """The faces on every worker, those that join later among them, and a process there that does the runs.

    That is no thread of the worker: Keras draws seeds from Python's global generator, and the worker does so too.
    """

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.name = f"faces-{data.fingerprint}"
        self._alone: ProcessPoolExecutor | None = None

    def setup(self, worker: Worker) -> None:
        """Let the libraries of that process use all cores; Dask allows its workers one thread."""
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.pop(name, None)

    def teardown(self, worker: Worker) -> None:
        """End the process."""
        if self._alone:
            self._alone.shutdown(wait=False, cancel_futures=True)

    def do(self, job: Job) -> Files | str:
        """Do a run, as `do_alone`."""
        if self._alone is None:
            self._alone = ProcessPoolExecutor(1, get_context("spawn"), _begin, (self.data, os.getpid()))
        try:
            return self._alone.submit(do_alone, job).result()
        except BrokenProcessPool:
            self._alone = None  # another one has the next run
            raise


@dataclass(frozen=True)
class Job:
    """What a worker needs to know of a run, but for the faces.

    Attributes
    ----------
    recognizer, seed, setting
        Of the run.
    faces : str
        Name of the plugin that has them.
    fit : bool
        Fit although another protocol has the model.
    software : dict of str to str
        What the worker must run, as `SOFTWARE`.
    """

    recognizer: str
    seed: int
    setting: Setting
    faces: str
    fit: bool
    software: dict[str, str]


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
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what is lost is said here, once
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


def execute_on(
    client: Client, study: Study, rerun: bool, seconds: Mapping[str, float]
) -> Iterator[tuple[Run, str, Record]]:
    """Do every run that is not fresh on a cluster, then the ensembles here; yield what `Study.execute` yields.

    Parameters
    ----------
    client : distributed.Client
    study : Study
    rerun : bool
    seconds : mapping of str to float
        Expected times by recognizer: the longest start first, so that none of them ends alone.

    Raises
    ------
    StudyError
        If no worker can be used, or the scheduler or all workers are lost. What ended before is stored.
    """
    sent = _Sent(client, study, rerun)
    try:
        for run in sorted(study.runs, key=lambda run: -seconds.get(run.entry.name, float("inf"))):
            sent.send(run)
        yield from sent.collect()
    except (CancelledError, ClosedClientError, OSError) as error:
        if isinstance(error, OSError) and error.filename:
            raise  # of the results folder
        raise StudyError(
            "the scheduler was lost: finished runs are kept, the same command goes on when it runs again"
        ) from error
    finally:
        sent.withdraw()
    yield from study.execute(rerun, [run for run in study.runs if run not in sent.done])


class _Sent:
    """The runs that the cluster is at."""

    def __init__(self, client: Client, study: Study, rerun: bool) -> None:
        self.client = client
        self.study = study
        self.rerun = rerun
        self.done: list[Run] = []
        self._pending: dict[Future, tuple[Run, str, BaseFileLock]] = {}
        self._refused: set[str] = set()
        for address, found in client.run(software_there, on_error="return").items():
            self._refuse(address, found)
        self._workers()
        faces = Faces(study.data)
        self._faces = faces.name
        if not all(client.run(has_plugin, faces.name).values()):
            client.register_plugin(faces)

    def send(self, run: Run) -> None:
        """Send a run away, unless it is to be done here or another process is at it."""
        state = self.study.state(run, self.rerun)
        if state in ("fresh", "broken") or run.entry.members or run.entry.skip():
            return
        if self.study.is_fitted(run, self.rerun):  # what is left of it takes no cluster
            return
        lock = self.study.store.lock(run.entry.name, run.seed)
        with suppress(Locked):
            lock.acquire(blocking=False)
            self._submit(run, state, lock)

    def collect(self) -> Iterator[tuple[Run, str, Record]]:
        """Store what comes back, and yield it."""
        seen = time.monotonic()
        while self._pending:
            done = set()
            with suppress(TimeoutError):
                done = wait(list(self._pending), timeout=CHECK, return_when="FIRST_COMPLETED").done
            for future in done:
                run, state, lock = self._pending.pop(future)
                record = self._store(run, state, lock, future)
                if record is not None:
                    self.done.append(run)
                    yield run, state, record
            if self.client.nthreads().keys() - self._refused:
                seen = time.monotonic()
            elif time.monotonic() - seen > PATIENCE:
                raise StudyError("all workers were lost: start some, and the same command goes on")

    def withdraw(self) -> None:
        """Leave what is not finished to others."""
        with suppress(CancelledError, ClosedClientError, OSError):
            self.client.cancel(list(self._pending))
        for _, _, lock in self._pending.values():
            lock.release()

    def _submit(self, run: Run, state: str, lock: BaseFileLock) -> None:
        job = Job(run.entry.name, run.seed, self.study.setting, self._faces, self.rerun, SOFTWARE)
        only = self._workers() if self._refused else None
        future = self.client.submit(fit_there, job, workers=only, pure=False, priority=-len(self._pending))
        self._pending[future] = run, state, lock

    def _store(self, run: Run, state: str, lock: BaseFileLock, future: Future) -> Record | None:
        """Return the record of a run, stored; None where the worker was refused, and another one has the run now."""
        error = future.exception()
        if error is None:
            address, answer = future.result()
            if isinstance(answer, str):
                self._refused.add(address)
                print(f"note: without {address}: {answer}", file=sys.stderr)
                self._submit(run, state, lock)
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
            raise StudyError(
                "no worker can be used: start some with: dask worker tcp://HOST:8786 --nthreads 1 --no-nanny"
            )
        return workers


def _software() -> dict[str, str]:
    """Return the versions of what a result depends on: of the libraries, and a digest of this project's code."""
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        digest.update(f"{path.relative_to(ROOT)}\n{code_only(path.read_text('utf-8'))}\n".encode())
    return {**versions(), "fer-benchmark": digest.hexdigest()[:16]}


SOFTWARE = _software()  # what this process runs, whatever becomes of the files meanwhile


def difference(expected: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Return in words why a worker cannot be used, or an empty string."""
    if found.get("threads", "1") != "1":
        return f"it has {found['threads']} threads, and a run takes a whole worker: start it with --nthreads 1"
    if found.get("daemon") == "True":
        return "it may start no processes: start it with --no-nanny"
    names = [name for name in expected if found.get(name) != expected[name]]
    others = ", ".join(f"{name} {found.get(name, 'missing')} where it is {expected[name]} here" for name in names)
    return f"{others}: install the same there and start it again" if others else ""


def software_there(dask_worker: Worker) -> dict[str, str]:
    """Return `SOFTWARE` of a worker, its ``threads``, and whether it is a ``daemon``."""
    return {**SOFTWARE, "threads": str(dask_worker.state.nthreads), "daemon": str(current_process().daemon)}


def keep_to(cores: Sequence[int]) -> None:
    """Let all threads of a worker, and those that they start, run on these cores alone."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), cores)


def has_plugin(name: str, dask_worker: Worker) -> bool:
    """Return whether a worker has the plugin."""
    return name in dask_worker.plugins


def fit_there(job: Job) -> tuple[str, Files | str]:
    """Do a run on a worker; return its address, and the files of the run or why the worker cannot do it."""
    worker = get_worker()
    reason = difference(job.software, software_there(worker))
    if reason:
        return worker.address, reason
    return worker.address, cast(Faces, worker.plugins[job.faces]).do(job)


def do_alone(job: Job) -> Files | str:
    """Do a run in a folder of its own; return its files, or why this process cannot do it."""
    reason = difference(job.software, SOFTWARE)
    if reason or _data is None:
        return reason
    with TemporaryDirectory() as folder:
        study = Study([find(job.recognizer)], [job.seed], _data, job.setting, Path(folder))
        study.do(study.runs[0], job.fit)
        paths = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".lock"]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _begin(data: Dataset, worker: int) -> None:
    """Begin a process that does runs and ends with its worker, however that ends."""
    global _data
    _data = data
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asked for the runs

    def watch() -> None:
        while os.getppid() == worker:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
