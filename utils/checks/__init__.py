"""The questions asked of a learner's code, and the answers it gets."""

from utils.checks.accumulating import accumulated_step
from utils.checks.block import residual_block
from utils.checks.block_variants import bottleneck, preactivation
from utils.checks.calculations import (
    difference_counts,
    receptive_field,
    resnet18_parameters,
    ring_step_seconds,
)
from utils.checks.copying import identity
from utils.checks.network import resnet18, resnet34
from utils.checks.paper import paper_resnet18
from utils.checks.predictions import parameter_count, shapes
from utils.checks.removing import accuracy_without
from utils.checks.report import Answer, Mistake, Report
from utils.checks.scaling import scaled_residual
from utils.checks.sharing import batch_part
from utils.checks.stage import stage
from utils.checks.stem import stem
from utils.checks.training import training
from utils.checks.trials import experiment

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
