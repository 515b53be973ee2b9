import hashlib
import json
import shutil

import pandas as pd
import pytest

from benchmark.derive import derive, main, same_data, update_readme
from benchmark.leaderboard import leaderboard
from benchmark.store import Store

RIGHT, WRONG = [0, 1, 2, 3, 4, 5, 6], [1, 0, 0, 0, 0, 0, 0]
DERIVED = ("leaderboard.csv", "leaderboard.md", "best.json", "confusion", "figures", "analysis")


def snapshot(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_what_is_deleted_comes_back_byte_for_byte(done):
    store, _ = done
    derive(store.root)
    before = snapshot(store.root)
    for name in DERIVED:
        path = store.root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    assert main([str(store.root)]) == 0
    assert snapshot(store.root) == before
    names = {"cnn", "hog_svm", "lbp_xgb", "majority", "soft_voting"}
    assert {f"confusion/{name}.{kind}" for name in names for kind in ("csv", "png")} <= set(before)
    assert {f"figures/{name}.png" for name in ("recall", "distribution", "training_cnn_seed0")} <= set(before)


def test_tables_say_what_the_records_say(done):
    store, records = done
    derive(store.root)
    board = pd.read_csv(store.root / "leaderboard.csv")
    assert len(board) == len(records)
    assert board["valid_macro_f1"].is_monotonic_decreasing
    by_name = {record["recognizer"]: record for record in records}
    confusion = pd.read_csv(store.root / "confusion" / "hog_svm.csv", index_col=0)
    assert confusion.to_numpy().tolist() == by_name["hog_svm"]["test"]["confusion"]
    recall = pd.read_csv(store.root / "figures" / "recall.csv", index_col=0)
    assert recall.loc["hog_svm", "Fear"] == pytest.approx(by_name["hog_svm"]["test"]["per_emotion"]["Fear"]["recall"])
    best = json.loads((store.root / "best.json").read_text())
    assert best["best"] == board["recognizer"][0]
    assert best["chosen_by"] == "macro-F1 on PublicTest"
    text = (store.root / "leaderboard.md").read_text()
    assert "synthetic faces drawn by code, not FER2013" in text


def test_best_is_chosen_on_validation(tmp_path, record, probabilities):
    store = Store(tmp_path)
    store.write(record("a", WRONG, RIGHT), probabilities)
    store.write(record("b", RIGHT, WRONG), probabilities)
    derive(tmp_path)
    best = json.loads((tmp_path / "best.json").read_text())
    assert [each["recognizer"] for each in best["ranking"]] == ["b", "a"]


def test_records_of_other_data_have_no_scores_in_the_board(record):
    old = record("a", RIGHT, RIGHT, data_fingerprint="other", finished="2025-01-01T00:00:00+00:00")
    board = leaderboard(same_data([old, record("b", WRONG, WRONG)]))
    assert board["recognizer"].tolist() == ["b", "a"]
    assert board["status"][1] == "stale: made from other data, run it again"
    assert pd.isna(board["test_accuracy"][1])


def test_only_failures_still_make_a_board(tmp_path, record):
    Store(tmp_path).write(record("a", RIGHT, RIGHT, status="failed", error="ValueError: no"))
    derive(tmp_path)
    assert "failed: ValueError: no" in (tmp_path / "leaderboard.md").read_text()
    assert not (tmp_path / "best.json").exists()


def test_readme_is_brought_up_to_date_between_its_markers(tmp_path, record, probabilities):
    root = tmp_path / "kaggle"
    Store(root).write(record("a", RIGHT, WRONG), probabilities)
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n<!-- board: {root.as_posix()} -->\nold\n<!-- end -->\nafter\n")
    derive(root)
    update_readme(readme, [root])
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- end -->\nafter\n")
    assert "| 1 | a | 1.000 |" in text
    assert "old" not in text


def test_a_folder_without_records_is_an_error(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "no records" in capsys.readouterr().err
