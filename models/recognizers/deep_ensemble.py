"""The strongest network, trained three times: the vote of its seeds."""

from __future__ import annotations

from models.recognizers.soft_voting import SoftVoting
from models.registry import recognizer


@recognizer(family="ensemble", members=("cnn_deep-seed0", "cnn_deep-seed1", "cnn_deep-seed2"))
def deep_ensemble() -> SoftVoting:
    """Average of the probabilities of cnn_deep with the seeds 0, 1 and 2.

    References
    ----------
    B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles", NeurIPS 2017. https://arxiv.org/abs/1612.01474
    """
    return SoftVoting()
