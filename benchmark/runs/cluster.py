"""Runs of a study on other processes or machines: the workers of a Dask cluster, or local ones.

A worker gets the faces once, does a run in a folder of its own and sends its files back; one writer, here, stores them.
So no disk has to be shared. Every run takes a whole worker; ensembles, which only combine what is stored, stay here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from distributed import Client, Future, wait
from distributed.client import ClosedClientError
from filelock import BaseFileLock
from filelock import Timeout as Locked

from benchmark.runs.connection import START, Workers
from benchmark.runs.record_store import Record
from benchmark.runs.study import Run, Study, StudyError
from benchmark.runs.worker import SOFTWARE, Files, Job, fit_there
from models.artifacts.forms import SUFFIXES, split_suffix
from models.files.atomic import write_whole

PATIENCE = 60  # seconds without a worker after which the study gives up
CHECK = 2  # seconds between looks at the cluster


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
    workers = Workers(client)
    sent = [Sent(client, study, rerun, workers) for study in studies]
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


@dataclass(frozen=True)
class Away:
    """A run that was sent away: its former state, its lock, its priority, and to which workers it is bound, if any."""

    run: Run
    state: str
    lock: BaseFileLock
    priority: int
    bound: frozenset[str] | None = None


class Sent:
    """The runs of a study that a cluster is at."""

    def __init__(self, client: Client, study: Study, rerun: bool, workers: Workers) -> None:
        self.client = client
        self.study = study
        self.rerun = rerun
        self.done: list[Run] = []
        self._workers = workers
        self._away: dict[Future, Away] = {}
        with _scheduler():
            workers.look()
            self._faces = workers.give(study.data)

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
        if state in ("fresh", "broken") or run.entry.members or run.entry.skip_reason():
            return
        if self.study.is_fitted(run, self.rerun):  # what is left of it takes no cluster
            return
        lock = self.study.store.lock(run.entry.name, run.seed)
        with suppress(Locked):
            lock.acquire(blocking=False)
            self._submit(Away(run, state, lock, priority))

    def _collect(self) -> Iterator[tuple[Run, str, Record]]:
        """Store what comes back, and yield it."""
        seen = time.monotonic()
        while self._away:
            done = set()
            with suppress(TimeoutError):
                done = wait(list(self._away), timeout=CHECK, return_when="FIRST_COMPLETED").done
            self._workers.look()
            for future in done:
                away = self._away.pop(future)
                record = self._store(away, future)
                if record is not None:
                    self.done.append(away.run)
                    yield away.run, away.state, record
            if self._workers.here():
                seen = time.monotonic()
                self._send_again()
            elif time.monotonic() - seen > PATIENCE:
                raise StudyError(f"all workers were lost: start some with: {START}, and the same command goes on")

    def withdraw(self) -> None:
        """Leave what is not finished to others."""
        with suppress(CancelledError, ClosedClientError, OSError):
            self.client.cancel(list(self._away))
        for away in self._away.values():
            away.lock.release()
        self._away.clear()

    def _submit(self, away: Away) -> None:
        job = Job(away.run.entry.name, away.run.seed, self.study.setting, self._faces, SOFTWARE)
        workers = self._workers.usable() if self._workers.refused else None
        future = self.client.submit(fit_there, job, workers=workers, pure=False, priority=away.priority)
        self._away[future] = replace(away, bound=frozenset(workers) if workers else None)

    def _send_again(self) -> None:
        """Send what has not begun again where workers can be used that were not there when it was sent.

        Dask keeps a run that is bound to some workers for these, whoever joins and whoever leaves.
        """
        here = self._workers.here()
        bound = [future for future, away in self._away.items() if away.bound and here - away.bound]
        begun = self._workers.begun() if bound else set()
        for future in bound:
            if future.key not in begun and not future.done():
                away = self._away.pop(future)
                self.client.cancel([future])
                self._submit(away)

    def _store(self, away: Away, future: Future) -> Record | None:
        """Return the record of a run, stored; None where the worker was refused, and another one has the run now."""
        error = future.exception()
        if error is None:
            address, answer = future.result()
            if isinstance(answer, str):
                self._workers.refuse(address, answer)
                self._submit(away)
                return None
            record = take(self.study, answer)
        elif self._workers.look():
            self._submit(away)
            return None
        else:
            failed = {"status": "failed", "error": f"{type(error).__name__}: {error}".splitlines()[0], "traceback": ""}
            record = self.study.keep({**self.study.facts(away.run), **failed})
        away.lock.release()
        return record


def take(study: Study, files: Files) -> Record:
    """Store the files of a run; the record comes last, so that what has a record is complete.

    A failed run never takes the place of a finished one, and no copy of an earlier model stays beside the new one.
    """
    (name,) = (name for name in files if name.startswith("runs/") and name.endswith(".json"))
    record = json.loads(files[name])
    if record["status"] != "ok":
        return study.keep(record)
    for suffix in SUFFIXES:
        copy = f"models/{split_suffix(Path(record['artifact']))[0]}{suffix}"
        if copy not in files:
            (study.store.root / copy).unlink(missing_ok=True)
    for each in sorted(files, key=lambda each: each == name):
        path = study.store.root / each
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, files[each])
    return record
