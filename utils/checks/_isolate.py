"""Runs a learner's code where it does no harm.

The reader's settings, files, figures and network are restored afterward. Code that does not end is
stopped.
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
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, gluon, np, npx

from utils import _gluon


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Use MXNet's NumPy arrays, silence warnings, and restore the reader's random generators.

    The state of MXNet's generator cannot be read. It is seeded with a number drawn from itself, so
    that what follows still depends on the reader's seed.
    """
    python_state, numpy_state = random.getstate(), numpy.random.get_state()
    with warnings.catch_warnings(), mx.util.np_shape(True), mx.util.np_array(True):
        warnings.simplefilter("ignore")  # such as Gluon's, about blocks kept in a list
        next_seed = int(np.random.randint(0, 2**31 - 1).item())
        try:
            yield
        finally:
            random.setstate(python_state)
            numpy.random.set_state(numpy_state)
            mx.random.seed(next_seed)


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """Run a learner's code without a trace: what it prints, saves and draws is dropped.

    It runs in an empty folder, so that a name such as "best.params" overwrites no file. Code that
    reads a file by such a name will not find it; that is rarer and does less harm.
    """
    dropped = io.StringIO()
    printed = contextlib.redirect_stdout(dropped), contextlib.redirect_stderr(dropped)
    with printed[0], printed[1], _own_folder(), _own_figures():
        yield


@contextlib.contextmanager
def _own_folder() -> Iterator[None]:
    home, path, folder = os.getcwd(), sys.path[:], tempfile.mkdtemp()
    sys.path[:] = map(os.path.abspath, path)  # relative entries still point to the same folders
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
    """Return the numbers of the open figures, without importing matplotlib, which takes seconds."""
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
    """The code did not return in time."""


class _Stop(BaseException):
    """Raised inside code that takes too long; `except Exception` in it does not catch this."""


def error_of(seconds: float, function: Callable[..., Any], *arguments: Any) -> BaseException | None:
    """Call the function; return what it raises, or LateError after `seconds`, or None.

    The function runs in another thread: an alarm signal reaches only the main thread, and Jupyter
    and graders do not always call from there. A loop in Python is stopped by an exception raised in
    that thread. Two kinds of code cannot be stopped and stay in their thread until the process
    ends: code that stays in C, and a loop around a bare `except:`. C code that holds Python's lock,
    such as 10 ** 10 ** 10, also stops this clock.
    """
    outcome: queue.SimpleQueue = queue.SimpleQueue()

    def task() -> None:
        try:
            _reset_thread()
            function(*arguments)
        except BaseException as error:  # SystemExit would otherwise end the thread in silence
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
    except BaseException:  # KeyboardInterrupt from the reader
        thread.end(seconds / 10)
        raise
    _idle.append(thread)
    return error


def stop_if_late() -> None:
    """Stop a thread that was given up: the network is its owner's again by now."""
    if threading.current_thread() in _late:
        raise _Stop


def _reset_thread() -> None:
    """Reset all of MXNet's settings that belong to the current thread."""
    npx.set_np()
    autograd.set_recording(False)
    autograd.set_training(False)
    mx.Context._default_ctx.value = mx.cpu()
    mx.name.NameManager._current.value = mx.name.NameManager()  # layers are numbered from 0


class _Thread:
    """A thread that runs one task after another.

    Questions share it: MXNet keeps megabytes of workspace for every thread that has computed with
    it, and does not free them when the thread ends.
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
            del task  # frees the learner's network while the thread is idle

    def end(self, grace: float) -> None:
        """Raise _Stop in the thread, several times: MXNet's destructors can swallow it.

        The first two times are followed by `grace` seconds, in which the code can clean up.
        """
        self._over = True
        _late.add(self._thread)
        identity = ctypes.c_ulong(self._thread.ident or 0)
        for seconds in (grace, grace, *(8 * [0.05])):
            if self._thread.is_alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Stop))
                self._thread.join(seconds)


_idle: list[_Thread] = []
_late: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
