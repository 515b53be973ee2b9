import pandas as pd
import pytest

from benchmark.analysis.findings import read_findings
from benchmark.analysis.releases import losses, scores
from benchmark.data.protocol import PROTOCOLS
from benchmark.derive import main
from benchmark.runs.record_store import Store

RIGHT, HALF = [0, 1, 2, 3, 4, 5, 6], [0, 1, 2, 0, 0, 0, 0]


def test_a_version_keeps_its_scores(tmp_path, record, probabilities, capsys):
    root = tmp_path / "kaggle"
    Store(root).write(record("a", RIGHT, RIGHT), probabilities)
    assert main([str(root), "--scores", "0.1.0"]) == 0
    path = tmp_path / "releases.csv"
    before = path.read_bytes()
    assert main([str(root), "--scores", "0.1.0"]) == 2
    assert "0.1.0 is there already" in capsys.readouterr().err
    assert path.read_bytes() == before
    Store(root).write(record("a", RIGHT, HALF), probabilities)
    assert main([str(root), "--scores", "0.10"]) == 0
    table = pd.read_csv(path, dtype={"version": str})
    assert table[["version", "reported_on", "recognizer", "test_accuracy"]].to_numpy().tolist() == [
        ["0.1.0", "PrivateTest", "a", 1.0],
        ["0.10", "PrivateTest", "a", 0.428571],
    ]
    assert losses(table, scores(read_findings(root))) == {}


def test_scores_on_other_labels_are_not_compared(tmp_path, record, probabilities):
    root = tmp_path / "ferplus"
    Store(root).write(record("a", RIGHT, RIGHT, protocol=vars(PROTOCOLS["ferplus"])), probabilities)
    assert scores(read_findings(root))["reported_on"].tolist() == ["PrivateTest by FER+"]


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({}, {}),
        ({"test_accuracy": 0.491}, {}),
        ({"test_accuracy": 0.489}, {"a": ["test_accuracy 0.489 after 0.500 on PrivateTest"]}),
        ({"disgust_recall": 0.5 - 3 / 55}, {}),
        ({"disgust_recall": 0.5 - 4 / 55}, {"a": ["disgust_recall 0.427 after 0.500 on PrivateTest"]}),
        ({"fear_recall": 0.48, "test_macro_f1": 0.6}, {"a": ["fear_recall 0.480 after 0.500 on PrivateTest"]}),
        ({"recognizer": "b"}, {"a": ["gone on PrivateTest"]}),
    ],
)
def test_what_counts_as_lower(change, lost):
    each = dict.fromkeys(("test_accuracy", "test_macro_f1", "disgust_recall", "fear_recall"), 0.5)
    row = {"version": "1", "reported_on": "PrivateTest", "recognizer": "a", **each}
    earlier = {**row, "version": "0", "recognizer": "c"}
    assert losses(pd.DataFrame([earlier, row]), pd.DataFrame([{**row, **change}])) == lost
