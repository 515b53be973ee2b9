from __future__ import annotations

import numpy as np
import pytest

from benchmark.data import DataError, Dataset, Split
from benchmark.data.ferplus import CHOICES, read_votes

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
ROWS = """\
Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
Training,fer0000001.png,0,9,0,0,0,0,0,0,0,0
PublicTest,fer0000002.png,0,0,6,0,0,0,4,0,0,0
PrivateTest,,0,0,0,0,0,0,0,0,0,10
"""
HAPPY, SURPRISE = 3, 5


@pytest.fixture
def write(tmp_path):
    def make(rows=ROWS, header=HEADER):
        path = tmp_path / "fer2013new.csv"
        path.write_text(f"{header}\n{rows}", "utf-8")
        return path

    return make


def faces(training, public, private, label=SURPRISE):
    sizes = {"Training": training, "PublicTest": public, "PrivateTest": private}
    splits = {usage: Split(np.zeros((n, 2304), np.uint8), np.full(n, label)) for usage, n in sizes.items()}
    return Dataset("toy", splits)


def test_choices_are_in_the_order_of_the_labels():
    assert CHOICES[:7] == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def test_votes_are_read_by_usage_and_label(write):
    ferplus = read_votes(write())
    assert ferplus.votes["Training"].tolist() == [[3, 2, 0, 0, 1, 0, 4, 0, 0, 0], [0, 0, 0, 9, 0, 0, 0, 0, 0, 0]]
    assert ferplus.of(faces(2, 1, 1), "PublicTest").tolist() == [[0, 0, 4, 0, 0, 6, 0, 0, 0, 0]]


def test_rows_in_another_order_are_refused(write):
    with pytest.raises(DataError, match=r"fer2013new.csv: the votes do not fit .* not with an image-folder copy"):
        read_votes(write()).of(faces(2, 1, 1, HAPPY), "PublicTest")


def test_usages_may_be_mixed_and_columns_in_another_order(write):
    header = "NF,unknown,contempt,fear,disgust,anger,sadness,surprise,happiness,neutral,Image name,Usage"
    rows = "".join(",".join(reversed(row.split(","))) + "\n" for row in reversed(ROWS.split()))
    first, mixed = read_votes(write()).votes, read_votes(write(rows, header)).votes
    assert {usage: rows[::-1].tolist() for usage, rows in mixed.items()} == {u: r.tolist() for u, r in first.items()}


@pytest.mark.parametrize("sizes", [(3, 1, 1), (2, 0, 1), (2, 1, 5)])
def test_other_split_sizes_are_refused(write, sizes):
    with pytest.raises(DataError, match=r"fer2013new.csv: \d rows of Usage \w+, but the data has \d"):
        read_votes(write()).of(faces(*sizes), "Training")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",NF", "", "row 1: no column NF"),
        ("Usage,", "usage,", "row 1: no column Usage"),
        ("PublicTest", "Test", "row 4: Usage is 'Test', expected Training"),
        ("4,0,0,1,3", "4,x,0,1,3", "row 2: happiness is 'x'"),
        ("4,0,0,1,3", "4,-1,0,1,3", "row 2: happiness is '-1'"),
        ("0,9,0", "0,9.5,0", "row 3: happiness is '9.5'"),
        ("0,9,0", "0,11,0", "row 3: happiness is '11'"),
        ("0,9,0", "7,9,0", "row 3: 16 votes in all"),
        ("0,9,0", "0,0,0", "row 3: 0 votes in all"),
        (",0,10\n", "\n", "row 5: unknown is ''"),
    ],
)
def test_a_fault_is_named_in_one_line_with_file_row_and_fix(tmp_path, old, new, message):
    path = tmp_path / "fer2013new.csv"
    path.write_text(f"{HEADER}\n{ROWS}".replace(old, new, 1), "utf-8")
    with pytest.raises(DataError) as caught:
        read_votes(path)
    text = str(caught.value)
    assert message in text and str(path) in text and "fer2013new.csv of FER+" in text and "\n" not in text


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_votes(tmp_path / "none.csv")
