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

from benchmark import cluster
from benchmark.cluster import connect, difference, execute_on
from benchmark.protocol import PROTOCOLS, Setting
from benchmark.run import main
from benchmark.study import Study, StudyError
from models.registry import recognizers

ROOT = Path(__file__).parents[2]
SLOW = {"lbp_xgb": {"n_estimators": 400, "patience": 400}}
SLOWER = {"lbp_xgb": {"n_estimators": 1500, "patience": 1500}}


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

        def work():
            try:
                for run, _, record in execute_on(client, study, False, {}):
                    done.append((run.seed, record["status"]))
            except StudyError as error:
                done.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        yield client, done, thread
        thread.join(120)
        assert not thread.is_alive()


def busy(client):
    """Return the process identifiers of a worker that is at a run and of its children, once there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for pid in client.run(os.getpid).values():
            children = psutil.Process(pid).children(recursive=True)
            if any(child.cpu_percent(0.2) > 20 for child in children):
                return pid, [child.pid for child in children]
    raise AssertionError("no worker is at a run")


def eventually(condition):
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def test_results_equal_those_of_this_process_bit_for_bit(study, dask):
    names = ["majority", "hog_svm", "lbp_xgb", "cnn", "soft_voting"]
    quick = {"lbp_xgb": {"n_estimators": 20}, "cnn": {"epochs": 2}}
    here, there = (study(names, folder, seeds=[0, 1], overrides=quick) for folder in ("here", "there"))
    assert [record["status"] for _, _, record in here.execute()] == ["ok"] * 10
    dask.work()
    with connect(dask.address, 0) as client:
        client.wait_for_workers(1, timeout=60)
        done = list(execute_on(client, there, False, {}))
        assert [record["status"] for _, _, record in done] == ["ok"] * 10
        assert [state for _, state, _ in execute_on(client, there, False, {})] == ["fresh"] * 10
    assert sums(here) == sums(there)
    for record in there.store.records():
        assert record["artifact_sha256"] == here.store.read(record["recognizer"], record["seed"])["artifact_sha256"]
        assert (there.store.root / "models" / record["artifact"]).is_file()


def test_a_worker_in_another_network_namespace_shares_nothing_but_the_line(study, other_machine, tmp_path):
    here, there, inside = other_machine
    far = study(["majority", "hog_svm"], "far")
    made = Cluster(tmp_path, host=here)
    try:
        made.work(prefix=[*inside, "env", f"FER_BENCHMARK_CACHE={tmp_path / 'cache-there'}"])
        with connect(made.address, 0) as client:
            client.wait_for_workers(1, timeout=60)
            assert all(address.startswith(f"tcp://{there}:") for address in client.nthreads())
            assert [record["status"] for _, _, record in execute_on(client, far, False, {})] == ["ok", "ok"]
    finally:
        made.end()
    near = study(["majority", "hog_svm"], "near")
    list(near.execute())
    assert sums(near) == sums(far)


def test_a_run_whose_worker_is_killed_is_done_elsewhere(study, dask):
    seeds = [0, 1, 2, 3]
    there = study(["lbp_xgb"], "there", seeds, SLOWER)
    with at_work(dask, there, workers=2) as (client, done, _):
        pid, children = busy(client)
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not any(map(psutil.pid_exists, children))), "no orphan goes on"
    assert sorted(done) == [(seed, "ok") for seed in seeds]
    assert sorted(seed for _, seed in sums(there)) == seeds
    assert all(there.state(run) == "fresh" for run in there.runs)
    here = study(["lbp_xgb"], "here", [0], SLOWER)
    list(here.execute())
    assert sums(here).items() <= sums(there).items()


def test_a_lost_scheduler_is_said_finished_runs_are_kept_and_the_rest_is_done_later(study, dask, tmp_path):
    there = study(["lbp_xgb"], "there", range(6), SLOW)
    with at_work(dask, there, workers=1) as (_, done, _):
        assert eventually(lambda: done)
        os.killpg(dask.processes[0].pid, signal.SIGKILL)
    assert isinstance(done[-1], StudyError) and "the same command goes on" in str(done[-1])
    kept = sums(there)
    assert len(kept) == len(done) - 1 >= 1
    assert [state for _, state, _ in there.execute()].count("fresh") == len(kept)
    assert kept.items() <= sums(there).items() and len(sums(there)) == 6


def test_without_any_worker_left_it_gives_up(study, dask, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 3)
    with at_work(dask, study(["lbp_xgb"], "there", [0, 1], SLOWER), workers=1) as (client, done, _):
        busy(client)
        os.killpg(dask.processes[1].pid, signal.SIGKILL)
    assert "all workers were lost" in str(done[-1])


def test_a_worker_with_other_code_or_several_threads_is_refused_by_name(study, dask, tmp_path, capsys):
    for package in cluster.PACKAGES:
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
            next(execute_on(client, there, False, {}))
        said = capsys.readouterr().err
        assert said.count("note: without tcp://127.0.0.1:") == 3
        for words in ("fer-benchmark ", "3 threads", "--no-nanny"):
            assert words in said
        good = dask.work()
        client.wait_for_workers(4, timeout=60)
        assert [record["status"] for _, _, record in execute_on(client, there, False, {})] == ["ok"] * 4
        assert good.poll() is None
    assert len(sums(there)) == 4


def test_a_worker_that_joins_later_with_other_code_gets_no_run(study, dask, monkeypatch, capsys):
    there = study(["majority"], "there")
    with at_work(dask, there, workers=1) as (_, done, thread):
        thread.join(60)
    assert done == [(0, "ok")]
    monkeypatch.setattr(cluster._Sent, "_refuse", lambda *arguments: None)  # as if it had come after the first look
    monkeypatch.setattr(cluster, "SOFTWARE", {"fer-benchmark": "another"})
    with connect(dask.address, 0) as client:
        runs = execute_on(client, study(["majority"], "later"), False, {})
        with pytest.raises(StudyError, match="no worker can be used"):
            next(runs)
    assert "note: without tcp://127.0.0.1:" in capsys.readouterr().err


def test_a_run_that_fails_there_is_a_row_and_never_replaces_a_finished_one(study, dask):
    there = study(["majority", "lbp_xgb"], "there", overrides={"lbp_xgb": {"n_estimators": "many"}})
    with at_work(dask, there, workers=1) as (_, done, _):
        pass
    assert sorted(status for _, status in done) == ["failed", "ok"]
    assert there.store.read("lbp_xgb", 0)["error"]


def test_what_differs_is_named():
    ours = {"numpy": "2.4", "keras": "3.15"}
    alike = {**ours, "threads": "1", "daemon": "False"}
    assert difference(ours, alike) == ""
    assert difference(ours, {**alike, "numpy": "2.3"}) == (
        "numpy 2.3 where it is 2.4 here: install the same there and start it again"
    )
    assert difference({**ours, "xgboost": "3"}, alike).startswith("xgboost missing where it is 3 here: ")
    assert "--nthreads 1" in difference(ours, {**alike, "threads": "4"})
    assert "--no-nanny" in difference(ours, {**alike, "daemon": "True"})


def test_jobs_of_the_command_line(tmp_path, capsys):
    arguments = ["--only", "majority", "lbp_xgb", "--set", "lbp_xgb.n_estimators=5", "--seeds", "0", "1"]
    assert main([*arguments, "--limit", "100", "--jobs", "2", "--results", str(tmp_path)]) == 0
    assert "lbp_xgb" in capsys.readouterr().out
    assert len(list(tmp_path.glob("**/runs/*/seed?.json"))) == 4
    assert main(["--only", "majority", "--scheduler", "tcp://127.0.0.1:9", "--results", str(tmp_path / "none")]) == 2
    assert "no scheduler answers" in capsys.readouterr().err
