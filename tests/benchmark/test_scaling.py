from concurrent.futures.process import BrokenProcessPool

import pandas as pd
import pytest

from benchmark.data import load_dataset
from benchmark.figures import ScalingDisplay, save_figure
from benchmark.scaling import main, measure, summary


def test_parts_of_the_training_faces_are_measured_each_in_a_process(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FER2013", raising=False)
    monkeypatch.setattr("benchmark.scaling.PARTS", (4, 1))
    assert main(["--only", "majority", "hog_svm", "--results", str(tmp_path)]) == 0
    table = pd.read_csv(tmp_path / "synthetic" / "scaling.csv")
    assert set(table["recognizer"]) == {"hog_svm"}, "nothing grows in the floor"
    n_faces = len(load_dataset()["Training"])
    assert table["faces"].max() == n_faces and table["faces"].min() == pytest.approx(n_faces / 4, abs=4)
    assert (table["peak_memory_mb"] > 50).all()
    assert (tmp_path / "synthetic" / "scaling.png").is_file()
    assert "quadratic_share" in capsys.readouterr().out


def test_networks_train_for_few_epochs(monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    seen = []

    class Recognizer:
        def get_params(self):
            return {"epochs": 60}

        def set_params(self, **params):
            seen.append(params)

    class Found:
        def make(self, random_state):
            return Recognizer()

    class Done:
        cost = {"fit_seconds": 1.0, "peak_memory_mb": 2.0, "ms_per_face": 3.0}

    monkeypatch.setattr("benchmark.scaling.find", lambda name: Found())
    monkeypatch.setattr("benchmark.scaling.run_recognizer", lambda *arguments: Done())
    assert measure("network", 50, None)["peak_memory_mb"] == 2.0
    assert seen == [{"epochs": 2}]


def test_what_it_says_in_short_and_the_figure(tmp_path):
    rows = [("hog_svm", n, n**2 / 1e4, 100.0) for n in (100, 200)] + [("cnn", n, n / 1e2, n / 1.0) for n in (100, 200)]
    table = pd.DataFrame(rows, columns=["recognizer", "faces", "fit_seconds", "peak_memory_mb"])
    table.to_csv(tmp_path / "scaling.csv", index=False)
    found = summary(tmp_path / "scaling.csv")
    assert found["times_half"].to_dict() == {"hog_svm": 4.0, "cnn": 2.0}
    assert found["quadratic_share"].to_dict() == pytest.approx({"hog_svm": 1.0, "cnn": 0.0})
    assert found["memory_times_half"].to_dict() == {"hog_svm": 1.0, "cnn": 2.0}
    display = ScalingDisplay(table.set_index(["recognizer", "faces"]), "title")
    save_figure(display, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").stat().st_size > 10_000


def test_a_recognizer_that_is_not_there_is_refused(tmp_path, capsys):
    assert main(["--only", "nobody", "--results", str(tmp_path)]) == 2
    assert "no recognizer 'nobody'" in capsys.readouterr().err


def test_what_does_not_grow_is_refused(tmp_path, capsys):
    assert main(["--only", "majority", "--results", str(tmp_path)]) == 2
    assert "no recognizer whose fit grows" in capsys.readouterr().err


def test_a_measurement_that_was_interrupted_has_no_summary_yet(tmp_path):
    table = pd.DataFrame({"recognizer": ["cnn", "cnn", "hog_svm"], "faces": [1, 2, 1]})
    table["fit_seconds"] = table["peak_memory_mb"] = [1.0, 2.0, 3.0]
    table.to_csv(tmp_path / "scaling.csv", index=False)
    assert list(summary(tmp_path / "scaling.csv").index) == ["cnn"]


def test_a_process_that_is_killed_is_said_and_what_was_measured_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("FER2013", raising=False)

    class Killed:
        __init__ = __exit__ = lambda *arguments: None
        __enter__ = submit = lambda self, *arguments: self

        def result(self):
            raise BrokenProcessPool

    monkeypatch.setattr("benchmark.scaling.ProcessPoolExecutor", Killed)
    assert main(["--only", "hog_svm", "--results", str(tmp_path)]) == 2
    assert "its process was killed" in capsys.readouterr().err
