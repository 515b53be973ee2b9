"""Runs by real workers of Dask, each a process: the results of one process, whatever ends early."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytest.importorskip("distributed", reason="needs Dask: pip install -e '.[cluster]'")

from benchmark.run import main
from benchmark.runs.record_store import Store
from models.files.code_reader import PACKAGES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SLEEPER = """
import os, time
from pathlib import Path
from models.recognizers.majority import Majority
from models.registry import recognizer

class Sleeper(Majority):
    def _fit(self, *arrays):
        Path(f"../begun/{self.random_state}-{os.getpid()}").touch()
        while self.random_state and not Path("../awake").exists():
            time.sleep(0.05)
        super()._fit(*arrays)

@recognizer(family="classical")
def sleeper(random_state: int = 0) -> Sleeper:
    "Sleeps until it is woken, but for seed 0."
    return Sleeper(random_state=random_state)
"""
# The time of a face is measured in one more process a run.
UNTIMED = """

def measure(*_: object) -> dict[str, float]:
    return {"batch_ms": 1.0}
"""


class Processes:
    """A copy of the project with a recognizer that sleeps; a scheduler, and jobs and workers from there."""

    def __init__(self, folder):
        self.folder, self.code, self.started = folder, folder / "code", []
        for package in PACKAGES:
            shutil.copytree(ROOT / package, self.code / package, ignore=shutil.ignore_patterns("__pycache__"))
        (self.code / "models" / "recognizers" / "sleeper.py").write_text(SLEEPER, "utf-8")
        with (self.code / "benchmark" / "runs" / "latency.py").open("a", encoding="utf-8") as file:
            file.write(UNTIMED)
        (folder / "begun").mkdir()
        address = folder / "scheduler.json"
        self.dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(address))
        assert eventually(lambda: address.exists() and address.read_text("utf-8").endswith("}"))  # written in place
        self.address = json.loads(address.read_text("utf-8"))["address"]

    def dask(self, what, *options):
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--no-dashboard"]
        self.started.append(self.process(command, self.code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def work(self, nanny="--no-nanny"):
        self.dask("worker", self.address, "--nthreads", "1", nanny)

    def job(self, *arguments, scheduler=True):
        program = "import sys, pytest; from benchmark import run; from benchmark.runs import cluster; "
        program += "from tests.without_figures import undraw; "
        program += "undraw(pytest.MonkeyPatch()); cluster.PATIENCE = 3; sys.exit(run.main(sys.argv[1:]))"
        command = [sys.executable, "-c", program, "--only", *arguments, "--limit", "100", "--results", "here"]
        command += ["--scheduler", self.address] if scheduler else []
        path = f"{self.code}{os.pathsep}{ROOT}"
        return self.process(command, path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def process(self, command, path, **options):
        environment = {**os.environ, "PYTHONPATH": str(path)}
        return subprocess.Popen(command, cwd=self.code, env=environment, start_new_session=True, **options)

    def begun(self):
        """Return seed and process of the runs that were begun."""
        return [tuple(map(int, mark.name.split("-"))) for mark in (self.folder / "begun").iterdir()]

    def finished(self):
        return {path: path.read_bytes() for path in self.code.glob("here/**/sleeper/seed?.json")}


@pytest.fixture
def processes(tmp_path, monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    made = Processes(tmp_path)
    yield made
    for process in made.started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def test_results_equal_those_of_one_process_bit_for_bit(processes):
    names, found = ["hog_svm", "cnn"], []
    processes.work()
    for scheduler in (True, False):
        job = processes.job(*names, "--set", "cnn.epochs=1", scheduler=scheduler)
        _, errors = job.communicate()
        assert job.returncode == 0, errors
        (root,) = processes.code.glob("here/synthetic/*")
        measured = ("cost", "finished", "checksum")  # the digests of models and probabilities are no such
        found.append([{key: each[key] for key in each if key not in measured} for each in Store(root).records()])
        shutil.rmtree(root)
    assert len(found[0]) == 2 and json.dumps(found[0], sort_keys=True) == json.dumps(found[1], sort_keys=True)


def test_runs_go_on_elsewhere_and_end_with_their_worker_or_job(processes):
    processes.work()
    processes.work()
    processes.work("--nanny")
    job = processes.job("sleeper", "--seeds", "1", "2")
    assert eventually(lambda: len(processes.begun()) == 2)
    (seed, lost), _ = processes.begun()
    os.kill(psutil.Process(lost).ppid(), signal.SIGKILL)
    assert eventually(lambda: not psutil.pid_exists(lost), 5), "no run outlives its worker"
    (processes.folder / "awake").touch()
    output, errors = job.communicate(timeout=120)
    assert job.returncode == 0, errors
    assert [begun for begun, _ in processes.begun()].count(seed) == 2
    assert len(processes.finished()) == 2 and output.count("sleeper") == 1
    assert errors.count("note: without tcp://") == 1 and "nanny" in errors
    (processes.folder / "awake").unlink()
    job = processes.job("sleeper", "--seeds", "3")
    assert eventually(lambda: 3 in dict(processes.begun()))
    job.kill()
    job.communicate()
    assert eventually(lambda: not psutil.pid_exists(dict(processes.begun())[3]), 20), "no run outlives its job"


@pytest.mark.parametrize(("victim", "words"), [(0, "the scheduler was lost"), (1, "no worker can be used")])
def test_without_scheduler_or_worker_the_job_ends_and_goes_on_later(victim, words, processes):
    processes.work()
    job = processes.job("sleeper", "--seeds", "0", "1")
    assert eventually(processes.finished)
    os.killpg(processes.started[victim].pid, signal.SIGKILL)
    output, errors = job.communicate(timeout=120)
    assert job.returncode == 2 and "Traceback" not in errors, errors
    assert errors.splitlines()[-1].startswith(f"error: {words}"), errors
    kept = processes.finished()
    assert len(kept) == 1 and "sleeper" in output
    (processes.folder / "awake").touch()
    again = processes.job("sleeper", "--seeds", "0", "1", scheduler=False)
    _, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert kept.items() <= processes.finished().items() and len(processes.finished()) == 2


def test_jobs_of_the_command_line(tmp_path, monkeypatch):
    monkeypatch.delenv("FER2013", raising=False)
    arguments = ["--only", "majority", "--limit", "100", "--class-weight", "none", "balanced"]
    assert main([*arguments, "--jobs", "2", "--results", str(tmp_path)]) == 0
    assert len(list(tmp_path.glob("**/runs/*/seed?.json"))) == 2
