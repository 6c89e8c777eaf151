"""Checks of other residual blocks: `bottleneck`, `free_shortcut`, `preactivation` and more."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy
from mxnet import autograd, gluon, np

from utils.checks import _block_layers, _block_shape, _block_sum, _specimen
from utils.checks._ask import Question, ask_all, given
from utils.checks._block_sum import SHAPE, SIGNED
from utils.checks._report import Mistake, Report
from utils.checks._specimen import (
    CHANNELS,
    Specimen,
    agree,
    both_kinds,
    checked,
    images,
    is_complete,
    new_block,
    of_each,
    residual,
)
from utils.checks.residual_block import QUESTIONS as OF_RESIDUAL_BLOCK

WIDE, NARROW = 8, 2  # channels of a bottleneck in the experiments, outside and inside
WIDE_SHAPE = (2, WIDE, 6, 6)
STEPS = 3  # the scale moves in the first, the layers before it in the second
LOOK_AT_SCALE = (
    "Which one number multiplies all that the layers add to x? How is it set before the first "
    "step: by which argument of the layer that owns it?"
)
# Diagnosis, and what was seen, for each convolution of a bottleneck.
NOT_NORMALIZED = (
    (
        "normalization missing after the first convolution",
        "In training, larger weights in the first convolution change the output. A batch "
        "normalization after it would cancel the scale.",
    ),
    (
        "normalization missing after the second convolution",
        "In training, larger weights in the second convolution change the output. A batch "
        "normalization after it would cancel the scale.",
    ),
    (
        "normalization missing after the third convolution",
        "In training, larger weights in the third convolution change the output. A batch "
        "normalization after it would cancel the scale.",
    ),
)


def bottleneck(Bottleneck: Any) -> Report:
    """Check a class `Bottleneck(num_channels)`: 1x1, 3x3 and 1x1 convolutions, and a shortcut.

    The first reduces the channels to a quarter, and the last restores them. The shape stays the
    same. Source: He et al., "Deep Residual Learning for Image Recognition", 2015, section 4.1,
    https://arxiv.org/abs/1512.03385
    """
    return ask_all("Bottleneck", BOTTLENECK, Bottleneck)


def preactivation(PreActivation: Any) -> Report:
    """Check a class `PreActivation(num_channels, use_1x1conv=False, strides=1)`.

    Normalization and ReLU come before each of the two convolutions, and nothing follows the sum.
    What the 1x1 convolution is applied to does not matter. Source: He et al., "Identity Mappings in
    Deep Residual Networks", 2016, figure 1 (b), https://arxiv.org/abs/1603.05027
    """
    return ask_all("Pre-activated block", PREACTIVATION, PreActivation)


def free_shortcut(Residual: Any) -> Report:
    """Check a class `Residual(num_channels, strides=1)` whose shortcut has no weights.

    The shortcut takes the maximum of each window of `strides` x `strides` pixels, and new channels
    are zeros. (In the paper it takes one pixel of each window: He et al., "Deep Residual Learning
    for Image Recognition", 2015, option A, https://arxiv.org/abs/1512.03385.)
    """
    return ask_all("Block whose shortcut has no weights", FREE_SHORTCUT, Residual)


def starts_as_identity(StartsAsIdentity: Any) -> Report:
    """Check a class as for `residual_block`, new blocks of which return relu(x).

    With a 1x1 convolution they return relu of its output. All weights can still learn. Source:
    Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 5.1,
    https://arxiv.org/abs/1706.02677
    """
    return ask_all("Start as the identity", START, StartsAsIdentity)


# The bottleneck


def _bottleneck(Bottleneck: Any) -> Specimen:
    return Specimen(new_block(Bottleneck, WIDE), WIDE_SHAPE, lambda shape: shape)


def _bottlenecks(Bottleneck: Any) -> tuple[Specimen]:
    return (_bottleneck(Bottleneck),)


def bottleneck_shape(Bottleneck: Any) -> None:
    """The output has the shape of the input, for every batch and image."""
    specimen = _bottleneck(Bottleneck)
    for shape in ((1, WIDE, 6, 6), (3, WIDE, 5, 8)):
        specimen.run(images(*shape))


def bottleneck_weights(Bottleneck: Any) -> None:
    """There are three convolutions: to a quarter of the channels, at that width, and back."""
    _check_weights(_bottleneck(Bottleneck))


def _check_weights(specimen: Specimen) -> None:
    found = [kernel.shape for kernel in specimen.kernels]
    expected = [(NARROW, WIDE, 1, 1), (NARROW, NARROW, 3, 3), (WIDE, NARROW, 1, 1)]
    if sorted(found) == sorted(expected):
        return
    name = "channels reduced to another number"
    if len(found) != 3:
        name = "another number of convolutions"
    elif sorted(shape[2:] for shape in found) != [(1, 1), (1, 1), (3, 3)]:
        name = "other kernel sizes"
    elif (WIDE, WIDE, 3, 3) in found:
        name = "channels not reduced"
    elif any(shape in found for shape in ((NARROW, WIDE, 3, 3), (WIDE, NARROW, 3, 3))):
        name = "3x3 convolution not in the middle"
    raise Mistake(
        name,
        "With {channels} channels, the weights should have the shapes {expected}, but they have "
        "{found}.".format(channels=WIDE, expected=expected, found=found),
        "The 3x3 convolution costs the most. It works on a quarter of the channels, so the block "
        "costs little more than one with two 3x3 convolutions on as few channels.",
        "Write down for each convolution how many channels go in and how many come out.",
    )


def bottleneck_sum(Bottleneck: Any) -> None:
    """With all convolution weights at zero, the output is relu(x)."""
    specimen = _bottleneck(Bottleneck).fill(_specimen.zeros)
    high = images(*WIDE_SHAPE, low=10, high=11)
    Y = specimen.run(high)
    if numpy.ptp(Y) < 1e-3:
        raise _sum(
            "no shortcut",
            "With all convolution weights at zero, the output should be relu(x), but it is the "
            "same number everywhere.",
        )
    if not agree(Y, high):
        raise _sum(
            "shortcut changes x",
            "With all convolution weights at zero, a positive x should come out unchanged, but "
            "something else does.",
        )
    signed = images(*WIDE_SHAPE, low=-2, high=2)
    if not agree(specimen.run(signed), numpy.maximum(signed, 0)):
        raise _sum(
            "no ReLU at the end",
            "With all convolution weights at zero, the output should be relu(x). For an x with "
            "both signs it is something else.",
        )


def _sum(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "A bottleneck has the same shortcut and the same last ReLU as the block with two "
        "convolutions.",
        "Compare the last lines with those of your other block.",
    )


def bottleneck_relus(Bottleneck: Any) -> None:
    """With the first two kernels negative, or only the second, nothing passes the ReLU after it."""
    specimen = _bottleneck(Bottleneck)
    high = images(*WIDE_SHAPE, low=10, high=11)
    silent = specimen.fill(_specimen.zeros).run(high)
    first, second, *_ = _in_order(specimen)
    specimen.fill(_specimen.positive)
    specimen.set(second, _specimen.negative(second.shape))
    after_second = specimen.run(high)
    specimen.set(first, _specimen.negative(first.shape))
    if not agree(specimen.run(high), silent):
        raise _no_relu(
            "no ReLU after the first convolution",
            "The first convolution gave only negative numbers, but something reached the sum. A "
            "ReLU after it would let nothing pass.",
        )
    if not agree(after_second, silent):
        raise _no_relu(
            "no ReLU after the second convolution",
            "The second convolution gave only negative numbers, but something reached the sum. A "
            "ReLU after it would let nothing pass.",
        )


def _no_relu(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Convolutions with nothing in between can learn no more than a single one.",
        "What follows each of the first two convolutions?",
    )


def bottleneck_normalizations(Bottleneck: Any) -> None:
    """In training mode, larger weights in the channels of a convolution change nothing."""
    specimen = _bottleneck(Bottleneck)
    high = images(*WIDE_SHAPE, low=10, high=11)
    for kernel, (name, seen) in zip(_in_order(specimen), NOT_NORMALIZED):
        if specimen.changes_with_scale(high, _specimen.strong, _specimen.unequal, kernels=[kernel]):
            raise Mistake(
                name,
                seen,
                "Each convolution is followed by a normalization of its own.",
                "Count: how many normalizations are made, and where is each of them called?",
            )


def _in_order(specimen: Specimen) -> list[gluon.Parameter]:
    """Return the kernels in the order in which a bottleneck uses them, wrong ones as well."""
    narrow = [kernel for kernel in specimen.kernels if kernel.shape[-1] == 1]
    wide = [kernel for kernel in specimen.kernels if kernel.shape[-1] != 1]
    if not narrow:
        _check_weights(specimen)
    first, *rest = sorted(narrow, key=lambda kernel: -kernel.shape[1])
    return [first, *wide, *rest]


# The pre-activated block


def preactivation_sum(PreActivation: Any) -> None:
    """With all convolution weights at zero, the output is x itself, negative numbers included."""
    Y = residual(PreActivation).fill(_specimen.zeros).run(SIGNED)
    if agree(Y, SIGNED):
        return
    if numpy.ptp(Y) < 1e-3:
        name = "no shortcut"
        seen = (
            "With all convolution weights at zero, the output should be x, but it is the same "
            "number everywhere."
        )
    elif agree(Y, numpy.maximum(SIGNED, 0)):
        name = "ReLU after the sum"
        seen = "With all convolution weights at zero, the output should be x, but it is relu(x)."
    else:
        name = "shortcut changes x"
        seen = (
            "With all convolution weights at zero, the output should be x, but it is something "
            "else."
        )
    raise Mistake(
        name,
        seen,
        "In a network of these blocks, no function is applied to x on its way from the first block "
        "of a stage to the last.",
        "What happens to x between the input and the end of the block?",
    )


def preactivation_relus(PreActivation: Any) -> None:
    """A ReLU stands before each convolution, so that no negative number reaches it."""
    specimen = residual(PreActivation)
    if _passes_negatives(specimen, -images(*SHAPE)):
        raise _no_relu_before(
            "no ReLU before the first convolution",
            "The first convolution got negative numbers. A ReLU before it would let none pass.",
            "What is done to the input of the first convolution?",
        )
    if _passes_negatives(specimen, images(*SHAPE)):
        raise _no_relu_before(
            "no ReLU before the second convolution",
            "The second convolution got negative numbers. A ReLU before it would let none pass.",
            "What is done to the input of the second convolution?",
        )


def _passes_negatives(specimen: Specimen, X: numpy.ndarray) -> bool:
    """Return whether negative weights add anything to x.

    For a negative x, the numbers before the first convolution are negative; for a positive x, those
    before the second.
    """
    silent = specimen.fill(_specimen.zeros).run(X)
    return not agree(specimen.fill(_specimen.negative).run(X), silent)


def _no_relu_before(name: str, seen: str, look: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "In this block the ReLU comes before the convolution, so that nothing needs to follow the "
        "sum.",
        look,
    )


def preactivation_normalizations(PreActivation: Any) -> None:
    """In training mode, neither the scale of x nor that of the weights reaches a convolution."""
    specimen = residual(PreActivation).fill(_specimen.mixed)
    scales = _specimen.unequal(numpy.arange(SHAPE[1])).reshape(1, -1, 1, 1)
    X = images(*SHAPE, low=20, high=40)  # with a deviation beside which the epsilon is negligible
    plain, scaled = (specimen.run(Z, training=True) - Z for Z in (X, scales * X))
    if not agree(plain, scaled):
        raise _not_normalized(
            "no normalization before the first convolution",
            "In training, scaling the channels of x changed what the layers add to x. A batch "
            "normalization before the first convolution would cancel the scale.",
            "What is done to the input of the first convolution, and in which order?",
        )
    specimen = residual(PreActivation, channels_in=3, use_1x1conv=True)
    first = [kernel for kernel in specimen.kernels if kernel.shape[1:] == (3, 3, 3)]
    if specimen.changes_with_scale(
        images(2, 3, 6, 6), _specimen.strong, _specimen.unequal, kernels=first
    ):
        raise _not_normalized(
            "no normalization before the second convolution",
            "In training, larger weights in the first convolution changed what the layers add to "
            "x. A batch normalization before the second convolution would cancel the scale.",
            "What is done to the input of the second convolution, and in which order?",
        )


def _not_normalized(name: str, seen: str, look: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Without it, the numbers grow from block to block, and nothing brings them back.",
        look,
    )


# The block whose shortcut has no weights

FREE_KINDS = ((CHANNELS, 1), (CHANNELS - 1, 1), (CHANNELS - 1, 2))  # channels in, strides


def _free(Residual: Any) -> list[Specimen]:
    return [residual(Residual, channels_in=c, strides=s) for c, s in FREE_KINDS]


def _keeping(Residual: Any) -> list[Specimen]:
    """The specimens that keep height and width: in a maximum, only one pixel gets a gradient."""
    return [specimen for specimen, (_, s) in zip(_free(Residual), FREE_KINDS) if s == 1]


def _as_usual(ask: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a question for the usual block, asked of one that takes no `use_1x1conv`."""

    def asked(Residual: Any) -> None:
        ask(lambda channels, use_1x1conv=False, strides=1: Residual(channels, strides=strides))

    return asked


def free_shapes(Residual: Any) -> None:
    """The output shape is right for every kind of block, batch and image."""
    for specimen in _free(Residual):
        for height, width in ((6, 6), (5, 8)):
            specimen.run(images(1, specimen.channels, height, width))


def free_weights(Residual: Any) -> None:
    """There are two 3x3 convolutions of `num_channels` channels, and no other."""
    for specimen in _free(Residual):
        found = sorted(kernel.shape for kernel in specimen.kernels)
        wanted = sorted((CHANNELS, c, 3, 3) for c in (specimen.channels, CHANNELS))
        if found != wanted:
            narrow = any(shape[2:] == (1, 1) for shape in found)
            raise Mistake(
                "weights on the shortcut" if narrow else "other convolutions",
                "For {channels} channels in and {out} out, the weights of the convolutions should "
                "have the shapes {wanted}, but they have {found}.".format(
                    channels=specimen.channels, out=CHANNELS, wanted=wanted, found=found
                ),
                "A shortcut without weights costs nothing, and it has nothing to learn first.",
                "Which convolutions are made in `__init__`, and with which channels?",
            )


def free_sum(Residual: Any) -> None:
    """With all convolution weights at zero, the output is relu of the right shortcut."""
    for specimen, (_, strides) in zip(_free(Residual), FREE_KINDS):
        specimen.fill(_specimen.zeros)
        shape = (2, specimen.channels, 5, 8)
        high, signed = images(*shape, low=10, high=11), images(*shape, low=-2, high=2)
        _check_free(high, specimen.run(high, training=True), strides)
        if not agree(specimen.run(signed), numpy.maximum(_windows(signed, strides), 0)):
            raise _free_sum(
                "no ReLU at the end",
                "With all convolution weights at zero, the output should be relu of the shortcut. "
                "For an x with both signs it is something else.",
            )


def free_reach(Residual: Any) -> None:
    """With stride 2, one number of the output depends on 7 columns of pixels."""
    specimen = residual(Residual, channels_in=CHANNELS - 1, strides=2)
    seen = _block_shape.columns_seen(specimen.fill(_specimen.positive))
    if seen != 7:
        raise Mistake(
            "stride on the second convolution" if seen == 5 else "sees other pixels",
            "With `strides=2`, one number of the output sees {seen} columns of pixels. It would "
            "see 7 if the first convolution had the stride.".format(seen=seen),
            "The receptive field decides which shapes the network can recognize.",
            "Which convolution gets `strides`?",
        )


def _check_free(X: numpy.ndarray, Y: numpy.ndarray, strides: int) -> None:
    wanted, channels = _windows(X, strides), X.shape[1]
    if agree(Y, wanted):
        return
    old = Y[:, :channels]
    name = "shortcut changes x"
    if numpy.ptp(Y) < 1e-3:
        name = "no shortcut"
    elif agree(old, wanted[:, :channels]):
        name = "new channels are not zero"
    elif agree(old, X[:, :, ::strides, ::strides]):
        name = "pixels skipped, not pooled"
    elif agree(old, _windows(X, strides, numpy.mean)[:, :channels]):
        name = "mean in place of the maximum"
    raise _free_sum(
        name,
        "With all convolution weights at zero and {channels} channels in, {out} out and stride "
        "{strides}, the output should be what the shortcut brings, but it is something "
        "else.".format(channels=channels, out=CHANNELS, strides=strides),
    )


def _free_sum(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "What the shortcut brings reaches the later blocks without passing a layer.",
        "Follow x along both paths, for 3 channels that become 4 and for maps of 5x8 pixels.",
    )


def _windows(
    X: numpy.ndarray, strides: int, value: Callable[..., Any] = numpy.max
) -> numpy.ndarray:
    """Return the maxima of windows of `strides` x `strides` pixels, and zeros as new channels."""
    images_in, channels, *sides = X.shape
    rows, columns = (math.ceil(side / strides) for side in sides)
    found = numpy.zeros((images_in, CHANNELS, rows, columns))
    for row, column in numpy.ndindex(rows, columns):
        window = X[:, :, row * strides :, column * strides :][:, :, :strides, :strides]
        found[:, :channels, row, column] = value(window, axis=(2, 3))
    return found


# The start as the identity


def start(StartsAsIdentity: Any) -> None:
    """A new block returns relu(x), in training mode as well."""
    block = new_block(StartsAsIdentity, CHANNELS)
    for training in (False, True):
        with autograd.train_mode() if training else autograd.predict_mode():
            Y = checked(block(np.array(SIGNED)), SHAPE)
        if not agree(Y, numpy.maximum(SIGNED, 0)):
            raise Mistake(
                "not the identity at the start",
                "A new block should return relu(x), but its layers already add something to x.",
                "A network of blocks that add nothing is as easy to begin with as a shallow one.",
                LOOK_AT_SCALE,
            )


def leaves(StartsAsIdentity: Any) -> None:
    """After a few steps, both 3x3 convolutions have changed."""
    block = new_block(StartsAsIdentity, CHANNELS)
    X, target = np.array(SIGNED), np.array(images(*SHAPE))
    block(X).wait_to_read()
    parameters = list(block.collect_params().values())
    kernels = [p for p in parameters if is_complete(p) and _specimen.is_kernel(p)]
    before = [kernel.data().asnumpy() for kernel in kernels]
    trainer = gluon.Trainer(parameters, "sgd", {"learning_rate": 0.1}, kvstore=None)
    for _ in range(STEPS):
        with autograd.record():
            loss = ((block(X) - target) ** 2).mean()
        loss.backward()
        trainer.step(1, ignore_stale_grad=True)
    if any(numpy.array_equal(k.data().asnumpy(), was) for k, was in zip(kernels, before)):
        raise Mistake(
            "cannot leave the start",
            "After {steps} steps of training, the weights of a convolution are exactly what they "
            "were.".format(steps=STEPS),
            "Where a product has two factors that are zero, the gradient of both is zero. Neither "
            "of them ever changes.",
            LOOK_AT_SCALE,
        )


def _of_every_kind(
    make: Callable[[Any], Sequence[Specimen]], used: Callable[[Any], None]
) -> tuple[Question, ...]:
    """Return what is asked of a block whatever its design is; `make` makes its specimens."""
    return (
        Question(
            "input kept",
            "Is the input unchanged after the call?",
            of_each(make, _block_sum.in_place),
        ),
        Question(
            "repeatable",
            "Does the same input give the same output?",
            of_each(make, _block_layers.repeats),
        ),
        Question(
            "modes",
            "Are the statistics those of the batch in training, and of no batch in inference?",
            of_each(make, _block_layers.statistics),
        ),
        Question("all used", "Does every layer affect the output?", used),
        Question(
            "own normalizations",
            "Does each place have its own normalization?",
            of_each(make, _block_layers.one_use),
        ),
        Question(
            "gradient",
            "Does it reach the input and the weights?",
            of_each(make, _block_sum.gradient),
        ),
        Question(
            "running statistics",
            "Does training update what inference uses?",
            of_each(make, _block_layers.averages),
        ),
    )


_given_bottleneck = partial(
    given, bottleneck_weights, bottleneck_sum, of_each(_bottlenecks, _block_layers.statistics)
)
_given_preactivation = partial(
    given, preactivation_sum, of_each(both_kinds, _block_layers.statistics)
)
_given_free = partial(given, free_weights, free_sum, of_each(_free, _block_layers.statistics))
_OF_BOTTLENECK = _of_every_kind(_bottlenecks, of_each(_bottlenecks, _block_shape.all_used))
_OF_FREE = _of_every_kind(_keeping, of_each(_keeping, _block_shape.all_used))
_OF_PREACTIVATION = _of_every_kind(both_kinds, _block_shape.used)

BOTTLENECK = (
    Question("shape", "Does the output have the shape of the input?", bottleneck_shape),
    *_OF_BOTTLENECK[:3],
    Question("weights", "Is the 3x3 convolution the narrow one of three?", bottleneck_weights, 2),
    Question("sum", "Do the shortcut and the last ReLU do their work?", bottleneck_sum, 2),
    Question(
        "ReLUs",
        "Is there one after each of the first two convolutions?",
        _given_bottleneck(ask=bottleneck_relus),
    ),
    Question(
        "normalizations",
        "Is there one after each convolution?",
        _given_bottleneck(ask=bottleneck_normalizations),
    ),
    *_OF_BOTTLENECK[3:],
)
FREE_SHORTCUT = (
    Question("shapes", "Is the output shape right, for every input?", free_shapes),
    *_OF_FREE[:3],
    Question("weights", "Are there two 3x3 convolutions, and no other?", free_weights, 2),
    Question(
        "shortcut", "Does it bring maxima and zeros, and does a ReLU follow the sum?", free_sum, 2
    ),
    Question(
        "ReLU between",
        "Is there a ReLU between the convolutions?",
        _given_free(ask=_as_usual(_block_layers.between)),
    ),
    Question(
        "first normalization",
        "Is it between the first convolution and the ReLU?",
        _given_free(ask=_as_usual(_block_layers.first_normalization)),
    ),
    Question(
        "second normalization",
        "Does it follow the second convolution, over the whole batch?",
        _given_free(ask=_as_usual(_block_layers.second_normalization)),
    ),
    Question(
        "both signs",
        "Can the layers also make x smaller?",
        _given_free(ask=_as_usual(_block_sum.subtracts)),
    ),
    Question("reach", "Does each output number see the right pixels?", _given_free(ask=free_reach)),
    *_OF_FREE[3:],
)
PREACTIVATION = (
    Question("shapes", "Is the output shape right, for every input?", _block_shape.shape),
    *_OF_PREACTIVATION[:3],
    Question(
        "weights",
        "Are there two 3x3 convolutions, and one of 1x1 if requested?",
        _block_shape.weights,
    ),
    Question("sum", "Does x reach the output once and unchanged?", preactivation_sum, 2),
    Question(
        "ReLUs",
        "Is there one before each convolution?",
        _given_preactivation(ask=preactivation_relus),
    ),
    Question(
        "normalizations",
        "Is there one before each convolution?",
        _given_preactivation(ask=preactivation_normalizations),
    ),
    *_OF_PREACTIVATION[3:],
)
START = (
    *OF_RESIDUAL_BLOCK,
    Question("start", "Does a new block return relu(x)?", start),
    Question("leaves the start", "Can all of its convolutions still learn?", leaves),
)
