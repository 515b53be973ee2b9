"""Which worker does which run: here one object stands for the client of a cluster."""

from concurrent.futures import CancelledError, Future
from dataclasses import replace

import pytest

pytest.importorskip("distributed", reason="needs Dask: pip install -e '.[cluster]'")

from benchmark.data.protocol import PROTOCOLS, Setting
from benchmark.runs import cluster
from benchmark.runs.cluster import CODE, Cluster, connect, reason_there
from benchmark.runs.study import Study, StudyError
from models.registry import recognizers


class Result(Future):
    """Of a run on a worker."""

    @property
    def status(self):
        return "error" if self.exception() else "finished"


class Client:
    """Stands for the client of a cluster: `workers` by address, with what they answer, and `sent`, what they got."""

    def __init__(self, workers, numpy="2"):
        self.workers, self.numpy, self.sent = workers, numpy, []

    def nthreads(self):
        return dict.fromkeys(self.workers, 1)

    def get_versions(self, packages):
        there = {address: {"packages": {"numpy": self.numpy}} for address in self.workers}
        return {"client": {"packages": {"numpy": "2"}}, "workers": there}

    def run(self, function, code, workers, on_error):
        return {address: "" if callable(self.workers[address]) else self.workers[address] for address in workers}

    def scatter(self, data, workers, hash):
        return data

    def submit(self, function, run, setting, code, data, workers, pure):
        self.sent.append((workers[0], run.seed))
        result = Result()
        answer = self.workers[workers[0]](run, setting, data)
        if answer is not None:
            result.set_exception(answer) if isinstance(answer, Exception) else result.set_result(answer)
        return result

    def cancel(self, futures):
        pass


@pytest.fixture
def answer(tmp_path):
    """What a good worker returns: the record of a run and its files."""

    def do(run, setting, data):
        folder = tmp_path / f"worker{run.seed}"
        ((_, _, record),) = Study([run.entry], [run.seed], data, setting, folder).execute()
        return record, {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}

    return do


@pytest.fixture
def study(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "CHECK", 0)

    def make(seeds=(0, 1), folder="results"):
        entry = replace(recognizers()["majority"], uses_seed=True)
        return Study([entry], seeds, faces, Setting(PROTOCOLS["kaggle"]), tmp_path / folder)

    return make


def statuses(runs):
    return [record["status"] for _, _, record in runs]


def test_the_runs_of_all_studies_are_one_list_the_longest_first(study, answer):
    client = Client({"a": answer})
    studies = [study([0], "short"), study([1], "long")]
    there = Cluster(client, studies, [{"majority": 1.0}, {"majority": 2.0}])
    assert [statuses(there.execute(each)) for each in studies] == [["ok"], ["ok"]]
    assert client.sent == [("a", 1), ("a", 0)]
    assert statuses(Cluster(client, studies, [{}, {}]).execute(studies[0])) == ["ok"]
    assert len(client.sent) == 2, "what is fresh is not sent"


def test_a_worker_that_cannot_be_used_is_named_and_given_nothing(study, answer, capsys):
    client = Client(
        {"other": "its code is not that of this job", "bare": ModuleNotFoundError("No module"), "a": answer}
    )
    there = study()
    assert statuses(Cluster(client, [there], [{}]).execute(there)) == ["ok", "ok"]
    assert {address for address, _ in client.sent} == {"a"}
    said = capsys.readouterr().err
    assert "note: without other: its code is not that of this job: install the same there, and start it again" in said
    assert said.count("note: without bare: No module") == 1
    client, there = Client({"a": answer}, numpy="1"), study([2])
    with pytest.raises(StudyError, match="no worker can be used: start some with: dask worker"):
        list(Cluster(client, [there], [{}]).execute(there))
    assert "note: without a: numpy 1 where it is 2 here: install the same there" in capsys.readouterr().err
    assert not client.sent


def test_code_that_differs_is_seen_on_the_worker(monkeypatch):
    assert reason_there(CODE) == ""
    assert "code" in reason_there("another")
    monkeypatch.setattr(cluster, "project_digest", lambda: "edited")
    assert "code" in reason_there(CODE), "its files were edited since it started"


def test_the_run_of_a_lost_worker_is_done_by_one_that_joins(study, answer):
    client = Client({})

    def die(*_):
        del client.workers["a"]
        client.workers["b"] = answer

    client.workers["a"] = die
    there = study([0])
    assert statuses(Cluster(client, [there], [{}]).execute(there)) == ["ok"]
    assert client.sent == [("a", 0), ("b", 0)]


def test_a_run_that_ends_every_worker_is_a_failed_one(study):
    client = Client({})

    def die(*_):
        (address,) = client.workers
        client.workers = {f"{address}a": die}

    client.workers["a"] = die
    there = study([0])
    ((_, _, record),) = Cluster(client, [there], [{}]).execute(there)
    assert record["status"] == "failed" and "3 workers were lost" in record["error"]


def test_a_lost_scheduler_ends_the_job_with_the_fix(study, answer, monkeypatch):
    client, there = Client({"a": answer}), study()
    runs = Cluster(client, [there], [{}]).execute(there)
    assert next(runs)[2]["status"] == "ok"

    def lost():
        raise CancelledError

    monkeypatch.setattr(client, "nthreads", lost)
    with pytest.raises(StudyError, match="the scheduler was lost: start it again"):
        list(runs)
    assert len(there.store.records()) == 1


def test_a_run_that_fails_there_never_takes_the_place_of_a_finished_one(study):
    there = study([0])
    assert statuses(there.execute()) == ["ok"]
    there.rerun = ["majority"]
    client = Client({"a": lambda *_: MemoryError("too much")})
    ((_, _, record),) = Cluster(client, [there], [{}]).execute(there)
    assert record["status"] == "failed" and "MemoryError" in record["error"]
    assert there.store.records()[0]["status"] == "ok"


def test_a_run_of_another_job_is_left_to_it(study, answer):
    client, there = Client({"a": answer}), study()
    with there.store.lock("majority", 0).acquire():
        job = Cluster(client, [there], [{}])
    assert statuses(job.execute(there)) == ["ok", "ok"]
    assert client.sent == [("a", 1)]
    with there.store.lock("majority", 1).acquire(blocking=False):
        pass


def test_an_address_without_a_scheduler_is_said(monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1)
    with (
        pytest.raises(StudyError, match="no scheduler answers: start one there with: dask scheduler"),
        connect("tcp://127.0.0.1:9", 0),
    ):
        pass
