"""What a check gives back as it was: the reader's settings, files, figures and network."""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, gluon, np, npx


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Work with numpy's arrays, without warnings, and give the reader's random numbers back.

    The state of MXNet's generator cannot be read, so its next state is drawn from it.
    """
    numbers, numpys = random.getstate(), numpy.random.get_state()
    with warnings.catch_warnings(), mx.util.np_shape(True), mx.util.np_array(True):
        warnings.simplefilter("ignore")  # such as Gluon's, of containers that it cannot see into
        next_seed = int(np.random.randint(0, 2**31 - 1).item())
        try:
            yield
        finally:
            random.setstate(numbers)
            numpy.random.set_state(numpys)
            mx.random.seed(next_seed)


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Run a learner's code where it leaves nothing: what it prints, saves and draws is dropped.

    It works in an empty folder of its own, so that a name such as "best.params" overwrites no file.
    Code that reads a file by such a name does not find it there; that is rarer, and does less harm.
    """
    dropped = io.StringIO()
    printed = contextlib.redirect_stdout(dropped), contextlib.redirect_stderr(dropped)
    with printed[0], printed[1], _own_folder(), _own_figures():
        yield


@contextlib.contextmanager
def _own_folder() -> Iterator[None]:
    home, path, folder = os.getcwd(), sys.path[:], tempfile.mkdtemp()
    sys.path[:] = map(os.path.abspath, path)  # modules are found where they were
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(home)
        sys.path[:] = path
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _own_figures() -> Iterator[None]:
    before = _figures()
    try:
        yield
    finally:
        for number in _figures() - before:
            sys.modules["matplotlib.pyplot"].close(number)


def _figures() -> set[int]:
    """Return the numbers of the figures that are open; to import matplotlib would take seconds."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return set(pyplot.get_fignums()) if pyplot else set()


@contextlib.contextmanager
def given_back(subject: Any) -> Iterator[Callable[[], None]]:
    """Lend a network; yield a function that gives its parameters the state they have now.

    Values, shapes, or none where there were none. This is done at the end, too, and in the thread
    of the caller, which goes on when the code in another one does not come back. For a subject that
    is no network there is nothing to do.
    """
    parameters = []
    # A network whose parameters cannot be read is questioned, and has the same error there.
    with contextlib.suppress(Exception):
        if isinstance(subject, gluon.Block):
            npx.waitall()  # a compiled network may else hand out the values before the last step
            parameters = [(p, _state(p)) for p in subject.collect_params().values()]

    def restore() -> None:
        for parameter, state in parameters:
            _restore(parameter, *state)
        if any(values is None for _, (*_, values) in parameters):
            subject.apply(_forget_graph)

    try:
        yield restore
    finally:
        restore()


def _state(parameter: gluon.Parameter) -> tuple[Any, Any, list[numpy.ndarray] | None]:
    values = parameter._data and [array.asnumpy() for array in parameter.list_data()]
    return parameter._shape, parameter._deferred_init, values


def _restore(parameter: gluon.Parameter, shape: Any, deferred: Any, values: list | None) -> None:
    if values is None:  # Gluon has no public way back to a parameter without values
        parameter._data = parameter._grad = None
        parameter._shape, parameter._deferred_init = shape, deferred
        return
    with autograd.pause():
        for array, value in zip(parameter.list_data(), values):  # one for each device
            array[:] = np.array(value, ctx=array.ctx)


def _forget_graph(block: gluon.Block) -> None:
    """A compiled graph expects values in all parameters. The next call compiles it again."""
    if isinstance(block, gluon.HybridBlock):
        block._clear_cached_op()
