"""Problem set 1: a shortcut without weights, a repair, shapes, parameters."""

from __future__ import annotations

from functools import partial
from typing import Any

from grader.marking import Item, inequality
from items import outputs

LEARNED = ["stem", "stage1", "stage2", "stage3", "stage4", "dense"]
PARTS = [*LEARNED, "pool"]
OTHER = {"first_width": 20, "num_classes": 17}
SAME = {"arguments": {"num_channels": 6}, "shape": [4, 6, 7, 10]}
CHANGED = {"arguments": {"num_channels": 10, "strides": 2}, "shape": [4, 6, 9, 12]}
WIDER = {"arguments": {"num_channels": 9}, "shape": [3, 5, 8, 6]}
NARROWED = {"arguments": {"num_channels": 12, "strides": 2}, "shape": [4, 8, 9, 6]}
STAGE = {"arguments": {"num_channels": 8, "num_blocks": 4, "strides": 2}, "shape": [2, 4, 9, 6]}
HEAD = {"arguments": {"num_classes": 7}, "shape": [4, 12, 5, 6]}
block = partial(outputs, "block", "MyResidual")


def shapes(title: str, **arguments: Any) -> Item:
    """Ask for the shapes of all parts, for one point."""
    request = {"procedure": "numbers", "name": "part_shapes", "keys": PARTS, "arguments": arguments}
    return Item("shapes", title, 1, request, judge=inequality)


def parameters(title: str, keys: list[str], **arguments: Any) -> Item:
    """Ask for the parameters of these parts, for one point."""
    request = {
        "procedure": "numbers",
        "name": "part_parameters",
        "keys": keys,
        "arguments": OTHER | arguments,
    }
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
    block("Training, where the shape changes", 1, shape=CHANGED, mode="training", seed=14),
    block("Training, where only the channels change", 1, shape=WIDER, mode="training", seed=15),
    block("Inference after training", 1, shape=CHANGED, mode="after training", seed=16),
    outputs(
        "repair",
        "MyBottleneck",
        "The bottleneck: inference after training",
        1,
        shape=NARROWED,
        mode="after training",
        seed=17,
    ),
    Item(
        "repair",
        "The stage: its weights",
        1,
        {"procedure": "kernels", "name": "my_stage", **STAGE},
        judge=inequality,
    ),
    outputs("repair", "my_head", "The head: its scores", 1, shape=HEAD, mode="inference", seed=18),
    shapes(
        "The stem of ResNet-18, other widths and classes, odd numbers of pixels",
        height=45,
        width=101,
        **OTHER,
    ),
    shapes("A stem of one layer", height=61, width=94, stem=[[4, 4, 0]]),
    shapes("A stem of three layers", height=75, width=50, stem=[[3, 2, 0], [5, 1, 1], [2, 2, 0]]),
    personal("own-shapes", "The shapes for your own image", "my_shapes", PARTS),
    parameters("The network of the course, with other widths and classes", LEARNED),
    parameters("The stem, with another kernel", ["stem"], kernel=5),
    parameters("The stages, without weights on shortcuts", LEARNED[1:5], shortcut_weights=False),
    personal("own-total", "All parameters of your own network", "my_total", []),
]
