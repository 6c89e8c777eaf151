"""All wrong and right versions, each with the check that judges it.

Wrong versions are small and have one mistake each; the diagnosis is written above them. Right ones
come in many styles.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import mxnet as mx
import numpy
from right_blocks import RIGHT_BLOCKS, with_large_epsilon
from right_networks import (
    GIVEN_NETWORKS,
    GIVEN_STEMS,
    RIGHT_NETWORKS,
    RIGHT_STAGES,
    RIGHT_STEMS,
)
from right_shortcuts import RIGHT_SHORTCUTS
from solutions import solution
from wrong_blocks import NOT_A_CLASS, WRONG_BLOCKS
from wrong_exercises import LIKE, WRONG_EXERCISES
from wrong_networks import WRONG_NETWORKS, WRONG_STAGES, WRONG_STEMS
from wrong_scaling import RIGHT_SCALING
from wrong_training import RIGHT_TRAINING, WRONG_TRAINING

from utils import checks

SHAPES = {
    "stem": (1, 64, 24, 24),
    "stage1": (1, 64, 24, 24),
    "stage2": (1, 128, 12, 12),
    "stage3": (1, 256, 6, 6),
    "stage4": (1, 512, 3, 3),
    "pool": (1, 512, 1, 1),
    "dense": (1, 10),
}
COUNTS = {
    "stem": 3_328,
    "stage1": 148_224,
    "stage2": 525_952,
    "stage3": 2_100_480,
    "stage4": 8_395_264,
    "dense": 5_130,
}
TOTAL = 11_178_378

WRONG_SHAPES = [
    ({**SHAPES, "stem": (64, 24, 24)}, "batch axis forgotten"),
    ({**SHAPES, "stage1": (1, 64, 12, 12)}, "one halving too many"),
    ({**SHAPES, "stage2": (1, 128, 24, 24)}, "one halving too few"),
    ({**SHAPES, "stage3": (1, 128, 6, 6)}, "wrong channels"),
    ({**SHAPES, "stage4": (1, 3, 3, 512)}, "axes in another order"),
    ({**SHAPES, "stage4": (1, 512, 4, 4)}, "wrong height or width"),
    ({**SHAPES, "pool": (1, 512)}, "wrong number of axes"),
    ({**SHAPES, "dense": None}, "no prediction yet"),
    ({**SHAPES, "dense": numpy.zeros((2000, 2000))}, "no shape"),
    ({**SHAPES, "stage5": (1, 1024, 2, 2)}, "unknown layer"),
    ([(1, 64, 24, 24)], "no dictionary"),
    (None, "no dictionary"),
]
WRONG_COUNTS = [
    ({**COUNTS, "stem": 3_200}, "normalizations forgotten"),
    ({**COUNTS, "stage1": 147_968}, "biases of convolutions forgotten"),
    ({**COUNTS, "stage2": 525_952 - 64 * 128 - 128}, "1x1 convolutions forgotten"),
    ({**COUNTS, "stage3": 2_100_480 + 8 * 256}, "running statistics counted"),
    ({**COUNTS, "stage4": 8_395_265}, "wrong count"),
    ({**COUNTS, "dense": 5_120}, "biases forgotten"),
    ({**COUNTS, "dense": "5130"}, "no number"),
    (11_000_000, "wrong count"),
    (numpy.zeros((2000, 2000)), "no number"),
    (None, "no number"),
]


@dataclass(frozen=True)
class Version:
    """An answer that a learner could give; `diagnosis` is empty for a right one."""

    check: str
    name: str
    ask: Callable[[], checks.Report]
    diagnosis: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.name}"

    @functools.cached_property
    def report(self) -> checks.Report:
        return self.ask()


def _versions(check: str, wrong: dict, right: list, **options: object) -> list[Version]:
    question = functools.partial(getattr(checks, check), **options)
    right = [(version, "") for version in right]
    return [
        Version(check, _name(version, i), functools.partial(question, version), diagnosis)
        for i, (version, diagnosis) in enumerate([*wrong.items(), *right])
    ]


def _name(version: object, position: int) -> str:
    return getattr(version, "__name__", f"{type(version).__name__} {position}")


def _given(check: str, makers: list) -> list[Version]:
    """Return right versions that are made before the check, with MXNet's NumPy arrays."""
    question = getattr(checks, check)

    def ask(maker: Callable) -> checks.Report:
        with mx.util.np_shape(True), mx.util.np_array(True):
            return question(maker())

    return [Version(check, f"given {m.__name__}", functools.partial(ask, m)) for m in makers]


def _predictions(check: str, wrong: list, right: list) -> list[Version]:
    question = getattr(checks, check)
    return [
        Version(check, f"prediction {i}", functools.partial(question, predicted), diagnosis)
        for i, (predicted, diagnosis) in enumerate([*wrong, *((r, "") for r in right)], start=1)
    ]


def _training(part: str) -> list[Version]:
    right = dict.fromkeys(RIGHT_TRAINING[part], "")
    return [
        Version("training", _name(version, i), _ask_training(part, version), diagnosis)
        for i, (version, diagnosis) in enumerate({**WRONG_TRAINING[part], **right}.items())
    ]


def _ask_training(part: str, version: object) -> Callable[[], checks.Report]:
    return lambda: checks.training(**{part: version() if part == "history" else version})


# Where the right answer to an exercise is found: file and name.
SOLVED = {
    "negative": ("00_start_here", "negative"),
    "average_image": ("00_start_here", "average_image"),
    "difference_counts": ("01_why_residual", "my_difference_counts"),
    "layers_to_grow": ("01_why_residual", "layers_to_grow"),
    "experiment": ("01_why_residual", "without_warm_up"),
    "identity": ("01_why_residual", "my_set_identity"),
    "starts_as_identity": ("02_residual_block", "StartsAsIdentity"),
    "bottleneck": ("07_relatives", "MyBottleneck"),
    "bottleneck_macs": ("07_relatives", "bottleneck_macs"),
    "preactivation": ("07_relatives", "MyPreActivation"),
    "receptive_field": ("03_layer_by_layer", "receptive_field"),
    "stage_macs": ("03_layer_by_layer", "stage_macs"),
    "resnet18_parameters": ("04_resnet18", "resnet18_parameters"),
    "resnet34": ("04_resnet18", "my_resnet34"),
    "zoo_resnet18": ("04_resnet18", "zoo_resnet18"),
    "accuracy_without": ("06_look_inside", "my_accuracy_without"),
    "watch": ("06_look_inside", "my_watch"),
    "class_activation": ("06_look_inside", "my_class_activation"),
    "scaled_residual": ("06_look_inside", "scale_residual"),
    "batch_part": ("08_scale_up", "my_part"),
    "ring_step_seconds": ("08_scale_up", "ring_step_seconds"),
    "seconds_per_step": ("08_scale_up", "my_seconds_per_step"),
    "torch_name": ("09_leave_mxnet", "my_torch_name"),
    "running_variance": ("09_leave_mxnet", "running_variance"),
    "network_input": ("09_leave_mxnet", "network_input"),
}


def _exercise(check: str) -> list[Version]:
    file, name = SOLVED[check]
    right = [solution(file, name), *RIGHT_SCALING.get(check, [])]
    if check in ("bottleneck", "preactivation"):
        right.append(with_large_epsilon(right[0]))
    options = {"like": LIKE, "warm_up": 0.0} if check == "experiment" else {}
    return _versions(check, WRONG_EXERCISES[check], right, **options)


VERSIONS = [
    *_versions("residual_block", WRONG_BLOCKS, RIGHT_BLOCKS),
    *(
        Version(
            "residual_block", f"no class {i}", functools.partial(checks.residual_block, what), d
        )
        for i, (what, d) in enumerate(NOT_A_CLASS)
    ),
    *_versions("free_shortcut", WRONG_EXERCISES["free_shortcut"], RIGHT_SHORTCUTS),
    *_versions("stem", WRONG_STEMS, RIGHT_STEMS),
    *_given("stem", GIVEN_STEMS),
    *_versions("stage", WRONG_STAGES, RIGHT_STAGES),
    *_versions("resnet18", WRONG_NETWORKS, RIGHT_NETWORKS),
    *_given("resnet18", GIVEN_NETWORKS),
    *_predictions("shapes", WRONG_SHAPES, [SHAPES, {k: list(v) for k, v in SHAPES.items()}]),
    *_predictions("parameter_count", WRONG_COUNTS, [COUNTS, TOTAL]),
    *(version for part in WRONG_TRAINING for version in _training(part)),
    Version("training", "no function", checks.training, "nothing to check"),
    *(version for check in SOLVED for version in _exercise(check)),
]
WRONG = [version for version in VERSIONS if version.diagnosis]
RIGHT = [version for version in VERSIONS if not version.diagnosis]
