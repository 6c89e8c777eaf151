"""A learner's network as a specimen, whether it was made already or is made here."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from mxnet import gluon, init

from utils.checks._ask import short
from utils.checks._report import Mistake
from utils.checks._specimen import Specimen, is_complete, new_block


def specimen_of(net: Any, side: int = 32) -> Specimen:
    """Return a specimen of a network, or of the one that a function without arguments makes.

    It has seen 2 images of `side` pixels, with as many channels as it is made for, or 1. Whoever
    asks the questions gives the parameters of a network back.
    """
    device = None
    if isinstance(net, gluon.Block):
        ready = [p for p in net.collect_params().values() if p._data is not None]
        device = ready[0].list_ctx()[0] if ready else None
        net.initialize(init.Xavier(), ctx=device)  # leaves alone what has values already
    else:
        _check_maker(net)
        net = new_block(net)
    return Specimen(net, (2, channels_of(net), side, side), device=device)


def channels_of(net: gluon.Block) -> int:
    """Return how many channels the widest convolution expects; 1 if it does not know yet."""
    shapes = [p.shape for p in net.collect_params().values() if is_complete(p)]
    kernels = [shape for shape in shapes if len(shape) == 4]
    return max(kernels, key=lambda shape: shape[-1])[1] if kernels else 1


def for_classes(net: Any, classes: int) -> Any:
    """Return a function without arguments in place of one that needs the number of classes.

    That is taken to be the only argument without a default. All else is returned as it came.
    """
    is_maker = callable(net) and not isinstance(net, gluon.Block)
    return functools.partial(net, classes) if is_maker and len(_needed(net)) == 1 else net


def _check_maker(net: Any) -> None:
    if not callable(net):
        raise Mistake(
            "no network",
            "A network was expected, or a class or function that makes one, but this came: "
            f"{short(net)}.",
            "The check runs the network with images of its own.",
            "Pass the network, or the name of your class or function alone, without quotation "
            "marks. If it came from a function: does that end with `return`?",
        )
    if needed := _needed(net):
        raise Mistake(
            "needs arguments",
            "The check makes a network without passing arguments, but your code needs "
            f"{', '.join(needed)}.",
            "Only you know which values belong there.",
            "Give each of them a default in the definition, or make the network yourself and pass "
            "it to the check.",
        )


def _needed(maker: Any) -> list[str]:
    """Return the names of the arguments without a default."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # some code in C does not tell
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]
