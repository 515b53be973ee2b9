from __future__ import annotations

import numpy as np
import pytest

from benchmark.analysis.ferplus import COLUMNS, majority, read_votes, score
from benchmark.data import DataError, Dataset, Split

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
ROWS = """\
Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0
Training,fer0000001.png,0,9,0,0,0,0,0,0,0,0
PublicTest,fer0000002.png,0,0,6,0,0,0,4,0,0,0
PrivateTest,,0,0,0,0,0,0,0,0,0,10
"""
ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL = range(7)


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


def votes(**given):
    """One row of votes, the emotions under FER+'s names."""
    return [given.get(name, 0) for name in COLUMNS]


def test_columns_are_in_the_order_of_the_labels():
    assert COLUMNS[:7] == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


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


@pytest.mark.parametrize(
    ("row", "seen"),
    [
        (votes(happiness=10), HAPPY),
        (votes(happiness=5, neutral=5), -1),
        (votes(happiness=5, neutral=4, fear=1), HAPPY),  # 5 of 9 without the single vote
        (votes(happiness=5, neutral=3, fear=2), -1),
        (votes(**dict.fromkeys(COLUMNS, 1)), -1),
        (votes(contempt=6, neutral=4), COLUMNS.index("contempt")),
        (votes(NF=9, unknown=1), COLUMNS.index("NF")),
    ],
)
def test_majority(row, seen):
    assert majority(np.array([row])).tolist() == [seen]


def test_scores_worked_out_by_hand():
    given = [
        (votes(happiness=10), HAPPY, HAPPY),
        (votes(surprise=8, fear=2), FEAR, SURPRISE),
        (votes(anger=6, disgust=4), ANGRY, DISGUST),
        (votes(neutral=5, sadness=5), SAD, SAD),
        (votes(contempt=6, neutral=4), NEUTRAL, NEUTRAL),
        (votes(unknown=8, fear=2), FEAR, FEAR),
        (votes(NF=10), DISGUST, HAPPY),
    ]
    proba = np.full((7, 7), 0.05) + 0.65 * np.eye(7)[[predicted for *_, predicted in given]]
    result = score(np.array([row for row, *_ in given]), np.array([y for _, y, _ in given]), proba)
    assert result["n_faces"] == 3
    assert result["left_out"] == {"contempt": 1, "unknown": 1, "not_a_face": 1, "no_majority": 1}
    assert result["accuracy"] == pytest.approx(2 / 3)
    # Over the three emotions that occur: Happy and Surprise are seen, Angry is not.
    assert result["macro_f1"] == pytest.approx(2 / 3)
    assert result["recall"] == {
        **dict.fromkeys(("Disgust", "Fear", "Sad", "Neutral")),
        **{"Angry": 0, "Happy": 1, "Surprise": 1},
    }
    labels = result["labels"]
    assert (labels["accuracy"], labels["macro_f1"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (labels["per_emotion"]["Fear"], labels["per_emotion"]["Angry"]) == (0, 1)
    # Of all seven, happiness and anger agree; the tie goes to neutral, the file's first column.
    assert labels["all_faces"] == pytest.approx(2 / 7)
    assert labels["all_faces_per_emotion"]["Sad"] == 0
    # The first four have more than half of their votes on the seven emotions.
    high, low = -np.log(0.7), -np.log(0.05)
    by_hand = [high, 0.8 * high + 0.2 * low, 0.4 * high + 0.6 * low, 0.5 * high + 0.5 * low]
    entropies = [0, -0.8 * np.log(0.8) - 0.2 * np.log(0.2), -0.6 * np.log(0.6) - 0.4 * np.log(0.4), np.log(2)]
    assert result["soft"] == {
        "n_faces": 4,
        "cross_entropy": pytest.approx(np.mean(by_hand)),
        "entropy": pytest.approx(np.mean(entropies)),
    }


def test_the_shares_of_the_votes_themselves_reach_the_lowest_cross_entropy():
    rows = np.array([votes(surprise=8, fear=2), votes(anger=6, disgust=3, unknown=1)])
    soft = score(rows, np.array([SURPRISE, ANGRY]), rows[:, :7].astype(np.float32))["soft"]
    assert soft["cross_entropy"] == pytest.approx(soft["entropy"])


def test_a_probability_of_zero_costs_much_but_not_infinity():
    soft = score(np.array([votes(happiness=10)]), np.array([HAPPY]), np.eye(7, dtype=np.float32)[[SAD]])["soft"]
    assert soft["cross_entropy"] == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_unequal_lengths_and_no_face_left_are_refused():
    row = np.array([votes(NF=10)])
    with pytest.raises(ValueError, match="as many votes"):
        score(row, np.array([0, 1]), np.full((2, 7), 1 / 7))
    with pytest.raises(ValueError, match="no face"):
        score(row, np.array([0]), np.full((1, 7), 1 / 7))
