"""Write whole files, compute their SHA-256, and turn an OSError into a message that says the fix."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from models.files.arrays import open_atomic
from models.files.streams import one_line

LONGEST_NAME = 100
_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, the quota is used up",
    errno.EFBIG: "free some space, or lift the limit on the size of a file (ulimit -f)",
    errno.EACCES: "change its permissions",
    errno.EPERM: "change its permissions",
    errno.EROFS: "choose a disk that can be written",
    errno.EISDIR: "give the name of a file, this is a folder",
    errno.ENOTDIR: "move the file away that stands where a folder is needed",
    errno.EEXIST: "move the file away that stands where a folder is needed",
    errno.ENOENT: "make the folder first, or correct the path",
    errno.ENAMETOOLONG: "shorten the name",
    errno.ELOOP: "remove a link, they lead in a circle",
    errno.EMFILE: "let the process open more files, ulimit -n",
    errno.ENFILE: "end some programs, too many files are open",
    errno.EIO: "check the disk",
    errno.ENOMEM: "free some memory",
    errno.EADDRINUSE: "give another --port, a program uses this one",
    errno.EADDRNOTAVAIL: "give a --host that this machine has",
}


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


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, what of a file's name is no character as its escape: complete, or not at all."""
    write_whole(path, text.encode(errors="backslashreplace"))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file: complete, or not at all."""
    with open_atomic(path) as file:
        file.write(content)


def advice(error: OSError) -> str:
    """Return what helps against this error, e.g. ``free some space``."""
    return _ADVICE.get(error.errno or 0, "choose another place")


def explain(error: Exception, place: str | Path = "", instead: str = "") -> str:
    """Return one line that names the file, says why it failed, and the fix.

    Parameters
    ----------
    error : Exception
        The message of any other than an OSError is returned as it is.
    place : str or Path
        The file that was read or written, where the error does not name it.
    instead : str
        A way to choose another place, such as ``give --output HTML``; named where the error is about `place`.
    """
    if not isinstance(error, OSError):
        return str(error)
    known = isinstance(error.filename, (str, bytes, os.PathLike))
    named = os.fsdecode(error.filename if known else place)
    failed, chosen = Path(named).absolute(), Path(place).absolute()
    about_place = failed.is_relative_to(chosen) or chosen.is_relative_to(failed)
    fix = f"{advice(error)}, or {instead}" if instead and about_place else advice(error)
    return f"{one_line(named)}: {error.strerror or error}: {fix}" if named else f"{error.strerror or error}: {fix}"


def file_name(text: str) -> str:
    """Return `text` as the name of a file or folder, on every system: as it is, or shortened and with a digest."""
    safe = re.sub(r"[^A-Za-z0-9_.,=+()\[\]-]+", "_", text)
    if safe == text and len(safe) <= LONGEST_NAME and safe.strip(".") and not safe.endswith("."):
        return safe
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{safe[: LONGEST_NAME - 9].strip('.') or '_'}-{digest}"
