"""Problem set 2: ResNet-18 assembled, one step, the whole training."""

from __future__ import annotations

from functools import partial

from grader.compare import difference, inequality
from grader.judge_training import judged, learned, ordered, repeated
from grader.marking import Ask, Judge, Question
from questions import outputs

DEFAULT = {"arguments": {}, "shape": [2, 1, 32, 32]}
NARROW = {"arguments": {"first_width": 6, "num_classes": 7}, "shape": [3, 2, 40, 72]}
OWN = {"arguments": {}, "shape": [2, 1, 32, 48]}
STEPS = {"procedure": "steps", "name": "my_train_step", "seed": 31}
FIT = {"procedure": "fit", "name": "my_fit"}
network = partial(outputs, "network", "my_resnet18")


def own(title: str, ask: Ask, judge: Judge = inequality) -> Question:
    """Ask something of the student's own network, for one point."""
    return Question("own-network", title, 1, {"name": "my_network", **OWN, **ask}, True, judge)


QUESTIONS = [
    Question(
        "network",
        "Convolutions and dense layer, 64 channels and 10 classes",
        2,
        {"procedure": "kernels", "name": "my_resnet18", **DEFAULT},
        judge=inequality,
    ),
    network("Inference, 64 channels and 10 classes", 1, DEFAULT, "inference", 21),
    network("Inference with other channels, classes and images", 2, NARROW, "inference", 22),
    network("Training with other channels, classes and images", 2, NARROW, "training", 23),
    network("Inference after training", 1, NARROW, "after training", 24),
    own("The layers of your own network", {"procedure": "kernels"}),
    own(
        "What your own network computes",
        {"procedure": "outputs", "mode": "inference", "seed": 25},
        difference,
    ),
    Question("step", "The figures that three steps return", 2, {**STEPS, "figures": True}),
    Question("step", "What three steps make of a network", 2, {**STEPS, "figures": False}),
    Question("fit", "The loss falls", 2, {**FIT, "seeds": [1]}, judge=learned),
    Question("fit", "All images in each epoch", 1, {**FIT, "seeds": [5]}, judge=ordered),
    Question("fit", "The figures of each epoch", 2, {**FIT, "seeds": [2]}, judge=judged),
    Question("fit", "Seeds and orders", 1, {**FIT, "seeds": [3, 3, 4]}, judge=repeated),
]
