"""Checks of a learner's code: each asks questions, and answers them by experiments with the code.

A check is named after what it checks, `checks.residual_block(MyResidual)`, and returns a `Report`.
Begin with `residual_block.py`: it lists its questions, `_ask` asks them, `_report` holds the
answers.
"""

from utils.checks._report import Report
from utils.checks.batch_part import batch_part
from utils.checks.changed_block import identity, scaled_residual
from utils.checks.experiment import accuracy_without, class_activation, experiment, watch
from utils.checks.numbers import (
    average_image,
    bottleneck_macs,
    difference_counts,
    layers_to_grow,
    negative,
    network_input,
    parameter_count,
    receptive_field,
    resnet18_parameters,
    ring_step_seconds,
    running_variance,
    seconds_per_step,
    shapes,
    stage_macs,
    torch_name,
)
from utils.checks.other_blocks import (
    bottleneck,
    free_shortcut,
    preactivation,
    starts_as_identity,
)
from utils.checks.residual_block import residual_block
from utils.checks.resnet18 import resnet18, resnet34, zoo_resnet18
from utils.checks.stem_and_stage import stage, stem
from utils.checks.training import training

__all__ = [
    "Report",
    "accuracy_without",
    "average_image",
    "batch_part",
    "bottleneck",
    "bottleneck_macs",
    "class_activation",
    "difference_counts",
    "experiment",
    "free_shortcut",
    "identity",
    "layers_to_grow",
    "negative",
    "network_input",
    "parameter_count",
    "preactivation",
    "receptive_field",
    "residual_block",
    "resnet18",
    "resnet18_parameters",
    "resnet34",
    "ring_step_seconds",
    "running_variance",
    "scaled_residual",
    "seconds_per_step",
    "shapes",
    "stage",
    "stage_macs",
    "starts_as_identity",
    "stem",
    "torch_name",
    "training",
    "watch",
    "zoo_resnet18",
]
