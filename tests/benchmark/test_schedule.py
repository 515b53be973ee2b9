import pytest

from benchmark.schedule import SCALING, Growth, cheapest_first, expected_seconds, growth, in_words, too_long
from benchmark.store import Store
from models.registry import Entry


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
    assert expected_seconds(tmp_path, [own, reference], 140) == {"hog_svm": 14.0, "cnn": 280.0, "vote": 0.0}
    assert expected_seconds(tmp_path, [tmp_path / "nothing"], 140) == {}
    table = tmp_path / "fer2013" / SCALING
    table.parent.mkdir()
    table.write_text("recognizer,faces,fit_seconds\nhog_svm,10,1\nhog_svm,20,4\nhog_svm,40,16\n", "utf-8")
    assert expected_seconds(tmp_path, [own], 140) == pytest.approx({"hog_svm": 7.0 * (140 / 70) ** 2})


def test_what_grows_with_the_square_is_told_from_what_does_not(tmp_path):
    rows = [f"hog_svm,{n},{0.1 * n + 1e-4 * n**2}\ncnn,{n},{3 + 0.2 * n}" for n in (1000, 2000, 4000, 8000)]
    (tmp_path / "fer2013").mkdir()
    table = tmp_path / "fer2013" / SCALING
    table.write_text("\n".join(["recognizer,faces,fit_seconds", *rows]), "utf-8")
    found = growth(table)
    assert found["hog_svm"].linear == pytest.approx(0.1) and found["hog_svm"].quadratic == pytest.approx(1e-4)
    assert found["hog_svm"].quadratic_share(1000) == pytest.approx(0.5)
    assert (found["cnn"].constant, found["cnn"].linear, found["cnn"].quadratic) == pytest.approx((3, 0.2, 0))
    assert Growth().seconds(7) == 7.0
    assert growth(tmp_path / "none.csv") == {}
    seconds = {"hog_svm": 11_000.0, "cnn": 20_000.0, "other": 9_000.0}
    (warning,) = too_long(tmp_path, seconds, 10_000)
    assert (
        warning.startswith("hog_svm is expected to take 3 h 3 min on 10,000 faces, 91% of it") and "--limit" in warning
    )
    assert too_long(tmp_path, {"hog_svm": 100.0}, 10_000) == []


def test_durations_in_words():
    assert [in_words(seconds) for seconds in (7.4, 125, 5820, 6000)] == ["7 s", "2 min", "97 min", "1 h 40 min"]
