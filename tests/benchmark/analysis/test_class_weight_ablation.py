import numpy as np
import pytest

from benchmark.analysis.class_weight_ablation import ablation_summary, class_weight_ablation, scheme_roots
from benchmark.derive import derive
from benchmark.runs.record_store import Probabilities, Store

# Seven faces, one of each emotion: without weights Disgust (1) and Fear (2) are missed.
BALANCED, NONE = [0, 1, 2, 3, 4, 5, 6], [0, 0, 4, 3, 4, 5, 6]


@pytest.fixture
def roots(tmp_path, record):
    found = {}
    for scheme, folder, test in (("balanced", "kaggle", BALANCED), ("none", "kaggle-none", NONE)):
        root = found[scheme] = tmp_path / folder
        sure = np.eye(7, dtype=np.float32)
        y = np.arange(7)
        probabilities = Probabilities(sure, sure[test] * 0.93 + 0.01, y, y)
        Store(root).write(record("a", BALANCED, test, class_weight=scheme), probabilities)
    return found


def test_folders_that_differ_in_the_class_weights_only(roots):
    root = roots["balanced"]
    assert scheme_roots(root) == roots
    assert scheme_roots(roots["none"]) == {}
    for name in ("seed-none", "kaggle-limit5", "kaggle-none-limit5"):
        (root.with_name(name) / "runs").mkdir(parents=True)
    assert scheme_roots(root) == roots
    assert scheme_roots(root.with_name("kaggle-limit5")) == {
        "balanced": root.with_name("kaggle-limit5"),
        "none": root.with_name("kaggle-none-limit5"),
    }
    assert scheme_roots(root.with_name("other")) == {}


def test_changes_by_hand(roots):
    table = class_weight_ablation(roots, "f")
    assert table.loc[("a", "balanced"), "change"].tolist() == [0, 0, 0, 0]
    none = table.loc[("a", "none")]
    assert none.loc["accuracy", "estimate"] == pytest.approx(5 / 7)
    assert none.loc["accuracy", "change"] == pytest.approx(-2 / 7)
    assert none.loc["recall_Disgust", ["estimate", "change"]].tolist() == [0, -1]
    # Angry and Sad: precision 1/2, recall 1; Disgust and Fear 0; three emotions 1.
    assert none.loc["macro_f1", "change"] == pytest.approx((2 * 2 / 3 + 3) / 7 - 1)
    # One Fear face: a resample has it or not, and misses it always.
    assert none.loc["recall_Fear", ["change_low", "change_high"]].tolist() == [-1, -1]


def test_the_summary_says_the_change_of_other_schemes_only(roots):
    table = ablation_summary(class_weight_ablation(roots, "f")).set_index("class_weight")
    assert table.loc["balanced", "recall_disgust_change"] == ""
    assert table.loc["none", "recall_disgust_change"] == "-1.000 [-1.000, -1.000]"
    assert table.loc["none", "accuracy_change"].startswith("-0.286 [")


def test_runs_on_other_data_are_left_out(roots):
    assert class_weight_ablation(roots, "other").empty


def test_a_recognizer_of_one_scheme_only_is_left_out(roots, record, probabilities):
    Store(roots["balanced"]).write(record("b", BALANCED, BALANCED), probabilities)
    assert class_weight_ablation(roots, "f").index.unique(level="recognizer").tolist() == ["a"]


def test_different_seeds_are_not_compared(roots, record, probabilities):
    for scheme, seed in (("balanced", 0), ("none", 1)):
        Store(roots[scheme]).write(record("c", BALANCED, BALANCED, seed=seed, class_weight=scheme), probabilities)
    assert class_weight_ablation(roots, "f").index.unique(level="recognizer").tolist() == ["a"]
    Store(roots["balanced"]).write(record("c", BALANCED, BALANCED, seed=1), probabilities)
    table = class_weight_ablation(roots, "f")
    assert table.loc[("c", "none"), "change"].tolist() == [0, 0, 0, 0], "seed 1 with seed 1"


def test_schemes_that_share_no_recognizer_make_no_section(tmp_path, record, probabilities):
    Store(tmp_path / "kaggle").write(record("a", BALANCED, BALANCED), probabilities)
    Store(tmp_path / "kaggle-none").write(record("b", BALANCED, BALANCED, class_weight="none"), probabilities)
    derive(tmp_path / "kaggle")
    assert not (tmp_path / "kaggle" / "analysis" / "class_weights.csv").exists()
    assert "Class weights</h3>" not in (tmp_path / "kaggle" / "report.html").read_text()


def test_the_balanced_folder_shows_the_comparison(roots):
    derive(roots["none"])
    assert not (roots["none"] / "analysis" / "class_weights.csv").exists()
    derive(roots["balanced"])
    assert (roots["balanced"] / "analysis" / "class_weights.csv").is_file()
    assert "-1.000 [-1.000, -1.000]" in (roots["balanced"] / "leaderboard.md").read_text()
