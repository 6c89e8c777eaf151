"""Every drawing of the course: a function takes what was measured and returns a figure.

Begin with `blocks` (what a network is made of), then `training` (what a run looks like).
"""

from utils.plots.blocks import (
    block_designs,
    costs,
    nested_classes,
    network,
    residual_network,
    three_blocks,
)
from utils.plots.experiments import (
    by_image,
    by_layer,
    class_activations,
    cost_and_accuracy,
    depths,
    feature_maps,
    few_labels,
    ingredients,
    learning,
    lesions,
    loss_log,
    moves,
)
from utils.plots.images import image_grid, image_in_numbers, kernels_on_padding, windows
from utils.plots.scale import data_parallel, operators, workers
from utils.plots.training import LiveCurves, class_accuracy, confusion, curves, loss_curve, schedule

__all__ = [
    "LiveCurves",
    "block_designs",
    "by_image",
    "by_layer",
    "class_accuracy",
    "class_activations",
    "confusion",
    "cost_and_accuracy",
    "costs",
    "curves",
    "data_parallel",
    "depths",
    "feature_maps",
    "few_labels",
    "image_grid",
    "image_in_numbers",
    "ingredients",
    "kernels_on_padding",
    "learning",
    "lesions",
    "loss_curve",
    "loss_log",
    "moves",
    "nested_classes",
    "network",
    "operators",
    "residual_network",
    "schedule",
    "three_blocks",
    "windows",
    "workers",
]
