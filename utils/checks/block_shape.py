"""Questions on a residual block: its shapes, its weights, and what its outputs see of the input."""

from __future__ import annotations

import contextlib
import math
from typing import Any, NamedTuple

import numpy
from mxnet import gluon, np

from utils.checks import specimens
from utils.checks.report import Mistake
from utils.checks.specimens import CHANNELS, Specimen, residual

HALVING = {"channels_in": 3, "use_1x1conv": True, "strides": 2}


class Call(NamedTuple):
    """One use of a convolution layer inside a block, with shapes."""

    weight: gluon.Parameter
    input: tuple[int, ...]
    output: tuple[int, ...]

    @property
    def kernel(self) -> int:
        return self.weight.shape[-1]

    def divides_by(self, strides: int) -> bool:
        return self.output[2] == math.ceil(self.input[2] / strides)


def shape(Residual: Any) -> None:
    """The output shape is right for every kind of block, batch and image."""
    for arguments in ({}, HALVING, {"channels_in": 3, "use_1x1conv": True}):
        try:
            specimen = residual(Residual, **arguments)
        except Exception as error:
            raise _explain(Residual, arguments) or error from None
        channels = arguments.get("channels_in", CHANNELS)
        for batch in (1, 3):
            _try(specimen, (batch, channels, 6, 6), _other_sizes("one batch size only"))
        _try(specimen, (2, channels, 5, 8), _other_sizes("square inputs only"))


def _try(specimen: Specimen, shape: tuple[int, ...], mistake: Mistake) -> None:
    try:
        specimen.run(specimens.images(*shape))
    except Exception as error:
        raise mistake from error


def _other_sizes(name: str) -> Mistake:
    return Mistake(
        name,
        f"The block works for {name}, but not for others.",
        "Batches and images of other sizes will come: the last batch of an epoch, for example.",
        "Is a number written into the code that belongs to one shape? Take it from `X.shape`, or "
        "do without it.",
    )


def _explain(Residual: Any, arguments: dict) -> Mistake | None:
    """Name the layer because of which a block of a certain kind cannot compute its sum."""
    keywords = {name: value for name, value in arguments.items() if name != "channels_in"}
    strides, asked = keywords.get("strides", 1), keywords.get("use_1x1conv", False)
    channels = arguments.get("channels_in", CHANNELS)
    with contextlib.suppress(Exception):
        residual(Residual, batch=1, **arguments)
        return _other_sizes("one batch size only")
    try:
        plain, calls = (
            _convolutions(Residual, *kind) for kind in ((CHANNELS, {}), (channels, keywords))
        )
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
        return _mistake_1x1("1x1 convolution never used", "no 1x1 convolution was used")
    if any(call.input != X for call in narrow):
        return _mistake_1x1(
            "1x1 convolution applied to Y",
            f"the 1x1 convolution got an input of shape {narrow[0].input}, not the block's input",
        )
    if strides > 1 and len(wide) == 2:
        halved = sum(call.divides_by(strides) for call in wide)
        if halved == 2:
            return _mistake_stride("stride on both convolutions", "both 3x3 convolutions halve")
        if halved == 0:
            return _mistake_stride("stride not used", "no 3x3 convolution halves")
        if any(not call.divides_by(strides) for call in narrow):
            return _mistake_stride(
                "stride missing on the 1x1 convolution", "the 1x1 convolution does not halve"
            )
    return None


def _convolutions(Residual: Any, channels: int, keywords: dict) -> list[Call]:
    """Return the uses of Gluon's convolution layers in a first run, up to an error if there is one.

    A block that computes without such layers has none.
    """
    block = specimens.new_block(Residual, CHANNELS, **keywords)
    calls = []

    def note(layer: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        weight = getattr(layer, "weight", None)
        if weight is not None and len(weight.shape) == 4:
            calls.append(Call(weight, inputs[0].shape, output.shape))

    block.apply(lambda layer: layer.register_forward_hook(note))
    try:
        block(np.array(specimens.images(2, channels, 6, 6)))
    except Exception:
        return calls
    return calls


def weights(Residual: Any) -> None:
    """There are two 3x3 convolutions of `num_channels`, and one of 1x1 if it was asked for."""
    plain = [kernel.shape for kernel in residual(Residual).kernels]
    halving = [kernel.shape for kernel in residual(Residual, **HALVING).kernels]
    for shape in plain + halving:
        if shape[2:] not in ((3, 3), (1, 1)):
            raise Mistake(
                "another kernel size",
                f"There is a convolution of {shape[2]}x{shape[3]} pixels, but the block has only "
                "3x3 convolutions, and 1x1 on the shortcut.",
                "Two of 3x3 see as much as one of 5x5, with fewer weights and a ReLU in between.",
                "Compare `kernel_size` of each convolution with the drawing of the block.",
            )
    if not any(shape[2:] == (1, 1) for shape in halving):
        raise _mistake_1x1("1x1 convolution never used", "no 1x1 convolution was used")
    _check_3x3([s for s in plain if s[2:] == (3, 3)], CHANNELS)
    _check_3x3([s for s in halving if s[2:] == (3, 3)], HALVING["channels_in"])


def _check_3x3(shapes: list[tuple[int, ...]], channels_in: int) -> None:
    if len(shapes) == 1:
        raise shared_weights()
    if len(shapes) != 2:
        raise Mistake(
            "another number of convolutions",
            f"The block has {len(shapes)} convolutions of 3x3 pixels, but 2 were expected.",
            "The name ResNet-18 counts two for each block.",
            "Count the convolutions that are made in `__init__`.",
        )
    expected = sorted([(CHANNELS, channels_in, 3, 3), (CHANNELS, CHANNELS, 3, 3)])
    if sorted(shapes) != expected:
        raise Mistake(
            "other channels inside",
            f"The weights of the 3x3 convolutions have the shapes {sorted(shapes)}, but for "
            f"{channels_in} channels in and {CHANNELS} out {expected} were expected.",
            "Both convolutions of this block give `num_channels` channels.",
            "Look at the first argument of each convolution.",
        )


def reach(Residual: Any) -> None:
    """One number of the output sees 5 columns of pixels, and 7 with stride 2."""
    for arguments, expected in (({}, 5), (HALVING, 7)):
        seen = columns_seen(residual(Residual, **arguments).fill(specimens.positive))
        if arguments and seen == 5:
            raise _mistake_stride(
                "stride on the second convolution",
                "one number of the output sees 5 columns of pixels, and it would see 7 if the "
                "first convolution halved",
            )
        if seen != expected:
            raise Mistake(
                "sees other pixels",
                f"One number of the output sees {seen} columns of pixels, but two 3x3 convolutions "
                f"see {expected}.",
                "What one number can see decides which shapes the network can recognize.",
                "Compare kernel size, strides and dilation with the drawing. Is every layer used?",
            )


def columns_seen(specimen: Specimen, width: int = 15) -> int:
    """Return how many columns of pixels change the numbers in the middle of the output."""
    image = specimens.images(1, specimen.channels, width, width)
    disturbed = image + 100 * numpy.eye(width, dtype="float32")[:, None, None, :]
    Y = specimen.run(numpy.concatenate([image, disturbed]))
    middle = Y[:, :, Y.shape[2] // 2, Y.shape[3] // 2]
    return int((abs(middle[1:] - middle[0]).max(axis=1) > 1e-4 * abs(middle).max()).sum())


def used(Residual: Any) -> None:
    """Everything that is made has a part in the output."""
    for arguments in ({}, {"use_1x1conv": True}):
        specimen = residual(Residual, **arguments).fill(specimens.positive)
        X = specimens.images(2, CHANNELS, 6, 6)
        before = specimen.run(X)
        for parameter in specimen.parameters:
            if parameter.grad_req == "null":
                continue
            if not specimens.is_complete(parameter):
                raise _unused(parameter)
            values = parameter.data().asnumpy()
            specimen.set(parameter, values + specimens.images(*values.shape))
            if abs(specimen.run(X) - before).max() < 1e-6 * abs(before).max():
                raise _unused(parameter)
            specimen.set(parameter, values)


def _unused(parameter: gluon.Parameter) -> Mistake:
    axes = len(parameter.shape or ())
    kind = "convolution" if axes == 4 else "normalization or bias"
    return Mistake(
        f"{kind} made but not used",
        f"The block has a parameter `{parameter.name}` that does not change its output. It belongs "
        f"to a {kind}.",
        "A layer that is never called has no effect, whatever its weights are.",
        "Compare the layers made in `__init__` with those called in `forward`, one by one.",
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


def _mistake_1x1(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The 1x1 convolution is not where it belongs: {seen}.",
        "It gives the shortcut the shape of the sum. Where the shapes are equal already, the "
        "shortcut must hand on x as it is.",
        "When is the 1x1 convolution made, and what is it applied to?",
    )


def _mistake_stride(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"With `strides=2` something else was expected: {seen}.",
        "The stride belongs to the first 3x3 convolution and to the 1x1 convolution beside it. "
        "Then both roads arrive with the same shape.",
        "Which convolutions get `strides`, and which do not?",
    )
