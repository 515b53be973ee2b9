import hashlib
import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from benchmark.derive import derive, main, update_readme
from benchmark.runs.record_store import Store, current_records

RIGHT, WRONG = [0, 1, 2, 3, 4, 5, 6], [1, 0, 0, 0, 0, 0, 0]
DERIVED = ("leaderboard.csv", "leaderboard.md", "best.json", "report.html", "confusion", "figures", "analysis")


def snapshot(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_names_that_are_no_utf8_are_written_as_escapes(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    store.write(record("a", RIGHT, RIGHT, note="faces of caf\udce9", command="evaluate caf\udce9"), probabilities)
    assert main([str(store.root)]) == 0
    for name in ("leaderboard.md", "report.html"):
        assert "faces of caf\\udce9" in (store.root / name).read_text("utf-8"), name


@pytest.mark.slow
@pytest.mark.drawn
def test_what_is_deleted_comes_back_byte_for_byte(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    course = {name: [0.3, 0.2] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    store.write(record("a", RIGHT, RIGHT, history=course), probabilities)
    store.write(record("b", WRONG, WRONG), probabilities)
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
    assert {f"confusion/{name}.{kind}" for name in "ab" for kind in ("csv", "png")} <= set(before)
    assert {f"figures/{name}.png" for name in ("recall", "cost", "training_a_seed0")} <= set(before)


def test_tables_say_what_the_records_say(done):
    store, records = done
    derive(store.root)
    board = pd.read_csv(store.root / "leaderboard.csv")
    assert len(board) == len(records)
    assert board["valid_macro_f1"].is_monotonic_decreasing
    by_name = {record["recognizer"]: record for record in records}
    confusion = pd.read_csv(store.root / "confusion" / "hog_svm.csv", index_col=0)
    assert confusion.to_numpy().tolist() == by_name["hog_svm"]["test"]["confusion"]
    recall = pd.read_csv(store.root / "figures" / "recall.csv", index_col=["recognizer", "emotion"])["estimate"]
    assert recall["hog_svm", "Fear"] == pytest.approx(by_name["hog_svm"]["test"]["per_emotion"]["Fear"]["recall"])
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


def test_the_ranking_says_how_long_the_quickest_format_takes(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    for name in "ab":
        store.write(record(name, RIGHT, WRONG), probabilities)
    (tmp_path / "speed.csv").write_text("recognizer,format,one_ms\na,exact,188.5\na,8 bits,1.5\n")
    derive(store.root)
    ranking = json.loads((store.root / "best.json").read_text())["ranking"]
    assert {row["recognizer"]: row.get("one_ms") for row in ranking} == {"a": 1.5, "b": None}


def statuses(store):
    return {record["recognizer"]: f"{record['status']} {record['error']}".strip() for record in current_records(store)}


def test_records_of_other_data_have_no_scores_in_the_board(tmp_path, record, probabilities):
    store = Store(tmp_path)
    store.write(record("old", RIGHT, RIGHT, data_fingerprint="other"), probabilities)
    path = store.path("old", 0)
    path.write_text(path.read_text().replace('"finished": "20', '"finished": "19'))
    store.write(record("new", WRONG, WRONG), probabilities)
    store.write(record("failed", WRONG, WRONG, data_fingerprint="third", status="failed", error="x"))
    assert statuses(store) == {
        "failed": "failed x",
        "new": "ok",
        "old": "stale made from other data, run it again",
    }
    board = derive(tmp_path).board
    assert board["recognizer"].tolist()[0] == "new"
    assert board["test_accuracy"].notna().sum() == 1


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_probabilities_cost_one_row_and_not_the_board(tmp_path, record, probabilities, damage):
    store = Store(tmp_path)
    for name in ("good", "bad"):
        store.write(record(name, RIGHT, WRONG), probabilities)
    path = store.path("bad", 0).with_suffix(".npz")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    else:
        path.unlink()
    assert statuses(store)["bad"] == "stale its probabilities are missing or damaged, run it again"
    assert derive(tmp_path).board["rank"].tolist()[0] == 1


def test_an_ensemble_of_a_member_that_ran_again_is_stale(tmp_path, record, probabilities):
    store = Store(tmp_path)
    member = store.write(record("member", RIGHT, RIGHT), probabilities)
    members = {"member": member["probabilities_sha256"]}
    store.write(record("ensemble", RIGHT, RIGHT, members=members), probabilities)
    assert statuses(store)["ensemble"] == "ok"
    probabilities.test[0] = 1 / 7
    store.write(record("member", RIGHT, RIGHT), probabilities)
    assert statuses(store)["ensemble"] == "stale a member ran again since, run it again"


def test_what_is_derived_no_more_is_deleted_and_nothing_else(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    course = {name: [0.3, 0.2] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    store.write(record("a", RIGHT, RIGHT), probabilities)
    derive(store.root)
    alone = snapshot(store.root)
    gone = {"runs/b/seed0.json", "runs/b/seed0.npz", "models/b.h5"}
    store.write(record("b", WRONG, WRONG, history=course), probabilities)
    derive(store.root)
    assert {"confusion/b.csv", "figures/training_b_seed0.csv"} <= set(snapshot(store.root))
    own = {"confusion/mine.csv", "figures/mine.png", "analysis/notes.csv", "notes.md", "report_faces.html"}
    for name in {*own, "models/b.h5"}:
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_text("kept")
    with (store.root / "derived.txt").open("a") as file:
        file.write("../kept.csv\nruns/a/seed0.json\nmodels/b.h5\nfigures/../notes.md\nfigures/.\n\n/kept.csv\n")
    (tmp_path / "kept.csv").touch()
    for name in gone - {"models/b.h5"}:
        (store.root / name).unlink()
    derive(store.root)
    after = snapshot(store.root)
    assert set(after) == set(alone) | own | {"models/b.h5"}
    assert {name: after[name] for name in alone} == alone
    assert (tmp_path / "kept.csv").exists()


def test_only_failures_still_make_a_board(tmp_path, record):
    Store(tmp_path).write(record("a", RIGHT, RIGHT, status="failed", error="ValueError: no"))
    (tmp_path / "best.json").touch()  # of runs that are gone
    derive(tmp_path)
    assert "failed: ValueError: no" in (tmp_path / "leaderboard.md").read_text()
    assert not (tmp_path / "best.json").exists()


def test_readme_is_brought_up_to_date_between_its_markers(tmp_path, record, probabilities):
    root = tmp_path / "kaggle"
    Store(root).write(record("a", RIGHT, WRONG), probabilities)
    declared = {"version": "1.0", "extra_data": "none", "views": 1, "caveat": "trained on the test rows"}
    leak = {"verdict": "seen", "without_copies": {"accuracy": 0.5}}
    theirs = record("facemood", RIGHT, RIGHT, family="external", params=declared, leak=leak)
    Store(tmp_path / "kaggle-external").write(theirs, probabilities)
    readme = tmp_path / "README.md"
    readme.write_text(
        f"<!-- anchors -->\n<!-- end -->\nbefore\n<!-- board: {root.as_posix()} -->\nold\n<!-- end -->\nafter\n"
        f"<!-- tools: {root.as_posix()} -->\n<!-- end -->\n<!-- speed: {tmp_path.as_posix()} -->\n<!-- end -->\n"
        f"<!-- video speed: {tmp_path.as_posix()} -->\n<!-- end -->\n"
    )
    (tmp_path / "video_speed.csv").write_text("tool,faces,frames_per_second\nfer,5,6.24\n")
    (tmp_path / "speed.csv").write_text("recognizer,format,one_ms,memory_mb\na,exact,1.5,1234.5\n")
    found = derive(root)
    update_readme([readme], [found])
    text = readme.read_text()
    assert "Goodfellow" in text.split("before\n")[0]
    assert "<!-- end -->\nafter\n" in text
    ours, theirs, *_ = text.split("<!-- tools:")[1].split("| --: |", maxsplit=1)[1].splitlines()[1:-1]
    assert ours.startswith("| a | 1.000 |")
    assert theirs.startswith("| facemood (version 1.0) | 1.000 |")
    assert theirs.endswith("| 0.500 | 1.000 | 1.000 | 1.000 | 2.0 | seen | trained on the test rows |")
    assert "| 1 | a | 1.000 |" in text
    assert "| a | exact | 1.50 | 1234 |\n" in text
    assert "| fer | 5 | 6.2 |\n" in text
    assert "old" not in text
    with pytest.raises(ValueError, match="add it"):
        update_readme([readme], [replace(found, root=tmp_path / "other")])


def test_several_documents_are_filled_and_one_has_the_short_leaderboard(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    store.write(record("a", RIGHT, WRONG), probabilities)
    store.write(record("b", WRONG, WRONG, status="failed", error="ValueError: no"), probabilities)
    short, long = tmp_path / "README.md", tmp_path / "all.md"
    short.write_text(f"<!-- leaderboard: {store.root.as_posix()} -->\n<!-- end -->\n")
    long.write_text(f"<!-- board: {store.root.as_posix()} -->\n<!-- end -->\n")
    assert main([str(store.root), "--readme", str(short), str(long)]) == 0
    head, line, first, second, _, *notes, _ = short.read_text().splitlines()[1:]
    assert [row.count(" | ") for row in (head, line, first, second)] == [7] * 4
    assert head.startswith("| rank | recognizer | accuracy [95% interval] | macro-F1 |")
    assert first.startswith("| 1 | a | ")
    assert notes == ["- a: stale: made by earlier code", "- b: failed: ValueError: no"]
    assert "| 1 | a | 1.000 |" in long.read_text()


def test_the_model_card_says_what_the_records_say(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    store.write(record("a", RIGHT, RIGHT), probabilities)
    store.write(record("b", WRONG, WRONG), probabilities)
    derive(store.root)
    card = store.root / "models" / "README.md"
    text = card.read_text()
    assert text.startswith("# Models: custom-1234, kaggle\n")
    assert "Training (70 faces)" in text
    assert "**a note**" in text
    assert "`a.joblib` | 1.000 [" in text
    assert "The best model on PublicTest, `a`" in text
    assert "models/README.md" in (store.root / "derived.txt").read_text().splitlines()


def test_a_folder_without_records_is_an_error(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "no records" in capsys.readouterr().err
