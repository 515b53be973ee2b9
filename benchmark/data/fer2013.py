"""Reader of FER2013's CSV, in the layout of `fer2013.csv` or of `icml_face_data.csv`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from benchmark.data.archives import open_csv
from benchmark.data.dataset import OFFICIAL_COUNTS, USAGES, DataError, Dataset, Split
from features.rows import N_PIXELS
from models.labels import EMOTIONS

CSV_COLUMNS = ("emotion", "pixels", "Usage")
_LONGEST = 1 << 17  # bytes of a row; 2304 pixels take 9,216 at most
_CHUNK = 32  # rows decoded at once: their bytes, about 0.3 MB, stay in the processor's cache
_PADDING = b' \t\r\n\v\f"'
_LABELS = {str(label).encode(): label for label in range(len(EMOTIONS))}
_USAGES = {usage.encode(): position for position, usage in enumerate(USAGES)}
_COMPLETE = "use the complete fer2013.csv or icml_face_data.csv"


def read_csv(path: Path) -> Dataset:
    """Read FER2013 from a CSV, plain, compressed, or in an archive.

    Parameters
    ----------
    path : Path
        A CSV with the columns ``emotion``, ``pixels`` and ``Usage`` in any order, or a gz, xz, zip or tar of it.

    Returns
    -------
    Dataset
        Rows in the file's order; named by `named`.

    Raises
    ------
    DataError
        If the file or a row cannot be used; the message has the row's line number, the header being line 1.
    """
    with open_csv(path) as (stream, label):
        X, y, usage = _read_rows(stream, label)
    splits = {name: Split(X[usage == code], y[usage == code]) for code, name in enumerate(USAGES)}
    return named(splits, label)


def named(splits: Mapping[str, Split], label: str) -> Dataset:
    """Return the dataset of these splits: ``fer2013`` with the official counts, else ``custom-`` and its fingerprint.

    Raises
    ------
    DataError
        If a split is empty; `label` names the file in the message.
    """
    for usage, split in splits.items():
        if not len(split):
            raise DataError(f"{label}: no face has the Usage {usage}: {_COMPLETE}")
    if all(tuple(splits[usage].counts) == official for usage, official in OFFICIAL_COUNTS.items()):
        return Dataset("fer2013", splits)
    counts = ", ".join(f"{len(splits[usage])} {usage}" for usage in USAGES)
    official = ", ".join(str(sum(OFFICIAL_COUNTS[usage])) for usage in USAGES)
    note = f"Not FER2013 with its official counts: {counts} faces (official: {official}, and fixed counts per emotion)."
    return Dataset(f"custom-{Dataset('', splits).fingerprint[:8]}", splits, note)


def _read_rows(stream: IO[bytes], label: str) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Return pixels, labels and positions in `USAGES` of all rows."""
    width, columns = _read_header(stream, label)
    decoded: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    usages: list[int] = []
    pixels: list[bytes] = []
    lines: list[int] = []
    for line, text in enumerate(iter(lambda: stream.readline(_LONGEST), b""), start=2):
        if len(text) == _LONGEST:
            raise DataError(f"{label}, row {line}: longer than {_LONGEST:,} bytes: {_COMPLETE}")
        fields = text.split(b",")
        if len(fields) != width:
            if not text.strip():
                continue
            raise DataError(f"{label}, row {line}: {len(fields)} columns where the header has {width}: {_COMPLETE}")
        emotion, faces, usage = (fields[column].strip(_PADDING) for column in columns)
        labels.append(_look_up(_LABELS, emotion, f"{label}, row {line}", "emotion", "a label from 0 to 6"))
        usages.append(_look_up(_USAGES, usage, f"{label}, row {line}", "Usage", ", ".join(USAGES)))
        pixels.append(faces)
        lines.append(line)
        if len(pixels) == _CHUNK:
            decoded.append(_decode(pixels, lines, label))
            pixels, lines = [], []
    if pixels:
        decoded.append(_decode(pixels, lines, label))
    if not decoded:
        raise DataError(f"{label}: a header without rows: {_COMPLETE}")
    return np.concatenate(decoded), np.array(labels, dtype=np.int64), np.array(usages, dtype=np.int64)


def _read_header(stream: IO[bytes], label: str) -> tuple[int, list[int]]:
    """Return the number of columns and the positions of `CSV_COLUMNS`."""
    header = stream.readline(1 << 16)
    if not header:
        raise DataError(f"{label}: empty file: {_COMPLETE}")
    names = [name.strip(_PADDING).lower() for name in header.removeprefix(b"\xef\xbb\xbf").split(b",")]
    missing = [column for column in CSV_COLUMNS if column.lower().encode() not in names]
    if missing:
        raise DataError(
            f"{label}, row 1: no column {', '.join(missing)} in the header: {_COMPLETE}, "
            f"whose first line names {', '.join(CSV_COLUMNS)}"
        )
    return len(names), [names.index(column.lower().encode()) for column in CSV_COLUMNS]


def _look_up(codes: Mapping[bytes, int], value: bytes, where: str, column: str, expected: str) -> int:
    code = codes.get(value)
    if code is None:
        raise DataError(f"{where}: {column} is {_shown(value)}, expected {expected}: correct the row, or {_COMPLETE}")
    return code


def _decode(rows: Sequence[bytes], lines: Sequence[int], label: str) -> NDArray[np.uint8]:
    faces = decode_pixels(rows)
    if faces is not None:
        return faces
    for line, row in zip(lines, rows, strict=True):
        fault = _pixel_fault(row)
        if fault:
            raise DataError(f"{label}, row {line}: {fault}: the file is cut short or was edited, {_COMPLETE}")
    raise AssertionError("decode_pixels refused rows in which _pixel_fault finds no fault")


def decode_pixels(rows: Sequence[bytes]) -> NDArray[np.uint8] | None:
    """Decode texts of pixels, all at once: the file's 82 million numbers are too many for one call each.

    Parameters
    ----------
    rows : sequence of bytes
        Each 2304 decimal numbers from 0 to 255, of at most three digits, apart by any white space.

    Returns
    -------
    ndarray of shape (len(rows), 2304), dtype uint8, or None
        None if a row is not of that form.
    """
    text = np.frombuffer(b"   " + b" ".join(rows) + b" ", dtype=np.uint8)
    digit = text - 48  # wraps around: any byte but a digit is 10 or more
    is_digit = digit < 10
    if not (is_digit | (text == 32) | (text - 9 < 5)).all():
        return None
    # From here on, position i of an array speaks of the number that might end at text[i + 3].
    two_long = is_digit[3:-1] & is_digit[2:-2]
    three_long = two_long & is_digit[1:-3]
    hundreds = digit[1:-3] * three_long
    value = digit[2:-2] * np.uint8(10) * two_long + digit[3:-1]
    ends = is_digit[3:-1] > is_digit[4:]
    too_big = (hundreds > 2) | ((hundreds == 2) & (value > 55)) | (three_long & is_digit[:-4])
    if too_big.any():
        return None
    positions = np.flatnonzero(ends)
    row_ends = np.cumsum([len(row) + 1 for row in rows])
    if (np.diff(np.searchsorted(positions, row_ends), prepend=0) != N_PIXELS).any():
        return None
    value += hundreds * np.uint8(100)
    return value.take(positions).reshape(len(rows), N_PIXELS)


def _pixel_fault(row: bytes) -> str | None:
    numbers = row.split()
    for position, number in enumerate(numbers, start=1):
        if not (number.isdigit() and len(number) <= 3 and int(number) <= 255):
            return f"pixel {position} is {_shown(number)}, expected a whole number from 0 to 255"
    return None if len(numbers) == N_PIXELS else f"{len(numbers)} pixels, expected {N_PIXELS} (48x48)"


def _shown(value: bytes) -> str:
    return repr(value[:24].decode("utf-8", "replace"))
