import numpy as np
import pandas as pd
import pytest

from benchmark import tune
from benchmark.data import Dataset, Split
from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.data.synthetic import synthetic_dataset
from benchmark.runs.options import UsageError, parse_overrides
from benchmark.runs.study import Study
from models.files.arrays import count_as_saved
from models.recognizers.hog_svm import HogSVM
from models.registry import Entry, Range, recognizers

optuna = pytest.importorskip("optuna", reason="needs Optuna: pip install -e '.[tune]'")

SPACE = {"C": Range(0.1, 100.0, log=True), "n_components": Range(4, 40), "pixels_per_cell": (8, 12)}


def small(random_state=0):
    return HogSVM(pixels_per_cell=12, n_components=20, random_state=random_state)


@pytest.fixture
def study(tmp_path):
    entry = Entry("hog_svm", "classical", small, space=SPACE)
    return Study([entry], [0], synthetic_dataset(100), Setting(PROTOCOLS["kaggle"]), tmp_path)


def search(study, n_trials, trials=None):
    trials = trials or optuna.create_study(direction="maximize")
    assert list(tune.search(study, n_trials, trials))[-1] == n_trials
    return tune.table(trials)


@pytest.mark.parametrize("entry", [each for each in recognizers().values() if each.space], ids=lambda each: each.name)
def test_a_recipe_lies_within_its_space(entry):
    params = entry.make().get_params()
    for name, values in entry.space.items():
        if isinstance(values, Range):
            assert values.low <= params[name] <= values.high
            assert isinstance(params[name], type(values.low))
        else:
            assert params[name] in values


def test_the_first_trial_is_the_recipe_and_the_others_are_within_the_space(study):
    table = search(study, 12)
    assert list(table.index) == list(range(12))
    assert table.loc[0, list(SPACE)].tolist() == [5.0, 20, 12]
    assert table["C"].between(0.1, 100).all()
    assert table["n_components"].between(4, 40).all()
    assert set(table["pixels_per_cell"]) == {8, 12}
    assert table["C"].nunique() == 12
    assert table["error"].isna().all()
    assert table["valid_macro_f1"].between(0, 1).all()


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(study, tmp_path, monkeypatch):
    whole = search(study, 12).drop(columns="fit_seconds")
    path = tmp_path / "tuning" / "trials.journal"
    search(study, 10, tune.open_trials(path, "digest"))
    with monkeypatch.context() as patch:
        patch.setattr(HogSVM, "_fit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            search(study, 12, tune.open_trials(path, "digest"))
    trials = tune.open_trials(path, "digest")
    assert len(trials.trials) == 10, "what was not finished is not stored"
    pd.testing.assert_frame_equal(search(study, 12, trials).drop(columns="fit_seconds"), whole)


def interrupt(*_):
    raise KeyboardInterrupt


def test_the_test_split_chooses_nothing(study, tmp_path):
    table = search(study, 12)
    test = study.data["PrivateTest"]
    other = Dataset(
        "other", {**study.data.splits, "PrivateTest": Split(255 - test.X, np.roll(test.y, 1))}, study.data.note
    )
    changed = search(Study(list(study.entries.values()), [0], other, study.setting, tmp_path), 12)
    pd.testing.assert_frame_equal(changed.drop(columns="fit_seconds"), table.drop(columns="fit_seconds"))


def test_what_is_set_is_not_searched(tmp_path):
    entry = Entry("hog_svm", "classical", small, space=SPACE)
    setting = Setting(PROTOCOLS["kaggle"], overrides={"hog_svm": {"C": 7.0}})
    table = search(Study([entry], [0], synthetic_dataset(100), setting, tmp_path), 3)
    assert "C" not in table
    assert table.loc[0, ["n_components", "pixels_per_cell"]].tolist() == [20, 12]


def test_a_trial_that_fails_is_a_row_and_the_search_goes_on(study, monkeypatch):
    fit = HogSVM._fit

    def sometimes(self, *args):
        if self.n_components != 20:
            raise MemoryError("too much\nof it")
        fit(self, *args)

    monkeypatch.setattr(HogSVM, "_fit", sometimes)
    table = search(study, 3)
    assert table["error"].fillna("").tolist() == ["", "MemoryError: too much", "MemoryError: too much"]
    assert table["valid_macro_f1"].isna().tolist() == [False, True, True]


def test_trials_of_other_code_are_not_taken_up(study, tmp_path, capsys):
    path = tmp_path / "trials.journal"
    search(study, 2, tune.open_trials(path, "one"))
    assert not tune.open_trials(path, "other").trials
    assert "begun anew" in capsys.readouterr().err
    assert len(tune.open_trials(path, "one").trials) == 2
    path.write_text("{")
    path.open("a").write("\n{}\n")
    with pytest.raises(UsageError, match="damaged: move it away"):
        tune.open_trials(path, "one")


def test_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    arguments = ["hog_svm", "--limit", "70", "--set", "pixels_per_cell=12", "--results", str(tmp_path), "--trials"]
    assert tune.main([*arguments, "2"]) == 0
    capsys.readouterr()
    assert tune.main([*arguments, "3"]) == 0
    printed = capsys.readouterr().out
    (path,) = (tmp_path / "synthetic" / "tuning").iterdir()
    assert f"{path}: 3 trials" in printed
    (line,) = (line for line in printed.splitlines() if "--set" in line)
    command = line.split()
    assert command[:5] == ["python", "-m", "benchmark.run", "--only", "hog_svm"]
    made = parse_overrides(command[6:], recognizers())["hog_svm"]
    assert set(made) == {*recognizers()["hog_svm"].space}
    assert made["pixels_per_cell"] == 12 and isinstance(made["C"], float)
    HogSVM(**made)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["hog"], "did you mean hog_svm"),
        (["soft_voting"], "nothing to search; these have: cnn"),
        (["hog_svm", "--set", "depth=3"], "hog_svm has the parameters"),
        (["hog_svm", "--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_usage_is_explained(arguments, words, capsys, tmp_path):
    assert tune.main([*arguments, "--trials", "1", "--results", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_a_trial_that_was_interrupted_costs_what_it_took_in_all(study, monkeypatch):
    fit = HogSVM._fit

    def resumed(self, *arrays):
        count_as_saved(100)
        fit(self, *arrays)

    monkeypatch.setattr(HogSVM, "_fit", resumed)
    assert (search(study, 1)["fit_seconds"] > 100).all()
