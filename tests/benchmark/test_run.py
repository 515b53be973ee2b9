import io
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial

import pandas as pd
import pytest
from PIL import Image
from tqdm.auto import tqdm

import benchmark.derive
from benchmark import run
from benchmark.runs.study import Study
from models.registry import recognizers

QUICK = ["--only", "majority", "--limit", "200"]


@pytest.fixture
def every_seed(monkeypatch):
    """Have the majority, which takes no time, run with every seed."""
    majority = replace(recognizers()["majority"], uses_seed=True)
    monkeypatch.setattr(run, "recognizers", lambda: {"majority": majority})


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    return tmp_path / "results"


def test_the_command_writes_a_board_and_goes_on_where_it_stopped(results, capsys):
    assert run.main([*QUICK, "--results", str(results)]) == 0
    out, err = capsys.readouterr()
    assert "majority" in out
    assert err.startswith("note: synthetic faces drawn by code, not FER2013;")
    root = results / "synthetic" / "kaggle-limit200"
    assert (root / "leaderboard.csv").is_file()
    first = (root / "runs" / "majority" / "seed0.json").read_bytes()
    assert run.main([*QUICK, "--results", str(results)]) == 0
    assert (root / "runs" / "majority" / "seed0.json").read_bytes() == first
    assert run.main([*QUICK, "--results", str(results), "--rerun"]) == 0
    assert json.loads(first)["n_faces"]["fit"] == pytest.approx(200, abs=3)


def test_what_is_done_again_is_what_was_named_and_no_member_of_it(results, capsys):
    assert run.main(["--only", "maj*", "soft_voting", "--results", str(results), "--rerun", "--dry-run"]) == 0
    states = dict(re.findall(r"(\w+) +seed 0  (\w+)", capsys.readouterr().out))
    assert states == {
        **dict.fromkeys(("cnn", "hog_svm", "lbp_xgb"), "missing"),
        **dict.fromkeys(("majority", "soft_voting"), "rerun"),
    }


@pytest.mark.slow
def test_several_class_weights_are_compared(results, capsys):
    arguments = ["--only", "hog_svm", "--limit", "200", "--results", str(results)]
    assert run.main([*arguments, "--class-weight", "balanced", "none", "frequency"]) == 0
    folders = {path.name for path in (results / "synthetic").iterdir()}
    assert folders == {"kaggle-limit200", "kaggle-none-limit200", "kaggle-frequency-limit200"}
    table = pd.read_csv(results / "synthetic" / "kaggle-limit200" / "analysis" / "class_weights.csv")
    assert set(table["class_weight"]) == {"balanced", "frequency", "none"}


@pytest.mark.slow
def test_another_scheme_renews_what_the_balanced_folder_shows(results):
    arguments = ["--only", "hog_svm", "--limit", "200", "--results", str(results)]
    assert run.main(arguments) == 0
    table = results / "synthetic" / "kaggle-limit200" / "analysis" / "class_weights.csv"
    assert not table.exists()
    assert run.main([*arguments, "--class-weight", "none"]) == 0
    assert set(pd.read_csv(table)["class_weight"]) == {"balanced", "none"}


def test_facts_of_the_data_are_kept_for_the_report(results):
    assert run.main([*QUICK, "--results", str(results)]) == 0
    root = results / "synthetic" / "kaggle-limit200"
    facts = json.loads((root / "runs" / "data.json").read_text())
    record = json.loads((root / "runs" / "majority" / "seed0.json").read_text())
    assert sum(facts["counts"]["Training"].values()) == record["n_faces"]["fit"]
    assert facts["fingerprint"] == record["data_fingerprint"]
    assert f"{facts['n_faces']:,} faces" in (root / "report.html").read_text()


def test_a_dry_run_writes_nothing(results, capsys):
    arguments = ["--only", "majority", "lbp_xgb", "--results", str(results), "--dry-run", "--seeds", "0", "1"]
    assert run.main(arguments) == 0
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "lbp_xgb              seed 0  missing",
        "lbp_xgb              seed 1  missing",
        "majority             seed 0  missing",
    ]
    assert not results.exists()


def test_the_state_of_a_run_is_asked_once_and_once_at_its_turn(results, every_seed, monkeypatch):
    asked = Counter()
    state = Study.state
    monkeypatch.setattr(Study, "state", lambda self, run: asked.update([run.seed]) or state(self, run))
    monkeypatch.setattr("benchmark.run.tqdm", partial(tqdm, file=io.StringIO(), disable=False))
    monkeypatch.setattr(tqdm, "write", lambda *args, **kwargs: None)
    arguments = [*QUICK, "--results", str(results), "--seeds", *map(str, range(6))]
    for _ in range(2):
        assert run.main(arguments) == 0
        assert max(asked.values()) <= 3
        asked.clear()


def test_an_ensemble_brings_its_members(results, capsys):
    assert run.main(["--only", "soft_voting", "--results", str(results), "--dry-run"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["cnn", "hog_svm", "lbp_xgb", "soft_voting"]


def test_a_vote_of_seeds_is_done_once_and_last(results, capsys):
    arguments = ["--only", "deep_ensemble", "soft_voting_networks", "--results", str(results), "--dry-run"]
    assert run.main([*arguments, "--seeds", "0", "1", "2"]) == 0
    lines = [line.split()[:3] for line in capsys.readouterr().out.splitlines()]
    names = ["cnn", "cnn_aug", "cnn_deep", "soft_voting_networks"]
    assert lines == [[name, "seed", str(seed)] for seed in range(3) for name in names] + [
        ["deep_ensemble", "seed", "0"]
    ]


def test_a_recognizer_for_gpus_is_left_out_unless_it_is_named(results, capsys, monkeypatch):
    known = recognizers()
    entries = {"large": replace(known["majority"], tier="gpu", name="large"), "majority": known["majority"]}
    entries["vote"] = replace(known["soft_voting"], members=("large", "majority"), name="vote")
    monkeypatch.setattr(run, "recognizers", lambda: entries)
    monkeypatch.setattr("models.registry.gpu_is_seen", lambda: False)
    arguments = ["--limit", "200", "--results", str(results)]
    folder = results / "synthetic" / "kaggle-limit200" / "runs"
    assert run.main(["--all", *arguments]) == 0
    assert [path.parent.name for path in folder.glob("*/seed0.json")] == ["majority"]
    assert "large is left out, since Keras sees no GPU: --only large runs it" in capsys.readouterr().err
    assert run.main(["--only", "lar*", *arguments]) == 2
    assert run.main(["--only", "large", *arguments]) == 0
    assert json.loads((folder / "large" / "seed0.json").read_text())["status"] == "ok"


def test_the_list_says_how_long_fits_take(results, capsys):
    assert run.main([*QUICK, "--results", str(results)]) == 0
    record = results / "synthetic" / "kaggle-limit200" / "runs" / "majority" / "seed0.json"
    kept = json.loads(record.read_text())
    kept["cost"]["fit_seconds"] = 600 * kept["n_faces"]["fit"] / 28_709
    reference = results / "fer2013" / "kaggle" / "runs" / "majority"
    reference.mkdir(parents=True)
    (reference / "seed0.json").write_text(json.dumps(kept))
    capsys.readouterr()
    assert run.main(["--list", "--results", str(results)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["majority", "floor", "10", "min"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "hog_smv"], "did you mean hog_svm"),
        (["--only", "zzz*"], "--list shows all"),
        (["--all", "--data", "nowhere.csv"], "nowhere.csv"),
        (["--all", "--set", "hog_svm"], "NAME.PARAM=VALUE"),
        (["--all", "--set", "hog_svm.D=3"], "has the parameters"),
        (["--all", "--set", "hog_smv.C=3"], "did you mean hog_svm"),
        (["--all", "--set", "hog_svm.random_state=3"], "the seed is --seeds"),
        (["--all", "--ferplus", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(results, capsys, arguments, words):
    assert run.main([*arguments, "--results", str(results)]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not results.exists()


@pytest.mark.parametrize("arguments", [[], ["--all", "--limit", "0"], ["--all", "--seeds", "-1"], ["--all", "--list"]])
def test_argparse_errors_exit_2(arguments):
    with pytest.raises(SystemExit, match="2"):
        run.main(arguments)


def test_a_failure_gives_1_and_the_others_their_rows(results, capsys):
    arguments = ["--only", "majority", "hog_svm", "--limit", "200", "--set", "hog_svm.pixels_per_cell=60"]
    assert run.main([*arguments, "--results", str(results)]) == 1
    out, err = capsys.readouterr()
    assert "error: hog_svm, seed 0:" in err
    assert "failed" in out
    assert "majority" in out


def test_an_interruption_keeps_what_is_finished_and_gives_130(results, every_seed, capsys, monkeypatch):
    execute = Study.execute

    def interrupted(self):
        yield next(execute(self))
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "execute", interrupted)
    arguments = ["--only", "majority", "--limit", "200", "--seeds", "0", "1", "--results", str(results)]
    assert run.main(arguments) == 130
    out, err = capsys.readouterr()
    assert "majority" in out
    assert "interrupted" in err


def test_results_that_cannot_be_written_are_an_error(results, capsys):
    results.write_text("in the way")
    assert run.main([*QUICK, "--results", str(results)]) == 2
    assert "choose --results DIR" in capsys.readouterr().err


def test_a_comparison_that_cannot_be_renewed_is_an_error(results, capsys, monkeypatch):
    assert run.main([*QUICK, "--results", str(results)]) == 0
    capsys.readouterr()
    real = benchmark.derive.derive

    def full(root):
        if root.name == "kaggle-limit200":
            raise OSError(28, "No space left on device", str(root))
        return real(root)

    monkeypatch.setattr(benchmark.derive, "derive", full)
    assert run.main([*QUICK, "--class-weight", "none", "--results", str(results)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and "No space left on device" in error and "choose --results DIR" in error


def test_listing_imports_no_tensorflow():
    code = (
        "import sys, benchmark.run\n"
        "assert benchmark.run.main(['--list']) == 0\n"
        "heavy = {'tensorflow', 'keras', 'xgboost', 'matplotlib', 'seaborn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "hog_svm" in done.stdout


def test_another_data_set_has_a_board_that_says_how_its_splits_were_made(results, capsys, tmp_path):
    for number in range(84):
        code = ("AN", "DI", "FE", "HA", "NE", "SA", "SU")[number % 7]
        path = tmp_path / "jaffe" / f"{('KA', 'KL', 'KM', 'KR')[number // 21]}.{code}1.{number}.tiff"
        path.parent.mkdir(exist_ok=True)
        Image.effect_noise((64, 64), 50).save(path)
    assert run.main(["--only", "majority", "--data", str(tmp_path / "jaffe"), "--results", str(results)]) == 0
    assert "no subject in two splits; brought to 48x48 by area" in capsys.readouterr().err
    (folder,) = results.iterdir()
    assert folder.name.startswith("jaffe-")
    board = (folder / "kaggle" / "leaderboard.md").read_text("utf-8")
    assert "splits: cut by this benchmark, since the data set has none: 42, 21, 21 faces" in board
