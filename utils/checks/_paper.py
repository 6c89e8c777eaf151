"""The questions asked of the paper's ResNet-18, which is not quite the one of this course."""

from __future__ import annotations

import math
from typing import Any

from mxnet import autograd, np
from mxnet.gluon.model_zoo import vision

from utils.checks import _specimen, resnet18
from utils.checks._ask import Question
from utils.checks._borrowing import specimen_of
from utils.checks._report import Mistake, Report
from utils.checks._specimen import images

SHORTCUTS = resnet18.WIDTHS[1:]  # channels of the stages that have a 1x1 convolution


def paper_resnet18(net: Any) -> Report:
    """Question a ResNet-18 as in the paper: as `resnet18` does, and for its own two differences.

    Its convolutions have no biases, and a batch normalization follows each 1x1 convolution. `net`
    is a network or a function that makes one. Source: He et al., 2015, section 3.3,
    https://arxiv.org/abs/1512.03385, and Gluon's model zoo.
    """
    return resnet18.ask("The paper's ResNet-18", QUESTIONS, net)


def count(net: Any) -> None:
    """There are as many parameters as in the model zoo's network."""
    specimen = specimen_of(net)
    zoo = vision.resnet18_v1(classes=resnet18.CLASSES)
    zoo.initialize()
    with autograd.predict_mode():
        zoo(np.zeros((1, specimen.channels, 32, 32)))
    found, expected = _count(specimen.parameters), _count(zoo.collect_params().values())
    biases = sum(kernel.shape[0] for kernel in specimen.kernels)
    if found == expected:
        return
    norms = 2 * sum(SHORTCUTS)
    diagnoses = {
        biases: "biases left in the convolutions",
        -norms: "no normalization on the shortcuts",
        biases - norms: "still the network of this course",
        biases - resnet18.WIDTHS[0]: "biases left in the blocks",
        resnet18.WIDTHS[0]: "bias left in the stem",
        sum(SHORTCUTS): "biases left in the 1x1 convolutions",
    }
    raise Mistake(
        diagnoses.get(found - expected, "another number of parameters"),
        f"There are {found:,} parameters, but the model zoo's network has {expected:,}.",
        "A network with the paper's name and other parameters cannot load the paper's weights.",
        f"The difference is {found - expected:+,}. Which layers have that many parameters?",
    )


def _count(parameters: Any) -> int:
    return sum(math.prod(p.shape) for p in parameters if p.grad_req != "null")


def shortcuts(net: Any) -> None:
    """In training mode, larger weights in the 1x1 convolutions change nothing."""
    specimen = specimen_of(net, side=64)
    X = images(2, specimen.channels, 64, 64)
    narrow = [kernel for kernel in specimen.kernels if kernel.shape[-1] == 1]
    if not specimen.changes_with_scale(X, _specimen.mixed, lambda _: 3.0, kernels=narrow):
        return
    raise Mistake(
        "shortcuts not normalized",
        "In training, larger weights in the 1x1 convolutions changed the scores. A batch "
        "normalization right behind each would take the size out again.",
        "Both roads should arrive at the sum with numbers of the same size.",
        "What is called between the 1x1 convolution and the plus sign?",
    )


QUESTIONS = (
    *resnet18.questions(resnet18.BLOCKS_18),
    Question("count", "Are there as many parameters as in the model zoo's?", count, 2),
    Question("shortcuts", "Does a normalization follow each 1x1 convolution?", shortcuts),
)
