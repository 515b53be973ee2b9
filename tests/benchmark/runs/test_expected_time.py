from benchmark.runs.expected_time import MANY_FACES, cheapest_first, expected_seconds, in_words, too_many_faces
from benchmark.runs.record_store import Store
from models.registry import Entry, recognizers


def test_cheap_ones_come_first_and_ensembles_last():
    entries = [Entry("vote", members=("slow",)), Entry("slow"), Entry("unknown"), Entry("quick")]
    order = [entry.name for entry in cheapest_first(entries, {"slow": 2.0, "quick": 0.1, "vote": 0.0})]
    assert order == ["quick", "slow", "unknown", "vote"]
    assert [entry.name for entry in cheapest_first(entries[1:], {})] == ["quick", "slow", "unknown"]


def test_times_are_those_of_finished_runs_and_the_first_folder_counts(record, probabilities, tmp_path):
    own, reference = tmp_path / "own", tmp_path / "reference"
    labels = [*range(7)]

    def cost(seconds):
        return {"fit_seconds": seconds, "ms_per_face": 1.0, "peak_memory_mb": 1.0, "artifact_mb": 1.0}

    Store(own).write(record("hog_svm", labels, labels, cost=cost(7.0)), probabilities)
    Store(own).write({**record("cnn", labels, labels), "status": "failed"})
    Store(reference).write(record("hog_svm", labels, labels, cost=cost(1.0)), probabilities)
    Store(reference).write(record("cnn", labels, labels, cost=cost(140.0)), probabilities)
    vote = record("vote", labels, labels, cost=cost(147.0), members={"cnn": "0"})
    Store(reference).write(vote, probabilities)
    assert expected_seconds([own, reference], 140) == {"hog_svm": 14.0, "cnn": 280.0, "vote": 0.0}
    assert expected_seconds([tmp_path / "nothing"], 140) == {}


def test_only_support_vector_machines_on_many_faces_are_warned_of():
    entries = list(recognizers().values())
    warnings = too_many_faces(entries, MANY_FACES + 1)
    assert [warning.split()[0] for warning in warnings] == ["hog_svm", "patch_svm"]
    assert "50,001 faces" in warnings[0] and "--limit" in warnings[0]
    assert too_many_faces(entries, MANY_FACES) == []


def test_durations_in_words():
    assert [in_words(seconds) for seconds in (7.4, 125, 5820, 6000)] == ["7 s", "2 min", "97 min", "1 h 40 min"]
