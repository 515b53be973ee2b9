"""Standard streams: printing any file name on any console, and silencing native code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

# A process has one standard error: of several threads, one at a time may silence it.
_silencing = RLock()
if hasattr(os, "register_at_fork"):  # so that no child starts with it silenced, or with a lock that nobody opens
    os.register_at_fork(
        before=_silencing.acquire, after_in_parent=_silencing.release, after_in_child=_silencing.release
    )


def prepare_streams() -> None:
    """Make the standard streams fit for a command: every character can be written, and none of them is missing.

    A character that the console cannot show is written as its escape. What is written to a closed stream is dropped;
    its descriptor is taken, so that no file that is opened later gets what native code prints.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: SIM115
        elif name != "stdin" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def one_line(text: str) -> str:
    """Return a text, such as a file name, with line breaks and other unprintable characters escaped."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


@contextmanager
def errors_naming(where: str | Path) -> Iterator[None]:
    """Add the name of a file or stream to an OSError that names none, as of writing to an open file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(where)
        raise


@contextmanager
def silenced_stderr() -> Iterator[None]:
    """Silence standard error, for native code too: TensorFlow prints there before it reads its log level."""
    with _silencing:
        saved = _redirect_stderr()
        try:
            yield
        finally:
            if saved is not None:
                os.dup2(saved, 2)
                os.close(saved)


def _redirect_stderr() -> int | None:
    """Return a descriptor of what standard error was; None where there is none, and the number may be any file's."""
    if sys.__stderr__ is None:
        return None
    try:
        getattr(sys.stderr, "flush", lambda: None)()  # a program without a console has none, or an object of its own
        saved = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except (OSError, ValueError):
        return None
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return saved
