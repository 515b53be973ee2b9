import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmark import validate
from benchmark.runs.freshness import run_digest
from benchmark.runs.metrics import evaluate
from benchmark.runs.record_store import Probabilities, Store
from benchmark.runs.validation import KnownData, doubts, record_flaws
from models.files.atomic import sha256
from models.files.code_digest import code_digest
from tests.benchmark.conftest import one_hot

RIGHT = [*range(7)]


@pytest.fixture
def write(tmp_path, record, probabilities):
    """Write a record as a run does: of the majority, with these entries and probabilities; return its path."""

    def write(name="majority", root="results/custom-1234/kaggle", predicted=probabilities, **entries):
        store = Store(tmp_path / root)
        scores = {
            split: evaluate(getattr(predicted, f"y_{split}"), getattr(predicted, split)) for split in ("valid", "test")
        }
        made = {**record(name, RIGHT, RIGHT), "params": {"random_state": 0}, **scores, **entries}
        if "digest" not in entries:
            made["digest"] = run_digest(made, code_digest(f"models.recognizers.{name}"))
        store.write(made, predicted)
        return store.path(name, made["seed"])

    return write


def flaws_of(path):
    return record_flaws(path, KnownData([path.parents[2]]))


def edit(path, **entries):
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))
    return path


def changed(probabilities, split="test", **arrays):
    return replace(probabilities, **{split: probabilities.test, **arrays})


def test_a_record_as_a_run_wrote_it_is_good(write):
    path = write()
    assert flaws_of(path) == doubts(path) == []


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 99}', "[" * 100_000])
def test_what_is_no_record_is_said(write, text):
    path = write()
    path.write_text(text)
    (flaw,) = flaws_of(path)
    assert "run it again" in flaw


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            {"cost": {"fit_seconds": 1.0, "ms_per_face": "quick"}},
            "cost.ms_per_face, cost.peak_memory_mb, cost.artifact_mb",
        ),
        ({"valid": {}}, "valid.accuracy, valid.macro_f1"),
        ({"status": "failed", "error": "ValueError: x"}, "failed (ValueError: x): commit finished runs alone"),
        ({"digest": "d"}, "made by other code"),
        ({"dataset": "custom-5678"}, "move it to custom-5678/kaggle"),
        ({"class_weight": "none"}, "move it to custom-1234/kaggle-none"),
        ({"limit": 100}, "move it to custom-1234/kaggle-limit100"),
        ({"limit": [100]}, "move it to"),
        ({"params": {"random_state": 1}}, "move it to custom-1234/kaggle-majority.random_state=1"),
        ({"params": {"random_state": 1}, "changes": []}, "run it with --set majority.random_state=1"),
        ({"protocol": {"name": "mine", "fit": "a", "select": "b", "report": "c"}}, "protocol mine is none of kaggle"),
        (
            {"protocol": {"name": "kaggle", "fit": "PrivateTest", "select": "PublicTest", "report": "PrivateTest"}},
            "protocol kaggle is none",
        ),
        (
            {"cost": dict.fromkeys(("fit_seconds", "ms_per_face", "peak_memory_mb"), 1.0) | {"artifact_mb": 120.0}},
            "120 MB",
        ),
        ({"carried": [{"digest": "x", "commit": "c", "reason": "", "evidence": "e"}]}, "carried"),
        ({"carried": 7}, "no run writes"),
        ({"members": {"cnn": "sum"}}, "its member cnn is missing"),
        ({"n_faces": {"fit": 70, "select": 7, "report": 8}}, "not 7 for each of 8 faces"),
        ({"package": "fer-mine"}, "fer-benchmark has another recognizer majority: rename this one"),
        ({"family": "external"}, "fer-benchmark has another recognizer majority: rename this one"),
    ],
)
def test_an_entry_that_is_wrong_is_said_with_the_fix(write, entries, words):
    assert any(words in flaw for flaw in flaws_of(write(**entries)))


def test_what_was_edited_by_hand_is_said(write):
    path = write()
    record = json.loads(path.read_text())
    better = {**record["test"], "accuracy": 0.99}
    flaws = flaws_of(edit(path, test=better))
    assert ["edited since a run" in flaws[0], "test.accuracy: not what its probabilities give" in flaws[1]] == [
        True
    ] * 2


def test_scores_that_the_probabilities_do_not_give_are_said(write, probabilities):
    scores = evaluate(np.arange(7), one_hot([0] * 7))
    (flaw,) = flaws_of(write(test=scores))
    assert "test.accuracy, test.macro_f1" in flaw and "test.per_emotion.Angry.precision" in flaw


def with_value(probabilities, value):
    proba = probabilities.test.copy()
    proba[0, 0] = value
    return proba


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.5, 0.5])
def test_probabilities_are_finite_not_negative_and_sum_to_1(write, probabilities, value):
    path = write()
    with np.load(path.with_suffix(".npz")) as arrays:
        np.savez(path.with_suffix(".npz"), **{**arrays, "test": with_value(probabilities, value)})
    edit(path, probabilities_sha256=sha256(path.with_suffix(".npz")))
    assert any("probabilities of PrivateTest are not finite, from 0, with the sum 1" in flaw for flaw in flaws_of(path))


def test_probabilities_are_there_and_those_of_the_run(write):
    path = write()
    content = path.with_suffix(".npz").read_bytes()
    for harm in (lambda npz: npz.write_bytes(content[:-1]), lambda npz: npz.unlink()):
        harm(path.with_suffix(".npz"))
        assert any("missing or not those of the run" in flaw for flaw in flaws_of(path))
    path.with_suffix(".npz").write_bytes(b"junk")
    edit(path, probabilities_sha256=sha256(path.with_suffix(".npz")))
    assert any("cannot be read" in flaw for flaw in flaws_of(path))


def test_labels_and_data_are_those_of_the_board(write, probabilities):
    root = write("cnn", params={}).parents[2]
    write("hog_svm", params={})
    known = KnownData([root])
    turned = np.roll(np.arange(7), 1)
    other = Probabilities(one_hot([*turned]), one_hot([*turned]), turned, turned)
    flaws = record_flaws(write(predicted=other), known)
    assert len(flaws) == 2 and all("keep the order of the faces" in flaw for flaw in flaws)
    assert any(
        "made from other data (g) than the board (f)" in each
        for each in record_flaws(write(data_fingerprint="g"), known)
    )


def test_on_fer2013_there_are_all_its_faces(write):
    flaws = flaws_of(write(root="results/fer2013/kaggle", dataset="fer2013"))
    assert any("70 faces of Training, and FER2013 has 28,709" in flaw for flaw in flaws)
    assert any("its labels of PrivateTest are not FER2013's" in flaw for flaw in flaws)


def test_a_recognizer_that_nobody_has_needs_a_package_or_its_file(write):
    assert any("commit its file" in flaw for flaw in flaws_of(write("mine")))
    path = write("mine", package="fer-mine")
    assert flaws_of(path) == []
    assert doubts(path) == ["not checked against its code: needs the package fer-mine"]
    external = write("tool", root="results/custom-1234/kaggle-external", family="external")
    assert flaws_of(external) == doubts(external) == []


def test_seeds_count_from_0(write):
    path = write("mine", package="fer-mine", seed=1)
    assert flaws_of(path) == []
    assert "seed 1 without all lower ones: was it chosen among several?" in doubts(path)
    write("mine", package="fer-mine")
    assert len(doubts(path)) == 1


def test_a_reported_score_far_above_that_of_selection_is_doubted(write):
    y = np.tile(np.arange(7), 100)
    low = Probabilities(one_hot([*np.where(np.arange(700) % 2, y, 0)]), one_hot([*y]), y, y)
    path = write(predicted=low, n_faces={"fit": 70, "select": 700, "report": 700})
    assert flaws_of(path) == []
    (doubt,) = doubts(path)
    assert doubt.endswith("was it trained or chosen on PrivateTest?")


def test_the_command_lists_all_that_is_wrong_and_how_the_board_changes(write, tmp_path, capsys, probabilities):
    tree, base = tmp_path / "results", tmp_path / "base"
    write("cnn", params=json.loads(write().read_text())["params"])
    write("hog_svm")
    shutil.copytree(tree, base)
    assert validate.main([str(tree), "--against", str(base)]) == 0
    assert capsys.readouterr().out == "0 records checked: no errors\n"
    shutil.rmtree(tree / "custom-1234" / "kaggle" / "runs" / "hog_svm")
    worse = Probabilities(one_hot([0] * 7), one_hot([0] * 7), probabilities.y_valid, probabilities.y_test)
    write(predicted=worse)
    edit(write("lbp_xgb", digest="d"), checksum="c")
    (tree / "custom-1234" / "kaggle" / "runs" / "patch_svm").mkdir()
    (tree / "custom-1234" / "kaggle" / "runs" / "patch_svm" / "seed0.npz").write_bytes(b"")
    assert validate.main([str(tree), "--against", str(base)]) == 1
    out, err = capsys.readouterr()
    errors = [line.partition("/runs/")[2] for line in err.splitlines()]
    assert [line.split(":")[0] for line in errors] == ["lbp_xgb/seed0.json"] * 3 + ["patch_svm/seed0.json"]
    assert out.startswith("3 records checked: 4 errors\n\ncustom-1234/kaggle\n\n| recognizer | row |")
    rows = {
        line.split(" | ")[0].removeprefix("| "): line.split(" | ")[1:] for line in out.splitlines() if " | " in line
    }
    assert rows["majority"][:4] == ["changed", "3 → 2", "1.000 → 0.036", "1.000 → 0.143"]
    assert rows["hog_svm"][:3] == ["removed", "2", "1.000"]
    assert rows["lbp_xgb"][0] == "new" and "cnn" not in rows
    assert validate.main([str(tree)]) == 1


def test_without_records_there_is_nothing_to_check(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        validate.main([str(tmp_path)])
    assert "has no folder with records" in capsys.readouterr().err
