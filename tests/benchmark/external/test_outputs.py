import numpy as np
import pytest

from benchmark.data import DataError
from benchmark.external.declaration import read_declaration
from benchmark.external.outputs import check_class_order, seven_probabilities

CLASSES = ["neutral", "happy", "sad", "angry", "fear", "disgust", "surprise"]
NEUTRAL, HAPPY = 6, 3


def seven(declare, outputs, n_faces=2, classes=CLASSES, **changes):
    return seven_probabilities(read_declaration(declare(classes=classes, **changes)), outputs, n_faces, classes)


def test_classes_come_into_the_order_of_the_labels(declare):
    outputs = np.eye(7)[[0, 1]]
    for kind in ("probabilities", "scores"):
        assert seven(declare, outputs, output=kind).argmax(axis=1).tolist() == [NEUTRAL, HAPPY]
    assert seven(declare, 9 * outputs - 3, output="logits").argmax(axis=1).tolist() == [NEUTRAL, HAPPY]
    assert seven(declare, [0, 1], output="labels").argmax(axis=1).tolist() == [NEUTRAL, HAPPY]
    assert seven(declare, ["neutral", "happy"], output="labels").argmax(axis=1).tolist() == [NEUTRAL, HAPPY]


def test_rows_sum_to_one_also_where_all_went_to_a_class_that_is_dropped(declare):
    classes = [*CLASSES, "contempt"]
    proba = seven(declare, np.eye(8)[[7, 1]], classes=classes, others={"contempt": "drop"})
    assert proba.sum(axis=1) == pytest.approx([1, 1])
    assert proba[0] == pytest.approx(np.full(7, 1 / 7))


@pytest.mark.parametrize(
    ("outputs", "kind", "message"),
    [
        (np.eye(8)[:2], "probabilities", r"shape \(2, 8\), and the declaration names 7 classes: name every class"),
        (np.eye(7)[:1], "probabilities", r"for 2 faces have the shape \(1, 7\)"),
        (np.full((2, 7), np.nan), "probabilities", "NaN or infinite outputs for 2 of 2 faces"),
        (np.eye(7)[:2] * 9 - 3, "probabilities", 'range from -3 to 6, so they are no probabilities: output = "logits"'),
        (np.full((2, 7), 0.3), "probabilities", 'rows sum to 1 only within 1.1: output = "scores"'),
        (np.eye(7)[:2] - 0.1, "scores", "scores are not negative"),
        (np.zeros((2, 7)), "scores", "nor all 0"),
        (np.eye(7)[:2], "logits", 'so they are no logits: output = "probabilities"'),
        ([["a"] * 7] * 2, "probabilities", "the outputs are no numbers"),
        ([0, 7], "labels", r"the labels \{7\} are no classes"),
        ([0, -1], "labels", r"the labels \{-1\} are no classes"),
        ([0, 1, 2], "labels", "3 labels for 2 faces"),
    ],
)
def test_outputs_other_than_declared_are_errors(declare, outputs, kind, message):
    with pytest.raises(DataError, match=message):
        seven(declare, outputs, output=kind)


def test_a_wrong_order_of_the_classes_is_caught_and_the_right_one_named(declare):
    declared = read_declaration(declare())
    classes = declared.facts["classes"]
    y = np.tile(np.arange(7), 60)
    right = np.eye(7)[y]
    check_class_order(declared, classes, y, right)
    swapped = right[:, [6, 1, 2, 3, 4, 5, 0]]
    with pytest.raises(DataError, match=r"is 0.714, and 1.000 with classes = \['neutral', 'disgust', .* 'angry'\]"):
        check_class_order(declared, classes, y, swapped)


def test_weak_models_and_few_faces_are_no_wrong_order(declare):
    declared = read_declaration(declare())
    rng = np.random.default_rng(0)
    for n_faces in (10, 100, 3000):
        y, proba = rng.integers(0, 7, n_faces), rng.random((n_faces, 7))
        check_class_order(declared, declared.facts["classes"], y, proba)
