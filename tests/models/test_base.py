"""What cannot be fitted on is refused by the base of all recognizers, before any of them sees it."""

import numpy as np
import pytest

from models.recognizers.majority import Majority

ONES = np.ones(14)
LABELS = np.arange(14) % 7
PIXELS = np.zeros((14, 2304), np.uint8)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"sample_weight": ONES[1:]}, r"shape \(13,\) for 14 faces: give one number a face"),
        ({"sample_weight": ONES[:, None]}, r"shape \(14, 1\)"),
        ({"sample_weight": 2.0}, r"shape \(\)"),
        ({"sample_weight": "balanced"}, "not numbers"),
        ({"sample_weight": np.where(LABELS, 1, np.nan)}, "NaN, infinite or negative"),
        ({"sample_weight": np.where(LABELS, 1, np.inf)}, "NaN, infinite or negative"),
        ({"sample_weight": np.where(LABELS, 1, -1)}, "NaN, infinite or negative"),
        ({"sample_weight": 0 * ONES}, "0 for all faces of a class"),
        ({"sample_weight": np.where(LABELS, 1, 0)}, "0 for all faces of a class"),
        ({"y": np.eye(7)[LABELS]}, r"one-hot rows, y\.argmax"),
        ({"y": LABELS[1:]}, "one label a face"),
        ({"y": [[0], [1, 2]]}, "unequal lengths"),
        ({"y": np.where(LABELS, 1, np.nan)}, "missing or mixed labels"),
        ({"y": [None, *LABELS[1:]]}, "missing or mixed labels"),
        ({"y": np.array(["Happy", *LABELS[1:]], object)}, "missing or mixed labels"),
        ({"y": LABELS + 0.5}, "whole numbers or names"),
        ({"X": PIXELS[:0], "y": LABELS[:0]}, "no faces"),
        ({"validation": (PIXELS, LABELS[1:])}, "validation: X has 14 faces but y 13 labels"),
        ({"validation": (PIXELS[:0], LABELS[:0])}, "validation: X has no faces"),
        ({"validation": (PIXELS, np.eye(7)[LABELS])}, "validation: y has the shape"),
        ({"validation": PIXELS}, r"not a pair: give \(X, y\)"),
        ({"validation": (PIXELS,)}, "not a pair"),
        ({"validation": 0.1}, "not a pair"),
        ({"validation": None}, r"set aside for validation: give validation=\(X, y\)"),
    ],
)
def test_what_cannot_be_fitted_on_is_explained_at_the_door(given, words):
    arguments = {"X": PIXELS, "y": LABELS, "validation": (PIXELS, LABELS), **given}
    with pytest.raises(ValueError, match=words):
        Majority().fit(**arguments)
