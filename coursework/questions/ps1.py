"""Problem set 1: the residual block, shapes, parameters."""

from __future__ import annotations

from typing import Any

from grader.marking import Ask, Question

LEARNED = ["stem", "stage1", "stage2", "stage3", "stage4", "dense"]
PARTS = [*LEARNED, "pool"]
SAME = {"arguments": {"num_channels": 6}, "shape": [4, 6, 7, 10]}
CHANGED = {
    "arguments": {"num_channels": 10, "use_1x1conv": True, "strides": 2},
    "shape": [4, 6, 9, 12],
}
WIDER = {"arguments": {"num_channels": 9, "use_1x1conv": True}, "shape": [3, 5, 8, 6]}


def block(kind: dict[str, Any], mode: str, seed: int) -> Ask:
    """Ask for the outputs of a block of that kind."""
    return {"procedure": "outputs", "name": "MyResidual", "mode": mode, "seed": seed, **kind}


def numbers(name: str, keys: list[str], **arguments: int) -> Ask:
    """Ask for what a function returns: one number, or numbers by these keys."""
    return {"procedure": "numbers", "name": name, "keys": keys, "arguments": arguments}


QUESTIONS = [
    Question(
        "block",
        "The convolutions, where channels and size change",
        1,
        {"procedure": "kernels", "name": "MyResidual", **CHANGED},
    ),
    Question("block", "Inference, where the shape stays", 1, block(SAME, "inference", 11)),
    Question("block", "Training, where the shape stays", 1, block(SAME, "training", 12)),
    Question("block", "Inference, where the shape changes", 1, block(CHANGED, "inference", 13)),
    Question("block", "Training, where the shape changes", 2, block(CHANGED, "training", 14)),
    Question("block", "Training, where only the channels change", 1, block(WIDER, "training", 15)),
    Question("block", "Inference after training", 1, block(CHANGED, "after training", 16)),
    Question("shapes", "A square image", 1, numbers("part_shapes", PARTS, height=128, width=128)),
    Question("shapes", "A wide image", 1, numbers("part_shapes", PARTS, height=64, width=256)),
    Question(
        "shapes",
        "An image with odd numbers of pixels",
        1,
        numbers("part_shapes", PARTS, height=45, width=101),
    ),
    Question(
        "shapes",
        "Another first width, other classes",
        1,
        numbers("part_shapes", PARTS, height=96, width=96, first_width=20, num_classes=17),
    ),
    Question("own-shapes", "The shapes for your own image", 2, numbers("my_shapes", PARTS), True),
    Question(
        "parameters",
        "The stem",
        1,
        numbers("part_parameters", ["stem"], first_width=20, num_classes=17),
    ),
    Question(
        "parameters",
        "The first stage, without 1×1 convolutions",
        1,
        numbers("part_parameters", ["stage1"], first_width=20, num_classes=17),
    ),
    Question(
        "parameters",
        "The stages with 1×1 convolutions",
        1,
        numbers("part_parameters", ["stage2", "stage3", "stage4"], first_width=20, num_classes=17),
    ),
    Question(
        "parameters",
        "The dense layer",
        1,
        numbers("part_parameters", ["dense"], first_width=20, num_classes=17),
    ),
    Question("own-total", "All parameters of your own network", 2, numbers("my_total", []), True),
]
