"""Questions on a residual block: its shapes, its weights, and the pixels that an output sees."""

from __future__ import annotations

import contextlib
import math
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon, np

from utils.checks import _specimen
from utils.checks._errors import ConvolutionUse, convolution_uses
from utils.checks._report import Mistake
from utils.checks._specimen import APART, CHANNELS, Shape, Specimen, residual

HALVING: dict[str, Any] = {"channels_in": 3, "use_1x1conv": True, "strides": 2}


def shape(Residual: Any) -> None:
    """The output shape is right for every kind of block, batch and image."""
    for arguments in ({}, HALVING, {"channels_in": 3, "use_1x1conv": True}):
        try:
            specimen = residual(Residual, **arguments)
        except Exception as error:
            raise _explain(Residual, error, **arguments) or error from None
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
        if parameter.name.endswith("gamma") and scales not in {1, *channels}:
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


def _explain(
    Residual: Any, error: Exception, channels_in: int = CHANNELS, **arguments: Any
) -> Mistake | None:
    """Return which layer keeps a block of this kind from computing its sum; None if unknown.

    Only an error of MXNet, or of a comparison of shapes, can come from a shape.
    """
    with contextlib.suppress(Exception):
        residual(Residual, batch=1, channels_in=channels_in, **arguments)
        return _one_batch_size()
    if not isinstance(error, (Mistake, mx.MXNetError, ValueError)):
        return None
    try:
        plain = _uses(Residual)
        uses = _uses(Residual, channels_in=channels_in, **arguments)
    except Exception:
        return None
    if len({id(use.weight) for use in plain}) < len(plain):
        return _shared_weights()
    wide, narrow = [u for u in uses if u.kernel > 1], [u for u in uses if u.kernel == 1]
    if _read_x(wide):
        return _both_read_x()
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
        if any(use.divides_by(strides) for use in narrow):
            return _mistake_stride(
                "stride only on the 1x1 convolution",
                "With `strides=2`, the 1x1 convolution halves height and width, but no 3x3 "
                "convolution does.",
            )
        return _mistake_stride(
            "stride not used", "With `strides=2`, no convolution halves height and width."
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


def _uses(Residual: Any, *, channels_in: int = CHANNELS, **arguments: Any) -> list[ConvolutionUse]:
    block = _specimen.new_block(Residual, CHANNELS, **arguments)
    return convolution_uses(block, np.array(_specimen.images(2, channels_in, 6, 6)))


def check_chain(Residual: Any) -> None:
    """The second convolution reads what the first one returns, not x."""
    uses = _uses(Residual, **APART)
    if _read_x([use for use in uses if use.kernel > 1]):
        raise _both_read_x()


def _read_x(wide: list[ConvolutionUse]) -> bool:
    """Return whether two 3x3 convolutions both got arrays with the channels of x, which is 3."""
    return len(wide) == 2 and {use.input[1] for use in wide} == {APART["channels_in"]}


def _both_read_x() -> Mistake:
    return Mistake(
        "both convolutions read x",
        "Both 3x3 convolutions were called on an array of the shape of x.",
        "Only one after the other do they see 5x5 pixels, with a ReLU in between.",
        "Follow the result of the first ReLU. Which array is the second convolution called on?",
    )


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
    check_chain(Residual)
    _check_3x3(plain_3x3, CHANNELS)
    _check_3x3(halving_3x3, HALVING["channels_in"])
    _check_others(residual(Residual))


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
    narrow = [shape for shape in shapes if shape[1] < channels_in]
    if narrow:
        raise Mistake(
            "convolution in groups",
            "A weight has the shape {shape}: each output channel is computed from {count} of the "
            "channels alone.".format(shape=narrow[0], count=narrow[0][1]),
            "In this block, every channel of a convolution sees all channels before it.",
            "Look at the arguments of each convolution beside channels, kernel and stride.",
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


def additional(specimen: Specimen) -> list[gluon.Parameter]:
    """Return the weights of a block without a 1x1 shortcut that are none of 3x3, scale or shift."""
    kernels = [kernel for kernel in specimen.kernels if kernel.shape[2:] == (1, 1)]
    several_axes = [p for p in specimen.others if len(p.shape) > 1]
    dense = [p for p in several_axes if len(p.shape) == 2 or math.prod(p.shape) > CHANNELS]
    return kernels + dense


def _check_others(specimen: Specimen) -> None:
    for parameter in additional(specimen):
        raise Mistake(
            "layers that this block does not have",
            "The block has a weight `{place}` of the shape {shape}, although no 1x1 convolution "
            "was requested.".format(place=specimen.place_of(parameter), shape=parameter.shape),
            "All weights of this block are in its convolutions; its normalizations hold one scale "
            "and one shift for each channel.",
            "Which layers are made in `__init__` that the drawing of the block does not show?",
        )


def reach(Residual: Any) -> None:
    """One number of the output depends on 5 columns of pixels, and on 7 with stride 2."""
    for arguments, expected in (({}, 5), (HALVING, 7)):
        seen = columns_seen(residual(Residual, **arguments).fill(_specimen.positive))
        if arguments and seen == 5 and _halves_in_the_second(Residual):
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


def _halves_in_the_second(Residual: Any) -> bool:
    uses = _uses(Residual, **HALVING)
    return [use.divides_by(2) for use in uses if use.kernel == 3] == [False, True]


def columns_seen(specimen: Specimen, width: int = 15) -> int:
    """Return how many columns of pixels change the numbers in the middle of the output."""
    image = _specimen.images(1, specimen.channels, width, width)
    disturbed = image + 100 * numpy.eye(width, dtype="float32")[:, None, None, :]
    Y = specimen.run(numpy.concatenate([image, disturbed]))
    middle = Y[:, :, Y.shape[2] // 2, Y.shape[3] // 2]
    return int((abs(middle[1:] - middle[0]).max(axis=1) > 1e-4 * abs(middle).max()).sum())


def used(Residual: Any) -> None:
    """Every parameter of the block has an effect on the output."""
    plain, projected = residual(Residual), residual(Residual, use_1x1conv=True)
    idle = _without_effect(plain)
    if idle and not _is_called(plain, idle):
        place = plain.place_of(idle)
        there = next((p for p in projected.parameters if projected.place_of(p) == place), None)
        if there and _is_called(projected, there):
            raise _left_over(place)
    all_used(plain)
    all_used(projected)


def all_used(specimen: Specimen) -> None:
    """Every parameter of this block has an effect on the output."""
    if idle := _without_effect(specimen):
        raise _unused(specimen, idle, called=_is_called(specimen, idle))


def working(Residual: Any) -> None:
    """The convolutions follow one another, and no layer is idle: the premises of other questions.

    What an experiment with the layers shows is due to their functions only if they all take part.
    """
    check_chain(Residual)
    used(Residual)


def _is_called(specimen: Specimen, parameter: gluon.Parameter) -> bool:
    """Return whether the layer that holds the parameter is called."""
    calls = specimen.calls(specimen.images()) + specimen.calls(specimen.images(), training=True)
    return any(parameter is own for call in calls for own in call.parameters)


def _without_effect(specimen: Specimen) -> gluon.Parameter | None:
    """Return the first trained parameter that no output depends on.

    Each of the experiments hides something. Training hides the biases before a normalization.
    Inference hides small numbers beside large ones, before a hand-written normalization has its
    first statistics. Large numbers saturate a sigmoid.
    """
    X = specimen.fill(_specimen.positive).images(low=1, high=2)
    experiments = [(X, False), (X, True), (0.01 * X, False)]
    before = [specimen.run(Z, training=training) for Z, training in experiments]

    def is_used(parameter: gluon.Parameter) -> bool:
        return any(
            _changes(specimen, parameter, Z, Y, training=training)
            for (Z, training), Y in zip(experiments, before)
        )

    trained = [p for p in specimen.parameters if p.grad_req != "null"]
    return next((p for p in trained if not (_specimen.is_complete(p) and is_used(p))), None)


def _changes(
    specimen: Specimen,
    parameter: gluon.Parameter,
    X: numpy.ndarray,
    before: numpy.ndarray,
    *,
    training: bool,
) -> bool:
    """Return whether other values of the parameter give another output for X than before."""
    values = parameter.data().asnumpy()
    specimen.set(parameter, values + _specimen.images(*values.shape))
    change = abs(specimen.run(X, training=training) - before).max()
    specimen.set(parameter, values)
    return bool(change >= 1e-6 * abs(before).max())


def _left_over(place: str) -> Mistake:
    return Mistake(
        "layer used only beside the 1x1 convolution",
        "The layer of `{place}` is called beside the 1x1 convolution, but a block without one "
        "makes it, too, and never calls it.".format(place=place),
        "A layer that was never called does not know its shape, and the first step of a trainer "
        "ends with an error.",
        "When is this layer made, and when is it called?",
    )


def _unused(specimen: Specimen, parameter: gluon.Parameter, *, called: bool) -> Mistake:
    if called:
        return Mistake(
            "layer without effect",
            "The layer of `{place}` is called, but other values of this parameter do not change "
            "the output.".format(place=specimen.place_of(parameter)),
            "What has no effect gets no gradient, and is never trained.",
            "Follow the array that this layer returns up to the plus sign. Either it gets lost on "
            "the way, or something that comes later cancels it.",
        )
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
