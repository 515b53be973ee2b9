"""What happens when things go wrong while the main job runs: killed, terminated, two at once, no space, no network."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.protocol import PROTOCOLS, Setting
from benchmark.store import Store
from benchmark.study import Study
from models.registry import Entry, recognizers

ROOT = Path(__file__).parents[2]
CLASSICAL = ["--only", "majority", "hog_svm", "lbp_xgb", "--limit", "100", "--set", "lbp_xgb.n_estimators=20"]
FOLDER = Path("synthetic", "kaggle-limit100-lbp_xgb.n_estimators=20")


def start(arguments, results, **options):
    command = [sys.executable, "-m", "benchmark.run", *arguments, "--results", str(results)]
    environment = {name: value for name, value in os.environ.items() if name != "FER2013"}
    environment["PYTHONPATH"] = str(ROOT / "tests" / "offline")
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def unharmed(root):
    """Return the digests of the probabilities of all finished runs; fail at a file that is not whole."""
    store = Store(root)
    for path in root.glob("**/*.json"):
        json.loads(path.read_text("utf-8"))
    records = [record for record in store.records() if record["status"] == "ok"]
    assert all(store.is_intact(record) for record in records)
    return {record["recognizer"]: record["probabilities_sha256"] for record in records}


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.long)])
def test_killed_at_random_moments_it_goes_on_and_ends_as_undisturbed(kills, tmp_path):
    began = time.monotonic()
    undisturbed = start(CLASSICAL, tmp_path / "undisturbed")
    assert undisturbed.wait() == 0, undisturbed.stderr.read()
    seconds = time.monotonic() - began
    moments = random.Random(0)
    finished = {}
    for _ in range(kills):
        process = start(CLASSICAL, tmp_path / "killed")
        time.sleep(moments.uniform(0.3, 1) * seconds)
        process.kill()
        process.wait()
        now = unharmed(tmp_path / "killed" / FOLDER)
        assert finished.items() <= now.items(), "no finished record is lost"
        finished = now
    last = start(CLASSICAL, tmp_path / "killed")
    assert last.wait() == 0, last.stderr.read()
    assert unharmed(tmp_path / "killed" / FOLDER) == unharmed(tmp_path / "undisturbed" / FOLDER)
    boards = [pd.read_csv(tmp_path / name / FOLDER / "leaderboard.csv") for name in ("killed", "undisturbed")]
    costs = ["fit_seconds", "ms_per_face"]
    pd.testing.assert_frame_equal(*(board.drop(columns=costs) for board in boards))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_end_it_writes_the_board_of_what_is_finished(sent, code, tmp_path):
    setting = ["--limit", "100", "--set", "cnn.epochs=100000", "cnn.patience=100000"]
    first = start(["--only", "majority", *setting], tmp_path)
    assert first.wait() == 0, first.stderr.read()
    (board,) = tmp_path.glob("**/leaderboard.csv")
    board.unlink()
    process = start(["--only", "majority", "cnn", *setting], tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("**/cnn/seed0.lock")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)  # into the training
    process.send_signal(sent)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert "interrupted: finished runs are kept" in errors
    assert pd.read_csv(board)["recognizer"].tolist() == ["majority"]
    assert "majority" in output


class Slow(type(recognizers()["majority"].make())):
    """The majority, found slowly; counts how often."""

    fits = 0

    def _fit(self, *arrays):
        Slow.fits += 1
        time.sleep(0.3)
        super()._fit(*arrays)


def test_two_at_once_do_no_run_twice_and_both_end_with_all(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(Slow, "fits", 0)
    entries = [Entry(name, "floor", Slow) for name in ("one", "two", "three")]
    monkeypatch.setattr("models.registry.find", dict(zip(("one", "two", "three"), entries, strict=True)).__getitem__)
    results = [[], []]

    def work(place):
        study = Study(entries, [0, 1], faces.limited(150), Setting(PROTOCOLS["kaggle"]), tmp_path)
        results[place] = [record["status"] for _, _, record in study.execute()]

    threads = [threading.Thread(target=work, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [["ok"] * 6] * 2
    assert Slow.fits == 6
    assert len(unharmed(tmp_path)) == 3


def test_a_lock_is_released_by_its_owners_death(tmp_path):
    store = Store(tmp_path)
    code = "from benchmark.store import Store; from pathlib import Path; import os, signal\n"
    code += f"Store(Path({str(tmp_path)!r})).lock('a', 0).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    with store.lock("a", 0).acquire(timeout=1):
        pass


def test_without_space_it_says_so_and_loses_nothing(tmp_path):
    first = start(["--only", "majority", "--limit", "100"], tmp_path)
    assert first.wait() == 0, first.stderr.read()
    (root,) = tmp_path.glob("synthetic/*")
    before = unharmed(root)
    limit = 2000  # bytes a file may have: as on a full disk, writing more fails

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(["--only", "majority", "hog_svm", "--limit", "100"], tmp_path, preexec_fn=limited)
    _, errors = process.communicate()
    assert process.returncode == 2, errors
    assert errors.splitlines()[-1].startswith("error: ") and "free some space" in errors
    assert "Traceback" not in errors
    assert unharmed(root) == before
    assert not list(tmp_path.glob("**/*.tmp")) + list(tmp_path.glob("**/*.partial.*"))
    again = start(["--only", "majority", "hog_svm", "--limit", "100"], tmp_path)
    assert again.wait() == 0, again.stderr.read()
    assert set(unharmed(root)) == {"majority", "hog_svm"}


def test_a_results_folder_that_is_deleted_meanwhile_comes_back(faces, tmp_path):
    entries = [recognizers()[name] for name in ("majority", "hog_svm")]
    study = Study(entries, [0], faces.limited(150), Setting(PROTOCOLS["kaggle"]), tmp_path / "kaggle")
    runs = study.execute()
    next(runs)
    for path in sorted((tmp_path / "kaggle").glob("**/*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert [record["status"] for _, _, record in runs] == ["ok"]
    assert np.isfinite(study.store.probabilities(study.store.records()[0]).test).all()
