"""Figures: each display holds the table that it draws; nothing is computed here."""

from benchmark.figures.confusion import ConfusionDisplay, ConfusionGridDisplay, RecallDisplay
from benchmark.figures.curves import PrecisionRecallDisplay, ReliabilityDisplay, RobustnessDisplay, TrainingDisplay
from benchmark.figures.overview import CostDisplay, DistributionDisplay
from benchmark.figures.style import Display, save_figure, to_svg

__all__ = [
    "ConfusionDisplay",
    "ConfusionGridDisplay",
    "CostDisplay",
    "Display",
    "DistributionDisplay",
    "PrecisionRecallDisplay",
    "RecallDisplay",
    "ReliabilityDisplay",
    "RobustnessDisplay",
    "TrainingDisplay",
    "save_figure",
    "to_svg",
]
