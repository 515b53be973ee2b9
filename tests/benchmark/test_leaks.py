"""The reported split chooses nothing: other pixels and labels in it change no model, weight, threshold or rank."""

import numpy as np
import pytest

from benchmark.analysis.findings import read_findings
from benchmark.data import Dataset, Split
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.study import Study
from models.files.atomic import sha256
from models.parts.tuned_voting import TunedVoting
from models.registry import Entry, recognizers

SINGLE = ("majority", "hog_svm", "lbp_xgb", "cnn")
QUICK = {"lbp_xgb": {"n_estimators": 10}, "cnn": {"epochs": 2}}


def chosen(data, root):
    """Return all that a study learns or chooses, by name."""
    members = ("hog_svm", "lbp_xgb", "cnn")
    vote = Entry("soft_voting_tuned", "ensemble", TunedVoting, members=members)
    entries = [*(recognizers()[name] for name in SINGLE), vote]
    study = Study(entries, [0], data, Setting(PROTOCOLS["kaggle"], overrides=QUICK), root)
    records = {record["recognizer"]: record for _, _, record in study.execute()}
    assert {record["status"] for record in records.values()} == {"ok"}
    findings = read_findings(root)
    found = {f"probabilities {name}": study.store.probabilities(each).valid for name, each in records.items()}
    found |= {f"scores {name}": each["valid"] for name, each in records.items()}
    found |= {f"model {path.name}": sha256(path) for path in (root / "models").glob("*.joblib")}
    found["weights"] = records["soft_voting_tuned"]["ensemble"]
    found["ranking"] = [record["recognizer"] for record in findings.done]
    found["thresholds"] = findings.tables["recall_at_precision"]["threshold"].tolist()
    return found


@pytest.mark.slow
def test_the_reported_split_chooses_nothing(faces, tmp_path):
    data = faces.limited(140)
    test = data["PrivateTest"]
    marked = Split(np.full_like(test.X, 255), np.roll(test.y, 1))
    marked.X[:, ::7] = np.arange(len(test), dtype=np.uint8)[:, None]
    planted = Dataset(data.name, {**data.splits, "PrivateTest": marked}, data.note)
    assert planted.fingerprint != data.fingerprint
    one, other = chosen(data, tmp_path / "one"), chosen(planted, tmp_path / "other")
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_equal(other[name], value, err_msg=name)
