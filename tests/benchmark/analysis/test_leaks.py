import numpy as np
import pytest

from benchmark.analysis.leaks import VERDICTS, leak_test
from benchmark.data.near_duplicates import NearDuplicates


def faces(n_faces=3000, copies=300, near=200):
    place = np.arange(n_faces)
    return NearDuplicates(place < copies, np.zeros(n_faces, bool), (place >= copies) & (place < copies + near))


def right(share, n_faces):
    return np.arange(n_faces) * 617 % 1000 < 1000 * share


def verdict(training, test, **options):
    return leak_test(None if training is None else right(training, 20_000), right(test, 3000), faces(), **options)


@pytest.mark.parametrize(
    ("training", "test", "expected"),
    [
        (0.95, 0.66, "not seen"),
        (0.70, 0.66, "not seen"),
        (0.66, 0.66, "unclear"),
        (0.25, 0.25, "unclear"),
        (0.90, 0.89, "seen"),
        (0.99, 0.89, "seen"),
        (None, 0.66, "unknown"),
        (None, 0.89, "seen"),
    ],
)
def test_verdicts(training, test, expected):
    result = verdict(training, test)
    assert result["verdict"] == expected
    assert expected in VERDICTS
    assert (result["training"] is None) == (result["gap"] is None) == (training is None)


def test_without_a_ceiling_a_high_accuracy_is_no_leak():
    assert verdict(0.99, 0.95, ceiling=1.0)["verdict"] == "not seen"


def test_the_parts_and_their_intervals():
    test = right(0.6, 3000)
    test[:300] = True
    result = leak_test(right(0.9, 20_000), test, faces())
    assert [result[part]["n_faces"] for part in ("training_copies", "without_copies", "clean")] == [300, 2700, 2500]
    assert result["training_copies"]["accuracy"] == 1.0
    clean, gap = result["clean"], result["gap"]
    assert clean["low"] < clean["accuracy"] < clean["high"]
    assert gap["estimate"] == pytest.approx(0.9 - clean["accuracy"])
    assert gap["low"] < gap["estimate"] < gap["high"]


def test_a_part_without_faces_is_left_out():
    flags = np.ones(20, bool)
    result = leak_test(right(0.9, 100), right(0.6, 20), NearDuplicates(flags, ~flags, ~flags))
    assert (result["clean"], result["gap"], result["verdict"]) == (None, None, "unknown")
