"""The same seed on the same machine gives the same records, models and probabilities, bit for bit.

Of the most important recognizers test_cluster.py says the same every time.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.runs.record_store import Store

ROOT = Path(__file__).parents[2]
QUICK = ["--limit", "100", "--set", "lbp_xgb.n_estimators=20", "cnn.epochs=2", "cnn_aug.epochs=1", "cnn_deep.epochs=1"]
JOB = [sys.executable, "-m", "tests.without_figures", "benchmark.run", "--all"]
MEASURED = ("cost", "finished")


def records(results):
    (root,) = results.glob("synthetic/*")
    return {
        record["recognizer"]: {key: value for key, value in record.items() if key not in MEASURED}
        for record in Store(root).records()
    }


@pytest.mark.long
def test_two_jobs_in_two_processes_write_the_same_records(tmp_path):
    found = []
    for name in ("first", "second"):
        # Each with a cache of its own, so that the second takes nothing from the first.
        environment = {**os.environ, "FER_BENCHMARK_CACHE": str(tmp_path / f"cache-{name}")}
        environment.pop("FER2013", None)
        command = [*JOB, *QUICK, "--results", str(tmp_path / name)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found.append(records(tmp_path / name))
    first, second = found
    unfinished = {name for name, record in first.items() if record["status"] != "ok"}
    assert len(first) == 12 and unfinished == {"deep_ensemble", "soft_voting_seeds"}, "these need more seeds"
    # The digests of models and probabilities are in the records.
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
