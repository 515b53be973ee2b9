import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark.analysis.corrupted import by_strength, corruption_summary, marked, note, trained_on
from benchmark.analysis.leaderboard import finished
from benchmark.analysis.side_tables import read_robustness
from benchmark.data.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.robustness import main, robustness
from benchmark.runs.record_store import Store
from benchmark.runs.study import Study
from models import load
from models.artifacts.save_load import save
from models.registry import recognizers


class Brightness:
    """Takes bright faces for Happy and dark ones for Angry."""

    classes_ = np.arange(7)

    def predict_proba(self, X):
        return np.eye(7)[np.where(X.mean(axis=1) > 127, 3, 0)]


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    root = tmp_path_factory.mktemp("trained") / "kaggle"
    entries = [recognizers()[name] for name in ("majority", "hog_svm")]
    setting = Setting(PROTOCOLS["kaggle"], overrides={"hog_svm": {"pixels_per_cell": 12}})
    study = Study(entries, [0], faces.limited(150), setting, root)
    assert [record["status"] for _, _, record in study.execute()] == ["ok", "ok"]
    return root


@pytest.fixture
def folder(trained, faces, tmp_path, monkeypatch):
    """A results folder of two recognizers on a few synthetic faces, which are the data of the command line too."""
    monkeypatch.setattr("benchmark.analysis.stored_models.data_of", lambda record, args: faces.limited(150))
    return shutil.copytree(trained, tmp_path / "kaggle")


def without_hog_svm(folder):
    for path in (folder / "models").glob("hog_svm.*"):
        path.unlink()


def test_accuracy_is_of_the_corrupted_faces(faces):
    split = faces["PrivateTest"].sample(50)
    table = robustness({"brightness": Brightness()}, split)
    assert len(table.columns) == 3 + 3 * len(CORRUPTIONS)
    right = Brightness().predict_proba(corrupt(split.X, "brightness", 3)).argmax(axis=1) == split.y
    assert table.loc["brightness", "brightness_3"] == right.mean()
    assert table.loc["brightness", "faces"] == len(split)


def test_the_summary_is_the_mean_over_strengths():
    columns = {f"{kind}_{strength}": [0.1 * strength] for kind in CORRUPTIONS for strength in STRENGTHS}
    table = pd.DataFrame({"faces": [9], "none": [0.8], **columns}, index=pd.Index(["a"], name="recognizer"))
    (row,) = corruption_summary(table).to_dict("records")
    assert row["recognizer"] == "a"
    assert row["blur"] == row["mean"] == pytest.approx(0.2)
    assert row["kept"] == pytest.approx(0.25)
    assert by_strength(table).xs("a").xs("jpeg")["accuracy"].tolist() == pytest.approx([0.8, 0.1, 0.2, 0.3])


def record_of(name, members=(), weights=None, **params):
    return {"recognizer": name, "params": params, "members": dict.fromkeys(members, "s"), "ensemble": weights or {}}


def test_what_a_recognizer_was_trained_on_is_in_its_parameters():
    every = {"shift": 4.0, "rotation": 10.0, "zoom": 0.1, "gamma": 0.3, "blur_noise_prob": 0.2, "erase_prob": 0.5}
    records = {
        "deep": record_of("deep", **every),
        "aug": record_of("aug", **{**every, "gamma": 0.0, "blur_noise_prob": 0.0}),
        "svm": record_of("svm", gamma=1.5),
        "vote": record_of("vote", ("svm", "aug"), {"weights": {"svm": 0.5, "aug": 0.5}}),
        "svm_alone": record_of("svm_alone", ("svm", "deep"), {"weights": {"svm": 1.0, "deep": 0.0}}),
        "median": record_of("median", ("svm", "deep")),
    }
    found = {name: set(trained_on(record, records)) for name, record in records.items()}
    assert found["deep"] == found["median"] == set(CORRUPTIONS) - {"jpeg"}
    assert found["aug"] == found["vote"] == {"rotation", "shift", "scale", "occlusion"}
    assert found["svm"] == found["svm_alone"] == set()


def test_breaking_is_ranked_by_what_nobody_was_trained_on():
    columns = {f"{kind}_{strength}": [0.4, 0.6] for kind in CORRUPTIONS for strength in STRENGTHS}
    columns |= {f"blur_{strength}": [0.8, 0.0] for strength in STRENGTHS}
    names = pd.Index(["a", "b"], name="recognizer")
    table = pd.DataFrame({"faces": 9, "none": [0.8, 0.8], **columns, "trained_on": ["blur, shift", ""]}, index=names)
    assert corruption_summary(table)["mean"].tolist() == pytest.approx([0.4, 0.6])
    shown = marked(table).set_index("recognizer")
    assert shown.loc["a", ["blur", "shift", "jpeg"]].tolist() == ["0.800*", "0.400*", "0.400"]
    assert shown.loc["b", "kept"] == "0.750"
    assert "noise, jpeg" in note(table) and "blur" not in note(table)
    table["trained_on"] = ", ".join(CORRUPTIONS)
    assert marked(table)["kept"].tolist() == ["", ""]
    assert "there is none" in note(table)


@pytest.mark.drawn("robustness")
def test_the_command_brings_table_figure_and_report_up_to_date(folder, capsys, monkeypatch):
    assert main([str(folder), "--faces", "40"]) == 0
    table = pd.read_csv(folder / "analysis" / "robustness.csv", index_col="recognizer")
    assert set(table.index) == {"majority", "hog_svm"}
    assert table.pop("trained_on").isna().all()
    majority = table.loc["majority"].drop(["faces", "amounts"])
    assert majority.nunique() == 1, "what answers the same to every face cannot break"
    assert (folder / "figures" / "robustness.png").is_file()
    assert "Corrupted faces" in (folder / "report.html").read_text("utf-8")
    # Where a model is gone, what was measured of its run stays.
    without_hog_svm(folder)
    monkeypatch.setattr("benchmark.robustness.derive", lambda root: None)
    assert main([str(folder), "--faces", "40"]) == 0
    assert "without hog_svm" in capsys.readouterr().err
    store = Store(folder)
    pd.testing.assert_frame_equal(read_robustness(store, finished(store.records())), table)


def test_a_model_of_another_run_is_not_measured(folder, capsys):
    recognizer = load(folder / "models" / "majority.joblib")
    recognizer.prior_ = None
    save(recognizer, folder / "models", "majority", {"recognizer": "majority"})
    without_hog_svm(folder)
    assert main([str(folder)]) == 2
    error = capsys.readouterr().err
    assert "majority: majority.joblib does not match its record" in error
    assert "no model of a finished run" in error


def test_models_of_edited_code_are_not_measured(folder, capsys, monkeypatch):
    monkeypatch.setattr("benchmark.runs.freshness.code_digest", lambda module: "edited")
    assert main([str(folder)]) == 2
    assert "the code of hog_svm was edited since it ran" in capsys.readouterr().err


def test_what_cannot_be_compared_is_not_kept_together(folder, monkeypatch):
    monkeypatch.setattr("benchmark.robustness.derive", lambda root: None)
    assert main([str(folder), "--faces", "40"]) == 0
    without_hog_svm(folder)
    assert main([str(folder), "--faces", "8"]) == 0
    store = Store(folder)
    assert read_robustness(store, finished(store.records())).index.tolist() == ["majority"]


def test_other_data_and_empty_folders_are_refused(folder, faces, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmark.analysis.stored_models.data_of", lambda record, args: faces)
    assert main([str(folder)]) == 2
    assert "--data" in capsys.readouterr().err
    assert main([str(tmp_path / "nothing")]) == 2
    assert "no finished run" in capsys.readouterr().err
