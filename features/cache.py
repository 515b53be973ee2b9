"""Arrays kept between runs in the user's cache directory."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

Arrays = dict[str, Any]
BYTES_LIMIT = 4 * 2**30
SECONDS = "seconds_to_compute"
_seconds_saved = 0.0


def seconds_saved() -> float:
    """Return how many seconds of computing the cache has saved this process so far."""
    return _seconds_saved


def count_as_saved(seconds: float) -> None:
    """Add the time that something took which was computed before and taken up again."""
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
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **arrays)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _forget_oldest(directory: Path) -> None:
    """Keep the cache below `BYTES_LIMIT`: what was used longest ago goes first."""
    files = sorted((file.stat().st_mtime, file.stat().st_size, file) for file in directory.glob("*.npz"))
    excess = sum(size for _, size, _ in files) - BYTES_LIMIT
    for _, size, file in files[:-1]:
        if excess <= 0:
            break
        file.unlink(missing_ok=True)
        excess -= size
