from __future__ import annotations

import pytest

from benchmark.data import load_dataset
from benchmark.data.describe import describe

pytestmark = pytest.mark.data


@pytest.mark.slow
def test_facts_of_the_real_fer2013():
    dataset = load_dataset()
    assert (dataset.name, dataset.note) == ("fer2013", "")
    facts = describe(dataset)
    assert facts.counts.sum(axis=1).to_dict() == {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}
    assert facts.blank.sum() == 12
    assert facts.n_distinct == 34036
    leaked = facts.shared.loc["PrivateTest in Training"]
    assert (leaked.sum(), leaked["Disgust"], leaked["Surprise"]) == (288, 16, 118)
