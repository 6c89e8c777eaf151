"""Questions on a residual block: its inner ReLU, its normalizations, and the two modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
from mxnet import gluon, np

from utils.checks import _specimen
from utils.checks._block_sum import HIGH, SHAPE, UNEQUAL, backward, last_shifts
from utils.checks._report import Mistake
from utils.checks._specimen import Shape, Specimen, agree, images, residual

# Arguments for a block whose two 3x3 convolutions have kernels of different shapes.
APART = {"channels_in": 3, "use_1x1conv": True}


def between(Residual: Any) -> None:
    """With negative weights and a positive input, nothing passes the ReLU between the layers.

    The mode is inference, in which a neutral normalization changes nothing.
    """
    specimen = residual(Residual)
    X = images(*SHAPE)
    silent = specimen.fill(_specimen.zeros).run(X)
    Y = specimen.fill(_specimen.negative).run(X)
    if agree(Y, silent):
        _check_large(specimen.fill(lambda shape: _specimen.positive(shape) / 10))
        return
    _check_single_images(Residual)
    twice = specimen.fill(lambda shape: 2 * _specimen.positive(shape)).run(X)
    if agree(twice - silent, 4 * (Y - silent)):
        raise _between(
            "no ReLU between the convolutions",
            "Negative numbers pass from the first convolution to the second, where the minus signs "
            "of the weights cancel.",
        )
    raise _between(
        "another function between the convolutions",
        "The first convolution gave only negative numbers, which a ReLU would turn into zeros. But "
        "the second convolution received something else.",
    )


def _check_large(specimen: Specimen) -> None:
    """With small positive weights, equal steps of x are equal steps of the output."""
    low, middle, high = (specimen.run(factor * images(*SHAPE)) for factor in (3, 30, 57))
    if not agree(high - middle, middle - low):
        raise _between(
            "another function between the convolutions",
            "With only positive numbers, equal steps of x did not move the output by equal steps. "
            "A ReLU leaves positive numbers unchanged.",
        )


def _between(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Two convolutions with nothing in between can learn no more than a single one.",
        "Compare your code with the drawing: what follows the first normalization?",
    )


def _check_single_images(Residual: Any) -> None:
    """In inference, larger weights of the first convolution change the output.

    If they do not, a normalization measures its input in this mode as well.
    """
    specimen = residual(Residual, **APART)
    first = [kernel for kernel in specimen.kernels if kernel.shape[1:] == (3, 3, 3)]
    if not specimen.changes_with_scale(
        images(2, 3, 6, 6), _specimen.mixed, lambda _: 3.0, kernels=first, training=False
    ):
        raise _normalization(
            "statistics of single images",
            "In inference mode, where the running statistics are used, larger weights in the first "
            "convolution should change the output, but they do not.",
            "Which kind of normalization do the layers use?",
        )


def _fill_apart(
    specimen: Specimen,
    first: Callable[[Shape], numpy.ndarray],
    second: Callable[[Shape], numpy.ndarray],
) -> Specimen:
    """Fill the two 3x3 convolutions of a block made with APART, which differ in their shapes."""
    for kernel in specimen.kernels:
        if kernel.shape[-1] == 3:
            specimen.set(kernel, (first if kernel.shape[1] == 3 else second)(kernel.shape))
    return specimen


def first_normalization(Residual: Any) -> None:
    """As in `between`, but in training mode, where the first normalization centers the numbers.

    Then half of them are positive and pass the ReLU. A normalization after the ReLU gets only zeros
    and cannot bring them back; nor can the second normalization, after a ReLU of its own.
    """
    if _passes(Residual, _specimen.negative, _specimen.positive):
        if not _passes(Residual, _specimen.positive, _specimen.negative):
            raise _normalization(
                "ReLU between the second convolution and its normalization",
                "Negative numbers of the second convolution never arrive at its normalization.",
                "What follows the second convolution? Some layers come with a function of their "
                "own.",
            )
        return
    specimen = residual(Residual)
    if not specimen.changes_with_scale(HIGH, _specimen.strong, _specimen.unequal):
        raise _normalization(
            "normalization after the ReLU",
            "The ReLU gets numbers that are not centered yet, so that all of them pass or none.",
            "Which comes first after the first convolution, the normalization or the ReLU?",
        )
    where = "Compare what follows each convolution with the drawing of the block."
    if not specimen.changes_with_scale(HIGH, _specimen.strong, lambda _: 3.0):
        raise _normalization(
            "first normalization missing",
            "The numbers after the first convolution grow with its weights.",
            where,
        )
    added = specimen.fill(_specimen.mixed).run(HIGH, training=True) - HIGH
    if added.min() > -1e-3:
        raise _normalization(
            "ReLU in place of normalization",
            "The numbers after both convolutions grow with the weights, and are never negative.",
            where,
        )
    raise _normalization(
        "no normalization", "The numbers after both convolutions grow with their weights.", where
    )


def _passes(
    Residual: Any,
    first: Callable[[Shape], numpy.ndarray],
    second: Callable[[Shape], numpy.ndarray],
) -> bool:
    """Return whether the layers add anything in training. The shortcut is high, for the last ReLU.

    `first` and `second` draw the weights of the two 3x3 convolutions.
    """
    specimen = residual(Residual, **APART).fill(_specimen.positive)
    X = images(2, 3, 6, 6, low=10, high=11)
    silent = _fill_apart(specimen, _specimen.zeros, _specimen.zeros).run(X, training=True)
    return not agree(_fill_apart(specimen, first, second).run(X, training=True), silent)


def second_normalization(Residual: Any) -> None:
    """In training mode, three times larger weights give the same output.

    And what the layers add to x has mean 0 and standard deviation 1 over the whole batch. A high
    shift keeps a ReLU before the sum, if there is one, from interfering.
    """
    specimen = residual(Residual)
    if specimen.changes_with_scale(HIGH, _specimen.strong, lambda _: 3.0):
        raise _normalization(
            "second normalization missing",
            "The numbers that are added to x grow with the weights of the convolutions.",
            "What is between the second convolution and the plus sign?",
        )
    shifts = list(last_shifts(specimen.fill(_specimen.zeros)))
    added = [_added(specimen, [shift]) for shift in shifts] or [_added(specimen, [])]
    centered = [Y for Y in added if agree(Y.mean(axis=(0, 2, 3)), 0)]
    if shifts and not centered:
        raise _normalization(
            "statistics of single images",
            "What the layers add to x does not have mean 0 over the batch.",
            "Which kind of normalization do the layers use?",
        )
    deviations = [Y.std(axis=(0, 2, 3)) for Y in centered]
    if centered and not any(agree(deviation, 1, tolerance=0.1) for deviation in deviations):
        raise _normalization(
            "layers scaled before the sum",
            "What the layers add to x should have a standard deviation of 1, as the scales of the "
            "normalizations are 1, but it is {deviation:.2g}.".format(
                deviation=deviations[0].mean()
            ),
            "What happens between the second normalization and the plus sign?",
        )


def _added(specimen: Specimen, lifting: list[gluon.Parameter]) -> numpy.ndarray:
    """Return what the layers add to x in training, with these shifts raised."""
    for shift in lifting:
        specimen.set(shift, numpy.full(shift.shape, 20))
    silent = specimen.fill(_specimen.zeros).run(UNEQUAL, training=True)
    added = specimen.fill(_specimen.strong).run(UNEQUAL, training=True) - silent
    for shift in lifting:
        specimen.set(shift, numpy.zeros(shift.shape))
    return added


def own_normalizations(Residual: Any) -> None:
    """The last shift moves the sum and nothing else: no normalization is used in two places."""
    specimen = residual(Residual).fill(_specimen.zeros)
    shifts = list(last_shifts(specimen))
    specimen.fill(_specimen.mixed)
    for shift in shifts:
        values = 20 * numpy.ones(shift.shape)
        specimen.set(shift, values)
        before = specimen.run(HIGH, training=True)
        specimen.set(shift, values + 20 * numpy.arange(values.size).reshape(values.shape))
        moved = specimen.run(HIGH, training=True) - before
        specimen.set(shift, numpy.zeros(shift.shape))
        if not agree(moved, numpy.broadcast_to(moved[:1, :, :1, :1], moved.shape)):
            raise _normalization(
                "one normalization in both places",
                "`{place}` shifts the numbers after both convolutions.".format(
                    place=specimen.place_of(shift)
                ),
                "How many normalizations are made in `__init__`, and which of them are called?",
            )


def _normalization(name: str, seen: str, look: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Each convolution is followed by its own batch normalization, which in training measures "
        "the whole batch. It keeps the numbers in the same range from block to block.",
        look,
    )


# From call to call, and from mode to mode


def repeats(Residual: Any) -> None:
    """The same input gives the same output, whatever the random seed is."""
    specimen = residual(Residual).fill(_specimen.mixed)
    _check_repeats(
        specimen,
        training=True,
        seen="In training mode, the same input gave two different outputs.",
    )
    _check_repeats(
        specimen,
        training=False,
        seen="In inference mode, the same input gave two different outputs.",
    )


def _check_repeats(specimen: Specimen, *, training: bool, seen: str) -> None:
    first, second = (specimen.run(HIGH, training=training, seed=seed) for seed in (1, 2))
    if not agree(first, second):
        raise Mistake(
            "random output",
            seen,
            "Nothing in this block is random, and random numbers disturb the statistics of its "
            "normalizations.",
            "Look for a dropout, or for weights that are drawn anew in `forward`.",
        )


def modes(Residual: Any) -> None:
    """The layers act in both modes, and in inference each image is processed independently."""
    specimen = residual(Residual)
    acts, keeps_x = {}, {}
    for training in (True, False):
        silent = specimen.fill(_specimen.zeros).run(HIGH, training=training)
        acts[training] = not agree(
            specimen.fill(_specimen.mixed).run(HIGH, training=training), silent
        )
        keeps_x[training] = agree(silent, HIGH)
    # If the output without the layers is not x, a function at the end may hide what they do.
    if acts[True] and not acts[False] and keeps_x[False]:
        raise _modes(
            "right in training mode only", "In inference mode, the convolutions have no effect."
        )
    if acts[False] and not acts[True] and keeps_x[True]:
        raise _modes(
            "right in inference mode only", "In training mode, the convolutions have no effect."
        )
    if not agree(specimen.run(UNEQUAL)[:1], specimen.run(UNEQUAL[:1])):
        raise _modes(
            "batch statistics in inference mode",
            "In inference mode, the output for an image depends on the rest of its batch.",
        )


def _modes(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "A network is trained in one mode and used in the other. Only the source of the statistics "
        "may differ: the batch in training, the running statistics in inference.",
        "Look for code that asks for the mode or sets it, and for hand-written normalizations.",
    )


def averages(Residual: Any) -> None:
    """After training steps on larger numbers, the output in inference is another one."""
    specimen = residual(Residual).fill(_specimen.mixed)
    before = specimen.run(HIGH)
    for _ in range(3):
        backward(specimen, np.array(100 * HIGH))  # Gluon's layer updates its averages in this pass
    if agree(specimen.run(HIGH), before):
        raise Mistake(
            "running averages never updated",
            "Three training steps on much larger numbers did not change the output in inference "
            "mode.",
            "In training, batch normalization collects the running statistics that it uses in "
            "inference. Without them, the numbers in inference have a different scale from those "
            "that the weights were trained on.",
            "Look at the momentum of each normalization. In a hand-written one, see where the "
            "running statistics are kept from batch to batch.",
        )
