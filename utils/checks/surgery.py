"""The questions asked of functions that change the blocks of a network: copy, scale, remove."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import mxnet as mx
import numpy
from mxnet import gluon, np

from utils import data, probes, train
from utils.checks.asking import Question, check_function, report
from utils.checks.report import Mistake, Report
from utils.checks.specimens import agree, images
from utils.families import Plain, deep_network
from utils.resnet import Residual


def identity(set_identity: Any) -> Report:
    """Question a function `set_identity(block)` that makes a `Plain` block copy its input.

    It sets the parameters of a block that has seen an input. For x without negative numbers the
    block then returns x, in inference mode, to within 1e-6.
    """
    return report("A plain block that copies", IDENTITY, set_identity)


def scaled_residual(scale_residual: Any) -> Report:
    """Question a function `scale_residual(block, factor)` that multiplies f(x) - x by a factor.

    It changes the parameters of a `Residual` block. What the shortcut adds stays as it was.
    """
    return report("A scaled residual", SCALED, scale_residual)


def accuracy_without(function: Any) -> Report:
    """Question a function `accuracy_without(net, names, split, device)` that removes blocks.

    It returns the accuracy with the blocks of these names removed, all of them at the same time,
    and puts them back.
    """
    return report("Accuracy without some blocks", WITHOUT, function)


# set_identity(block)


def _after_identity(
    set_identity: Callable[..., Any], channels: int
) -> tuple[Plain, numpy.ndarray, numpy.ndarray]:
    """Return a block after the learner's change, an input (2, C, 9, 7) and the output."""
    check_function(set_identity)
    block = Plain(channels)
    block.initialize()
    X = images(2, channels, 9, 7, low=0, high=1)
    block(np.array(X))
    set_identity(block)
    return block, X, block(np.array(X)).asnumpy()


def copies(set_identity: Callable[..., Any]) -> None:
    """The input comes out again."""
    _, X, Y = _after_identity(set_identity, 8)
    difference = abs(Y - X).max()
    if difference <= 1e-6:
        return
    shifts = [(rows, columns) for rows in (-1, 0, 1) for columns in (-1, 0, 1) if rows or columns]
    inside = numpy.s_[..., 2:-2, 2:-2]
    name = "something else comes out"
    if not Y.any():
        name = "nothing passes"
    elif difference < 1e-4:
        name = "epsilon of the normalizations left"
    elif abs(Y - Y[:, :1]).max() < 1e-3 * abs(Y).max():
        name = "channels mixed"
    elif any(
        abs(Y - numpy.roll(X, (rows * k, columns * k), axis=(2, 3)))[inside].max() < 1e-3
        for rows, columns in shifts
        for k in (1, 2)
    ):
        name = "maps shifted"
    raise _identity(name, f"input and output differ by up to {difference:.1e}, in 8 channels")


def other_channels(set_identity: Callable[..., Any]) -> None:
    """A block with another number of channels can be set in the same way."""
    with contextlib.suppress(Exception):
        _, X, Y = _after_identity(set_identity, 5)
        if abs(Y - X).max() <= 1e-4:
            return
    raise _identity("one number of channels only", "with 5 channels the block does not copy")


def by_parameters(set_identity: Callable[..., Any]) -> None:
    """The block still computes what its parameters say."""
    block, X, Y = _after_identity(set_identity, 8)
    fresh = Plain(8)
    fresh.initialize()
    fresh(np.array(X))
    places = fresh._collect_params_with_prefix()
    for place, parameter in block._collect_params_with_prefix().items():
        if place in places:
            places[place].set_data(parameter.data())
    if not agree(fresh(np.array(X)).asnumpy(), Y):
        raise _identity(
            "another function", "another block with the same parameters gives another output"
        )


def _identity(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"After your function the block should return its input, but {seen}.",
        "The identity lies within reach of a plain block, but only with exactly the right "
        "parameters.",
        "Take one pixel of one channel and follow it: kernel, bias, normalization, ReLU, and the "
        "same again.",
    )


# scale_residual(block, factor)

FACTOR = 0.5


class Outputs(NamedTuple):
    """What a block's shortcut adds and what the block returns, both (N, C, H, W)."""

    shortcut: numpy.ndarray
    block: numpy.ndarray


def _residuals(scale_residual: Callable[..., Any], **arguments: Any) -> tuple[Outputs, Outputs]:
    """Return, before and after the change, what the shortcut adds and the block's output.

    Its normalizations have statistics, scales and shifts like those after a training. The last
    shift is so high that the last ReLU lets everything pass.
    """
    check_function(scale_residual)
    block = Residual(4, **arguments)
    block.initialize()
    X = images(2, 4, 6, 6, low=10, high=11)
    block(np.array(X))
    for number, parameter in enumerate(block.collect_params().values()):
        if len(parameter.shape) == 1:
            values = images(4, number + 1, low=0.5, high=1.5)[:, -1]
            parameter.set_data(np.array(values))
    block.bn2.beta.set_data(block.bn2.beta.data() + 100)

    def outputs() -> Outputs:
        shortcut = block.conv3(np.array(X)).asnumpy() if block.conv3 else X
        return Outputs(shortcut, block(np.array(X)).asnumpy())

    before = outputs()
    scale_residual(block, FACTOR)
    return before, outputs()


def scaled(scale_residual: Callable[..., Any]) -> None:
    """What is added to x is multiplied by the factor."""
    before, after = _residuals(scale_residual)
    expected = before.shortcut + FACTOR * (before.block - before.shortcut)
    if agree(after.block, expected):
        return
    name = "residual changed in another way"
    if agree(after.block, before.block):
        name = "nothing changed"
    elif agree(after.block, FACTOR * before.block):
        name = "shortcut scaled, too"
    elif _differs_by_constants(after.block, expected):
        name = "shift not scaled"
    elif _differs_by_constants(after.block, before.block):
        name = "shift alone scaled"
    raise _scaled(name, "something else came out")


def _differs_by_constants(Y: numpy.ndarray, Z: numpy.ndarray) -> bool:
    """Return whether two outputs differ by one number for each channel."""
    difference = Y - Z
    return bool(numpy.ptp(difference, axis=(0, 2, 3)).max() < 1e-2)


def scaled_beside_1x1(scale_residual: Callable[..., Any]) -> None:
    """A 1x1 convolution on the shortcut keeps its weights."""
    before, after = _residuals(scale_residual, use_1x1conv=True)
    if not agree(after.shortcut, before.shortcut):
        raise _scaled("1x1 convolution changed", "the shortcut itself gives something else")


def _scaled(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"With the factor {FACTOR} the block should return x plus half of what it added before, "
        f"but {seen}.",
        "To weaken the residual alone, x has to arrive as it was.",
        "Which is the last layer before the plus sign, and with which parameters does it compute?",
    )


# accuracy_without(net, names, split, device)

NAMES = ("stage1.block1", "stage2.block1")


def none_removed(function: Callable[..., Any]) -> None:
    """Without a name the whole network is judged."""
    _compare(function, ())


def both_removed(function: Callable[..., Any]) -> None:
    """With two names both blocks are away at the same time."""
    _compare(function, NAMES)


def put_back(function: Callable[..., Any]) -> None:
    """Afterwards the network computes what it computed before."""
    net, split = _network()
    before = train.predict(net, split, mx.cpu())
    function(net, list(NAMES), split, mx.cpu())
    if not agree(train.predict(net, split, mx.cpu()), before):
        raise _without(
            "blocks not put back", "after the call, the network gives other scores than before"
        )


def _compare(function: Callable[..., Any], names: Sequence[str]) -> None:
    check_function(function)
    net, split = _network()
    expected = {removed: _accuracy(net, split, removed) for removed in ((), *_parts(names))}
    found = function(net, list(names), split, mx.cpu())
    if not isinstance(found, (float, numpy.floating)) and not hasattr(found, "item"):
        raise _without("no accuracy", f"it is {type(found).__name__}")
    if numpy.isclose(float(found), expected[tuple(names)], atol=1e-6):
        return
    diagnoses = {
        (): "no block removed",
        NAMES[:1]: "only the first block removed",
        NAMES[1:]: "only the last block removed",
    }
    same = [removed for removed, accuracy in expected.items() if numpy.isclose(found, accuracy)]
    raise _without(
        diagnoses.get(same[0], "another accuracy") if same else "another accuracy",
        f"for {list(names)} it is {float(found):.3f}, not {expected[tuple(names)]:.3f}",
    )


def _parts(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(names), *((name,) for name in names)]


def _accuracy(net: gluon.Block, split: data.Split, names: Sequence[str]) -> float:
    with _away(net, names):
        return train.evaluate(net, split, mx.cpu())[1]


def _network() -> tuple[gluon.Block, data.Split]:
    """Return a residual network of random weights, and images which it recognizes in part.

    Each image has the label that the network gives it with some of the blocks removed, so that the
    accuracy says which were.
    """
    net = deep_network(8, Residual)
    train.initialize(net, seed=0, device=mx.cpu())
    brightness = numpy.random.default_rng(0).integers(0, 256, size=(100, 4, 4))
    pictures = numpy.kron(brightness, numpy.ones((7, 7))).astype("uint8")
    labels = numpy.zeros(100, "int32")
    unlabeled = data.Split(pictures, labels)
    scores = train.predict(net, unlabeled, mx.cpu())
    net.dense.bias.set_data(np.array(-scores.mean(axis=0)))  # else one class gets all answers
    for start, names in ((0, ()), (10, NAMES[:1]), (30, NAMES[1:]), (60, NAMES)):
        with _away(net, names):
            labels[start:] = train.predict(net, unlabeled, mx.cpu()).argmax(axis=1)[start:]
    return net, data.Split(pictures, labels)


@contextlib.contextmanager
def _away(net: gluon.Block, names: Sequence[str]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(probes.removed(probes.blocks(net)[name]))
        yield


def _without(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The accuracy without some blocks is not as expected: {seen}.",
        "Only when the network is otherwise the same does the difference belong to the blocks.",
        "When does each block go, and when does it come back? Is the accuracy taken in between?",
    )


IDENTITY = (
    Question("copy", "Does the input come out again?", copies, 2),
    Question("channels", "Can any block be set like this?", other_channels),
    Question("parameters", "Does it follow from the parameters alone?", by_parameters),
)
SCALED = (
    Question("residual", "Is what is added to x half as large?", scaled, 2),
    Question("1x1 shortcut", "Does a 1x1 convolution stay as it was?", scaled_beside_1x1),
)
WITHOUT = (
    Question("none", "Is it that of the whole network without names?", none_removed),
    Question("two", "Are two blocks away at the same time?", both_removed, 2),
    Question("put back", "Is the network as before after the call?", put_back),
)
