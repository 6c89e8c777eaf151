"""Specimens: a learner's blocks and networks, run with weights that an experiment chooses.

Parameters are found by shape, never by the learner's names: the weight of a convolution has four
axes, (channels out, channels in, height, width).
"""

from __future__ import annotations

import contextlib
import functools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np

from utils import _gluon
from utils.checks._ask import check_block, check_maker, needed_arguments, short, stop_if_late
from utils.checks._errors import cannot_add
from utils.checks._report import Mistake

Shape = tuple[int, ...]
# The values with which a normalization changes nothing, by the endings of Gluon's names.
NEUTRAL = {"gamma": 1, "beta": 0, "bias": 0, "running_mean": 0, "running_var": 1}
CHANNELS = 4  # of the blocks in the experiments
# Arguments for a block whose two 3x3 convolutions have kernels of different shapes.
APART: dict[str, Any] = {"channels_in": 3, "use_1x1conv": True}


class Call(NamedTuple):
    """One call of a block that holds parameters itself, such as a layer."""

    parameters: list[gluon.Parameter]
    input: numpy.ndarray
    output: numpy.ndarray

    @property
    def kernel(self) -> int:
        """The size of the layer's kernel; 0 for a layer that is no convolution."""
        return next((p.shape[-1] for p in self.parameters if is_kernel(p)), 0)


class Specimen:
    """A block that has run once on an input of `shape`, with neutral normalizations.

    `expected` returns the output shape for an input shape; another output raises Mistake. Without
    `expected`, every shape is accepted.
    """

    def __init__(
        self,
        block: gluon.Block,
        shape: Shape,
        expected: Callable[[Shape], Shape] | None = None,
        device: mx.Context | None = None,
    ) -> None:
        self.block, self.expected, self.device = block, expected, device or mx.cpu()
        self.shape, self.channels = shape, shape[1]  # of the input
        self._first_run(shape)
        self.parameters: list[gluon.Parameter] = list(block.collect_params().values())
        if not all(map(is_complete, self.parameters)):  # a layer may be called only in training
            self.run(numpy.ones(shape), training=True)
        for parameter in filter(is_complete, self.parameters):
            value = next((v for end, v in NEUTRAL.items() if parameter.name.endswith(end)), None)
            if value is not None:
                self.set(parameter, numpy.full(parameter.shape, value))

    def _first_run(self, shape: Shape) -> None:
        X = numpy.ones(shape, "float32")
        try:
            self.run(X)
        except Mistake:
            raise
        except Exception as error:
            raise cannot_add(self.block, np.array(X, ctx=self.device), error) or error from None

    def images(self, low: float = 10, high: float = 11) -> numpy.ndarray:
        """Return random images of the shape of the first run.

        By default they are so high that every sum with x passes the last ReLU.
        """
        return images(*self.shape, low=low, high=high)

    @property
    def kernels(self) -> list[gluon.Parameter]:
        """The weights of the convolutions."""
        return [p for p in self.parameters if is_complete(p) and is_kernel(p)]

    @property
    def others(self) -> list[gluon.Parameter]:
        """All trainable parameters but the kernels: scales, shifts, biases."""
        kernels = {id(kernel) for kernel in self.kernels}
        trainable = [p for p in self.parameters if p.grad_req != "null"]
        return [p for p in trainable if is_complete(p) and id(p) not in kernels]

    def place_of(self, parameter: gluon.Parameter) -> str:
        """Return the place of a parameter in the learner's own names, such as conv3.weight."""
        places = _gluon.places(self.block)
        return next((place for place, p in places.items() if p is parameter), parameter.name)

    def set(self, parameter: gluon.Parameter, values: numpy.ndarray) -> None:
        """Set a parameter to an array of its shape."""
        array = np.array(values, dtype="float32")
        stop_if_late()
        parameter.set_data(array)

    def fill(self, draw: Callable[[Shape], numpy.ndarray], size: int | None = None) -> Specimen:
        """Set all kernels, or those `size` pixels wide, to what `draw` returns for their shapes.

        Returns the specimen.
        """
        for kernel in self.kernels:
            if size in (None, kernel.shape[-1]):
                self.set(kernel, draw(kernel.shape))
        return self

    def run(
        self, X: numpy.ndarray, *, training: bool = False, seed: int | None = None
    ) -> numpy.ndarray:
        """Return the output for X; raise Mistake unless it is an array of the expected shape.

        In training, the seed decides what a dropout drops; it is 0 by default. In inference, it is
        set only if given, since seeding takes half as long as a call.
        """
        stop_if_late()
        if training or seed is not None:
            for set_seed in (random.seed, numpy.random.seed):
                set_seed(seed or 0)
            mx.random.seed(seed or 0, ctx=mx.cpu())
        try:
            with autograd.train_mode() if training else autograd.predict_mode():
                Y = self.block(np.array(X, dtype="float32", ctx=self.device))
        except RuntimeError as error:
            if "has not been initialized" in str(error):
                raise unregistered() from error
            raise
        return checked(Y, self.expected(X.shape) if self.expected else None)

    def calls(self, X: numpy.ndarray, *, training: bool = False) -> list[Call]:
        """Return the calls of the layers for X, in order; the block is not compiled afterwards."""
        self.block.hybridize(False)
        blocks: list[gluon.Block] = []
        self.block.apply(blocks.append)
        noted: list[Call] = []

        def note(block: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
            noted.append(Call(_gluon.own_parameters(block), inputs[0].asnumpy(), output.asnumpy()))

        owners = {id(block): block for block in blocks if _gluon.own_parameters(block)}
        with _gluon.hooked(owners.values(), note):
            self.run(X, training=training)
        return noted

    def changes_with_scale(
        self,
        X: numpy.ndarray,
        draw: Callable[[Shape], numpy.ndarray],
        factor: Callable[[int], Any],
        *,
        kernels: Sequence[gluon.Parameter] | None = None,
        training: bool = True,
    ) -> bool:
        """Return whether the output changes when each output channel's weights get a factor.

        This is done to all kernels, or to the given ones.
        """
        before = self.fill(draw).run(X, training=training)
        for kernel in self.kernels if kernels is None else kernels:
            factors = numpy.array([factor(channel) for channel in range(kernel.shape[0])])
            self.set(kernel, draw(kernel.shape) * factors[:, None, None, None])
        return not agree(self.run(X, training=training), before)


def residual(
    Residual: Any, *, channels_in: int = CHANNELS, batch: int = 2, **arguments: Any
) -> Specimen:
    """Return a new specimen of a learner's residual block with CHANNELS channels."""
    strides = arguments.get("strides", 1)
    block = new_block(Residual, CHANNELS, **arguments)
    specimen = Specimen(
        block,
        (batch, channels_in, 6, 6),
        lambda shape: (shape[0], CHANNELS, *(math.ceil(n / strides) for n in shape[2:])),
    )
    _wake(specimen)
    return specimen


def _wake(specimen: Specimen) -> None:
    """Set a scale that starts at zero to one, if it has none of Gluon's names.

    Zeros that do not keep the layers from acting are shifts, and stay.
    """
    named = tuple(NEUTRAL)
    for parameter in specimen.others:
        if parameter.name.endswith(named) or parameter.data().asnumpy().any() or _acts(specimen):
            continue
        specimen.set(parameter, numpy.ones(parameter.shape))
        if not _acts(specimen):
            specimen.set(parameter, numpy.zeros(parameter.shape))


def _acts(specimen: Specimen) -> bool:
    """Return whether the output depends on the 3x3 convolutions."""
    X = specimen.images()
    silent = specimen.fill(mixed).fill(zeros, size=3).run(X)
    return not agree(specimen.fill(mixed).run(X), silent)


def both_kinds(Residual: Any) -> list[Specimen]:
    """Return a specimen whose shortcut is x itself, and one with a 1x1 convolution there.

    The second one is left out if it cannot run, which the questions on shapes report.
    """
    specimens = [residual(Residual)]
    with contextlib.suppress(Exception):
        specimens.append(residual(Residual, **APART))
    return specimens


def of_each(
    make: Callable[[Any], Sequence[Specimen]], ask: Callable[[Specimen], None]
) -> Callable[[Any], None]:
    """Return a question about a learner's code that is asked of each specimen made from it."""

    def asked(maker: Any) -> None:
        for specimen in make(maker):
            ask(specimen)

    return asked


def new_block(maker: Any, *arguments: Any, **keywords: Any) -> gluon.Block:
    """Return a new block made by a learner's class or function, initialized with a fixed seed."""
    if not callable(maker) or isinstance(maker, gluon.Block):
        raise Mistake(
            "not a class or function",
            "The check expects your class or function itself, but it was given {given}.".format(
                given=short(maker)
            ),
            "The check makes several blocks, with different arguments, and compares them.",
            "Pass just the name, without parentheses and arguments after it.",
        )
    mx.random.seed(0, ctx=mx.cpu())
    block: Any = maker(*arguments, **keywords)
    check_block(block)
    block.initialize(init.Xavier())
    return block


def specimen_of(net: Any, side: int = 32) -> Specimen:
    """Return a specimen of a network, or of what a function without arguments makes.

    It has run on 2 images of `side` x `side` pixels, with as many channels as the network is made
    for, or 1. The parameters of a given network change; `ask_all` resets them.
    """
    device = None
    if isinstance(net, gluon.Block):
        ready = [p for p in net.collect_params().values() if _gluon.has_values(p)]
        device = ready[0].list_ctx()[0] if ready else None
        net.initialize(init.Xavier(), ctx=device)  # skips parameters that have values
    else:
        check_maker(net)
        net = new_block(net)
    return Specimen(net, (2, channels_of(net), side, side), device=device)


def channels_of(net: gluon.Block) -> int:
    """Return how many channels the largest kernel expects; 1 if that is not decided yet."""
    shapes = [p.shape for p in net.collect_params().values() if is_complete(p)]
    kernels = [shape for shape in shapes if len(shape) == 4]
    return max(kernels, key=lambda shape: shape[-1])[1] if kernels else 1


def for_classes(net: Any, classes: int) -> Any:
    """Fill in the number of classes for a maker that needs it; return anything else unchanged.

    An only argument without a default is taken to be the number of classes.
    """
    is_maker = callable(net) and not isinstance(net, gluon.Block)
    return functools.partial(net, classes) if is_maker and len(needed_arguments(net)) == 1 else net


def checked(Y: Any, expected: Shape | None) -> numpy.ndarray:
    """Return an output as a NumPy array; raise Mistake for another shape or infinite numbers."""
    if not isinstance(Y, np.ndarray):
        raise Mistake(
            "returns no array",
            "The output should be an array of `mxnet.np`, but it is {output}.".format(
                output=short(Y)
            ),
            "The next layer computes with this output.",
            "Read the last line of `forward` or `hybrid_forward`. What does it return, and does it "
            "begin with `return`?",
        )
    if expected is not None and Y.shape != expected:
        raise Mistake(
            "wrong output shape",
            "The output has the shape {shape}, but {expected} was expected.".format(
                shape=Y.shape, expected=expected
            ),
            "The next layer and the sum with the shortcut rely on this shape.",
            "Follow the shape through your layers, one by one: channels, padding, strides.",
        )
    numbers = Y.asnumpy()
    if not numpy.isfinite(numbers).all():
        raise Mistake(
            "numbers that are not finite",
            "For an ordinary input, the output contains numbers that are not finite (nan or inf).",
            "One such number spoils the loss, and with it every weight.",
            "Look for a division by zero, or for the logarithm or square root of a negative "
            "number.",
        )
    return numbers


def unregistered() -> Mistake:
    return Mistake(
        "layers not registered",
        "`initialize()` did not reach all parameters: the block uses a layer that is not "
        "registered with it.",
        "The weights of such a layer are not initialized, trained or saved.",
        "Where are the layers kept? A Python list or dictionary hides them from Gluon; an "
        "attribute of the block or an `nn.Sequential` does not.",
    )


def is_complete(parameter: gluon.Parameter) -> bool:
    """Return whether the shape is known, as it is after the first run."""
    return parameter.shape is not None and all(side > 0 for side in parameter.shape)


def is_kernel(parameter: gluon.Parameter) -> bool:
    """Return whether it is the weight of a convolution.

    (1, C, 1, 1) is the shape of a hand-written scale or shift. Sides not known yet are 0.
    """
    return len(parameter.shape or ()) == 4 and parameter.shape[0] > 1


# Values for kernels and inputs


def zeros(shape: Shape) -> numpy.ndarray:
    return numpy.zeros(shape)


def mixed(shape: Shape) -> numpy.ndarray:
    """Random numbers of both signs, scaled so that outputs are about as large as inputs."""
    return _random(shape).normal(size=shape) / math.sqrt(math.prod(shape[1:]))


def positive(shape: Shape) -> numpy.ndarray:
    return abs(mixed(shape)) + 0.01


def negative(shape: Shape) -> numpy.ndarray:
    return -positive(shape)


def images(*shape: int, low: float = 1, high: float = 2) -> numpy.ndarray:
    """Return random images with numbers between `low` and `high`, the same at every call."""
    return _random(shape).uniform(low, high, shape).astype("float32")


def _random(shape: Shape) -> numpy.random.Generator:
    return numpy.random.default_rng(list(shape))


def strong(shape: Shape) -> numpy.ndarray:
    """Random numbers of both signs, so large that the epsilon of a normalization is negligible."""
    return 100 * mixed(shape)


def unequal(channel: Any) -> Any:
    """Return a factor for a channel, or for an array of channels; each has another one.

    A normalization that mixes channels cannot cancel different factors.
    """
    return 4.0**channel


def agree(Y: numpy.ndarray, Z: numpy.ndarray | float, tolerance: float = 2e-3) -> bool:
    """Return whether two outputs agree up to rounding and the epsilon of normalizations."""
    return bool(abs(Y - Z).max() <= tolerance * max(1, numpy.max(abs(Z))))
