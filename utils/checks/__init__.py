"""The questions asked of a learner's code, and the answers it gets."""

from utils.checks.block import residual_block
from utils.checks.network import resnet18
from utils.checks.predictions import parameter_count, shapes
from utils.checks.report import Answer, Mistake, Report
from utils.checks.stage import stage
from utils.checks.stem import stem
from utils.checks.training import training

__all__ = [
    "Answer",
    "Mistake",
    "Report",
    "parameter_count",
    "residual_block",
    "resnet18",
    "shapes",
    "stage",
    "stem",
    "training",
]
