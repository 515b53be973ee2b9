"""Ending a long job by Ctrl-C or SIGTERM, for sure."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
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


def caught() -> None:
    """Say that the exception arrived, so that it does not rise again."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)
