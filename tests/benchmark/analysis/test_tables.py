import numpy as np
import pandas as pd
import pytest

from benchmark.analysis.leaderboard import finished
from benchmark.analysis.side_tables import (
    DATA_FACTS,
    FERPLUS,
    NEAR_DUPLICATES,
    ROBUSTNESS,
    read_data_facts,
    read_ferplus,
    read_near_duplicates,
    read_robustness,
    write_data_facts,
    write_ferplus,
    write_near_duplicates,
    write_robustness,
)
from benchmark.analysis.stored_models import choose
from benchmark.analysis.summaries import score_summary, verdicts, weights_summary
from benchmark.analysis.tables import analyse, calibration_table, without_copies
from benchmark.data import Dataset
from benchmark.data.near_duplicates import NearDuplicates
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.derive import derive
from benchmark.runs.record_store import Probabilities, Store
from benchmark.runs.study import Study
from models.registry import recognizers

RIGHT = [0, 1, 2, 3, 4, 5, 6]


@pytest.fixture
def votes():
    """All ten annotators agree with FER2013, but for Fear, where they saw Surprise."""
    return 10 * np.eye(10, dtype=np.int64)[[0, 1, 5, 3, 4, 5, 6]]


@pytest.fixture
def stored(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    return store, [store.write(record(name, RIGHT, RIGHT), probabilities) for name in ("a", "b")]


def test_a_faces_copies_are_left_out(probabilities):
    flags = np.array([True, False, False, False, False, False, False])
    wrong = probabilities.test[[1, 1, 2, 3, 4, 5, 5]]
    runs = {"a": type(probabilities)(probabilities.valid, wrong, probabilities.y_valid, probabilities.y_test)}
    table = without_copies(runs, NearDuplicates(fit=flags, select=~flags & False, near=flags[::-1])).loc["a"]
    assert table["n_faces"].to_dict() == {"nothing": 7, "fit": 6, "exact": 6, "near": 5}
    assert table["accuracy"].to_dict() == pytest.approx({"nothing": 5 / 7, "fit": 5 / 6, "exact": 5 / 6, "near": 1})
    assert table.loc["near", "accuracy_drop"] == pytest.approx(5 / 7 - 1)
    assert table["disgust_faces"].tolist() == [1, 1, 1, 1]
    assert table["disgust_recall"].tolist() == [runs["a"].test[1].argmax() == 1] * 4


def test_ensemble_weights_stand_beside_the_gain(tmp_path, record, probabilities):
    store = Store(tmp_path / "kaggle")
    worse = np.roll(RIGHT, 1).tolist()
    members = {}
    for name, labels in (("good", RIGHT), ("bad", worse)):
        stored = type(probabilities)(probabilities.valid, probabilities.test[labels], *[probabilities.y_test] * 2)
        members[name] = store.write(record(name, RIGHT, labels), stored)["probabilities_sha256"]
    tuned = {"weights": {"good": 1.0}}
    plain = {"weights": {"good": 0.5, "bad": 0.5}}
    store.write(record("plain", RIGHT, RIGHT, members=members, ensemble=plain), probabilities)
    store.write(record("median", RIGHT, RIGHT, members=members), probabilities)
    store.write(record("tuned", RIGHT, RIGHT, members=members, ensemble=tuned), probabilities)
    table = analyse(store, store.records())["ensemble_weights"]
    assert table.loc["plain", "weight"].to_dict() == {"good": 0.5, "bad": 0.5}
    assert table.loc["median", "weight"].isna().all()
    assert table.loc["tuned", "weight"].to_dict() == {"good": 1.0, "bad": 0.0}
    assert table.loc["tuned", "accuracy_gain"].to_dict() == {"good": 0.0, "bad": 1.0}
    # Seven faces, all of them decided otherwise: 2 * 0.5^7.
    assert table.loc[("tuned", "bad"), "p_mcnemar"] == pytest.approx(2 * 0.5**7)
    assert table.loc[("tuned", "good"), "p_mcnemar"] == 1.0
    shown = weights_summary(table).set_index(["ensemble", "member"])
    assert shown.loc[("tuned", "bad")].to_dict() == {
        "weight": "0.00",
        "accuracy_gain": "+1.000",
        "p_mcnemar": "0.016",
    }


@pytest.fixture
def unequal(tmp_path, record):
    """Returns the store: a vote of seed 1, all right; members of seeds 0, all wrong, and 1, all right; others."""
    store = Store(tmp_path / "kaggle")
    y, sure, wrong = np.arange(7), np.eye(7, dtype=np.float32), np.roll(RIGHT, 1).tolist()

    def add(name, seed, test, **entries):
        probabilities = Probabilities(sure, sure[test] * 0.93 + 0.01, y, y)
        return store.write(record(name, RIGHT, test, seed=seed, **entries), probabilities)["probabilities_sha256"]

    add("member", 0, wrong)
    sums = {"member-seed1": add("member", 1, RIGHT)}
    add("vote", 1, RIGHT, members=sums, ensemble={"weights": {"member-seed1": 1.0}})
    add("lonely", 5, wrong)
    return store


def test_equal_seeds_are_compared(unequal):
    tables = analyse(unequal, finished(unequal.records()))
    row = tables["ensemble_weights"].loc[("vote", "member")]
    assert row[["seed", "accuracy_gain", "p_mcnemar"]].tolist() == ["1", 0, 1]
    assert tables["mcnemar"].loc["vote", "member"] == 1
    assert tables["mcnemar"]["lonely"].dropna().to_dict() == {"lonely": 1}
    tested = tables["versus_best"]
    assert tested.index.tolist() == ["member", "vote"]
    assert verdicts(tables) == {"lonely": "best", "member": "no seed in common", "vote": "no seed in common"}


def test_a_board_of_unequal_seeds_has_a_page(unequal):
    found = derive(unequal.root)
    assert found.seeds_note.endswith("have, seed 1; without it: lonely.")
    assert found.seeds_note in (unequal.root / "leaderboard.md").read_text()
    board = found.board.set_index("recognizer")
    assert board["rank"].notna().all()
    assert found.tables["reliability"].index.unique(level=0).tolist() == ["member", "vote"]
    assert "nan" not in (unequal.root / "report.html").read_text().lower().split("<script")[0]


def test_what_is_measured_is_of_one_seed(unequal, capsys):
    assert {name: record["seed"] for name, record in choose(unequal.root, None).items()} == {"member": 1, "vote": 1}
    assert "without lonely: it has no run of seed 1" in capsys.readouterr().err
    assert choose(unequal.root, ["lonely"])["lonely"]["seed"] == 5


def test_a_test_split_of_copies_alone_still_has_a_board(faces, tmp_path):
    copied = Dataset("x", {**faces.splits, "PrivateTest": faces["Training"].sample(30)}, "")
    setting = Setting(PROTOCOLS["kaggle"])
    study = Study([recognizers()["majority"]], [0], copied, setting, tmp_path)
    records = [record for _, _, record in study.execute()]
    write_near_duplicates(study.store, copied, setting.protocol)
    tables = analyse(study.store, records)
    assert tables["copies"].index.tolist() == [("majority", "nothing")]
    assert "without_exact_copies" not in score_summary(tables)


def test_copies_are_kept_for_their_data_only(faces, stored):
    store, _ = stored
    data = faces.limited(100)
    write_near_duplicates(store, data, PROTOCOLS["kaggle"])
    kept = read_near_duplicates(store, data.fingerprint)
    assert kept.fit.shape == (len(data["PrivateTest"]),)
    assert read_near_duplicates(store, "other") is None
    path = store.root / "runs" / "copies.npz"
    for content in (path.read_bytes()[:-30], b"junk", b""):
        path.write_bytes(content)
        assert read_near_duplicates(store, data.fingerprint) is None
    write_near_duplicates(store, data, PROTOCOLS["kaggle"])
    assert read_near_duplicates(store, data.fingerprint) is not None


def test_what_other_code_made_is_made_again_and_never_shown(faces, stored, votes, monkeypatch, capsys):
    store, records = stored
    data = faces.limited(100)
    write_near_duplicates(store, data, PROTOCOLS["kaggle"])
    write_data_facts(store, data)
    write_ferplus(store, records, votes)
    table = pd.DataFrame({"faces": 7, "amounts": "few", "none": [0.5]}, index=pd.Index(["a"], name="recognizer"))
    write_robustness(store, records, table)
    files = {file: (store.root / file).read_bytes() for file in (NEAR_DUPLICATES, DATA_FACTS, FERPLUS, ROBUSTNESS)}

    def shown():
        facts = read_data_facts(store, data.fingerprint) or None
        return (
            read_near_duplicates(store, data.fingerprint),
            facts,
            read_ferplus(store, records),
            read_robustness(store, records),
        )

    assert all(each is not None for each in shown())
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("benchmark.analysis.side_tables.code_digest", lambda module: f"edited {module}")
    assert all(each is None for each in shown())
    assert capsys.readouterr().err.count("is left out, since it was made by other code or from other data or runs") == 4
    write_near_duplicates(store, data, PROTOCOLS["kaggle"])
    write_data_facts(store, data)
    write_ferplus(store, records, votes)
    write_robustness(store, records, table.rename(index={"a": "b"}))
    assert all(each is not None for each in shown())
    assert read_robustness(store, records).index.tolist() == ["b"], "what other code measured is not beside it"
    assert capsys.readouterr().err == ""
    assert all((store.root / file).read_bytes() != before for file, before in files.items())


def test_ferplus_scores_the_run_and_the_labels(stored, votes):
    store, records = stored
    write_ferplus(store, records, votes)
    table = read_ferplus(store, records)
    assert table.index.tolist() == ["(FER2013 labels)", "a", "b"]
    assert table["accuracy"].tolist() == pytest.approx([6 / 7] * 3)
    # FER+ sees two Surprise faces, one of which is labelled Fear.
    assert table.loc["(FER2013 labels)", "agreement_Fear"] == 0
    assert table.loc["(FER2013 labels)", "agreement_Surprise"] == 1
    assert table.loc["(FER2013 labels)", "recall_Surprise"] == 0.5
    rerun = {**records[1], "probabilities_sha256": "new"}
    assert read_ferplus(store, [records[0], rerun]).index.tolist() == ["(FER2013 labels)", "a"]


def test_the_summary_has_a_row_a_recognizer(stored, votes):
    store, records = stored
    write_ferplus(store, records, votes)
    table = score_summary(analyse(store, records))
    assert table["recognizer"].tolist() == ["a", "b"]
    assert table["accuracy"].tolist() == ["1.000 [1.000, 1.000]"] * 2
    assert table["ferplus_accuracy"].tolist() == ["0.857", "0.857"]


def test_the_board_marks_who_is_not_distinguishable_from_the_best():
    tested = pd.DataFrame(
        {"p_holm": [0.0001, 0.04, 0.3], "distinguishable": [True, True, False]}, index=["worse", "near", "same"]
    )
    pairs = pd.DataFrame(index=["first", "worse", "near", "same"])
    assert verdicts({"versus_best": tested, "mcnemar": pairs}) == {
        "first": "best",
        "worse": "p < 0.001",
        "near": "p = 0.040",
        "same": "not distinguishable, p = 0.300",
    }


def test_tables_of_a_real_study(done):
    store, records = done
    ranked = sorted(records, key=lambda record: -record["valid"]["macro_f1"])
    tables = analyse(store, ranked)
    by_name = {record["recognizer"]: record for record in records}
    for name, record in by_name.items():
        found = tables["intervals"].loc[(name, "accuracy")]
        assert found["estimate"] == record["test"]["accuracy"]
        assert found["low"] <= found["estimate"] <= found["high"]
    assert list(tables["mcnemar"]) == [record["recognizer"] for record in ranked]
    assert isinstance(tables["precision_recall"], pd.DataFrame)


def test_calibration_is_shown_before_and_after(record):
    before = {"ece": 0.3, "log_loss": 2.5}
    found = {"temperature": 4.4, "valid": before, "test": before}
    done = [record("net", RIGHT, RIGHT, calibration=found), record("elsewhere", RIGHT, RIGHT)]
    row = calibration_table(done).loc["net"].to_dict()
    assert row["temperature"] == 4.4
    assert row["ece_before"] == 0.3
    assert row["log_loss_before"] == 2.5
    assert row["ece"] == done[0]["test"]["ece"]
    assert list(calibration_table(done).index) == ["net"]
