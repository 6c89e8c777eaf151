"""Right answers in other styles, and answers with one mistake, for problem set 1.

Each mistake comes with the points its answer must get and the name that the feedback must give it.
"""

from __future__ import annotations

import inspect

import right_blocks
from hostile import RIGHT

IMPORTS = "from mxnet import autograd, init, np, npx\nfrom mxnet.gluon import nn\n"


def _named(name: str, *needed: str) -> str:
    """The source of a block in right_blocks and of its parts, under the name of the answer."""
    parts = [inspect.getsource(getattr(right_blocks, part)) for part in (*needed, name)]
    return IMPORTS + "\n".join(parts).replace("@right\n", "") + f"\nMyResidual = {name}\n"


RIGHT_BLOCKS = {
    "without biases": _named("WithoutBiases"),
    "sequential": _named("LayersInASequential"),
    "hybrid sequential": _named("LayersInAHybridSequential"),
    "other names and order": _named("OtherNamesAndOrder"),
    "parts within parts": _named("PartsWithinParts", "ConvolutionAndNorm"),
    "made by a function": _named("made_by_a_function", "ConvolutionAndNorm", "PartsWithinParts"),
    "maximum for ReLU": _named("MaximumForReLU", "WithoutBiases"),
    "where for ReLU": _named("WhereForReLU", "WithoutBiases"),
    "starts as the identity": _named("StartsAsTheIdentity"),
    "stride by slicing": _named("StrideBySlicing", "WithoutBiases"),
    "own normalization": _named("OwnNormalization", "OwnBatchNorm"),
}

SHAPES = """
def part_shapes(height, width, first_width=64, num_classes=10):
    sides = [(height + 3) // 4, (width + 3) // 4]
    found = {"stem": (1, first_width, *sides), "stage1": (1, first_width, *sides)}
    for stage in (2, 3, 4):
        sides = [(side + 1) // 2 for side in sides]
        found[f"stage{stage}"] = (1, first_width * 2 ** (stage - 1), *sides)
    return {**found, "pool": (1, 8 * first_width, 1, 1), "dense": (1, num_classes)}
"""
PARAMETERS = """
def part_parameters(first_width=64, num_classes=10):
    w = first_width
    found = {"stem": 49 * w + w + 2 * w, "stage1": 4 * (9 * w * w + w) + 4 * 2 * w}
    for stage in (2, 3, 4):
        v = 2 * w
        found[f"stage{stage}"] = 9 * w * v + v + 3 * (9 * v * v + v) + w * v + v + 4 * 2 * v
        w = v
    return {**found, "dense": w * num_classes + num_classes}
"""
SUM = "npx.relu(Y + (self.conv3(X) if self.conv3 else X))"


def changed(source: str, old: str, new: str) -> str:
    """Return a right answer with one change."""
    assert old in source
    return source.replace(old, new)


# By what is wrong: the answer, its text, the points it must get, the name of the mistake.
MISTAKES = {
    "no shortcut": ("block", changed(RIGHT, SUM, "npx.relu(Y)"), 0, "x does not reach the sum"),
    "no last ReLU": (
        "block",
        changed(RIGHT, SUM, SUM.removeprefix("npx.relu")),
        1,
        "no ReLU at the end",
    ),
    "ReLU before the sum": (
        "block",
        changed(RIGHT, SUM, "npx.relu(Y) + (self.conv3(X) if self.conv3 else X)"),
        1,
        "shortcut added after the last ReLU",
    ),
    "shortcut twice": (
        "block",
        changed(RIGHT, SUM, SUM.replace("Y +", "Y + 2 *")),
        1,
        "shortcut added twice",
    ),
    "one normalization": (
        "block",
        changed(RIGHT, "self.bn2(", "self.bn1("),
        7,
        "normalization or bias made but not used",
    ),
    "no second normalization": (
        "block",
        changed(
            RIGHT,
            "self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))",
            "self.conv2(npx.relu(self.bn1(self.conv1(X))))",
        ),
        3,
        "normalization or bias made but not used",
    ),
    "no ReLU between": (
        "block",
        changed(RIGHT, "npx.relu(self.bn1(self.conv1(X)))", "self.bn1(self.conv1(X))"),
        1,
        "no ReLU between the convolutions",
    ),
    "1x1 without stride": (
        "block",
        changed(RIGHT, "1, strides=strides)", "1)"),
        3,
        "stride not used",
    ),
    "1x1 always": (
        "block",
        changed(RIGHT, " if use_1x1conv else None", ""),
        6,
        "1x1 convolution always",
    ),
    "halving rounded down": (
        "shapes",
        changed(SHAPES, "(side + 1) // 2", "side // 2"),
        3,
        "wrong height or width",
    ),
    "one halving too many": (
        "shapes",
        changed(
            SHAPES,
            "for stage in (2, 3, 4):",
            "sides = [side // 2 for side in sides]\n    for stage in (2, 3, 4):",
        ),
        0,
        "wrong height or width",
    ),
    "classes fixed": ("shapes", changed(SHAPES, "(1, num_classes)", "(1, 10)"), 3, ""),
    "biases forgotten": (
        "parameters",
        changed(PARAMETERS, "w * num_classes + num_classes", "w * num_classes"),
        3,
        "biases forgotten",
    ),
    "1x1 forgotten": (
        "parameters",
        changed(PARAMETERS, " + w * v + v", ""),
        3,
        "1x1 convolutions forgotten",
    ),
}
