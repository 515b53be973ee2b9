"""Tuned soft voting over the networks and the classical recognizers."""

from __future__ import annotations

from models.parts.tuned_voting import TunedVoting
from models.registry import recognizer


@recognizer(family="ensemble", members=("cnn", "cnn_aug", "cnn_deep", "hog_svm", "lbp_xgb", "patch_svm"))
def soft_voting_tuned() -> TunedVoting:
    """Weighted vote of three networks and three classical recognizers, tuned on the validation split."""
    return TunedVoting()
