"""Problem set 1: the residual block, shapes, parameters."""

from __future__ import annotations

from functools import partial

from grader.marking import Item, inequality
from items import outputs

LEARNED = ["stem", "stage1", "stage2", "stage3", "stage4", "dense"]
PARTS = [*LEARNED, "pool"]
OTHER = {"first_width": 20, "num_classes": 17}
SAME = {"arguments": {"num_channels": 6}, "shape": [4, 6, 7, 10]}
CHANGED = {
    "arguments": {"num_channels": 10, "use_1x1conv": True, "strides": 2},
    "shape": [4, 6, 9, 12],
}
WIDER = {"arguments": {"num_channels": 9, "use_1x1conv": True}, "shape": [3, 5, 8, 6]}
block = partial(outputs, "block", "MyResidual")


def shapes(title: str, **arguments: int) -> Item:
    """Ask for the shapes of all parts, for one point."""
    request = {"procedure": "numbers", "name": "part_shapes", "keys": PARTS, "arguments": arguments}
    return Item("shapes", title, 1, request, judge=inequality)


def parameters(title: str, *keys: str) -> Item:
    """Ask for the parameters of these parts, for one point."""
    request = {"procedure": "numbers", "name": "part_parameters", "keys": keys, "arguments": OTHER}
    return Item("parameters", title, 1, request, judge=inequality)


def personal(grade_id: str, title: str, name: str, keys: list[str]) -> Item:
    """Ask for an answer that depends on the student, for two points."""
    request = {"procedure": "numbers", "name": name, "keys": keys, "arguments": {}}
    return Item(grade_id, title, 2, request, personal=True, judge=inequality)


ITEMS = [
    Item(
        "block",
        "The convolutions, where channels and size change",
        1,
        {"procedure": "kernels", "name": "MyResidual", **CHANGED},
        judge=inequality,
    ),
    block("Inference, where the shape stays", 1, shape=SAME, mode="inference", seed=11),
    block("Training, where the shape stays", 1, shape=SAME, mode="training", seed=12),
    block("Inference, where the shape changes", 1, shape=CHANGED, mode="inference", seed=13),
    block("Training, where the shape changes", 2, shape=CHANGED, mode="training", seed=14),
    block("Training, where only the channels change", 1, shape=WIDER, mode="training", seed=15),
    block("Inference after training", 1, shape=CHANGED, mode="after training", seed=16),
    shapes("A square image", height=128, width=128),
    shapes("A wide image", height=64, width=256),
    shapes("An image with odd numbers of pixels", height=45, width=101),
    shapes("Another first width, another number of classes", height=96, width=96, **OTHER),
    personal("own-shapes", "The shapes for your own image", "my_shapes", PARTS),
    parameters("The stem", "stem"),
    parameters("The first stage, without 1×1 convolutions", "stage1"),
    parameters("The stages with 1×1 convolutions", "stage2", "stage3", "stage4"),
    parameters("The dense layer", "dense"),
    personal("own-total", "All parameters of your own network", "my_total", []),
]
