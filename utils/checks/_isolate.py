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

from utils import _gluon


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
    """Borrow a network; yield a function that resets its parameters to the state they have now.

    They are reset at the end as well, in the caller's thread, which goes on even if another thread
    never returns. For a subject that is not a network there is nothing to do.
    """
    states = []
    # A network whose parameters cannot be read is checked all the same: the error comes up there.
    with contextlib.suppress(Exception):
        if isinstance(subject, gluon.Block):
            npx.waitall()  # a compiled network may otherwise hand out the values before a last step
            states = [(p, _gluon.state_of(p)) for p in subject.collect_params().values()]

    def reset() -> None:
        for parameter, state in states:
            _gluon.restore(parameter, state)
        if any(state.values is None for _, state in states):
            _gluon.forget_graph(subject)

    try:
        yield reset
    finally:
        reset()


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
