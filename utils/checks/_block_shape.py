"""Questions on a residual block: its shapes, its weights, and what its outputs see of the input."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy
from mxnet import gluon, np

from utils.checks import _specimen
from utils.checks._errors import ConvolutionUse, convolution_uses
from utils.checks._report import Mistake
from utils.checks._specimen import CHANNELS, Specimen, residual

SEEN = _specimen.images(2, CHANNELS, 6, 6)
HALVING = {"channels_in": 3, "use_1x1conv": True, "strides": 2}


def shape(Residual: Any) -> None:
    """The output shape is right for every kind of block, batch and image."""
    for arguments in ({}, HALVING, {"channels_in": 3, "use_1x1conv": True}):
        try:
            specimen = residual(Residual, **arguments)
        except Exception as error:
            raise _explain(Residual, arguments) or error from None
        _check_axis(specimen)
        channels = arguments.get("channels_in", CHANNELS)
        for batch in (1, 3):
            _try(specimen, (batch, channels, 6, 6), other_sizes("one batch size only"))
        _try(specimen, (2, channels, 5, 8), other_sizes("square inputs only"))


def _check_axis(specimen: Specimen) -> None:
    """MXNet does not: for another shape it then reads beyond the end of the array."""
    channels = {side for kernel in specimen.kernels for side in kernel.shape[:2]}
    for parameter in filter(_specimen.is_complete, specimen.parameters):
        scales = math.prod(parameter.shape)
        if parameter.name.endswith("gamma") and scales not in channels:
            raise Mistake(
                "normalization over another axis",
                f"`{specimen.place_of(parameter)}` holds {scales} numbers, but there are "
                f"{CHANNELS} channels.",
                "A convolution gives (batch, channels, height, width), and each channel has a "
                "scale and a shift of its own.",
                "Along which axis of its input does each normalization find the channels?",
            )


def _try(specimen: Specimen, shape: tuple[int, ...], mistake: Mistake) -> None:
    try:
        specimen.run(_specimen.images(*shape))
    except Exception as error:
        raise mistake from error


# Why a block cannot compute its sum: the convolutions that it used tell


def _explain(Residual: Any, arguments: dict) -> Mistake | None:
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


def _calls(Residual: Any, channels: int, keywords: dict) -> list[ConvolutionUse]:
    block = _specimen.new_block(Residual, CHANNELS, **keywords)
    return convolution_uses(block, np.array(_specimen.images(2, channels, 6, 6)))


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


def _no_padding(call: ConvolutionUse) -> Mistake:
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


# Weights, and what they reach


def weights(Residual: Any) -> None:
    """There are two 3x3 convolutions of `num_channels`, and one of 1x1 if it was asked for."""
    plain = [kernel.shape for kernel in residual(Residual).kernels]
    halving = [kernel.shape for kernel in residual(Residual, **HALVING).kernels]
    for shape in plain + halving:
        if shape[2:] not in ((3, 3), (1, 1)):
            raise _kernel_size(
                "another kernel size", f"There is a convolution of {shape[2]}x{shape[3]} pixels"
            )
    plain_3x3, halving_3x3 = ([s for s in all_ if s[2:] == (3, 3)] for all_ in (plain, halving))
    if len(plain_3x3) < 2 and len(plain_3x3) < len(plain):
        raise _kernel_size("another kernel size", "There is a convolution of 1x1 pixels")
    if len(halving_3x3) == len(halving) > len(plain):
        raise _kernel_size("3x3 convolution on the shortcut", "The third convolution is 3x3, too")
    if not any(shape[2:] == (1, 1) for shape in halving):
        raise mistake_1x1("1x1 convolution never used", "no 1x1 convolution was used")
    _check_3x3(plain_3x3, CHANNELS)
    _check_3x3(halving_3x3, HALVING["channels_in"])


def _kernel_size(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"{seen}, but the block has two 3x3 convolutions, and one of 1x1 on the shortcut if that "
        "is asked for.",
        "Two of 3x3 see as much as one of 5x5, with fewer weights and a ReLU in between. One of "
        "1x1 is enough to change the channels.",
        "Compare `kernel_size` of each convolution with the drawing of the block.",
    )


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
        seen = columns_seen(residual(Residual, **arguments).fill(_specimen.positive))
        if arguments and seen == 5:
            raise mistake_stride(
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
    image = _specimen.images(1, specimen.channels, width, width)
    disturbed = image + 100 * numpy.eye(width, dtype="float32")[:, None, None, :]
    Y = specimen.run(numpy.concatenate([image, disturbed]))
    middle = Y[:, :, Y.shape[2] // 2, Y.shape[3] // 2]
    return int((abs(middle[1:] - middle[0]).max(axis=1) > 1e-4 * abs(middle).max()).sum())


def used(Residual: Any) -> None:
    """Everything that is made has a part in the output."""
    for arguments in ({}, {"use_1x1conv": True}):
        specimen = residual(Residual, **arguments).fill(_specimen.positive)
        before = {training: specimen.run(SEEN, training=training) for training in (False, True)}
        for parameter in specimen.parameters:
            if parameter.grad_req != "null" and not _is_used(specimen, parameter, before):
                raise _unused(specimen, parameter)


def _is_used(
    specimen: Specimen, parameter: gluon.Parameter, before: dict[bool, numpy.ndarray]
) -> bool:
    """Return whether other values change the output, in inference or in training.

    Each mode hides something: training the biases before a normalization, and inference the small
    numbers beside large ones, where a normalization written by hand has its first statistics.
    """
    if not _specimen.is_complete(parameter):
        return False
    values = parameter.data().asnumpy()
    for training, Y in before.items():
        specimen.set(parameter, values + _specimen.images(*values.shape))
        change = abs(specimen.run(SEEN, training=training) - Y).max()
        specimen.set(parameter, values)
        if change >= 1e-6 * abs(Y).max():
            return True
    return False


def _unused(specimen: Specimen, parameter: gluon.Parameter) -> Mistake:
    kind = "convolution" if _specimen.is_kernel(parameter) else "normalization or bias"
    return Mistake(
        f"{kind} made but not used",
        f"The block has a parameter `{specimen.place_of(parameter)}` that does not change its "
        f"output. It belongs to a {kind}.",
        "A layer that is never called has no effect, whatever its weights are.",
        "Compare the layers made in `__init__` with those called in `forward`, one by one.",
    )
