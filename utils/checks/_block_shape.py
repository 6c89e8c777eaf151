"""Questions on a residual block: its shapes, its weights, and the pixels that an output sees."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy
from mxnet import gluon, np

from utils.checks import _specimen
from utils.checks._errors import ConvolutionUse, convolution_uses
from utils.checks._report import Mistake
from utils.checks._specimen import CHANNELS, Shape, Specimen, residual

X = _specimen.images(2, CHANNELS, 6, 6)
HALVING = {"channels_in": 3, "use_1x1conv": True, "strides": 2}


def shape(Residual: Any) -> None:
    """The output shape is right for every kind of block, batch and image."""
    for arguments in ({}, HALVING, {"channels_in": 3, "use_1x1conv": True}):
        try:
            specimen = residual(Residual, **arguments)
        except Exception as error:
            raise _explain(Residual, **arguments) or error from None
        _check_axis(specimen)
        channels = arguments.get("channels_in", CHANNELS)
        for batch in (1, 3):
            _try(specimen, (batch, channels, 6, 6), _one_batch_size())
        _try(specimen, (2, channels, 5, 8), _square_inputs())


def _check_axis(specimen: Specimen) -> None:
    """Check where the channels are: MXNet does not, and reads beyond the end of the array."""
    channels = {side for kernel in specimen.kernels for side in kernel.shape[:2]}
    for parameter in filter(_specimen.is_complete, specimen.parameters):
        scales = math.prod(parameter.shape)
        if parameter.name.endswith("gamma") and scales not in channels:
            raise Mistake(
                "normalization over another axis",
                "`{place}` holds {scales} numbers, but there are {channels} channels.".format(
                    place=specimen.place_of(parameter), scales=scales, channels=CHANNELS
                ),
                "The output of a convolution has the axes (batch, channels, height, width), and "
                "each channel has its own scale and shift.",
                "On which axis of its input does each normalization look for the channels?",
            )


def _try(specimen: Specimen, shape: Shape, mistake: Mistake) -> None:
    try:
        specimen.run(_specimen.images(*shape))
    except Exception as error:
        raise mistake from error


def _one_batch_size() -> Mistake:
    return _one_size(
        "one batch size only", "The block works for batches of one size, but not for others."
    )


def _square_inputs() -> Mistake:
    return _one_size("square inputs only", "The block works for square inputs, but not for others.")


def _one_size(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Batches and images of other sizes will come: the last batch of an epoch, for example.",
        "Does the code contain a number that belongs to one particular shape? Take it from "
        "`X.shape`, or do without it.",
    )


# Why a block cannot compute its sum, as told by the convolutions that it used


def _explain(Residual: Any, channels_in: int = CHANNELS, **arguments: Any) -> Mistake | None:
    """Return which layer keeps a block of this kind from computing its sum; None if unknown."""
    with contextlib.suppress(Exception):
        residual(Residual, batch=1, channels_in=channels_in, **arguments)
        return _one_batch_size()
    try:
        plain = _uses(Residual, CHANNELS)
        uses = _uses(Residual, channels_in, **arguments)
    except Exception:
        return None
    if len({id(use.weight) for use in plain}) < len(plain):
        return _shared_weights()
    wide, narrow = [u for u in uses if u.kernel > 1], [u for u in uses if u.kernel == 1]
    shrunk = [use for use in wide if use.output[2] == use.input[2] - use.kernel + 1]
    if shrunk:
        return _no_padding(shrunk[0])
    if arguments.get("use_1x1conv") and len(wide) == 2 and not narrow:
        return _unused_1x1()
    if any(use.input != (2, channels_in, 6, 6) for use in narrow):
        return _mistake_1x1(
            "1x1 convolution applied to Y",
            "The 1x1 convolution got an input of shape {shape}, which is not the block's "
            "input.".format(shape=narrow[0].input),
        )
    strides = arguments.get("strides", 1)
    return _explain_strides(wide, narrow, strides) if strides > 1 and len(wide) == 2 else None


def _explain_strides(
    wide: list[ConvolutionUse], narrow: list[ConvolutionUse], strides: int
) -> Mistake | None:
    halving = sum(use.divides_by(strides) for use in wide)
    if halving == 2:
        return _mistake_stride(
            "stride on both convolutions",
            "With `strides=2`, both 3x3 convolutions halve height and width.",
        )
    if halving == 0:
        return _mistake_stride(
            "stride not used", "With `strides=2`, no 3x3 convolution halves height and width."
        )
    if any(use.output[2] == wide[-1].output[2] + 1 for use in narrow):
        return _mistake_1x1(
            "padding on the 1x1 convolution",
            "The 1x1 convolution turns {before} into {after}, which is one pixel too many.".format(
                before=narrow[0].input, after=narrow[0].output
            ),
        )
    if any(not use.divides_by(strides) for use in narrow):
        return _mistake_stride(
            "stride missing on the 1x1 convolution",
            "With `strides=2`, the 1x1 convolution does not halve height and width.",
        )
    return None


def _uses(Residual: Any, channels: int, **arguments: Any) -> list[ConvolutionUse]:
    block = _specimen.new_block(Residual, CHANNELS, **arguments)
    return convolution_uses(block, np.array(_specimen.images(2, channels, 6, 6)))


def _shared_weights() -> Mistake:
    return Mistake(
        "weights shared between the convolutions",
        "Both 3x3 convolutions use the same weights, or there is only one of them.",
        "Two convolutions that share their weights can learn no more than one.",
        "How many convolutions are made in `__init__`, and which of them does `forward` call?",
    )


def _no_padding(use: ConvolutionUse) -> Mistake:
    return Mistake(
        "convolution without padding",
        "A {size}x{size} convolution turns {before} into {after}. The maps became smaller, but "
        "only the stride may do that.".format(size=use.kernel, before=use.input, after=use.output),
        "The sum with the shortcut needs maps of equal size.",
        "How many pixels are missing at each edge, and which argument of a convolution adds them?",
    )


def _unused_1x1() -> Mistake:
    return _mistake_1x1(
        "1x1 convolution never used", "A 1x1 convolution was requested, but none was used."
    )


def _mistake_1x1(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "The 1x1 convolution gives the shortcut the shape of the sum. Where the shapes are equal "
        "already, the shortcut must pass x on unchanged.",
        "When is the 1x1 convolution made, and what is it applied to?",
    )


def _mistake_stride(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "The stride belongs to the first 3x3 convolution and to the 1x1 convolution beside it. "
        "Then both paths, through the layers and along the shortcut, give the same shape.",
        "Which convolutions get `strides`, and which do not?",
    )


# Weights, and the pixels that they see


def weights(Residual: Any) -> None:
    """There are two 3x3 convolutions of `num_channels`, and one of 1x1 if it was requested."""
    plain = [kernel.shape for kernel in residual(Residual).kernels]
    halving = [kernel.shape for kernel in residual(Residual, **HALVING).kernels]
    for shape in plain + halving:
        if shape[2:] not in ((3, 3), (1, 1)):
            raise _other_kernel(shape)
    plain_3x3 = [shape for shape in plain if shape[2:] == (3, 3)]
    halving_3x3 = [shape for shape in halving if shape[2:] == (3, 3)]
    if len(plain_3x3) < 2 and len(plain_3x3) < len(plain):
        raise _other_kernel((CHANNELS, CHANNELS, 1, 1))
    if len(halving_3x3) == len(halving) > len(plain):
        raise _kernel_size(
            "3x3 convolution on the shortcut",
            "The convolution on the shortcut has a kernel of 3x3 as well.",
        )
    if not any(shape[2:] == (1, 1) for shape in halving):
        raise _unused_1x1()
    _check_3x3(plain_3x3, CHANNELS)
    _check_3x3(halving_3x3, HALVING["channels_in"])


def _other_kernel(shape: Shape) -> Mistake:
    return _kernel_size(
        "another kernel size",
        "One of the convolutions has a kernel of {height}x{width}.".format(
            height=shape[2], width=shape[3]
        ),
    )


def _kernel_size(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"{seen} The block has two 3x3 convolutions, and on the shortcut one of 1x1 if that was "
        "requested.",
        "Two 3x3 convolutions see as much as one of 5x5, with fewer weights and a ReLU in between. "
        "One of 1x1 is enough to change the channels.",
        "Compare `kernel_size` of each convolution with the drawing of the block.",
    )


def _check_3x3(shapes: list[Shape], channels_in: int) -> None:
    if len(shapes) == 1:
        raise _shared_weights()
    if len(shapes) != 2:
        raise Mistake(
            "another number of convolutions",
            "The block should have 2 convolutions of 3x3, but it has {count}.".format(
                count=len(shapes)
            ),
            "The name ResNet-18 counts two for each block.",
            "Count the convolutions that are made in `__init__`.",
        )
    expected = sorted([(CHANNELS, channels_in, 3, 3), (CHANNELS, CHANNELS, 3, 3)])
    if sorted(shapes) != expected:
        raise Mistake(
            "other channels inside",
            "In a block with {channels_in} channels in and {channels_out} out, the weights of the "
            "3x3 convolutions should have the shapes {expected}, but they have {shapes}.".format(
                channels_in=channels_in,
                channels_out=CHANNELS,
                expected=expected,
                shapes=sorted(shapes),
            ),
            "Both convolutions of this block have `num_channels` output channels.",
            "Look at the first argument of each convolution.",
        )


def reach(Residual: Any) -> None:
    """One number of the output depends on 5 columns of pixels, and on 7 with stride 2."""
    for arguments, expected in (({}, 5), (HALVING, 7)):
        seen = columns_seen(residual(Residual, **arguments).fill(_specimen.positive))
        if arguments and seen == 5:
            raise _mistake_stride(
                "stride on the second convolution",
                "With `strides=2`, one number of the output sees 5 columns of pixels. It would see "
                "7 if the first convolution halved height and width.",
            )
        if seen != expected:
            raise Mistake(
                "sees other pixels",
                "One number of the output sees {seen} columns of pixels, but two 3x3 convolutions "
                "see {expected}.".format(seen=seen, expected=expected),
                "The receptive field decides which shapes the network can recognize.",
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
    """Every parameter of the block has an effect on the output."""
    for arguments in ({}, {"use_1x1conv": True}):
        specimen = residual(Residual, **arguments).fill(_specimen.positive)
        before = {training: specimen.run(X, training=training) for training in (False, True)}
        for parameter in specimen.parameters:
            if parameter.grad_req != "null" and not _is_used(specimen, parameter, before):
                raise _unused(specimen, parameter)


def _is_used(
    specimen: Specimen, parameter: gluon.Parameter, before: dict[bool, numpy.ndarray]
) -> bool:
    """Return whether other values of the parameter change the output, in one mode or the other.

    Each mode hides something. Training hides the biases before a normalization; inference hides
    small numbers beside large ones, before a hand-written normalization has its first statistics.
    """
    if not _specimen.is_complete(parameter):
        return False
    values = parameter.data().asnumpy()
    for training, Y in before.items():
        specimen.set(parameter, values + _specimen.images(*values.shape))
        change = abs(specimen.run(X, training=training) - Y).max()
        specimen.set(parameter, values)
        if change >= 1e-6 * abs(Y).max():
            return True
    return False


def _unused(specimen: Specimen, parameter: gluon.Parameter) -> Mistake:
    if _specimen.is_kernel(parameter):
        name = "convolution made but not used"
        seen = "The block has a convolution weight `{place}` that does not affect its output."
    else:
        name = "normalization or bias made but not used"
        seen = "The block has a scale, shift or bias `{place}` that does not affect its output."
    return Mistake(
        name,
        seen.format(place=specimen.place_of(parameter)),
        "A layer that is never called has no effect, whatever its weights are.",
        "Compare the layers made in `__init__` with those called in `forward`, one by one.",
    )
