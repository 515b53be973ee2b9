"""The protocol `ferplus`: the commands on the labels of FER+, on a small file in FER2013's form and made votes."""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmark import robustness, run, tune
from benchmark.analysis.stored_models import models_and_data
from benchmark.carry import _protocol
from benchmark.data import DataError, Dataset, Split, load_dataset
from benchmark.data.__main__ import main as data_main
from benchmark.data.ferplus import CHOICES, FILE_ORDER
from benchmark.data.protocol import PROTOCOLS, Setting, labels_of
from benchmark.report.__main__ import main as report_main
from benchmark.runs.fit import fit
from benchmark.runs.record_store import Store
from models.artifacts.cards import read_card
from models.networks.keras_recognizer import KerasRecognizer
from tests.without_figures import undraw

OTHERS = [{"contempt": 9}, {"unknown": 9}, {"NF": 10}, {"anger": 5, "fear": 5}]
QUICK = ["--set", "cnn.epochs=1", "cnn.batch_size=32", "hog_svm.pixels_per_cell=12"]


def votes_on(label, number):
    """Most votes are for FER2013's label, some for the next one; of each split the first faces have no label."""
    if number < len(OTHERS):
        return OTHERS[number]
    return {CHOICES[label]: 7, CHOICES[(label + 1) % 7]: 3}


@pytest.fixture(scope="module")
def files(faces, tmp_path_factory):
    """The options that name a small fer2013.csv and votes on its faces."""
    folder = tmp_path_factory.mktemp("data")
    data, votes = ["emotion,pixels,Usage"], [f"Usage,Image name,{','.join(FILE_ORDER)}"]
    for usage, split in faces.limited(160).splits.items():
        for number, (x, label) in enumerate(zip(split.X, split.y, strict=True)):
            data.append(f"{label},{' '.join(map(str, x))},{usage}")
            given = votes_on(label, number)
            votes.append(f"{usage},,{','.join(str(given.get(name, 0)) for name in FILE_ORDER)}")
    for name, lines in (("fer2013.csv", data), ("fer2013new.csv", votes)):
        (folder / name).write_text("\n".join(lines) + "\n", "utf-8")
    return ["--data", str(folder / "fer2013.csv"), "--ferplus", str(folder / "fer2013new.csv")]


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    """The results folder of the protocol, what the network was fitted on, and the files of `kaggle`, made before."""
    results = tmp_path_factory.mktemp("made")
    taught = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.runs.study.do_alone", lambda study, run: study.do(run))
        patch.setattr("benchmark.runs.study.measure", lambda artifact: {"batch_ms": 1.0})
        undraw(patch)
        real = KerasRecognizer.fit
        patch.setattr(
            KerasRecognizer, "fit", lambda self, *given, **named: taught.update(named) or real(self, *given, **named)
        )
        assert run.main(["--only", "majority", *files, "--results", str(results)]) == 0
        (root,) = results.glob("custom-*/kaggle")
        kaggle = {path: path.read_bytes() for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"}
        only = ["--only", "majority", "hog_svm", "cnn", *QUICK, "--protocol", "ferplus"]
        assert run.main([*only, *files, "--results", str(results)]) == 0
    assert all(path.read_bytes() == before for path, before in kaggle.items())
    (folder,) = results.glob("custom-*/ferplus*")
    return folder, taught, kaggle


def test_the_whole_command(made, files):
    root, taught, _ = made
    names = {record["recognizer"]: record for record in Store(root).records()}
    assert set(names) == {"majority", "hog_svm", "cnn"}
    complete = load_dataset(files[1])
    for record in names.values():
        assert (record["status"], record["error"]) == ("ok", "")
        assert labels_of(record) == record["protocol"]["name"] == "ferplus"
        for role, usage in (("fit", "Training"), ("select", "PublicTest"), ("report", "PrivateTest")):
            assert record["n_faces"][role] == len(complete[usage]) - len(OTHERS)
    assert taught["soft_labels"].shape == (names["cnn"]["n_faces"]["fit"], 7)
    np.testing.assert_allclose(np.unique(taught["soft_labels"]), [0, 0.3, 0.7], atol=1e-6)


def test_the_pages_say_whose_labels_they_are(made):
    root, _, _ = made
    left_out = "(1 without a majority, 1 contempt, 1 unknown, 1 not a face)"
    texts = {
        name: (root / name).read_text("utf-8") for name in ("leaderboard.md", "models/README.md", "runs/data.json")
    }
    page = (root / "report.html").read_text("utf-8")
    for text in (*texts.values(), page):
        assert text.count(left_out) == 3
        assert "networks are fitted on the shares of their votes" in text
    assert "Published accuracies on FER2013" not in page and "None is listed" in page
    assert re.search(r"benchmark.run .*--protocol ferplus .*--ferplus path/to/fer2013new.csv", page)
    assert not (root / "runs" / "ferplus.csv").exists(), "its votes are no second view on its own labels"
    assert (root / "analysis" / "copies.csv").is_file()
    assert read_card(root / "models" / "cnn.h5")["protocol"]["labels"] == "ferplus"


def test_the_runs_are_others_than_those_of_kaggle(made):
    root, _, kaggle = made
    (path,) = (path for path in kaggle if path.name == "seed0.json")
    before, after = json.loads(kaggle[path]), Store(root).read("majority", 0)
    assert labels_of(before) == "fer2013"
    assert labels_of({"protocol": {"name": "kaggle"}}) == "fer2013", "a record of an earlier version"
    assert before["digest"] != after["digest"]
    assert before["data_fingerprint"] != after["data_fingerprint"]
    assert (path.parents[1] / "ferplus.csv").is_file(), "there the votes are a second view"


def test_the_printed_note_counts_what_is_left_out_once(made, files, capsys):
    root, _, _ = made
    arguments = ["--only", "majority", *QUICK, "--protocol", "ferplus", *files, "--results", str(root.parents[1])]
    assert run.main(arguments) == 0
    assert capsys.readouterr().err.count("Left out: 4 of") == 1


def test_other_commands_take_the_votes_too(made, files, capsys, tmp_path):
    root, _, _ = made
    data, votes = files[:2], files[2:]
    for main, more in ((robustness.main, []), (report_main, ["--faces"])):
        assert main([str(root), *data, *more]) == 2
        assert "need its votes: --ferplus path/to/fer2013new.csv" in capsys.readouterr().err
    assert report_main([str(root), *files, "--faces"]) == 0
    options = argparse.Namespace(data=data[1], labels=[], find_faces=False, ferplus=votes[1])
    records, models, dataset = models_and_data(root, options, ["majority"])
    assert records["majority"]["data_fingerprint"] == dataset.fingerprint and "majority" in models
    assert data_main(["describe", *files, "--figure", str(tmp_path / "a.png")]) == 0
    assert "Left out: 4 of" in capsys.readouterr().out
    arguments = ["hog_svm", "--set", "pixels_per_cell=12", "--trials", "1", "--results", str(tmp_path)]
    assert tune.main([*arguments, "--protocol", "ferplus", *files]) == 0
    assert f"--protocol ferplus --ferplus {votes[1]}" in capsys.readouterr().out


def test_a_record_is_carried_over_under_its_own_labels(made):
    record = Store(made[0]).read("majority", 0)
    assert _protocol(record)["name"] == "ferplus"
    old = {name: text for name, text in vars(PROTOCOLS["kaggle"]).items() if name != "labels"}
    assert _protocol({"protocol": old}) == vars(PROTOCOLS["kaggle"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give FER2013, --data path/to/fer2013.csv"),
        (["--limit", "50"], "give FER2013, --data path/to/fer2013.csv"),
        (None, "need its votes: --ferplus path/to/fer2013new.csv"),
        ("other", "rows of Usage Training, but the data has"),
        ("shuffled", "in another order: use FER+ with fer2013.csv"),
    ],
)
def test_what_cannot_be_labelled_is_said_with_the_fix(files, faces, tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.delenv("FER2013", raising=False)
    arguments = ["--only", "majority", "--protocol", "ferplus", "--results", str(tmp_path / "results")]
    if options is None:
        arguments += files[:2]
    elif isinstance(options, str):
        path = tmp_path / "other.csv"
        header, *rows = Path(files[1]).read_text("utf-8").splitlines()
        rows = rows[1:] if options == "other" else [f"{(int(row[0]) + 1) % 7}{row[1:]}" for row in rows]
        path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
        arguments += ["--data", str(path), *files[2:]]
    else:
        arguments += [*files[2:], *options]
    assert run.main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "results").exists()


def test_a_limit_comes_after_the_labels(files):
    data, votes = files[1], files[3]
    complete = load_dataset(data, labelled_by="ferplus", votes=votes)
    part = load_dataset(data, 70, labelled_by="ferplus", votes=votes)
    assert 60 < len(part["Training"]) < 80 < len(complete["Training"])
    known = {
        x.tobytes(): shares for x, shares in zip(complete["Training"].X, complete["Training"].soft_labels, strict=True)
    }
    assert all(
        (known[x.tobytes()] == s).all() for x, s in zip(part["Training"].X, part["Training"].soft_labels, strict=True)
    )
    with pytest.raises(DataError, match="--ferplus"):
        load_dataset(data, labelled_by="ferplus")


class Taught:
    """Remembers the soft labels."""

    uses_soft_labels = True

    def fit(self, X, y, sample_weight, validation, soft_labels=None):
        self.classes_, self.soft_labels_ = np.unique(y), soft_labels


def test_an_emotion_that_is_no_label_has_no_share(faces):
    y = faces["Training"].y % 3
    shares = np.full((len(y), 7), 0.1, np.float32)
    shares[np.arange(len(y)), y] = 0.4
    train = Split(faces["Training"].X, y, shares)
    taught = Taught()
    fit(taught, Dataset("x", {**faces.splits, "Training": train}), Setting(PROTOCOLS["kaggle"]))
    np.testing.assert_allclose(taught.soft_labels_.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(taught.soft_labels_.argmax(axis=1), y)
    assert taught.soft_labels_.shape == (len(y), len(taught.classes_)) == (len(y), 3)
    fit(taught, faces, Setting(PROTOCOLS["kaggle"]))
    assert taught.soft_labels_ is None
