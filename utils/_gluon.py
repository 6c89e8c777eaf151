"""Parts, parameters and calls of a network, and what MXNet remembers, read from inside Gluon.

Wherever Gluon has no public name for something, its private name is used here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import mxnet as mx
import numpy
from mxnet import autograd, gluon, np, npx


def settle() -> None:
    """Wait for everything that is queued, and drop an error in it: it belongs to earlier code.

    MXNet computes in the background. It holds an error back until some code waits for everything,
    and raises it there, however innocent that code is.
    """
    with suppress(Exception):
        npx.waitall()


@contextmanager
def settled(device: mx.Context) -> Iterator[None]:
    """Settle; within the `with` statement compute on the device, unrecorded, in inference mode.

    So nothing counts that earlier code in this thread switched on and did not switch off.
    """
    settle()
    with device, autograd.pause():
        yield


def reset_thread() -> None:
    """Settle, and reset all of MXNet's settings that belong to the current thread."""
    settle()
    npx.set_np()
    autograd.set_recording(False)
    autograd.set_training(False)
    mx.Context._default_ctx.value = mx.cpu()
    mx.name.NameManager._current.value = mx.name.NameManager()  # layers are numbered from 0


def children(block: gluon.Block) -> dict[str, gluon.Block]:
    """Return the blocks directly inside a block by name, in order."""
    return dict(block._children)


def own_parameters(block: gluon.Block) -> list[gluon.Parameter]:
    """Return the parameters that a block holds itself, without those of the blocks inside it."""
    return list(block._reg_params.values())


def geometry(layer: gluon.Block) -> dict:
    """Return kernel, stride, padding and so on of a convolution or pooling; {} for other layers."""
    return getattr(layer, "_kwargs", {})


def is_compiled(block: gluon.Block) -> bool:
    """Return whether a block is hybridized."""
    return getattr(block, "_active", False)


def places(net: gluon.Block) -> dict[str, gluon.Parameter]:
    """Return the parameters by their place in the network, such as stage1.block1.conv1.weight."""
    return net._collect_params_with_prefix()


def learned(net: gluon.Block) -> list[gluon.Parameter]:
    """Return the parameters that training changes, in order."""
    return [p for p in net.collect_params().values() if p.grad_req != "null"]


def read(net: gluon.Block) -> list[numpy.ndarray]:
    """Return the values of all parameters, running statistics included, in order."""
    npx.waitall()  # else a compiled network may return the values from before the last step
    return [parameter.list_data()[0].asnumpy() for parameter in net.collect_params().values()]


def put(net: gluon.Block, values: Sequence[numpy.ndarray]) -> None:
    """Set every parameter, on all of its devices, to the values that `read` returned.

    Raises ValueError, and changes nothing, unless there are as many values as parameters.
    """
    parameters = net.collect_params().values()
    if len(values) != len(parameters):
        raise ValueError(
            "There are {given} arrays, but the network has {expected} parameters. Pass all that "
            "`read` returned for a network with the same layers.".format(
                given=len(values), expected=len(parameters)
            )
        )
    for parameter, value in zip(parameters, values):
        parameter.set_data(np.array(value))


class State(NamedTuple):
    """A parameter's shape, its values on each device, and the initialization that it waits for.

    Values are None before the initialization, or before the first input has decided the shape.
    """

    shape: tuple[int, ...] | None
    values: list[numpy.ndarray] | None
    deferred: Any


def has_values(parameter: gluon.Parameter) -> bool:
    """Return whether the parameter is initialized and its shape is known."""
    return parameter._data is not None


def state_of(parameter: gluon.Parameter) -> State:
    """Return a copy of what the parameter is now, for `restore`."""
    values = [array.asnumpy() for array in parameter.list_data()] if has_values(parameter) else None
    return State(parameter._shape, values, parameter._deferred_init)


def restore(parameter: gluon.Parameter, state: State) -> None:
    """Give a parameter back its earlier state, even that of having no values.

    A compiled network that held such a parameter must then `forget_graph`.
    """
    if state.values is None:
        parameter._data = parameter._grad = None
        parameter._shape, parameter._deferred_init = state.shape, state.deferred
        return
    with autograd.pause():
        for array, value in zip(parameter.list_data(), state.values):  # one for each device
            array[:] = np.array(value, ctx=array.ctx)


def forget_graph(net: gluon.Block) -> None:
    """Drop the compiled graphs of all blocks of a network; the next call compiles again."""

    def forget(block: gluon.Block) -> None:
        if isinstance(block, gluon.HybridBlock):
            block._clear_cached_op()

    net.apply(forget)


def hold_statistics(net: gluon.Block) -> None:
    """Let normalizations use their running statistics in training mode too, and not move them."""

    def hold(block: gluon.Block) -> None:
        if isinstance(block, gluon.nn.BatchNorm):
            block._kwargs["use_global_stats"] = True

    net.apply(hold)


def take_new_gradient(array: np.ndarray) -> bool:
    """Return whether a backward pass has reached the array since the last call, or a step."""
    is_new = bool(array._fresh_grad)
    array._fresh_grad = False
    return is_new


@contextmanager
def hooked(
    blocks: Iterable[gluon.Block],
    after: Callable[[gluon.Block, tuple, np.ndarray], None],
    before: Callable[[gluon.Block, tuple], None] | None = None,
) -> Iterator[None]:
    """Within the `with` statement, call `before` and `after` around each call of the blocks.

    They get (block, inputs) and (block, inputs, output). A compiled block calls neither of them for
    its parts.
    """
    hooks = []
    for block in blocks:
        if before is not None:
            hooks.append(block.register_forward_pre_hook(before))
        hooks.append(block.register_forward_hook(after))
    try:
        yield
    finally:
        for hook in hooks:
            hook.detach()
