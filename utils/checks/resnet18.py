"""Checks of whole networks: `resnet18`, `resnet34` and `zoo_resnet18`."""

from __future__ import annotations

import contextlib
import gc
import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy
from mxnet import autograd, np
from mxnet.gluon.model_zoo import vision

from utils.checks import _specimen
from utils.checks._ask import Question, ask_all
from utils.checks._report import Mistake, Report
from utils.checks._specimen import Specimen, agree, for_classes, images, specimen_of

CLASSES = 10
WIDTHS = (64, 128, 256, 512)  # channels of the stages
BLOCKS_18, BLOCKS_34 = (2, 2, 2, 2), (3, 4, 6, 3)  # number of blocks in each stage
SHORTCUTS = WIDTHS[1:]  # channels of the stages that have a 1x1 convolution
IMAGE = (8, 64)  # height and width in pixels, as small as the experiments allow


def resnet18(net: Any) -> Report:
    """Check a ResNet-18 for ten classes: a network, or a function that makes one.

    A network is given back with the parameters that it had. What is inside the blocks is left to
    `residual_block`, and what is inside the stem to `stem`.
    """
    return _ask("ResNet-18", _questions(BLOCKS_18), net)


def resnet34(net: Any) -> Report:
    """Check a ResNet-34, which has 3, 4, 6 and 3 blocks in its stages, as `resnet18` does."""
    return _ask("ResNet-34", _questions(BLOCKS_34), net)


def zoo_resnet18(net: Any) -> Report:
    """Check the ResNet-18 of Gluon's model zoo as `resnet18` does, and for what is different in it.

    Its convolutions have no biases, and a batch normalization follows each 1x1 convolution. `net`
    is a network or a function that makes one.
    """
    return _ask("The model zoo's ResNet-18", _ZOO_QUESTIONS, net)


def _ask(title: str, asked: Sequence[Question], net: Any) -> Report:
    answered = ask_all(title, asked, for_classes(net, CLASSES))
    gc.collect()  # reference cycles of layers and parameters would keep whole networks alive
    return answered


def scores(net: Any) -> None:
    """There are ten scores for each image, whatever its size."""
    try:
        _check_scores(net)
    except Mistake:
        raise
    except Exception as error:
        raise _fixed_size(net) or error from None


def _fixed_size(net: Any) -> Mistake | None:
    with contextlib.suppress(Exception):
        specimen_of(net, side=224)
        return _scores(
            "pooling of a fixed size",
            "The network accepts images of 224x224 pixels, but not of 32x32.",
        )
    return None


def _check_scores(net: Any) -> None:
    specimen = specimen_of(net)
    shape = specimen.run(images(2, specimen.channels, 32, 32)).shape
    if shape != (2, CLASSES):
        raise _scores(
            "wrong number of classes" if len(shape) == 2 else "no scores",
            "The output for 2 images has the shape {shape}, but {expected} was expected.".format(
                shape=shape, expected=(2, CLASSES)
            ),
        )
    try:
        shape = specimen.run(images(1, specimen.channels, 64, 40)).shape
    except Exception:
        shape = None
    if shape != (1, CLASSES):
        raise _scores(
            "flatten in place of global pooling",
            "After images of 32x32 pixels, the network does not accept one of 64x40.",
        )


def _scores(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "The loss compares one score for each class. And because global pooling turns every map "
        "into one number, a single network accepts images of any size.",
        "Look at the last two layers: what turns maps into numbers, and how many come out?",
    )


def weights(blocks: tuple[int, ...], net: Any) -> None:
    """The convolutions are those of four stages with these numbers of blocks.

    The channels double from stage to stage.
    """
    specimen = specimen_of(net)
    found = Counter(kernel.shape for kernel in specimen.kernels)
    dense = [p.shape for p in specimen.parameters if len(p.shape or ()) == 2]
    first, *_ = [shape for shape in found if shape[-1] > 3] or [(0, 1)]
    expected = _expected_weights(first[1], blocks)
    if found == expected and dense == [(CLASSES, WIDTHS[-1])]:
        return
    wide = Counter({shape: n for shape, n in found.items() if shape[-1] == 3})
    widths = Counter(shape[0] for shape in wide.elements())
    missing, extra = (sorted(shapes.elements()) for shapes in (expected - found, found - expected))
    if first[0] == 0 or first[2:] != (7, 7):
        name = "another stem"
    elif set(widths) < set(WIDTHS) and all(
        widths[width] in (0, 2 * n) for width, n in zip(WIDTHS, blocks)
    ):
        name = "a stage is missing"
    elif set(widths) != set(WIDTHS):
        name = "channels not doubled"
    elif (64, 64, 1, 1) in found:
        name = "1x1 convolution in the first stage"
    elif sum(wide.values()) != 2 * sum(blocks):
        name = "another number of blocks"
    elif extra and all(widths[width] == 2 * n for width, n in zip(WIDTHS, blocks)):
        name = "stages in another order"
    else:
        name = "other weights"
    raise Mistake(
        name,
        "The weights do not have the shapes of this network, (channels out, channels in, height, "
        "width). Missing: {missing}. Too many: {extra}.".format(
            missing=_listed(missing), extra=_listed(extra)
        ),
        "The {layers} layers in the name are {convolutions} convolutions in stages of {blocks} "
        "blocks, one convolution in the stem, and one dense layer. From stage to stage, the "
        "channels double: 64, 128, 256, 512.".format(
            layers=2 * sum(blocks) + 2,
            convolutions=2 * sum(blocks),
            blocks=", ".join(map(str, blocks)),
        ),
        "Look at each call that makes a stage: how many channels, how many blocks, which order?",
    )


def _expected_weights(channels_in: int, blocks: tuple[int, ...]) -> Counter:
    shapes = [(WIDTHS[0], channels_in, 7, 7)]
    before = WIDTHS[0]
    for width, count in zip(WIDTHS, blocks):
        shapes += [(width, before, 3, 3)] + (2 * count - 1) * [(width, width, 3, 3)]
        shapes += [(width, before, 1, 1)] if width != before else []
        before = width
    return Counter(shapes)


def _listed(shapes: list) -> str:
    return ", ".join(map(str, shapes[:3])) + (" ..." if shapes[3:] else "") if shapes else "none"


def steps(net: Any) -> None:
    """With all 3x3 weights at zero, the scores depend on 11 of every 32 columns of pixels."""
    height, width = IMAGE
    specimen = specimen_of(net)
    _silence(specimen)
    image = images(1, specimen.channels, height, width)
    disturbed = image + 100 * numpy.eye(width)[:, None, None, :]
    Y = specimen.run(numpy.concatenate([image, disturbed]))
    seen = set(numpy.flatnonzero(abs(Y[1:] - Y[0]).max(axis=1) > 1e-4 * abs(Y).max()).tolist())
    if seen == _columns(step=32, reach=5):
        return
    names = {
        frozenset(): "no shortcuts",
        frozenset(_columns(step=64, reach=5)): "first stage halves",
        frozenset(_columns(step=16, reach=5)): "a stage does not halve",
        frozenset(_columns(step=16, reach=3)): "no pooling in the stem",
        frozenset(_columns(step=32, reach=5, start=2)): "pooling without padding",
    }
    raise Mistake(
        names.get(frozenset(seen), "other steps"),
        "With all 3x3 weights at zero, an image passes only along the shortcuts. Then the scores "
        "should depend on 11 of every 32 columns of pixels: of {width} columns, {expected}. But "
        "they depend on {seen}.".format(
            width=width, expected=sorted(_columns(32, 5)), seen=sorted(seen)
        ),
        "Height and width are divided by 4 in the stem and by 2 in every stage but the first, by "
        "32 in all. The shortcuts carry the image through.",
        "Predict the shape after the stem and after each stage, then compare with `layer_table`.",
    )


def _columns(step: int, reach: int, start: int = 0) -> set[int]:
    """Return the columns of the image within `reach` of every `step`-th column."""
    width = IMAGE[1]
    seen = (c + d for c in range(start, width, step) for d in range(-reach, reach + 1))
    return {column for column in seen if 0 <= column < width}


def average(net: Any) -> None:
    """With all 3x3 weights at zero, two parts of an image add up, as in a mean."""
    height, width = IMAGE
    specimen = specimen_of(net)
    _silence(specimen)
    left = (numpy.arange(width) < width // 4).astype("float32")
    X = numpy.stack([0 * left, left, 1 - left, numpy.ones(width)])[:, None, None, :]
    X = numpy.broadcast_to(1 + X, (4, specimen.channels, height, width))
    neither, one, other, both = specimen.run(X)
    if not agree(one + other, neither + both):
        raise Mistake(
            "no mean in the last pooling",
            "What two parts of an image add to the scores together is not the sum of what each of "
            "them adds.",
            "In a mean, every position of the last maps counts and learns. In a maximum, only one "
            "does.",
            "Which pooling comes before the dense layer?",
        )


def raw_scores(net: Any) -> None:
    """The scores come from one dense layer: they change sign with its weights.

    No score is dropped in training.
    """
    specimen = specimen_of(net)
    X = images(4, specimen.channels, 32, 32)
    dense = [p for p in specimen.parameters if len(p.shape or ()) == 2]
    if len(dense) != 1:
        raise _after_pooling(
            "more than one dense layer" if dense else "no dense layer",
            "The network should have 1 dense layer, but it has {count}.".format(count=len(dense)),
        )
    before = specimen.run(X)
    dropped = not specimen.run(X, training=True).all()
    specimen.set(dense[0], -dense[0].data(specimen.device).asnumpy())
    after = specimen.run(X)
    if agree(before, -after):
        if dropped:
            raise _after_pooling("dropout on the scores", "In training, some of the scores are 0.")
        return
    sums = [Y.sum(axis=1) for Y in (before, numpy.exp(before))]
    is_softmax = any(numpy.allclose(total, 1, atol=1e-3) for total in sums)
    if not is_softmax:
        raise _after_pooling(
            "another function after the dense layer",
            "When all weights of the dense layer change sign, some scores do not.",
        )
    raise Mistake(
        "softmax inside the network",
        "The outputs for an image are probabilities that add up to 1, or the logarithms of such "
        "probabilities.",
        "The training loss contains the softmax. A second one leaves hardly any gradient.",
        "What follows the dense layer?",
    )


def _after_pooling(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "The last pooling is followed by one dense layer and nothing else. The loss compares its "
        "scores, which may have any size and sign.",
        "Look at the end of the network: which layers follow the last pooling?",
    )


def _silence(specimen: Specimen) -> None:
    specimen.fill(_specimen.positive).fill(_specimen.zeros, size=3)


def _questions(blocks: tuple[int, ...]) -> tuple[Question, ...]:
    """Return the questions for a network with these numbers of blocks in its four stages."""
    asked = "Do they belong to stages of {blocks} blocks?".format(
        blocks=", ".join(map(str, blocks))
    )
    return (
        Question("scores", "Are there ten for each image, whatever its size?", scores),
        Question("raw scores", "Do they come straight from the dense layer?", raw_scores),
        Question("weights", asked, partial(weights, blocks), 2),
        Question("steps", "Do stem, stages and shortcuts divide the size by 32?", steps, 2),
        Question("average", "Does the last pooling take the mean?", average),
    )


# The model zoo's network


def count(net: Any) -> None:
    """The network has as many parameters as the one in the model zoo."""
    specimen = specimen_of(net)
    zoo = vision.resnet18_v1(classes=CLASSES)
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
        biases - WIDTHS[0]: "biases left in the blocks",
        WIDTHS[0]: "bias left in the stem",
        sum(SHORTCUTS): "biases left in the 1x1 convolutions",
    }
    raise Mistake(
        diagnoses.get(found - expected, "another number of parameters"),
        "The network has {found:,} parameters, but the one in the model zoo has "
        "{expected:,}.".format(found=found, expected=expected),
        "A network with other parameters cannot load the weights that come with the model zoo.",
        "The difference is {difference:+,}. Which layers have that many parameters?".format(
            difference=found - expected
        ),
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
        "normalization right after each of them would cancel the scale.",
        "The numbers from the layers and those from the shortcut should be of the same size when "
        "they are added.",
        "What is called between the 1x1 convolution and the plus sign?",
    )


_ZOO_QUESTIONS = (
    *_questions(BLOCKS_18),
    Question("count", "Are there as many parameters as in the model zoo?", count, 2),
    Question("shortcuts", "Does a normalization follow each 1x1 convolution?", shortcuts),
)
