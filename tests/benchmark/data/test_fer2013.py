from __future__ import annotations

import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmark.data import USAGES, DataError, Dataset, Split, load_dataset
from benchmark.data.dataset import OFFICIAL_COUNTS
from benchmark.data.fer2013 import decode_pixels, named, read_csv

CSV, ICML = "fer2013.csv", "icml_face_data.csv"


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


FOLDER = {"fer2013/README": b"text", "fer2013/fer2013.bib": b"@text"}
KAGGLE = {"train.csv": b"emotion,pixels\n", "test.csv": b"pixels\n", "example_submission.csv": b"emotion\n"}
FORMS = {
    "csv": lambda csv, icml: csv,
    "icml": lambda csv, icml: icml,
    "gz": lambda csv, icml: gzip.compress(csv),
    "icml.gz": lambda csv, icml: gzip.compress(icml),
    "xz": lambda csv, icml: lzma.compress(csv, preset=0),
    "zip": lambda csv, icml: zipped({"any name.csv": csv}),
    "tar.gz": lambda csv, icml: tar({**FOLDER, "fer2013/fer2013.csv": csv}),
    "tar.xz": lambda csv, icml: tar({**FOLDER, "fer2013/fer2013.csv": csv}, "w:xz"),
    "tar": lambda csv, icml: tar({"fer2013/fer2013.csv": csv, **FOLDER}, "w"),
    "zip, litter": lambda csv, icml: zipped(
        {f"{folder}{CSV}": b"other" for folder in ("__MACOSX/", "._", ".ipynb_checkpoints/")} | {"../any.csv": csv}
    ),
    "zip, csv first": lambda csv, icml: zipped({**KAGGLE, ICML: b"other", "x/" + CSV: csv}),
    "zip, then icml": lambda csv, icml: zipped({**KAGGLE, "fer2013.tar.gz": b"other", ICML: icml}),
    "zip, then tar": lambda csv, icml: zipped({**KAGGLE, "fer2013.tar.gz": tar({**FOLDER, "fer2013/" + CSV: csv})}),
    "zip of macOS": lambda csv, icml: zipped({"__MACOSX/._data.csv": b"other", "data.csv": csv}),
    "CRLF": lambda csv, icml: csv.replace(b"\n", b"\r\n"),
    "BOM": lambda csv, icml: b"\xef\xbb\xbf" + csv,
    "no last newline, blank lines": lambda csv, icml: csv.replace(b"\n", b"\n\n", 3).rstrip(),
    "quotes": lambda csv, icml: csv.replace(b",", b'","').replace(b"\n", b'"\n"').removesuffix(b'"').join([b'"', b""]),
    "white space": lambda csv, icml: csv.replace(b" ", b"\t  ").replace(b",", b" , "),
}


def assert_equal(dataset: Dataset, expected: Dataset) -> None:
    for usage in USAGES:
        np.testing.assert_array_equal(dataset[usage].X, expected[usage].X)
        np.testing.assert_array_equal(dataset[usage].y, expected[usage].y)
        assert (dataset[usage].X.dtype, dataset[usage].y.dtype) == (np.uint8, np.int64)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["fer2013.csv", "fer2013.csv.gz", "data"])
def test_every_form_gives_the_same_arrays_whatever_its_name(form, name, table, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMS[form](table.csv().encode(), table.icml_csv().encode()))
    assert_equal(read_csv(path), table.dataset())


def test_columns_in_any_order_and_more_of_them(table, tmp_path):
    path = tmp_path / CSV
    lines = [f"{i},{u},{p},{e}\n" for i, (e, p, u) in enumerate(zip(*table, strict=True))]
    path.write_text(",Usage,pixels,emotion\n" + "".join(lines))
    assert_equal(read_csv(path), table.dataset())


def test_decoding_agrees_with_int_on_every_number_and_neighbour():
    rng = np.random.default_rng(0)
    faces = rng.permuted(np.tile(np.arange(256), (40, 9)), axis=1)
    spaces = np.array([" ", "  ", "\t", " \r\n", "\v\f"])
    apart = rng.choice(spaces, faces.shape)
    rows = [
        "".join(f"{number}{space}" for number, space in zip(*row, strict=True))
        for row in zip(faces, apart, strict=True)
    ]
    np.testing.assert_array_equal(decode_pixels([row.encode() for row in rows]), faces)
    padded = [" ".join(f"{number:03d}" for number in face).encode() for face in faces]
    np.testing.assert_array_equal(decode_pixels(padded), faces)


@pytest.mark.parametrize(
    "bad",
    [
        "256",
        "260",
        "300",
        "999",
        "1000",
        "0000",
        "-1",
        "1.0",
        "x",
        "1e2",
        "\x00",
        "é",
        "1_0",
        "7#",
        "7\x1c",
        "7/",
        ":7",
        "7\x00",
    ],
)
@pytest.mark.parametrize("position", [0, 1000, 2303])
def test_decoding_refuses_what_is_no_grey_level(bad, position):
    numbers = ["7"] * 2304
    numbers[position] = bad
    assert decode_pixels([b"7 " * 2304, " ".join(numbers).encode()]) is None


def test_decoding_counts_each_row_by_itself():
    assert decode_pixels([b"7 " * 2303, b"7 " * 2305]) is None
    assert decode_pixels([b"", b"7 " * 4608]) is None


def with_row(csv: str, line: int, **changes: str) -> bytes:
    """Return the table with other values in one line."""
    lines = csv.splitlines()
    emotion, pixels, usage = lines[line - 1].split(",")
    fields = {"emotion": emotion, "pixels": pixels, "usage": usage} | changes
    lines[line - 1] = ",".join(fields.values())
    return "\n".join(lines).encode()


def with_pixel(csv: str, line: int, value: str) -> bytes:
    numbers = csv.splitlines()[line - 1].split(",")[1].split()
    return with_row(csv, line, pixels=" ".join([*numbers[:99], value, *numbers[100:]]))


BAD_ROWS = {
    "label": (lambda csv: with_row(csv, 5, emotion="7"), ["row 5", "emotion is '7'", "0 to 6"]),
    "label word": (lambda csv: with_row(csv, 5, emotion="happy"), ["row 5", "emotion is 'happy'"]),
    "no label": (lambda csv: with_row(csv, 5, emotion=""), ["row 5", "emotion is ''"]),
    "Usage": (lambda csv: with_row(csv, 71, usage="Test"), ["row 71", "Usage is 'Test'", "PublicTest, PrivateTest"]),
    "few pixels": (lambda csv: with_row(csv, 40, pixels="1 2 3"), ["row 40", "3 pixels, expected 2304"]),
    "many pixels": (lambda csv: with_row(csv, 2, pixels="1 " * 2305), ["row 2", "2305 pixels, expected 2304"]),
    "no pixels": (lambda csv: with_row(csv, 2, pixels=""), ["row 2", "0 pixels"]),
    "256": (lambda csv: with_pixel(csv, 36, "256"), ["row 36", "pixel 100 is '256'", "0 to 255"]),
    "negative": (lambda csv: with_pixel(csv, 36, "-1"), ["row 36", "pixel 100 is '-1'"]),
    "fraction": (lambda csv: with_pixel(csv, 36, "0.5"), ["row 36", "pixel 100 is '0.5'"]),
    "word": (lambda csv: with_pixel(csv, 36, "NaN"), ["row 36", "pixel 100 is 'NaN'"]),
    "blank lines count": (lambda csv: b"\n".join(with_pixel(csv, 36, "x").split(b"\n", 1)[:1] + [b""] * 2)
                          + with_pixel(csv, 36, "x").split(b"\n", 1)[1], ["row 37", "pixel 100 is 'x'"]),
    "columns": (lambda csv: with_row(csv, 9, usage="Training,1"), ["row 9", "4 columns where the header has 3"]),
    "cut short": (lambda csv: csv[:300_000].encode(), ["row ", "complete fer2013.csv"]),
}  # fmt: skip
BAD_FILES = {
    "empty": (lambda csv: b"", ["empty file", "complete fer2013.csv"]),
    "only header": (lambda csv: b"emotion,pixels,Usage\n", ["header without rows"]),
    "no Usage": (lambda csv: b"emotion,pixels\n0,1 2\n", ["row 1", "no column Usage", "icml_face_data.csv"]),
    "no header": (lambda csv: csv.split("\n", 1)[1].encode(), ["row 1", "no column emotion, pixels, Usage"]),
    "empty split": (lambda csv: csv.replace("PublicTest", "Training").encode(), ["no face has the Usage PublicTest"]),
    "picture": (lambda csv: b"\x89PNG\r\n\x1a\n\x00\x00", ["neither a CSV nor", "path of fer2013.csv"]),
    "cut gz": (lambda csv: gzip.compress(csv.encode())[:-5000], ["damaged or cut short", "download it again"]),
    "cut xz": (lambda csv: lzma.compress(csv.encode())[:-5000], ["damaged or cut short"]),
    "cut zip": (lambda csv: zipped({CSV: csv.encode()})[:-5000], ["damaged or cut short"]),
    "cut tar": (lambda csv: tar({CSV: csv.encode()}, "w")[:90_000], ["damaged or cut short"]),
    "cut tar.gz": (lambda csv: tar({CSV: csv.encode()})[:-5000], ["damaged or cut short"]),
    "flipped gz": (lambda csv: flipped(gzip.compress(csv.encode())), ["damaged or cut short"]),
    "images": (lambda csv: zipped({f"train/happy/{i}.jpg": b"" for i in range(10)}),
               ["no fer2013.csv", "train/happy/0.jpg", "and 2 more", "give its folder"]),
    "many csv": (lambda csv: zipped(KAGGLE), ["no fer2013.csv", "train.csv, test.csv, example_submission.csv"]),
    "empty zip": (lambda csv: zipped({}), ["no fer2013.csv", "but nothing"]),
}  # fmt: skip


def flipped(content: bytes) -> bytes:
    """Return the gzip file with a wrong checksum."""
    return content[:-8] + bytes([content[-8] ^ 16]) + content[-7:]


@pytest.mark.parametrize("case", [*BAD_ROWS, *BAD_FILES])
def test_bad_data_is_refused_in_one_line_with_file_row_and_fix(case, table, tmp_path):
    spoil, words = (BAD_ROWS | BAD_FILES)[case]
    path = tmp_path / "given.file"
    path.write_bytes(spoil(table.csv()))
    with pytest.raises(DataError) as caught:
        read_csv(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    for word in words:
        assert word in message


def test_row_in_an_archive_is_named_with_its_member(table, tmp_path):
    path = tmp_path / "fer2013.tar.gz"
    path.write_bytes(tar({"fer2013/" + CSV: with_row(table.csv(), 5, emotion="9")}))
    with pytest.raises(DataError, match=r"fer2013.tar.gz \(fer2013/fer2013.csv\), row 5: emotion is '9'"):
        read_csv(path)


def test_encrypted_zip_is_refused(table, tmp_path):
    content = bytearray(zipped({CSV: table.csv().encode()}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path = tmp_path / "fer2013.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"encrypted.*: unpack it and give the CSV's path"):
        read_csv(path)


def of_counts(counts: dict[str, tuple[int, ...]]) -> dict[str, Split]:
    labels = {usage: np.repeat(np.arange(7), row) for usage, row in counts.items()}
    return {usage: Split(np.zeros((len(y), 1), np.uint8), y) for usage, y in labels.items()}


def test_only_the_official_counts_are_called_fer2013():
    assert named(of_counts(OFFICIAL_COUNTS), "x").name == "fer2013"
    assert named(of_counts(OFFICIAL_COUNTS), "x").note == ""
    other = {**OFFICIAL_COUNTS, "PublicTest": (468, 55, 496, 895, 653, 415, 607)}
    dataset = named(of_counts(other), "x")
    assert dataset.name == f"custom-{dataset.fingerprint[:8]}"
    assert "28709 Training, 3589 PublicTest, 3589 PrivateTest" in dataset.note


@pytest.mark.parametrize("limit", [0, -5])
def test_limit_below_one_is_refused(limit, csv_path):
    with pytest.raises(DataError, match=f"limit is {limit}.*at least 1"):
        load_dataset(csv_path, limit=limit)


def test_limit_keeps_a_share_of_every_split(csv_path):
    dataset = load_dataset(csv_path, limit=14)
    assert [len(dataset[usage]) for usage in USAGES] == [14, 7, 7]


def test_missing_path_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match=r"absent.csv: no such file or folder: give the path of fer2013.csv"):
        load_dataset(tmp_path / "absent.csv")
