"""Runs on real worker processes: the results of this process, whatever happens to workers and scheduler."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip("distributed", reason="needs Dask: pip install -e '.[cluster]'")

from dask import config as dask_settings

from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.run import main
from benchmark.runs import cluster, worker
from benchmark.runs.cluster import send
from benchmark.runs.connection import Workers, connect
from benchmark.runs.record_store import Store
from benchmark.runs.study import Study, StudyError
from benchmark.runs.worker import PACKAGES, difference
from models.registry import recognizers

ROOT = Path(__file__).parents[3]
SLEEPER = """
import os, time
from pathlib import Path
from models.recognizers.majority import Majority
from models.registry import recognizer

class Sleeper(Majority):
    def _fit(self, *arrays):
        marks = Path(os.environ["MARKS"])
        (marks / f"{self.random_state}-{os.getpid()}").touch()
        end = time.monotonic() + float(os.environ["SECONDS"])
        while time.monotonic() < end and not marks.with_name("awake").exists():
            time.sleep(0.05)
        super()._fit(*arrays)

@recognizer(family="classical")
def sleeper(random_state: int = 0) -> Sleeper:
    "Sleeps."
    return Sleeper(random_state=random_state)
"""


def start(*arguments, code=ROOT, prefix=()):
    """Start a process of Dask that sees the project's code in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(code)}
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]],
        cwd=code, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


class Cluster:
    """A scheduler and workers, each a process."""

    def __init__(self, folder, host="127.0.0.1"):
        self.file = folder / "scheduler.json"
        options = ("--host", host, "--port", "0", "--no-dashboard", "--scheduler-file", self.file)
        self.processes = [start("scheduler", *options)]
        self.address = self._address()

    def _address(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                return json.loads(self.file.read_text("utf-8"))["address"]
            except (OSError, ValueError):
                time.sleep(0.1)
        raise AssertionError("no scheduler")

    def work(self, *options, **where):
        """Start a worker."""
        options = options or ("--nthreads", "1", "--no-nanny")
        self.processes.append(start("worker", self.address, "--no-dashboard", *options, **where))
        return self.processes[-1]

    def end(self):
        """Kill all that is left."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def dask(tmp_path):
    made = Cluster(tmp_path)
    yield made
    made.end()


@pytest.fixture
def other_machine():
    """A network of two machines, as far as addresses go: this one's address in it, and how to run there."""
    name, here, there = f"fer{os.getpid()}", "10.213.7.1", "10.213.7.2"
    inside = ["ip", "netns", "exec", name]
    commands = [
        ["ip", "netns", "add", name],
        ["ip", "link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b", "netns", name],
        ["ip", "address", "add", f"{here}/24", "dev", f"{name}a"],
        ["ip", "link", "set", f"{name}a", "up"],
        [*inside, "ip", "address", "add", f"{there}/24", "dev", f"{name}b"],
        [*inside, "ip", "link", "set", f"{name}b", "up"],
        [*inside, "ip", "link", "set", "lo", "up"],
    ]
    try:
        for command in commands:
            subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to make a network namespace")
    yield here, there, inside
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def study(faces, tmp_path):
    def make(names, folder, seeds=(0,), overrides=None):
        entries = [recognizers()[name] for name in names]
        setting = Setting(PROTOCOLS["kaggle"], overrides=overrides or {})
        return Study(entries, seeds, faces.limited(100), setting, tmp_path / folder)

    return make


def execute_on(client, study, rerun=False):
    (sent,) = send(client, [study], rerun, [{}])
    return sent.execute()


def sums(study):
    return {(record["recognizer"], record["seed"]): record["probabilities_sha256"] for record in study.store.records()}


@contextmanager
def at_work(dask, study, workers):
    """Do a study in a thread, with its workers; yield the client, a list that takes what comes, and the thread."""
    for _ in range(workers):
        dask.work()
    with connect(dask.address, 0) as client:
        client.wait_for_workers(workers, timeout=60)
        done = []
        thread = threading.Thread(target=lambda: done.extend(execute_on(client, study)))
        thread.start()
        yield client, done, thread
        thread.join(120)
        assert not thread.is_alive()


@pytest.fixture
def sleepers(tmp_path, monkeypatch):
    """A copy of the project with a recognizer that sleeps; how to do four runs of it from there."""
    code = tmp_path / "code"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    (code / "models" / "sleeper.py").write_text(SLEEPER, "utf-8")
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("MARKS", str(marks))
    monkeypatch.setenv("SECONDS", "60")
    monkeypatch.setenv("PYTHONPATH", f"{code}{os.pathsep}{ROOT}")
    monkeypatch.delenv("FER2013", raising=False)

    def run(*arguments, patience=60):
        program = "import sys, pytest; from benchmark import cluster, run; from tests.undrawn import undraw; "
        program += f"undraw(pytest.MonkeyPatch()); cluster.PATIENCE = {patience}; sys.exit(run.main(sys.argv[1:]))"
        job = ["--only", "sleeper", "--seeds", "0", "1", "2", "3", "--limit", "100", "--results", "results"]
        return subprocess.Popen(
            [sys.executable, "-c", program, *job, *arguments],
            cwd=code, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return run, code, marks


def started(marks):
    """Return seed and process of the runs that were begun."""
    return [tuple(map(int, mark.name.split("-"))) for mark in sorted(marks.iterdir(), key=os.path.getmtime)]


def awake(marks):
    """Let no run sleep any more."""
    marks.with_name("awake").touch()


def finished(code):
    return {path: path.read_bytes() for path in code.glob("results/**/sleeper/seed?.json")}


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def test_results_equal_those_of_one_process_bit_for_bit(dask, tmp_path, monkeypatch):
    # By the command line: here threads of Dask draw from Python's generator, from which Keras draws its seeds.
    monkeypatch.delenv("FER2013", raising=False)
    names = ["majority", "hog_svm", "lbp_xgb", "cnn", "soft_voting"]
    job = [sys.executable, "-m", "tests.undrawn", "benchmark.run", "--only", *names, "--limit", "100"]
    job += ["--set", "lbp_xgb.n_estimators=20", "cnn.epochs=2"]
    dask.work()
    with connect(dask.address, 0) as client:
        client.wait_for_workers(1, timeout=60)
    found = []
    for options in ([], ["--scheduler", dask.address]):
        folder = tmp_path / f"results{len(options)}"
        done = subprocess.run(
            [*job, *options, "--results", folder], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        (root,) = folder.glob("synthetic/*")
        records = Store(root).records()
        assert all((root / "models" / record["artifact"]).is_file() for record in records)
        measured = ("cost", "finished", "checksum")
        found.append({each["recognizer"]: {key: each[key] for key in each if key not in measured} for each in records})
    assert set(found[0]) == set(names)
    # The digests of models and probabilities are in the records.
    assert json.dumps(found[0], sort_keys=True) == json.dumps(found[1], sort_keys=True)


@pytest.mark.long
def test_a_worker_in_another_network_namespace_shares_nothing_but_the_line(study, other_machine, tmp_path):
    here, there, inside = other_machine
    far = study(["majority", "hog_svm"], "far")
    made = Cluster(tmp_path, host=here)
    try:
        made.work(prefix=[*inside, "env", f"FER_BENCHMARK_CACHE={tmp_path / 'cache-there'}"])
        with connect(made.address, 0) as client:
            client.wait_for_workers(1, timeout=60)
            assert all(address.startswith(f"tcp://{there}:") for address in client.nthreads())
            assert [record["status"] for _, _, record in execute_on(client, far)] == ["ok", "ok"]
    finally:
        made.end()
    near = study(["majority", "hog_svm"], "near")
    list(near.execute())
    assert sums(near) == sums(far)


def test_a_run_whose_worker_is_killed_is_done_elsewhere(sleepers, dask):
    run, code, marks = sleepers
    for _ in range(2):
        dask.work(code=code)
    job = run("--scheduler", dask.address)
    assert eventually(lambda: started(marks))
    seed, pid = started(marks)[0]
    os.kill(psutil.Process(pid).ppid(), signal.SIGKILL)
    awake(marks)
    output, errors = job.communicate(timeout=120)
    assert job.returncode == 0, errors
    assert [begun for begun, _ in started(marks)].count(seed) == 2
    assert len(finished(code)) == 4 and output.count("sleeper") == 1
    assert eventually(lambda: not psutil.pid_exists(pid), 5), "no orphan goes on"


@pytest.mark.slow
def test_where_some_are_refused_those_that_join_later_do_what_has_not_begun(sleepers, dask, tmp_path):
    run, code, marks = sleepers
    bare = tmp_path / "bare"
    (bare / "benchmark").mkdir(parents=True)
    (bare / "benchmark" / "__init__.py").touch()
    dask.work()  # without the recognizer
    dask.work(code=bare)
    first = dask.work(code=code)
    with connect(dask.address, 0) as client:
        client.wait_for_workers(3, timeout=60)
    job = run("--scheduler", dask.address)
    assert eventually(lambda: started(marks))
    dask.work(code=bare)
    dask.work(code=code)
    assert eventually(lambda: len({pid for _, pid in started(marks)}) == 2), "the newcomer has a run"
    os.killpg(first.pid, signal.SIGKILL)
    awake(marks)
    output, errors = job.communicate(timeout=120)
    assert job.returncode == 0, errors
    assert len(finished(code)) == 4 and output.count("sleeper") == 1
    assert errors.count("note: without tcp://127.0.0.1:") == 3, errors


@pytest.mark.slow
def test_a_lost_scheduler_is_said_finished_runs_are_kept_and_the_rest_is_done_later(sleepers, dask, monkeypatch):
    run, code, marks = sleepers
    monkeypatch.setenv("SECONDS", "2")
    dask.work(code=code)
    job = run("--scheduler", dask.address)
    assert eventually(lambda: finished(code))
    os.killpg(dask.processes[0].pid, signal.SIGKILL)
    output, errors = job.communicate(timeout=120)
    assert job.returncode == 2 and "Traceback" not in errors, errors
    assert errors.splitlines()[-1].startswith("error: the scheduler was lost: finished runs are kept")
    kept = finished(code)
    assert 1 <= len(kept) < 4 and "sleeper" in output
    awake(marks)
    again = run()
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert kept.items() <= finished(code).items() and len(finished(code)) == 4


@pytest.mark.slow
def test_without_any_worker_left_it_gives_up(sleepers, dask):
    run, code, marks = sleepers
    worker = dask.work(code=code)
    job = run("--scheduler", dask.address, patience=3)
    assert eventually(lambda: started(marks))
    os.killpg(worker.pid, signal.SIGKILL)
    _, errors = job.communicate(timeout=120)
    assert job.returncode == 2 and "Traceback" not in errors, errors
    assert errors.splitlines()[-1].startswith("error: all workers were lost: start some with: dask worker")


@pytest.mark.slow
def test_a_worker_with_other_code_or_several_threads_is_refused_by_name(study, dask, tmp_path, capsys):
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / "other" / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other" / "models" / "majority.py").open("a") as file:
        file.write("EDITED = True\n")
    dask.work("--nthreads", "1", "--no-nanny", code=tmp_path / "other")
    dask.work("--nthreads", "3", "--no-nanny")
    dask.work("--nthreads", "1")  # under a nanny
    there = study(["majority"], "there", range(4))
    with connect(dask.address, 0) as client:
        client.wait_for_workers(3, timeout=60)
        with pytest.raises(StudyError, match="no worker can be used: start some with: dask worker"):
            next(execute_on(client, there))
        said = capsys.readouterr().err
        assert said.count("note: without tcp://127.0.0.1:") == 3
        for words in ("fer-benchmark ", "3 threads", "--no-nanny"):
            assert words in said
        good = dask.work()
        client.wait_for_workers(4, timeout=60)
        assert [record["status"] for _, _, record in execute_on(client, there)] == ["ok"] * 4
        assert good.poll() is None
        several = [study(["majority"], folder) for folder in ("one", "other")]
        sent = send(client, several, False, [{}, {}])
        assert [len(each._away) for each in sent] == [1, 1], "no study waits for the one before it"
        for each in sent:
            assert [record["status"] for _, _, record in each.execute()] == ["ok"]
    assert len(sums(there)) == 4


@pytest.mark.slow
def test_a_worker_that_joins_later_with_other_code_gets_no_run(study, dask, monkeypatch, capsys):
    there = study(["majority"], "there")
    with at_work(dask, there, workers=1) as (_, done, thread):
        thread.join(60)
    assert [record["status"] for _, _, record in done] == ["ok"]
    monkeypatch.setattr(Workers, "look", lambda self: False)  # as if it had come after the first look
    monkeypatch.setattr(cluster, "SOFTWARE", {"fer-benchmark": "another"})
    with connect(dask.address, 0) as client:
        runs = execute_on(client, study(["majority"], "later"))
        with pytest.raises(StudyError, match="no worker can be used"):
            next(runs)
    assert "note: without tcp://127.0.0.1:" in capsys.readouterr().err


def test_a_run_that_fails_there_is_a_row_and_never_replaces_a_finished_one(study, dask):
    names, bad = ["hog_svm", "lbp_xgb"], {"lbp_xgb": {"n_estimators": "many"}, "hog_svm": {"C": "much"}}
    list(study(["lbp_xgb"], "there", overrides={"lbp_xgb": {"n_estimators": 5}}).execute())
    there = study(names, "there", overrides=bad)
    before = sums(there)
    with at_work(dask, there, workers=1) as (_, done, _):
        pass
    assert [record["status"] for _, _, record in done] == ["failed"] * 2
    assert all(record["error"] for _, _, record in done)
    assert there.store.read("hog_svm", 0)["status"] == "failed"
    kept = there.store.read("lbp_xgb", 0)
    assert kept["status"] == "ok" and kept["probabilities_sha256"] == before["lbp_xgb", 0]


def test_a_new_model_takes_the_place_of_all_forms_of_the_old_one(study):
    there = study(["majority"], "there")
    ((_, _, record),) = there.execute()
    models = there.store.root / "models"
    files = {f"models/{name}": b"new" for name in ("cnn.h5", "cnn.json")}
    files["runs/cnn/seed0.json"] = json.dumps({**record, "recognizer": "cnn", "artifact": "cnn.h5"}).encode()
    for name in ("cnn.tflite", "cnn.int8.tflite"):
        (models / name).write_bytes(b"old")
    cluster.take(there, files)
    assert sorted(path.name for path in models.glob("cnn*")) == ["cnn.h5", "cnn.json"]
    assert len(list(models.glob("majority*"))) == 3


def test_a_worker_fits_whatever_lies_beside_its_folder(faces, monkeypatch):
    monkeypatch.setattr(worker, "_data", faces)
    asked = []
    monkeypatch.setattr(worker.Study, "do", lambda self, run, fit: asked.append(fit))
    worker.do_alone(worker.Job("cnn_aug", 0, Setting(PROTOCOLS["kaggle"]), "", worker.SOFTWARE))
    assert asked == [True]


def test_what_differs_is_named():
    ours = {"numpy": "2.4", "keras": "3.15"}
    alike = {**ours, "threads": "1", "daemon": "False"}
    assert difference(ours, alike) == ""
    assert difference(ours, {**alike, "numpy": "2.3"}) == (
        "numpy 2.3 where it is 2.4 here: install the same there and start it again"
    )
    assert difference({**ours, "xgboost": "3"}, alike).startswith("xgboost missing where it is 3 here: ")
    assert difference(ours, {**alike, "scikit-learn-intelex": "2026"}).startswith("scikit-learn-intelex 2026 where it ")
    assert "--nthreads 1" in difference(ours, {**alike, "threads": "4"})
    assert "--no-nanny" in difference(ours, {**alike, "daemon": "True"})


def test_a_run_has_nothing_of_what_dask_sets_for_its_workers(faces, monkeypatch):
    # One thread a library, and memory that goes back to the system at once: a third more time for hog_svm.
    names = dask_settings.get("distributed.nanny.pre-spawn-environ")
    assert {"OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"} <= set(names)
    for name, value in names.items():
        monkeypatch.setenv(name, str(value))
    worker.Faces(faces).setup(None)
    assert not set(names) & set(os.environ)


def test_jobs_of_the_command_line(tmp_path, capsys, monkeypatch):
    arguments = ["--only", "majority", "lbp_xgb", "--set", "lbp_xgb.n_estimators=5"]
    arguments += ["--class-weight", "none", "balanced"]
    assert main([*arguments, "--limit", "100", "--jobs", "2", "--results", str(tmp_path)]) == 0
    assert "lbp_xgb" in capsys.readouterr().out
    assert len(list(tmp_path.glob("**/runs/*/seed?.json"))) == 4
    monkeypatch.setattr("benchmark.runs.connection.CONNECT", 1)
    assert main(["--only", "majority", "--scheduler", "tcp://127.0.0.1:9", "--results", str(tmp_path / "none")]) == 2
    assert "no scheduler answers" in capsys.readouterr().err
