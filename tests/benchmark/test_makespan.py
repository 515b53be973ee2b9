import pytest

from benchmark import makespan as module
from benchmark.makespan import Task, main, makespan, simulate


@pytest.fixture
def free_of_charge(monkeypatch):
    monkeypatch.setattr(module, "START_SECONDS", 0.0)
    monkeypatch.setattr(module, "FACES_MB", 0.0)


def test_the_longest_run_starts_first(free_of_charge):
    tasks = [Task(seconds, 0.0) for seconds in (1.0, 2.0, 3.0, 4.0)]
    assert [makespan(tasks, workers) for workers in (1, 2, 3, 4, 100)] == [10.0, 5.0, 4.0, 4.0, 4.0]


def test_start_faces_and_artifacts_cost_what_they_cost(monkeypatch):
    monkeypatch.setattr(module, "START_SECONDS", 5.0)
    monkeypatch.setattr(module, "FACES_MB", 200.0)  # two seconds of the line, one worker after the other
    assert makespan([Task(10.0, 100.0)], 1) == 2 + 5 + 10 + 1
    assert makespan([Task(10.0, 100.0)] * 2, 2) == 4 + 5 + 10 + 1
    assert makespan([Task(1.0, 1000.0)] * 2, 2) == 2 + 5 + 1 + 20  # the line is what limits


def test_efficiency_is_against_one_after_the_other(record, free_of_charge):
    labels = [*range(7)]

    def of(name, seconds, **more):
        cost = {"fit_seconds": seconds, "ms_per_face": 1.0, "peak_memory_mb": 1.0, "artifact_mb": 0.0}
        return record(name, labels, labels, cost=cost, **more)

    table = simulate([of("long", 6.0), of("short", 2.0), of("vote", 8.0, members={"long": "0"})], 2, [1, 2, 4])
    assert table["seconds"].tolist() == [16.0, 8.0, 6.0]
    assert table["efficiency"].tolist() == pytest.approx([1.0, 1.0, 2 / 3])
    assert table["efficiency_bound"].tolist() == pytest.approx([1.0, 1.0, 2 / 3])


def test_without_records_it_says_so(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "no finished run" in capsys.readouterr().err
