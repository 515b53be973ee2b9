import pandas as pd
import pytest

from benchmark.analysis.leaderboard import COLUMNS, finished, leaderboard, to_markdown

RIGHT = [0, 1, 2, 3, 4, 5, 6]
WRONG = [1, 0, 0, 0, 0, 0, 0]
HALF = [0, 1, 2, 0, 0, 0, 0]


def test_validation_ranks_and_test_does_not(record):
    board = leaderboard([record("good_on_test", HALF, RIGHT), record("good_on_validation", RIGHT, WRONG)])
    assert tuple(board.columns) == COLUMNS
    assert board["recognizer"].tolist() == ["good_on_validation", "good_on_test"]
    assert board["rank"].tolist() == [1, 2]
    assert board["valid_accuracy"].tolist() == pytest.approx([1, 3 / 7])
    assert board["test_accuracy"].tolist() == [0, 1]
    assert board["disgust_recall"].tolist() == [0, 1]
    assert board["fear_f1"].tolist() == [0, 1]
    assert board["fit_seconds"].tolist() == [10, 10]


def test_test_scores_cannot_change_the_order(record):
    orders = [
        leaderboard([record("a", RIGHT, a), record("b", HALF, b)])["recognizer"].tolist()
        for a in (RIGHT, WRONG)
        for b in (RIGHT, WRONG)
    ]
    assert orders == [["a", "b"]] * 4


def test_seeds_are_averaged(record):
    row = leaderboard([record("a", RIGHT, RIGHT), record("a", RIGHT, WRONG, seed=1)]).iloc[0]
    assert row["test_accuracy"] == 0.5
    assert row["seeds"] == 2


def test_failures_and_skips_stand_last_without_a_rank(record):
    failed = record("a", RIGHT, RIGHT, status="failed", error="ValueError: no")
    board = leaderboard(
        [failed, record("b", WRONG, WRONG), record("b", WRONG, WRONG, seed=1, status="failed", error="x")]
    )
    assert board["recognizer"].tolist() == ["b", "a"]
    assert pd.isna(board["rank"][1])
    assert pd.isna(board["test_accuracy"][1])
    assert board["status"].tolist() == ["failed: x", "failed: ValueError: no"]
    assert board["seeds"].tolist() == [1, 0]
    assert finished([failed]) == []


def test_a_model_that_has_seen_the_test_faces_has_no_rank(record):
    leaked = record("leaked", RIGHT, RIGHT, leak={"verdict": "seen"})
    board = leaderboard([leaked, record("a", WRONG, WRONG), record("b", HALF, HALF, leak={"verdict": "unclear"})])
    assert board["recognizer"].tolist() == ["b", "a", "leaked"]
    assert board["rank"].tolist() == [1, 2, pd.NA]
    assert [each["recognizer"] for each in finished([leaked, record("a", WRONG, WRONG)])] == ["a", "leaked"]


def test_no_records_make_an_empty_table():
    assert leaderboard([]).empty


def test_markdown_cells(record):
    text = to_markdown(leaderboard([record("a", RIGHT, HALF), record("z", RIGHT, HALF, status="failed", error="a|b")]))
    header, rule, first, second = text.splitlines()
    assert header.startswith("| rank | recognizer | family |")
    assert rule.startswith("| --: | --- | --- | --: |")
    assert first.startswith("| 1 | a | classical | 1.000 | 1.000 | 0.429 |")
    assert second.endswith("| 0 | failed: a\\|b |")
    assert second.count(" |  |") >= 1
