"""Problem set 2: a network of the student's blocks, one step, the whole training."""

from __future__ import annotations

from functools import partial

from grader.judge_training import judged, learned, ordered, repeated
from grader.marking import Item, Judge, Request, difference, inequality
from items import outputs

DEFAULT = {"arguments": {}, "shape": [2, 1, 32, 32]}
NARROW = {"arguments": {"first_width": 6, "num_classes": 7}, "shape": [3, 2, 40, 72]}
OWN = {"arguments": {}, "shape": [2, 1, 32, 48]}
STEP = {"procedure": "steps", "name": "my_train_step", "seed": 31}
FIT = {"procedure": "fit", "name": "my_fit"}
network = partial(outputs, "network", "my_resnet18")


def personal(title: str, request: Request, judge: Judge) -> Item:
    """Ask about the student's own network, for one point."""
    request = {"name": "my_network", **OWN, **request}
    return Item("own-network", title, 1, request, personal=True, judge=judge)


ITEMS = [
    Item(
        "network",
        "Convolutions and dense layer, 64 channels and 10 classes",
        2,
        {"procedure": "kernels", "name": "my_resnet18", **DEFAULT},
        judge=inequality,
    ),
    network("Inference, 64 channels and 10 classes", 1, shape=DEFAULT, mode="inference", seed=21),
    network(
        "Inference with other channels, classes and images",
        2,
        shape=NARROW,
        mode="inference",
        seed=22,
    ),
    network(
        "Training with other channels, classes and images",
        2,
        shape=NARROW,
        mode="training",
        seed=23,
    ),
    network("Inference after training", 1, shape=NARROW, mode="after training", seed=24),
    personal("The layers of your own network", {"procedure": "kernels"}, inequality),
    personal(
        "What your own network computes",
        {"procedure": "outputs", "mode": "inference", "seed": 25},
        difference,
    ),
    *(
        Item("step", f"{what}, {count}", 1, {**STEP, "parts": parts, "returned": returned})
        for parts, count in ((1, "the batch in one piece"), (4, "the batch in four parts"))
        for what, returned in (
            ("The numbers that three steps return", True),
            ("The network after three steps", False),
        )
    ),
    Item("fit", "The loss falls", 2, {**FIT, "seeds": [1]}, judge=learned),
    Item("fit", "All images in each epoch", 1, {**FIT, "seeds": [5]}, judge=ordered),
    Item("fit", "Loss and accuracy of each epoch", 2, {**FIT, "seeds": [2]}, judge=judged),
    Item("fit", "Seeds and orders", 1, {**FIT, "seeds": [3, 3, 4]}, judge=repeated),
]
