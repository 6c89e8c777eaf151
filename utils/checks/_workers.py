"""Calls functions in a thread that can be given up, where code may never come back."""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable
from typing import Any

import mxnet as mx
from mxnet import autograd, npx


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

    worker = _idle.pop() if _idle else _Worker()
    worker.tasks.put(task)
    try:
        error = outcome.get(timeout=seconds)
    except queue.Empty:
        worker.end(seconds / 10)
        return LateError()
    except BaseException:  # the reader's interruption
        worker.end(seconds / 10)
        raise
    _idle.append(worker)
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


class _Worker:
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


_idle: list[_Worker] = []
