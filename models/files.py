"""Files that are whole, what tells whether they are, and what to do where the system refuses one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from models.streams import one_line

ADVICE = {
    errno.ENOSPC: "free some space, or choose a place on another disk",
    errno.EDQUOT: "delete files until you are below your quota, or choose another place",
    errno.EFBIG: "choose a place on another disk, or raise the limit: ulimit -f",
    errno.EACCES: "get the permission for it (ls -l shows who has it), or choose another place",
    errno.EPERM: "get the permission for it (ls -l shows who has it), or choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.ENOENT: "check the path, and make the folder if it is missing",
    errno.ENOTDIR: "a part of the path is a file: choose another path",
    errno.EISDIR: "give a file, not a folder",
    errno.EEXIST: "a file has this name: give another one",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "end other programs: they hold too many files open",
    errno.ENOMEM: "end other programs: there is too little memory",
    errno.EADDRINUSE: "give another --port: a program uses this one",
    errno.EADDRNOTAVAIL: "give a --host that this machine has",
}


def explain(error: OSError, where: str | Path = "") -> str:
    """Return what the system refused, why, and the fix, for the user of a command.

    Parameters
    ----------
    error : OSError
    where : str or Path
        What the command was at, where the error does not name a file.
    """
    what = one_line(os.fsdecode(error.filename or where))
    if error.errno is None:
        return f"{what}: {error}" if what else str(error)
    fix = ADVICE.get(error.errno, "try again, or choose another place")
    return f"{what}: {error.strerror}: {fix}" if what else f"{error.strerror}: {fix}"


@contextmanager
def naming(where: str | Path) -> Iterator[None]:
    """Have errors of the system name a file: those of writing to an open one do not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(where)
        raise


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Write `content` as JSON: complete, or not at all."""
    write_whole(path, (json.dumps(content, indent=1) + "\n").encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file: complete, or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path):
            partial.write_bytes(content)
            os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
