"""Explains why a residual block cannot compute its sum, by the convolution layers that it used."""

from __future__ import annotations

import contextlib
from typing import Any

from mxnet import np

from utils.checks import _specimen
from utils.checks._adding import Call, convolutions
from utils.checks._report import Mistake
from utils.checks._specimen import CHANNELS, residual


def explain(Residual: Any, arguments: dict) -> Mistake | None:
    """Name the layer because of which a block of a certain kind cannot compute its sum."""
    keywords = {name: value for name, value in arguments.items() if name != "channels_in"}
    strides, asked = keywords.get("strides", 1), keywords.get("use_1x1conv", False)
    channels = arguments.get("channels_in", CHANNELS)
    with contextlib.suppress(Exception):
        residual(Residual, batch=1, **arguments)
        return other_sizes("one batch size only")
    try:
        plain, calls = (_calls(Residual, *kind) for kind in ((CHANNELS, {}), (channels, keywords)))
    except Exception:
        return None
    if len({id(call.weight) for call in plain}) < len(plain):
        return shared_weights()
    wide, narrow = [c for c in calls if c.kernel > 1], [c for c in calls if c.kernel == 1]
    X = (2, channels, 6, 6)
    shrunk = [call for call in wide if call.output[2] == call.input[2] - call.kernel + 1]
    if shrunk:
        return _no_padding(shrunk[0])
    if asked and len(wide) == 2 and not narrow:
        return mistake_1x1("1x1 convolution never used", "no 1x1 convolution was used")
    if any(call.input != X for call in narrow):
        return mistake_1x1(
            "1x1 convolution applied to Y",
            f"the 1x1 convolution got an input of shape {narrow[0].input}, not the block's input",
        )
    if strides > 1 and len(wide) == 2:
        halved = sum(call.divides_by(strides) for call in wide)
        if halved == 2:
            return mistake_stride("stride on both convolutions", "both 3x3 convolutions halve")
        if halved == 0:
            return mistake_stride("stride not used", "no 3x3 convolution halves")
        if any(call.output[2] == wide[-1].output[2] + 1 for call in narrow):
            return mistake_1x1(
                "padding on the 1x1 convolution",
                f"it turns {narrow[0].input} into {narrow[0].output}, one pixel too many",
            )
        if any(not call.divides_by(strides) for call in narrow):
            return mistake_stride(
                "stride missing on the 1x1 convolution", "the 1x1 convolution does not halve"
            )
    return None


def _calls(Residual: Any, channels: int, keywords: dict) -> list[Call]:
    block = _specimen.new_block(Residual, CHANNELS, **keywords)
    return convolutions(block, np.array(_specimen.images(2, channels, 6, 6)))


def other_sizes(name: str) -> Mistake:
    return Mistake(
        name,
        f"The block works for {name}, but not for others.",
        "Batches and images of other sizes will come: the last batch of an epoch, for example.",
        "Is a number written into the code that belongs to one shape? Take it from `X.shape`, or "
        "do without it.",
    )


def shared_weights() -> Mistake:
    return Mistake(
        "weights shared between the convolutions",
        "Both 3x3 convolutions use the same weights, or there is only one of them.",
        "Two convolutions that share their weights can learn no more than one.",
        "How many convolutions are made in `__init__`, and which of them does `forward` call?",
    )


def _no_padding(call: Call) -> Mistake:
    return Mistake(
        "convolution without padding",
        f"A {call.kernel}x{call.kernel} convolution turns {call.input} into {call.output}. The "
        "maps became smaller, but only the stride may do that.",
        "The sum with the shortcut needs maps of equal size.",
        "How many pixels are missing at each edge, and which argument of a convolution adds them?",
    )


def mistake_1x1(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The 1x1 convolution is not where it belongs: {seen}.",
        "It gives the shortcut the shape of the sum. Where the shapes are equal already, the "
        "shortcut must hand on x as it is.",
        "When is the 1x1 convolution made, and what is it applied to?",
    )


def mistake_stride(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"With `strides=2` something else was expected: {seen}.",
        "The stride belongs to the first 3x3 convolution and to the 1x1 convolution beside it. "
        "Then both roads arrive with the same shape.",
        "Which convolutions get `strides`, and which do not?",
    )
