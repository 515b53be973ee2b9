"""Cache of arrays between runs, in the user's cache directory."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import platformdirs

Arrays = dict[str, Any]
BYTES_LIMIT = 4 * 2**30
SECONDS = "seconds_to_compute"
_seconds_saved = 0.0


def seconds_saved() -> float:
    """Return the seconds of computing that the cache has saved this process so far."""
    return _seconds_saved


def count_as_saved(seconds: float) -> None:
    """Add the seconds that a reused result once took to compute."""
    global _seconds_saved
    _seconds_saved += seconds


def cache_dir() -> Path:
    """Return the cache directory: the environment variable `FER_BENCHMARK_CACHE`, else the user's own."""
    return Path(os.environ.get("FER_BENCHMARK_CACHE") or platformdirs.user_cache_dir("fer-benchmark"))


def cached_arrays(key: str, compute: Callable[[], Arrays]) -> Arrays:
    """Return the arrays stored under `key`, or compute and store them.

    Safe against several processes at once: a file is complete before it takes its name. A damaged file (npz members
    carry a CRC) is computed anew, and a directory that cannot be written means no cache, never a failure.

    Parameters
    ----------
    key : str
        File name without suffix; it must name everything that the arrays depend on.
    compute : callable
        Makes the arrays where they are not stored.
    """
    path = cache_dir() / f"{key}.npz"
    try:
        arrays = read_arrays(path)
        with contextlib.suppress(OSError):  # a shared cache may be read-only
            os.utime(path)
        count_as_saved(float(arrays.pop(SECONDS)))
        return arrays
    except (OSError, KeyError):
        pass
    start = time.perf_counter()
    arrays = compute()
    seconds = np.array(time.perf_counter() - start)
    with contextlib.suppress(OSError):
        write_arrays(path, {**arrays, SECONDS: seconds})
        _forget_oldest(path.parent)
    return arrays


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of an npz file.

    Raises
    ------
    OSError
        If it is missing or damaged; npz members carry a CRC.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise OSError(f"{path} is damaged: {error}") from error  # zipfile raises any of these


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write an npz file: complete, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_atomic(path) as file:
        np.savez(file, **arrays)


@contextlib.contextmanager
def open_atomic(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name when it is complete; after an error there is none, or the old one.

    Raises
    ------
    OSError
        If the system refuses; it names `path`, not the temporary file.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with partial.open("xb") as file:
            yield file
        os.replace(partial, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _forget_oldest(directory: Path) -> None:
    """Keep the cache below `BYTES_LIMIT`: what was used longest ago goes first."""
    files = sorted((file.stat().st_mtime, file.stat().st_size, file) for file in directory.glob("*.npz"))
    excess = sum(size for _, size, _ in files) - BYTES_LIMIT
    for _, size, file in files[:-1]:
        if excess <= 0:
            break
        file.unlink(missing_ok=True)
        excess -= size
