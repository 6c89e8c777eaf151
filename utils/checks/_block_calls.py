"""Questions on a residual block: what stays the same from call to call, and from mode to mode."""

from __future__ import annotations

from typing import Any

import numpy
from mxnet import autograd, np

from utils.checks import _specimen
from utils.checks._block_sum import HIGH, UNEQUAL, backward
from utils.checks._report import Mistake
from utils.checks._specimen import agree, residual


def in_place(Residual: Any) -> None:
    """The input is the same after the call as before it."""
    specimen = residual(Residual).fill(_specimen.mixed)
    X = np.array(HIGH)
    with autograd.predict_mode():
        specimen.block(X).wait_to_read()
    if not numpy.array_equal(X.asnumpy(), HIGH):
        raise Mistake(
            "input changed in place",
            "After the call, the array that was passed to the block holds other numbers.",
            "The input belongs to whoever called: the block before this one, or you. Training "
            "needs it unchanged for the gradient.",
            "Look for `+=` and for `[:] =`. They write into an array that exists already.",
        )


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
