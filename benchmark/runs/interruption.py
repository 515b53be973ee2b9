"""End a long job reliably on Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED, TERMINATED = 130, 143
AGAIN = 1.0


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM end the block by `Terminated`, as Ctrl-C does by KeyboardInterrupt, and let either end it for sure.

    Python drops an exception that rises while an object is destroyed, as TensorFlow's are after each epoch. So it rises
    again every second until `caught` is called or the block is left.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    asked: type[KeyboardInterrupt] = KeyboardInterrupt

    def stop(number: int, frame: object) -> None:
        nonlocal asked
        if number != signal.SIGALRM:
            asked = Terminated if number == signal.SIGTERM else KeyboardInterrupt
            signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
        raise asked

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    try:
        yield
    finally:
        caught()
        for number, handler in before.items():
            signal.signal(number, handler)


def until_stopped(job: Callable[[], int], kept: str) -> int:
    """Return the exit code of a job; 130 where Ctrl-C ends it, 143 where SIGTERM does, with a line that says `kept`."""
    try:
        with interruptible():
            return job()
    except KeyboardInterrupt as stop:
        print(f"interrupted: {kept}", file=sys.stderr)
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED


def caught() -> None:
    """Say that the exception arrived, so that it does not rise again."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
