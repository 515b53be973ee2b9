"""Open the CSV of FER2013 as a stream: from a plain file, a compressed one, or an archive, in any nesting."""

from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from benchmark.data.dataset import DataError
from models.inference.folders import is_litter

PREFERRED = ("fer2013.csv", "icml_face_data.csv")
_TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz")
_HEAD = 512
_DEEPEST = 6
_BUFFER = 1 << 20  # a row has about 8 KB, as much as the default buffer
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile, tarfile.TarError)


@contextmanager
def open_csv(path: Path) -> Iterator[tuple[IO[bytes], str]]:
    """Open the CSV in `path` as a stream of bytes, without writing anything to disk.

    Yields
    ------
    stream : binary file
        At the first byte of the CSV.
    label : str
        `path`, with the member's name behind it where the CSV lies in an archive.

    Raises
    ------
    DataError
        If the file is damaged, cut short, encrypted, of another type, or an archive without a FER2013 CSV. Damage is
        often met only while reading, so it is raised from within the ``with`` block too.
    """
    with ExitStack() as stack:
        try:
            yield _unwrap(stack.enter_context(path.open("rb", buffering=_BUFFER)), str(path), stack)
        except _DAMAGE as error:
            raise DataError(f"{path}: damaged or cut short ({error}): download it again") from error


def _unwrap(stream: IO[bytes], label: str, stack: ExitStack, depth: int = 0) -> tuple[IO[bytes], str]:
    if depth > _DEEPEST:
        raise DataError(f"{label}: packed more than {_DEEPEST} times: unpack it and give the CSV's path")
    head = stream.read(_HEAD)
    stream.seek(0)
    for magic, unpack in ((b"\x1f\x8b", gzip.open), (b"\xfd7zXZ\x00", lzma.open)):
        if head.startswith(magic):
            inner = cast("IO[bytes]", stack.enter_context(unpack(stream, "rb")))
            return _unwrap(inner, label, stack, depth + 1)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unwrap(*_open_in_zip(stream, label, stack), stack, depth + 1)
    if head[257:262] == b"ustar":
        return _unwrap(*_open_in_tar(stream, label, stack), stack, depth + 1)
    if b"\x00" in head:
        raise DataError(f"{label}: neither a CSV nor a gz, xz, zip or tar of one: give the path of fer2013.csv")
    return stream, label


def _open_in_zip(stream: IO[bytes], label: str, stack: ExitStack) -> tuple[IO[bytes], str]:
    archive = stack.enter_context(zipfile.ZipFile(stream))
    name = _choose((info.filename for info in archive.infolist() if not info.filename.endswith("/")), label)
    try:
        return stack.enter_context(archive.open(name)), f"{label} ({name})"
    except RuntimeError as error:  # encrypted, or packed by a method that Python does not know
        raise DataError(f"{label}: {name} cannot be unpacked ({error}): unpack it and give the CSV's path") from error


def _open_in_tar(stream: IO[bytes], label: str, stack: ExitStack) -> tuple[IO[bytes], str]:
    archive = stack.enter_context(tarfile.open(fileobj=stream, mode="r:"))  # noqa: SIM115
    name = _choose((member.name for member in archive if member.isfile()), label)
    member = archive.extractfile(name)
    assert member is not None, "only regular files are chosen"
    return stack.enter_context(member), f"{label} ({name})"


def _choose(names: Iterable[str], label: str) -> str:
    """Return the member that holds FER2013; stops at the best, since a compressed tar is listed by unpacking it."""
    seen: list[str] = []
    for name in names:
        if any(is_litter(part) for part in PurePosixPath(name).parts if part != ".."):
            continue
        if PurePosixPath(name).name == PREFERRED[0]:
            return name
        seen.append(name)
    for wanted in ([name for name in seen if PurePosixPath(name).name == PREFERRED[1]], _ending(seen, _TARS)):
        if wanted:
            return wanted[0]
    tables = _ending(seen, (".csv",))
    if len(tables) == 1:
        return tables[0]
    inside = ", ".join(seen[:8]) + (f" and {len(seen) - 8} more" if len(seen) > 8 else "")
    raise DataError(
        f"{label}: holds no fer2013.csv or icml_face_data.csv, but {inside or 'nothing'}: "
        "give the archive with the CSV, or unpack an archive of images and give its folder"
    )


def _ending(names: list[str], suffixes: tuple[str, ...]) -> list[str]:
    return [name for name in names if name.lower().endswith(suffixes)]
