"""What the tables and texts say of three seeds."""

import html

import numpy as np
import pytest

from benchmark.analysis.findings import read_findings
from benchmark.analysis.leaderboard import by_seed, firsts
from benchmark.analysis.significance import mcnemar_matrix
from benchmark.analysis.summaries import seeds_summary
from benchmark.derive import derive
from benchmark.figures.catalogue import displays
from benchmark.report.documents import update_readme
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities, Store
from models.registry import run_stem

Y = np.arange(140) % 7
SEEDS = (0, 1, 2)


@pytest.fixture
def board(tmp_path, record):
    """The store of a network and a vote with three seeds, and of a vote of these seeds and of what uses none."""
    store, sums = Store(tmp_path / "kaggle"), {}

    def add(name, seed, n_right, weights=None):
        """Add a run with so many right faces: with each seed others."""
        decided = np.where(np.roll(np.arange(140) < n_right, 7 * seed), Y, (Y + 1) % 7)
        proba = np.eye(7, dtype=np.float32)[decided] * 0.93 + 0.01
        made = record(name, [*range(7)], [*range(7)], seed=seed)
        made |= {"valid": evaluate(Y, proba), "test": evaluate(Y, proba)}
        made |= {"n_faces": {"fit": 70, "select": 140, "report": 140}}
        if weights:
            made |= {"ensemble": {"weights": weights}, "members": {stem: sums[stem] for stem in weights}}
        sums[run_stem(name, seed)] = store.write(made, Probabilities(proba, proba, Y, Y))["probabilities_sha256"]

    add("hog_svm", 0, 60)
    for seed, n_right, weight in ((0, 98, 0.75), (1, 105, 0.75), (2, 91, 0.5)):
        add("cnn_deep", seed, n_right)
        add("vote", seed, n_right + 7, {run_stem("cnn_deep", seed): weight, "hog_svm": 1 - weight})
    add("deep_ensemble", 0, 133, {run_stem("cnn_deep", seed): 1 / 3 for seed in SEEDS})
    return store


def test_the_board_has_means_and_their_spread_and_counts_the_runs(board):
    rows = read_findings(board.root).board.set_index("recognizer")
    assert rows["seeds"].to_dict() == {"deep_ensemble": 1, "vote": 3, "cnn_deep": 3, "hog_svm": 1}
    assert rows.loc["cnn_deep", "test_accuracy"] == pytest.approx(98 / 140)
    assert rows.loc["cnn_deep", "test_accuracy_std"] == pytest.approx(7 / 140)
    assert rows["test_accuracy_std"].isna().to_dict() == {
        **{"deep_ensemble": True, "hog_svm": True},
        **{"vote": False, "cnn_deep": False},
    }


def test_one_run_without_a_seed_stands_for_every_seed(board):
    runs = by_seed(board.records())
    assert {name: sorted(seeds) for name, seeds in runs.items()} == {name: [*SEEDS] for name in runs}
    assert {record["seed"] for record in runs["hog_svm"].values()} == {0}
    only = [record for record in board.records() if record["seed"] or record["recognizer"] == "hog_svm"]
    assert firsts(only)["hog_svm"]["seed"] == 0, "also where the others have no seed 0"


def test_all_equal_seeds_are_compared(board):
    tables = read_findings(board.root).tables
    assert tables["versus_best"]["seed"].to_dict() == dict.fromkeys(("vote", "cnn_deep", "hog_svm"), "0 1 2")
    decided = {
        name: {seed: board.probabilities(record).test.argmax(axis=1) for seed, record in seeds.items()}
        for name, seeds in by_seed(board.records()).items()
    }
    p = mcnemar_matrix(Y, decided)
    assert tables["versus_best"]["p"].to_dict() == p["deep_ensemble"][["vote", "cnn_deep", "hog_svm"]].to_dict()
    weights = tables["ensemble_weights"]
    assert weights.loc[("deep_ensemble", "cnn_deep")].to_dict() == pytest.approx(
        {
            "seed": "0 1 2",
            "weight": 1,
            "accuracy_gain": 35 / 140,
            "p_mcnemar": p.loc["deep_ensemble", "cnn_deep"],
        }
    )
    assert weights.loc["vote", "weight"].to_dict() == pytest.approx({"cnn_deep": 2 / 3, "hog_svm": 1 / 3})
    assert weights.loc[("vote", "cnn_deep"), "accuracy_gain"] == pytest.approx(7 / 140)


def test_the_texts_say_of_which_seeds_the_numbers_are(board):
    found = derive(board.root)
    assert "The run of hog_svm stands for every seed" in found.seeds_note
    assert "The run of deep_ensemble stands for every seed, since its members do not change" in found.seeds_note
    assert "seed 0." in found.seeds_note
    page = html.unescape((board.root / "report.html").read_text("utf-8"))
    assert found.seeds_note in page
    assert "McNemar's test of the accuracy" not in page
    assert "over faces and seeds" in (board.root / "models" / "README.md").read_text("utf-8")


def test_the_spread_has_a_row_a_recognizer(board):
    table = seeds_summary(read_findings(board.root).tables["seeds"]).set_index("recognizer")
    assert table["seeds"].to_dict() == {"deep_ensemble": 1, "vote": 3, "cnn_deep": 3, "hog_svm": 1}
    assert table.loc["cnn_deep", "accuracy"] == "0.700 ± 0.050"
    assert table.loc["hog_svm", "accuracy"] == "0.429"


def test_the_documents_show_how_many_seeds_there_are(board, tmp_path):
    found, document = read_findings(board.root), tmp_path / "README.md"
    root = found.root.as_posix()
    kinds = ("leaderboard", "board", "ensembles")
    document.write_text("".join(f"<!-- {kind}: {root} -->\n<!-- end -->\n" for kind in kinds))
    update_readme([document], [found])
    text = document.read_text("utf-8")
    assert "| ms per face | MB | seeds |" in text
    assert "| test_accuracy_std | test_macro_f1_std | seeds |" in text
    assert "| ensemble | member | weight | accuracy_gain | p |" in text


def test_curves_say_of_which_seed_they_are(board):
    record = board.read("cnn_deep", 1)
    history = {name: [0.5, 0.7] for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
    board.write({**record, "history": history}, board.probabilities(record))
    display = displays(read_findings(board.root))["figures/training_cnn_deep_seed1"]
    assert display.title.startswith("cnn_deep, seed 1 (")


def test_a_vote_below_one_of_its_members_says_so_once(board):
    record = board.read("deep_ensemble", 0)
    worse = {**record, "valid": {**record["valid"], "macro_f1": 0.0}}
    board.write(worse, board.probabilities(record))
    row = read_findings(board.root).board.set_index("recognizer").loc["deep_ensemble"]
    assert row["status"].split("; ")[0] == "below its member cnn_deep on validation"


def test_the_best_is_loaded_with_the_first_seed(board):
    derive(board.root)
    text = (board.root / "best.json").read_text("utf-8")
    assert '"vote.joblib"' in text
    assert "vote-seed1" not in text
