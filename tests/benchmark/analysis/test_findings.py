import pytest

from benchmark.analysis.findings import read_findings
from benchmark.derive import derive, update_readme
from benchmark.runs.freshness import run_digest
from benchmark.runs.record_store import Store
from models.files.code_digest import code_digest

RIGHT, WRONG = [0, 1, 2, 3, 4, 5, 6], [1, 0, 0, 0, 0, 0, 0]


@pytest.fixture
def add(tmp_path, record, probabilities):
    """Store a run of today's code, but for what is given; return its statuses on the board."""
    store = Store(tmp_path / "kaggle")

    def write(name, valid=RIGHT, **entries):
        made = record(name, valid, RIGHT, **entries)
        made["digest"] = entries.get("digest") or run_digest(made, code_digest(f"models.recognizers.{name}"))
        sha = store.write(made, probabilities)["probabilities_sha256"]
        return read_findings(store.root).board.set_index("recognizer")["status"], sha

    write.root = store.root
    return write


def test_rows_that_earlier_code_made_are_marked_and_scored(add):
    assert add("cnn")[0].to_dict() == {"cnn": "ok"}
    add("cnn_aug", digest="earlier")
    status, _ = add("gone", digest="x")
    assert status.to_dict() == {"cnn": "ok", "cnn_aug": "stale: made by earlier code", "gone": status["cnn_aug"]}
    assert read_findings(add.root).board["test_accuracy"].notna().all()
    status, _ = add("cnn", digest="earlier", seed=1)
    assert status["cnn"] == "stale: made by earlier code (seed 1)"


def test_a_model_from_elsewhere_that_saw_the_test_faces_is_marked(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle-external")
    for name, verdict in (("remembers", "seen"), ("learns", "not seen")):
        leak = dict.fromkeys(("training", "training_copies", "without_copies", "clean", "gap")) | {"verdict": verdict}
        store.write(record(name, RIGHT, RIGHT, family="external", leak=leak), probabilities)
    status = read_findings(store.root).board.set_index("recognizer")["status"]
    assert status.to_dict() == {"remembers": "leak: test faces were in its training, so it has no rank", "learns": "ok"}


def test_runs_that_were_carried_over_say_why(add):
    carried = [{"digest": "d", "commit": "c", "reason": "comments alone", "evidence": "e"}]
    assert add("cnn", carried=carried)[0]["cnn"] == "carried: comments alone"
    assert add("cnn", carried=carried, digest="x")[0]["cnn"] == "carried: comments alone; stale: made by earlier code"


def test_a_vote_below_a_member_on_validation_says_so(add):
    _, sha = add("cnn")
    other = add("hog_svm", valid=WRONG)[1]
    members = {"cnn": sha, "hog_svm": other}
    assert add("soft_voting", members=members)[0]["soft_voting"] == "ok"
    assert add("soft_voting", valid=WRONG, members=members)[0]["soft_voting"] == "below its member cnn on validation"


def test_every_board_shows_the_marks(add, tmp_path):
    add("cnn")
    readme = tmp_path / "README.md"
    readme.write_text(f"<!-- board: {add.root.as_posix()} -->\n<!-- end -->\n")
    update_readme([readme], [derive(add.root)])
    assert "status" not in readme.read_text()
    add("cnn_aug", digest="earlier")
    update_readme([readme], [derive(add.root)])
    for text in (readme, add.root / "leaderboard.md", add.root / "leaderboard.csv", add.root / "report.html"):
        assert text.read_text().count("stale: made by earlier code") == 1
