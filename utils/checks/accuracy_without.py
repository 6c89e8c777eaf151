"""Check a function that evaluates a network without some of its blocks.

It is an exercise of notebook 06.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon, np

from utils import data, probes, train
from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report
from utils.checks._specimen import agree
from utils.families import deep_network
from utils.resnet import Residual

NAMES = ("stage1.block1", "stage2.block1")


def accuracy_without(function: Any) -> Report:
    """Check a function `accuracy_without(net, names, split, device)` that removes blocks.

    It returns the accuracy with the named blocks removed, all of them at the same time, and then
    puts them back.
    """
    return ask_all("Accuracy without some blocks", QUESTIONS, function)


def none_removed(function: Callable[..., Any]) -> None:
    """Without a name, the whole network is evaluated."""
    _compare(function, ())


def both_removed(function: Callable[..., Any]) -> None:
    """With two names, both blocks are removed at the same time."""
    _compare(function, NAMES)


def put_back(function: Callable[..., Any]) -> None:
    """After the call, the network computes what it computed before."""
    net, split = _network()
    before = train.predict(net, split, mx.cpu())
    function(net, list(NAMES), split, mx.cpu())
    if not agree(train.predict(net, split, mx.cpu()), before):
        raise _wrong(
            "blocks not put back", "After the call, the network gives other scores than before."
        )


def _compare(function: Callable[..., Any], names: Sequence[str]) -> None:
    check_function(function)
    net, split = _network()
    possible = dict.fromkeys([(), tuple(names), *((name,) for name in names)])
    expected = {removed: _accuracy(net, split, removed) for removed in possible}
    found = function(net, list(names), split, mx.cpu())
    if not isinstance(found, (float, numpy.floating)) and not hasattr(found, "item"):
        raise _wrong(
            "no accuracy",
            "The function should return a number, but it returned {found}.".format(
                found=short(found)
            ),
        )
    if numpy.isclose(float(found), expected[tuple(names)], atol=1e-6):
        return
    diagnoses = {
        (): "no block removed",
        NAMES[:1]: "only the first block removed",
        NAMES[1:]: "only the last block removed",
    }
    same = [removed for removed, accuracy in expected.items() if numpy.isclose(found, accuracy)]
    raise _wrong(
        diagnoses.get(same[0], "wrong accuracy") if same else "wrong accuracy",
        "For the names {names} the accuracy should be {expected:.3f}, but {found:.3f} came.".format(
            names=list(names), expected=expected[tuple(names)], found=float(found)
        ),
    )


def _accuracy(net: gluon.Block, split: data.Split, names: Sequence[str]) -> float:
    with _removed(net, names):
        return train.evaluate(net, split, mx.cpu())[1]


def _network() -> tuple[gluon.Block, data.Split]:
    """Return a residual network with random weights, and images that it classifies in part.

    The label of each image is what the network predicts with some of the blocks removed, so that
    the accuracy tells which blocks those were.
    """
    net = deep_network(8, Residual)
    train.initialize(net, seed=0, device=mx.cpu())
    brightness = numpy.random.default_rng(0).integers(0, 256, size=(100, 4, 4))
    pictures = numpy.kron(brightness, numpy.ones((7, 7))).astype("uint8")
    labels = numpy.zeros(100, "int32")
    unlabeled = data.Split(pictures, labels)
    scores = train.predict(net, unlabeled, mx.cpu())
    net.dense.bias.set_data(np.array(-scores.mean(axis=0)))  # otherwise it predicts one class alone
    for start, names in ((0, ()), (10, NAMES[:1]), (30, NAMES[1:]), (60, NAMES)):
        with _removed(net, names):
            labels[start:] = train.predict(net, unlabeled, mx.cpu()).argmax(axis=1)[start:]
    return net, data.Split(pictures, labels)


@contextlib.contextmanager
def _removed(net: gluon.Block, names: Sequence[str]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(probes.removed(probes.blocks(net)[name]))
        yield


def _wrong(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "A difference in accuracy is due to the blocks only if the network is otherwise the same.",
        "When is each block removed, and when is it put back? Is the accuracy computed in between?",
    )


QUESTIONS = (
    Question("no names", "Without names, is it the accuracy of the whole network?", none_removed),
    Question("two names", "Are two blocks removed at the same time?", both_removed, 2),
    Question("put back", "Is the network unchanged after the call?", put_back),
)
