from types import SimpleNamespace

import pytest

from benchmark.runs.freshness import load_finished, run_digest
from benchmark.runs.record_store import Store
from models import ArtifactError


@pytest.fixture
def folder(tmp_path, record, probabilities, monkeypatch):
    """A results folder with the records of a vote and its member, and the models that are loaded from it, by file."""
    monkeypatch.setattr("benchmark.runs.freshness.find_recognizer", lambda name: SimpleNamespace(module=name))
    monkeypatch.setattr("benchmark.runs.freshness.code_digest", lambda module: f"code of {module}")
    models = {}
    monkeypatch.setattr("benchmark.runs.freshness.load", lambda path: models[path.name])
    for name in ("member", "vote"):
        made = record(name, [*range(7)], [*range(7)], artifact_sha256=f"sum of {name}")
        Store(tmp_path).write({**made, "digest": run_digest(made, f"code of {name}")}, probabilities)
        card = {"artifact": f"{name}.joblib", "sha256": f"sum of {name}"}
        models[f"{name}.joblib"] = SimpleNamespace(card_=card)
    models["vote.joblib"].members_ = {"member": models["member.joblib"]}
    return tmp_path, models


def test_the_model_of_a_record_is_loaded(folder):
    root, models = folder
    assert load_finished(root, Store(root).read("vote", 0)) is models["vote.joblib"]


def test_a_member_of_another_run_is_refused(folder):
    root, models = folder
    models["member.joblib"].card_["sha256"] = "other"
    with pytest.raises(ArtifactError, match=r"member\.joblib does not match its record"):
        load_finished(root, Store(root).read("vote", 0))


def test_a_member_of_edited_code_is_refused(folder, monkeypatch):
    root, _ = folder
    monkeypatch.setattr(
        "benchmark.runs.freshness.code_digest", lambda name: "edited" if name == "member" else f"code of {name}"
    )
    with pytest.raises(ArtifactError, match="the code of member was edited"):
        load_finished(root, Store(root).read("vote", 0))


def test_a_member_without_a_record_is_refused(folder):
    root, _ = folder
    Store(root).path("member", 0).unlink()
    with pytest.raises(ArtifactError, match="does not match its record"):
        load_finished(root, Store(root).read("vote", 0))
