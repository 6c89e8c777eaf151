"""Questions on a residual block: its inner ReLU, its normalizations, and the two modes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy
from mxnet import gluon, np

from utils import _gluon
from utils.checks import _specimen
from utils.checks._block_sum import (
    AFTER_LAYERS,
    HIGH,
    SHAPE,
    UNEQUAL,
    backward,
    last_shifts,
    subtracts,
)
from utils.checks._report import Mistake
from utils.checks._specimen import (
    APART,
    Call,
    Shape,
    Specimen,
    agree,
    both_kinds,
    images,
    residual,
)

SEEDS = range(16)  # a layer that is left out once in five calls is there in all of them in 1 of 35


def between(Residual: Any) -> None:
    """With negative weights and a positive input, nothing passes the ReLU between the layers.

    The mode is inference, in which a neutral normalization changes nothing.
    """
    specimen = residual(Residual)
    X = images(*SHAPE)
    silent = specimen.fill(_specimen.zeros).run(X)
    Y = specimen.fill(_specimen.negative).run(X)
    if agree(Y, silent):
        try:
            _check_large(specimen.fill(lambda shape: _specimen.positive(shape) / 10))
        except Mistake:  # unless it is due to a function after the layers
            subtracts(Residual)
            second_normalization(Residual)
            raise
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

    Nothing else that is trained scales it, and what the layers add to x has mean 0 and standard
    deviation 1 over the whole batch. A high shift keeps a ReLU before the sum, if there is one,
    from interfering.
    """
    specimen = residual(Residual)
    if specimen.changes_with_scale(HIGH, _specimen.strong, lambda _: 3.0):
        raise _normalization(
            "second normalization missing",
            "The numbers that are added to x grow with the weights of the convolutions.",
            "What is between the second convolution and the plus sign?",
        )
    if scale := own_scale(specimen):
        raise _normalization(
            "residual with a scale of its own",
            "`{place}` multiplies what the layers add, beside the scale of the "
            "normalization.".format(place=specimen.place_of(scale)),
            AFTER_LAYERS,
        )
    shifts = list(last_shifts(specimen.fill(_specimen.zeros)))
    added = [_added(specimen, [shift]) for shift in shifts] or [_added(specimen, [])]
    centered = [Y for Y in added if agree(Y.mean(axis=(0, 2, 3)), 0)]
    if not centered:
        seen = "What the layers add to x does not have mean 0 over the batch."
        if specimen.changes_with_scale(HIGH, _specimen.mixed, lambda _: 3.0, training=False):
            raise _normalization("another function before the addition", seen, AFTER_LAYERS)
        raise _normalization(
            "statistics of single images", seen, "Which kind of normalization do the layers use?"
        )
    deviations = [Y.std(axis=(0, 2, 3)) for Y in centered]
    if centered and not any(agree(deviation, 1, tolerance=0.1) for deviation in deviations):
        scaled = any(_multiplies(specimen, parameter) for parameter in specimen.others)
        raise _normalization(
            "layers scaled before the sum" if scaled else "another function before the addition",
            "What the layers add to x should have a standard deviation of 1, as the scales of the "
            "normalizations are 1, but it is {deviation:.2g}.".format(
                deviation=deviations[0].mean()
            ),
            AFTER_LAYERS,
        )


def own_scale(specimen: Specimen) -> gluon.Parameter | None:
    """Return a trained number that multiplies what the layers add and is not a normalization's.

    The scale of a normalization stands beside a shift of the same shape, in the same layer.
    """
    blocks: list[gluon.Block] = []
    specimen.block.apply(blocks.append)
    owned = [_gluon.own_parameters(block) for block in blocks]
    alone = {id(p) for own in owned for p in own if [q.shape for q in own].count(p.shape) == 1}
    candidates = (p for p in specimen.others if id(p) in alone and not p.name.endswith("bias"))
    return next((p for p in candidates if _multiplies(specimen, p)), None)


def _multiplies(specimen: Specimen, parameter: gluon.Parameter) -> bool:
    """Return whether the layers add twice as much with twice the value, in training mode."""
    X, values, added = specimen.images(), parameter.data().asnumpy(), []
    for value in (0.1, 0.2):  # so small that every sum with x passes the last ReLU
        specimen.set(parameter, numpy.full(values.shape, value))
        silent = specimen.fill(_specimen.zeros).run(X, training=True)
        added.append(specimen.fill(_specimen.mixed).run(X, training=True) - silent)
    specimen.set(parameter, values)
    return not agree(added[0], 0) and agree(added[1], 2 * added[0])


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
    """No normalization is used in two places: in the layers, or in the layers and the shortcut."""
    for specimen in both_kinds(Residual):
        one_use(specimen)
    _check_last_shift(residual(Residual).fill(_specimen.zeros))


def one_use(specimen: Specimen) -> None:
    """No normalization is called on two different arrays, in any mode.

    Of all layers with parameters, only normalizations have several of one shape.
    """
    X = specimen.fill(_specimen.mixed).images()
    for training in (False, True):
        calls = specimen.calls(X, training=training)
        norms = [c for c in calls if len(c.parameters) > len({p.shape for p in c.parameters}) == 1]
        for first, second in itertools.combinations(norms, 2):
            shared = [p for p in first.parameters if any(p is q for q in second.parameters)]
            if shared and not numpy.array_equal(first.input, second.input):
                raise _used_twice(specimen.place_of(shared[0]), calls, (first, second))


def _used_twice(place: str, calls: list[Call], uses: tuple[Call, Call]) -> Mistake:
    narrow = [call for call in calls if call.kernel == 1]  # several of them are no shortcut
    on_shortcut = len(narrow) == 1 and any(
        numpy.array_equal(narrow[0].output, use.input) for use in uses
    )
    return _normalization(
        "one normalization on both paths" if on_shortcut else "one normalization in both places",
        "The normalization of `{place}` is called on two different arrays: {first} and "
        "{second}.".format(place=place, first=_described(uses[0]), second=_described(uses[1])),
        "How many normalizations are made in `__init__`, and what is each of them called on?",
    )


def _described(call: Call) -> str:
    return "one with mean {mean:.3g} and standard deviation {deviation:.3g}".format(
        mean=call.input.mean(), deviation=call.input.std()
    )


def _check_last_shift(specimen: Specimen) -> None:
    """The last shift moves the sum and nothing else, even if no layer holds it."""
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


def repeats(specimen: Specimen) -> None:
    """The same input gives the same output, whatever the random seed is."""
    specimen.fill(_specimen.mixed)
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
    first, *others = (
        specimen.run(specimen.images(), training=training, seed=seed)
        for seed in (SEEDS if training else SEEDS[:4])
    )
    if not all(agree(other, first) for other in others):
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
    for specimen in both_kinds(Residual):
        statistics(specimen)


def statistics(specimen: Specimen) -> None:
    """In inference each image is processed independently; in training, of running statistics."""
    unequal = specimen.images() * numpy.array([1, 2]).reshape(2, 1, 1, 1)
    specimen.fill(_specimen.mixed)
    if not agree(specimen.run(unequal)[:1], specimen.run(unequal[:1])):
        raise _modes(
            "batch statistics in inference mode",
            "In inference mode, the output for an image depends on the rest of its batch.",
        )
    before = specimen.run(unequal, training=True)
    for parameter in running_statistics(specimen):
        values = parameter.data().asnumpy()
        specimen.set(parameter, values + images(*values.shape))
        if not agree(specimen.run(unequal, training=True), before):
            raise _modes(
                "running statistics in training mode",
                "In training mode, the output depends on the running statistics `{place}`.".format(
                    place=specimen.place_of(parameter)
                ),
            )


def running_statistics(specimen: Specimen) -> list[gluon.Parameter]:
    """Return what is neither trained nor a factor that is fixed: means and variances."""
    parameters = filter(_specimen.is_complete, specimen.parameters)
    return [p for p in parameters if p.name.endswith(("running_mean", "running_var"))]


def _modes(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "A network is trained in one mode and used in the other. Only the source of the statistics "
        "may differ: the batch in training, the running statistics in inference.",
        "Look for code that asks for the mode or sets it, for the arguments of each "
        "normalization, and for hand-written ones.",
    )


def averages(specimen: Specimen) -> None:
    """After training steps on larger numbers, the output in inference is another one.

    And so are the running statistics of each normalization.
    """
    X = specimen.fill(_specimen.mixed).images()
    before = specimen.run(X)
    statistics = {
        parameter: parameter.data().asnumpy() for parameter in running_statistics(specimen)
    }
    for _ in range(3):
        backward(specimen, np.array(100 * X))  # Gluon's layer updates its averages in this pass
    kept = [p for p, values in statistics.items() if numpy.array_equal(p.data().asnumpy(), values)]
    if kept or agree(specimen.run(X), before):
        seen = (
            "Three training steps on much larger numbers did not change `{place}`."
            if kept
            else "Three training steps on much larger numbers did not change the output in "
            "inference mode."
        )
        raise Mistake(
            "running averages never updated",
            seen.format(place=specimen.place_of(kept[0]) if kept else ""),
            "In training, batch normalization collects the running statistics that it uses in "
            "inference. Without them, the numbers in inference have a different scale from those "
            "that the weights were trained on.",
            "Look at the momentum of each normalization. In a hand-written one, see where the "
            "running statistics are kept from batch to batch.",
        )
