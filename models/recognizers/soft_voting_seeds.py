"""Tuned soft voting that also chooses among three seeds of the strongest network."""

from __future__ import annotations

from models.parts.tuned_voting import TunedVoting
from models.registry import recognizer


@recognizer(
    family="ensemble",
    members=(
        *("cnn-seed0", "cnn_aug-seed0", "cnn_deep-seed0", "cnn_deep-seed1", "cnn_deep-seed2"),
        *("hog_svm", "lbp_xgb-seed0", "patch_svm-seed0"),
    ),
)
def soft_voting_seeds() -> TunedVoting:
    """As soft_voting_tuned, with cnn_deep of the seeds 0, 1 and 2."""
    return TunedVoting()
