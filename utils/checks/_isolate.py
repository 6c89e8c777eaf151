"""Runs a learner's code where it does no harm.

The reader's settings, files, figures and network come back as they were, and code that does not
end is given up.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import queue
import random
import shutil
import sys
import tempfile
import threading
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


# Code that may never end


class LateError(Exception):
    """The code did not come back in time."""


class _Stop(BaseException):
    """Raised inside code that takes too long. No `except Exception` of a learner catches it."""


def error_of(seconds: float, function: Callable[..., Any], *arguments: Any) -> BaseException | None:
    """Call the function; return what it raises, or LateError after `seconds`, or None.

    The function runs in a thread of its own, since an alarm signal reaches the main thread alone,
    and Jupyter and graders do not always call from there. A loop in Python is then ended from
    outside. What cannot be ended so is left behind in its thread, until the process ends: code
    that stays in C, and a loop around a bare `except:`. C code that keeps Python's lock, such as
    10 ** 10 ** 10, keeps this clock from running, too.
    """
    outcome: queue.SimpleQueue = queue.SimpleQueue()

    def task() -> None:
        try:
            _reset_thread()
            function(*arguments)
        except BaseException as error:  # SystemExit, too, must not end in silence
            outcome.put(error)
        else:
            outcome.put(None)

    thread = _idle.pop() if _idle else _Thread()
    thread.tasks.put(task)
    try:
        error = outcome.get(timeout=seconds)
    except queue.Empty:
        thread.end(seconds / 10)
        return LateError()
    except BaseException:  # the reader's interruption
        thread.end(seconds / 10)
        raise
    _idle.append(thread)
    return error


def stop_if_late() -> None:
    """End a thread that was given up: it must not touch what its owner has back by now."""
    if getattr(threading.current_thread(), "late", False):
        raise _Stop


def _reset_thread() -> None:
    """Begin as a new thread would, whatever the code before did. All this holds for one thread."""
    npx.set_np()
    autograd.set_recording(False)
    autograd.set_training(False)
    mx.Context._default_ctx.value = mx.cpu()
    mx.name.NameManager._current.value = mx.name.NameManager()  # the first layer is conv0 again


class _Thread:
    """A thread that does one task after another.

    It is used again for the next question, since MXNet keeps some workspace for every thread that
    ever computed with it: megabytes that do not come back when the thread ends.
    """

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue = queue.SimpleQueue()
        self._over = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over:
            task = self.tasks.get()
            task()
            del task  # and with it the learner's network, while there is nothing to do

    def end(self, grace: float) -> None:
        """Raise _Stop in the thread, some times: MXNet's destructors can swallow it.

        There are `grace` seconds before the second and the third time, so that the code can put
        its things in order.
        """
        self._over = self._thread.late = True
        identity = ctypes.c_ulong(self._thread.ident)
        for seconds in (grace, grace, *(8 * [0.05])):
            if self._thread.is_alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Stop))
                self._thread.join(seconds)


_idle: list[_Thread] = []
