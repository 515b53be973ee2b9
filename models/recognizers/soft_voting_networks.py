"""Tuned soft voting over the networks alone, to show what the classical recognizers add."""

from __future__ import annotations

from models.parts.tuned_voting import TunedVoting
from models.registry import recognizer


@recognizer(family="ensemble", members=("cnn", "cnn_aug", "cnn_deep"))
def soft_voting_networks() -> TunedVoting:
    """As soft_voting_tuned, of the networks alone."""
    return TunedVoting()
