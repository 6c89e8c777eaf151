"""The questions asked of a learner's code, and the answers it gets."""

from utils.checks._block_variants import bottleneck, preactivation
from utils.checks._paper import paper_resnet18
from utils.checks._report import Answer, Mistake, Report
from utils.checks.accumulated_step import accumulated_step
from utils.checks.accuracy_without import accuracy_without
from utils.checks.batch_part import batch_part
from utils.checks.experiment import experiment
from utils.checks.identity import identity
from utils.checks.numbers import (
    difference_counts,
    receptive_field,
    resnet18_parameters,
    ring_step_seconds,
)
from utils.checks.predictions import parameter_count, shapes
from utils.checks.residual_block import residual_block
from utils.checks.resnet18 import resnet18, resnet34
from utils.checks.scaled_residual import scaled_residual
from utils.checks.stage import stage
from utils.checks.stem import stem
from utils.checks.training import training

__all__ = [
    "Answer",
    "Mistake",
    "Report",
    "accumulated_step",
    "accuracy_without",
    "batch_part",
    "bottleneck",
    "difference_counts",
    "experiment",
    "identity",
    "paper_resnet18",
    "parameter_count",
    "preactivation",
    "receptive_field",
    "residual_block",
    "resnet18",
    "resnet18_parameters",
    "resnet34",
    "ring_step_seconds",
    "scaled_residual",
    "shapes",
    "stage",
    "stem",
    "training",
]
