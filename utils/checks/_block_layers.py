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

BETWEEN = (  # why it matters, and where to look
    "Two convolutions with nothing in between can learn no more than a single one.",
    "Compare your code with the drawing: what follows the first normalization?",
)
# A block whose two 3x3 convolutions have kernels of different shapes.
APART = {"channels_in": 3, "use_1x1conv": True}


def between(Residual: Any) -> None:
    """With negative weights and a positive input, nothing passes the ReLU between the layers.

    In inference mode, where a neutral normalization changes nothing.
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
        raise Mistake(
            "no ReLU between the convolutions",
            "Negative numbers pass from the first convolution to the second, where the minus signs "
            "of the weights cancel.",
            *BETWEEN,
        )
    raise Mistake(
        "another function between the convolutions",
        "The first convolution gave negative numbers alone, and a ReLU would have made zeros of "
        "them. Something else arrived at the second convolution.",
        *BETWEEN,
    )


def _check_large(specimen: Specimen) -> None:
    """With small positive weights, equal steps of x are equal steps of the output."""
    low, middle, high = (specimen.run(factor * images(*SHAPE)) for factor in (3, 30, 57))
    if not agree(high - middle, middle - low):
        raise Mistake(
            "another function between the convolutions",
            "Where all numbers are positive, equal steps of x did not move the output by equal "
            "steps. A ReLU lets positive numbers pass as they are.",
            *BETWEEN,
        )


def _check_single_images(Residual: Any) -> None:
    """In inference, larger weights of the first convolution change the output.

    A normalization that they do not change measures what it gets in this mode, too.
    """
    specimen = residual(Residual, **APART)
    first = [kernel for kernel in specimen.kernels if kernel.shape[1:] == (3, 3, 3)]
    if not specimen.changes_with_scale(
        images(2, 3, 6, 6), _specimen.mixed, lambda _: 3.0, kernels=first, training=False
    ):
        raise _normalization(
            "statistics of single images",
            "In inference mode, where the running averages count, larger weights in the first "
            "convolution do not change the output",
            "Which kind of normalization do the layers use?",
        )


def _fill_apart(
    specimen: Specimen,
    first: Callable[[Shape], numpy.ndarray],
    second: Callable[[Shape], numpy.ndarray],
) -> Specimen:
    """Fill the two 3x3 convolutions of a block that gets 3 channels, told apart by their shapes."""
    for kernel in specimen.kernels:
        if kernel.shape[-1] == 3:
            specimen.set(kernel, (first if kernel.shape[1] == 3 else second)(kernel.shape))
    return specimen


def first_normalization(Residual: Any) -> None:
    """In training mode, a similar experiment: now the first normalization centers the numbers.

    Then half of them are positive, and pass the ReLU. A normalization that comes after the ReLU
    gets zeros alone and cannot bring them back. Nor can the second, behind a ReLU of its own.
    """
    if _passes(Residual, _specimen.negative, _specimen.positive):
        if not _passes(Residual, _specimen.positive, _specimen.negative):
            raise _normalization(
                "ReLU between the second convolution and its normalization",
                "Negative numbers of the second convolution never arrive at its normalization",
                "What follows the second convolution? Layers can bring a function of their own.",
            )
        return
    specimen = residual(Residual)
    rescaled = specimen.changes_with_scale(HIGH, _specimen.strong, _specimen.unequal)
    if not rescaled:
        raise _normalization(
            "normalization after the ReLU",
            "The ReLU gets numbers that are not centered yet, and lets all of them or none pass",
            "Which comes first behind the first convolution: normalization or ReLU?",
        )
    where = "Compare what follows each convolution with the drawing of the block."
    if not specimen.changes_with_scale(HIGH, _specimen.strong, lambda _: 3.0):
        raise _normalization(
            "first normalization missing",
            "The numbers behind the first convolution grow with its weights",
            where,
        )
    added = specimen.fill(_specimen.mixed).run(HIGH, training=True) - HIGH
    if added.min() > -1e-3:
        raise _normalization(
            "ReLU in place of normalization",
            "The numbers grow with the weights behind both convolutions, and are never negative",
            where,
        )
    raise _normalization(
        "no normalization", "The numbers behind both convolutions grow with their weights", where
    )


def _passes(
    Residual: Any,
    first: Callable[[Shape], numpy.ndarray],
    second: Callable[[Shape], numpy.ndarray],
) -> bool:
    """Return whether anything of the layers reaches the sum in training. The shortcut is high."""
    specimen = residual(Residual, **APART).fill(_specimen.positive)
    X = images(2, 3, 6, 6, low=10, high=11)
    silent = _fill_apart(specimen, _specimen.zeros, _specimen.zeros).run(X, training=True)
    return not agree(_fill_apart(specimen, first, second).run(X, training=True), silent)


def second_normalization(Residual: Any) -> None:
    """In training mode, three times larger weights give the same output.

    What is added to x has the mean 0 over the whole batch. A high shift keeps a ReLU, if there is
    one before the sum, from interfering.
    """
    specimen = residual(Residual)
    if specimen.changes_with_scale(HIGH, _specimen.strong, lambda _: 3.0):
        raise _normalization(
            "second normalization missing",
            "The numbers that are added to x grow with the weights of the convolutions",
            "What stands between the second convolution and the plus sign?",
        )
    shifts = list(last_shifts(specimen.fill(_specimen.zeros)))
    added = [_added(specimen, [shift]) for shift in shifts] or [_added(specimen, [])]
    centered = [Y for Y in added if agree(Y.mean(axis=(0, 2, 3)), numpy.zeros(1))]
    if shifts and not centered:
        raise _normalization(
            "statistics of single images",
            "What the layers add to x does not have the mean 0 over the batch",
            "Which kind of normalization do the layers use?",
        )
    deviations = [Y.std(axis=(0, 2, 3)) for Y in centered]
    if centered and not any(agree(std, numpy.ones(1), tolerance=0.1) for std in deviations):
        raise _normalization(
            "layers scaled before the sum",
            f"What the layers add to x has the deviation {deviations[0].mean():.2g}, not 1, "
            "although the scales of the normalizations are 1",
            "What happens between the second normalization and the plus sign?",
        )


def _added(specimen: Specimen, lifting: list[gluon.Parameter]) -> numpy.ndarray:
    """Return what the layers add to x in training, lifted by these shifts."""
    for shift in lifting:
        specimen.set(shift, numpy.full(shift.shape, 20))
    silent = specimen.fill(_specimen.zeros).run(UNEQUAL, training=True)
    added = specimen.fill(_specimen.strong).run(UNEQUAL, training=True) - silent
    for shift in lifting:
        specimen.set(shift, numpy.zeros(shift.shape))
    return added


def own_normalizations(Residual: Any) -> None:
    """The last shift moves the sum and nothing else: no normalization stands in two places."""
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
                f"`{specimen.place_of(shift)}` shifts the numbers behind both convolutions",
                "How many normalizations are made in `__init__`, and which of them are called?",
            )


def _normalization(name: str, seen: str, look: str) -> Mistake:
    return Mistake(
        name,
        f"Batch normalization does not act as expected: {seen}.",
        "Each convolution is followed by a normalization of its own, which measures the whole "
        "batch in training. It keeps the numbers in the same range from block to block.",
        look,
    )


# From call to call, and from mode to mode


def repeats(Residual: Any) -> None:
    """The same input gives the same output, whatever the random numbers are."""
    specimen = residual(Residual).fill(_specimen.mixed)
    for training, mode in ((True, "training"), (False, "inference")):
        outputs = [specimen.run(HIGH, training=training, seed=seed) for seed in (1, 2)]
        if not agree(*outputs):
            raise Mistake(
                "random output",
                f"In {mode} mode the same input gave two different outputs.",
                "This block has nothing random in it, and random numbers disturb the statistics of "
                "its normalizations.",
                "Look for a dropout, or for weights that are drawn anew in `forward`.",
            )


def modes(Residual: Any) -> None:
    """The layers act in both modes, and in inference mode each image is judged by itself."""
    specimen = residual(Residual)
    acts, hands_on = {}, {}
    for training in (True, False):
        silent = specimen.fill(_specimen.zeros).run(HIGH, training=training)
        acts[training] = not agree(
            specimen.fill(_specimen.mixed).run(HIGH, training=training), silent
        )
        hands_on[training] = agree(silent, HIGH)
    # Where the sum alone does not come out, a function at the end may hide the layers.
    if acts[True] != acts[False] and hands_on[acts[False]]:
        works, fails = ("training", "inference") if acts[True] else ("inference", "training")
        raise _modes(
            f"right in {works} mode only", f"in {fails} mode the convolutions have no effect"
        )
    if not agree(specimen.run(UNEQUAL)[:1], specimen.run(UNEQUAL[:1])):
        raise _modes(
            "batch statistics in inference mode",
            "in inference mode the output for an image depends on the rest of its batch",
        )


def averages(Residual: Any) -> None:
    """After some training steps on larger numbers, inference gives another output than before."""
    specimen = residual(Residual).fill(_specimen.mixed)
    before = specimen.run(HIGH)
    for _ in range(3):
        backward(specimen, np.array(100 * HIGH))  # MXNet's layer learns its averages in this pass
    if agree(specimen.run(HIGH), before):
        raise Mistake(
            "running averages never updated",
            "Three steps of training on much larger numbers left the output in inference mode as "
            "it was.",
            "In training a batch normalization collects the averages that it uses in inference. "
            "Without them the numbers have another size there than those that the weights learned "
            "from.",
            "Look at the momentum of each normalization. In one written by hand, see where its "
            "averages are kept from batch to batch.",
        )


def _modes(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        f"The block does not behave alike in both modes: {seen}.",
        "A network is trained in one mode and judged in the other. Only the source of the "
        "statistics differs: the batch in training, the running averages in inference.",
        "Look for code that asks for the mode or sets it, and for normalizations written by hand.",
    )
