"""Do a run in a process of its own: memory and time are its own, and a crash ends only that run."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from models.files.code_digest import code_digest

if TYPE_CHECKING:
    from benchmark.runs.record_store import Record
    from benchmark.runs.run_list import Run
    from benchmark.runs.study import Study

ENDING_SECONDS = 10


def do_alone(study: Study, run: Run, is_wanted: Callable[[], bool] = lambda: True) -> Record:
    """Do and store a run as `Study.do` does, in a new process, which ends with this one however that ends.

    Parameters
    ----------
    study, run
        As of `Study.do`.
    is_wanted : callable
        Is asked every second; the process ends early once the answer is no.

    Returns
    -------
    dict
        The record: a failed one where the process ended early, as the system ends one that needs too much memory.

    Raises
    ------
    OSError
        If the run cannot be stored.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_do, args=(study, run, sender))
    process.start()
    sender.close()
    try:
        while not receiver.poll(1):
            if not is_wanted():
                process.terminate()
        answer = receiver.recv()
        process.join(ENDING_SECONDS)  # killed at once, it leaves semaphores, of which Python warns at the end
        if isinstance(answer, OSError):
            raise answer
        record: Record = answer
    except EOFError:
        process.join()
        reason = f"its process ended with exit code {process.exitcode}: it may have needed more memory than there is"
        record = study.fail(run, reason)
    finally:
        process.terminate()
        process.join()
    return record


def end_with_parent() -> None:
    """Have this process end when the one that started it does, and leave Ctrl-C to that one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _do(study: Study, run: Run, sender: Connection) -> None:
    end_with_parent()
    if code_digest(run.entry.module) != study.code[run.entry.name]:
        reason = "its code was edited since this job began: start the job again"
        sender.send(study.fail(run, reason))
        return
    try:
        sender.send(study.do(run))
    except OSError as error:  # it cannot be stored, which is for the job to say
        sender.send(error)
