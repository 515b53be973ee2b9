"""What a worker of a Dask cluster does: runs, in a process beside it, with the faces that it got once."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import current_process, get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from distributed import Worker, WorkerPlugin, get_worker

from benchmark.data import Dataset
from benchmark.data.protocol import Setting
from benchmark.runs.own_process import end_with_parent
from benchmark.runs.study import Study
from models.artifacts.cards import versions
from models.files.code_digest import ROOT, code_only
from models.registry import find_recognizer

PACKAGES = ("benchmark", "features", "models")
Files = dict[str, bytes]
_data: Dataset | None = None


@dataclass(frozen=True)
class Job:
    """What a worker needs to know of a run, but for the faces.

    Attributes
    ----------
    recognizer, seed, setting
        Of the run.
    faces : str
        Name of the plugin that has them.
    software : dict of str to str
        What the worker must run, as `SOFTWARE`.
    """

    recognizer: str
    seed: int
    setting: Setting
    faces: str
    software: dict[str, str]


class Faces(WorkerPlugin):
    """The faces on every worker, those that join later among them, and a process there for each run.

    That is no thread of the worker: Keras draws seeds from Python's global generator, and the worker does so too.
    """

    def __init__(self, data: Dataset) -> None:
        self.data = data
        self.name = f"faces-{data.fingerprint}"
        self._alone: ProcessPoolExecutor | None = None

    def setup(self, worker: Worker) -> None:
        """Let that process use all cores, and keep the memory that it will ask for again; Dask's workers do neither."""
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"):
            os.environ.pop(name, None)

    def teardown(self, worker: Worker) -> None:
        """End the process."""
        if self._alone:
            self._alone.shutdown(wait=False, cancel_futures=True)

    def do(self, job: Job) -> Files | str:
        """Do a run, as `do_alone`."""
        if self._alone is None:
            self._alone = ProcessPoolExecutor(1, get_context("spawn"), _begin, (self.data,), max_tasks_per_child=1)
        try:
            return self._alone.submit(do_alone, job).result()
        except BrokenProcessPool:
            self._alone = None  # another one has the next run
            raise


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
    names = sorted(expected.keys() | found.keys() - {"threads", "daemon"})
    others = ", ".join(
        f"{name} {found.get(name, 'missing')} where it is {expected.get(name, 'missing')} here"
        for name in names
        if found.get(name) != expected.get(name)
    )
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


def at_work(dask_worker: Worker) -> list[Any]:
    """Return the keys of what a worker has begun."""
    return [task.key for task in dask_worker.state.executing]


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
        study = Study([find_recognizer(job.recognizer)], [job.seed], _data, job.setting, Path(folder), alone=True)
        study.do(study.runs[0], fit=True)  # the folder beside this one is nobody's
        paths = [path for path in Path(folder).rglob("*") if path.is_file() and path.suffix != ".lock"]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _begin(data: Dataset) -> None:
    """Begin a process that does a run and ends with its worker."""
    global _data
    _data = data
    end_with_parent()
