"""What happens when things go wrong while the main job runs: killed, terminated, two at once, no space, no network."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.run import main
from benchmark.runs.record_store import Store
from benchmark.runs.study import Study
from models.files.arrays import read_arrays
from models.registry import Entry, recognizers

ROOT = Path(__file__).parents[2]
CLASSICAL = ["--only", "majority", "hog_svm", "--limit", "100"]
FOLDER = Path("synthetic", "kaggle-limit100")
NETWORK = ["--only", "cnn_aug", "--limit", "100", "--set"]


def start(arguments, results, **options):
    return start_module("tests.without_figures", "benchmark.run", *arguments, "--results", results, **options)


def start_module(*arguments, **options):
    environment = {name: value for name, value in os.environ.items() if name != "FER2013"}
    environment["PYTHONPATH"] = str(ROOT / "tests" / "offline")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", *map(str, arguments)], cwd=ROOT, env=environment, **pipes, **options)


def do(arguments, results):
    """Do a job in this process, which is quicker where nothing disturbs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FER2013", raising=False)
        assert main([*arguments, "--results", str(results)]) == 0


def unharmed(root):
    """Return the digests of the probabilities of all finished runs; fail at a file that is not whole."""
    store = Store(root)
    for path in root.glob("**/*.json"):
        json.loads(path.read_text("utf-8"))
    records = [record for record in store.records() if record["status"] == "ok"]
    assert all(store.is_intact(record) for record in records)
    return {record["recognizer"]: record["probabilities_sha256"] for record in records}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The results folder of the classical job that nothing disturbed, and the seconds that it took."""
    results = tmp_path_factory.mktemp("undisturbed")
    began = time.monotonic()
    job = start(CLASSICAL, results)
    assert job.wait() == 0, job.stderr.read()
    return results / FOLDER, time.monotonic() - began


@pytest.mark.parametrize("kills", [pytest.param(2, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.long)])
def test_killed_at_random_moments_it_goes_on_and_ends_as_undisturbed(kills, undisturbed, tmp_path):
    whole, seconds = undisturbed
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
    assert unharmed(tmp_path / "killed" / FOLDER) == unharmed(whole)
    boards = [pd.read_csv(root / "leaderboard.csv") for root in (tmp_path / "killed" / FOLDER, whole)]
    costs = ["fit_seconds", "ms_per_face"]
    pd.testing.assert_frame_equal(*(board.drop(columns=costs) for board in boards))


def epochs_kept(cache):
    """Return how many epochs of the training are kept, 0 where there is none."""
    for path in cache.glob("training-*.npz"):
        return len(json.loads(str(read_arrays(path)["history"]))["loss"])
    return 0


@pytest.mark.parametrize(
    ("kills", "epochs"), [pytest.param(1, 6, marks=pytest.mark.slow), pytest.param(20, 40, marks=pytest.mark.long)]
)
def test_a_training_that_is_killed_goes_on_after_its_last_epoch_and_ends_with_the_same_weights(
    kills, epochs, tmp_path, monkeypatch
):
    network = [*NETWORK, f"cnn_aug.epochs={epochs}"]
    monkeypatch.setenv("FER_BENCHMARK_CACHE", str(tmp_path / "cache"))
    moments = random.Random(0)
    kept = 0
    for _ in range(kills):
        process = start(network, tmp_path / "killed")
        goal = kept + moments.randint(1, 2)
        while epochs_kept(tmp_path / "cache") < goal and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))  # at any moment of an epoch, or while its state is written
        process.kill()
        process.wait()
        assert process.returncode == -signal.SIGKILL, "it is killed within the training"
        assert epochs_kept(tmp_path / "cache") >= goal, "no epoch is lost"
        kept = epochs_kept(tmp_path / "cache")
    for name in ("killed", "whole"):  # each in a process of its own, as it began: in bfloat16 the last bit counts
        job = start(network, tmp_path / name)
        assert job.wait() == 0, job.stderr.read()
        assert not list((tmp_path / "cache").glob("training-*.npz")), "what is finished needs no state"
    (killed,), (whole,) = (list((tmp_path / name).glob("synthetic/*")) for name in ("killed", "whole"))
    histories = [Store(root).records()[0]["history"] for root in (killed, whole)]
    assert histories[0] == histories[1] and len(histories[0]["loss"]) == epochs  # says in which epoch they part
    assert unharmed(killed) == unharmed(whole)


@pytest.mark.slow
def test_readers_meanwhile_find_whole_files_and_disturb_nothing(undisturbed, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((60, 60), 90, np.uint8)).save(photo)
    root = tmp_path / "read" / FOLDER
    job = start(CLASSICAL, tmp_path / "read")
    description = start_module("benchmark.data", "describe", "--figure", tmp_path / "classes.png")
    report = "tests.without_figures", "benchmark.report", root
    readers = cycle([report, ("models.predict", photo, "--whole", "--results", root)])
    while job.poll() is None:
        reader = start_module(*next(readers))
        _, errors = reader.communicate()
        assert "Traceback" not in errors, errors
        assert reader.returncode in (0, 2), errors
        assert reader.returncode == 0 or "error: " in errors
    assert job.returncode == 0, job.stderr.read()
    assert description.wait() == 0, description.stderr.read()
    for reader in [start_module(*report), start_module("models.predict", photo, "--results", root)]:
        assert reader.wait() == 0, reader.stderr.read()
    assert unharmed(root) == unharmed(undisturbed[0])


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_end_it_writes_the_board_of_what_is_finished(sent, code, tmp_path):
    setting = ["--limit", "100", "--set", "cnn.epochs=100000", "cnn.patience=100000"]
    do(["--only", "majority", *setting], tmp_path)
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


HALVED = """
import sys
from benchmark import run
from benchmark.runs.study import Study

class Stop:
    def find_spec(name, path, target=None):
        if name == "matplotlib.cm":
            sys.meta_path.remove(Stop)
            raise KeyboardInterrupt

def execute(study, done=Study.execute):
    yield from done(study)
    sys.meta_path.insert(0, Stop)
    import matplotlib
    raise KeyboardInterrupt

Study.execute = execute
sys.exit(run.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_asked_to_end_while_a_run_imports_what_draws_the_figures_it_draws_them_all_the_same(tmp_path):
    command = [sys.executable, "-c", HALVED, "--only", "majority", "--limit", "100", "--results", tmp_path]
    environment = {name: value for name, value in os.environ.items() if name != "FER2013"}
    job = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert job.returncode == 130, job.stderr
    (root,) = tmp_path.glob("synthetic/*")
    assert sorted(root.glob("figures/*.png")) == sorted(path.with_suffix(".png") for path in root.glob("figures/*.csv"))
    assert (root / "report.html").is_file(), job.stderr


class Slow(type(recognizers()["majority"].make())):
    """The majority, found slowly; counts how often."""

    fits = 0

    def _fit(self, *arrays):
        Slow.fits += 1
        time.sleep(0.3)
        super()._fit(*arrays)


@pytest.mark.slow
def test_two_at_once_do_no_run_twice_and_both_end_with_all(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(Slow, "fits", 0)
    entries = [Entry(name, "floor", Slow) for name in ("one", "two", "three")]
    monkeypatch.setattr(
        "models.registry.find_recognizer", dict(zip(("one", "two", "three"), entries, strict=True)).__getitem__
    )

    def work(_):
        study = Study(entries, [0, 1], faces.limited(150), Setting(PROTOCOLS["kaggle"]), tmp_path)
        return [record["status"] for _, _, record in study.execute()]

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(work, (0, 1))) == [["ok"] * 6] * 2
    assert Slow.fits == 6
    assert len(unharmed(tmp_path)) == 3


def test_a_lock_is_released_by_its_owners_death(tmp_path):
    store = Store(tmp_path)
    code = "from benchmark.runs.record_store import Store; from pathlib import Path; import os, signal\n"
    code += f"Store(Path({str(tmp_path)!r})).lock('a', 0).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == -signal.SIGKILL
    with store.lock("a", 0).acquire(timeout=1):
        pass


@pytest.mark.slow
def test_without_space_it_says_so_and_loses_nothing(tmp_path):
    do(["--only", "majority", "--limit", "100"], tmp_path)
    (root,) = tmp_path.glob("synthetic/*")
    before = unharmed(root)
    limit = 2000  # bytes a file may have: as on a full disk, writing more fails

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    process = start(CLASSICAL, tmp_path, preexec_fn=limited)
    _, errors = process.communicate()
    assert process.returncode == 2, errors
    assert errors.splitlines()[-1].startswith("error: ") and "free some space" in errors
    assert "Traceback" not in errors
    assert unharmed(root) == before
    assert not list(tmp_path.glob("**/*.tmp")) + list(tmp_path.glob("**/*.partial.*"))
    do(CLASSICAL, tmp_path)
    assert set(unharmed(root)) == {"majority", "hog_svm"}


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 6 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize(
    "fault", [pytest.param("full", marks=pytest.mark.long), pytest.param("read-only", marks=pytest.mark.slow)]
)
def test_a_disk_that_takes_no_more_is_said_and_what_is_on_it_stays(fault, small_disk):
    do(["--only", "majority", "--limit", "100"], small_disk)
    (root,) = small_disk.glob("synthetic/*")
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    filler = small_disk / "filler"
    if fault == "full":
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        assert shutil.disk_usage(small_disk).free == 0
    else:
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    process = start(CLASSICAL, small_disk)
    _, errors = process.communicate()
    assert process.returncode == 2, errors
    assert errors.splitlines()[-1].startswith("error: ") and "choose --results DIR" in errors
    assert "Traceback" not in errors
    assert {path: path.read_bytes() for path in before} == before
    if fault == "read-only":
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    filler.unlink(missing_ok=True)
    do(CLASSICAL, small_disk)
    assert set(unharmed(root)) == {"majority", "hog_svm"}


def test_a_results_folder_that_is_deleted_meanwhile_comes_back(faces, tmp_path):
    entries = [recognizers()[name] for name in ("majority", "hog_svm")]
    setting = Setting(PROTOCOLS["kaggle"], overrides={"hog_svm": {"pixels_per_cell": 12}})
    study = Study(entries, [0], faces.limited(150), setting, tmp_path / "kaggle")
    runs = study.execute()
    next(runs)
    for path in sorted((tmp_path / "kaggle").glob("**/*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert [record["status"] for _, _, record in runs] == ["ok"]
    assert np.isfinite(study.store.probabilities(study.store.records()[0]).test).all()
