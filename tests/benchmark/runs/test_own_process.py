"""Runs in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs.study import Study
from models.registry import Entry, recognizers
from tests.recipes import Killed, Large, Tidies

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[3]


def alone(entry, faces, root):
    return Study([entry], [0], faces, Setting(PROTOCOLS["kaggle"]), root, alone=True)


@pytest.mark.slow
def test_memory_is_that_of_the_run_and_time_that_of_one_core(faces, tmp_path):
    waste = bytearray(500_000_000)  # of this process, which is no concern of the run's
    assert waste.count(0)
    ((_, _, small),) = alone(recognizers()["majority"], faces, tmp_path / "small").execute()
    assert small["status"] == "ok", small["error"]
    assert 50 < small["cost"]["peak_memory_mb"] < 500
    assert 0 < small["cost"]["ms_per_face"] < 1
    study = alone(Entry("majority", "floor", Large), faces, tmp_path / "large")
    ((_, _, large),) = study.execute()
    assert large["cost"]["peak_memory_mb"] > small["cost"]["peak_memory_mb"] + 200


def test_a_process_that_ends_early_is_a_failed_run_and_the_others_go_on_and_end_by_themselves(
    faces, tmp_path, monkeypatch
):
    monkeypatch.setenv("TIDY", str(tmp_path / "tidy"))
    entries = [Entry("one", "floor", Killed), Entry("majority", "floor", Tidies)]
    study = Study(entries, [0], faces, Setting(PROTOCOLS["kaggle"]), tmp_path, alone=True)
    records = [record for _, _, record in study.execute()]
    assert [record["status"] for record in records] == ["failed", "ok"]
    assert "exit code 9" in records[0]["error"]
    assert "memory" in records[0]["error"]
    assert (tmp_path / "tidy").exists()


def test_code_that_was_edited_since_the_job_began_does_not_run(faces, tmp_path):
    study = alone(recognizers()["majority"], faces, tmp_path)
    study.code["majority"] = "before the edit"
    ((_, _, record),) = study.execute()
    assert record["status"] == "failed"
    assert "edited" in record["error"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_no_run_outlives_its_job(tmp_path):
    command = [sys.executable, "-m", "benchmark.run", "--only", "hog_svm", "--results", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("FER2013", None)
    job = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    children = []
    while len(children) < 2 and job.poll() is None and time.monotonic() < deadline:
        children = psutil.Process(job.pid).children(recursive=True)
        time.sleep(0.02)
    assert children, "the run began before the job is killed"
    job.kill()
    job.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert not alive
