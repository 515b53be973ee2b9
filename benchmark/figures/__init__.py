"""Figures. Each display holds the table it draws; drawing computes no metric, and computing imports no matplotlib."""

from benchmark.figures.confusion import (
    ConfusionDifferenceDisplay,
    ConfusionDisplay,
    ConfusionGridDisplay,
    RecallDisplay,
)
from benchmark.figures.curves import PrecisionRecallDisplay, ReliabilityDisplay, RobustnessDisplay, TrainingDisplay
from benchmark.figures.overview import (
    ClassWeightDisplay,
    CostDisplay,
    DistributionDisplay,
    EnsembleWeightsDisplay,
    ValidationTestDisplay,
)
from benchmark.figures.style import Display, save_figure, to_svg

__all__ = [
    "ClassWeightDisplay",
    "ConfusionDifferenceDisplay",
    "ConfusionDisplay",
    "ConfusionGridDisplay",
    "CostDisplay",
    "Display",
    "DistributionDisplay",
    "EnsembleWeightsDisplay",
    "PrecisionRecallDisplay",
    "RecallDisplay",
    "ReliabilityDisplay",
    "RobustnessDisplay",
    "TrainingDisplay",
    "ValidationTestDisplay",
    "save_figure",
    "to_svg",
]
