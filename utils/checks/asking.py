"""Asks questions of a learner's code, which may raise, print, or never come back."""

from __future__ import annotations

import contextlib
import ctypes
import io
import queue
import random
import reprlib
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mxnet as mx
import numpy
from mxnet import autograd, np, npx

from utils.checks.report import Answer, Mistake, Report

SECONDS = 10  # for one question: many times what it takes on an idle machine
LEFTOVER_SECONDS = 2  # for each question after one that never came back
OWN_CODE = ("site-packages", "dist-packages", "utils/checks")


class LateError(Exception):
    """The code did not come back in time."""


class _Stop(BaseException):
    """Raised inside code that takes too long. No `except Exception` of a learner catches it."""


@dataclass(frozen=True)
class Question:
    """One question; `ask` gets the learner's code and raises Mistake where it finds one."""

    name: str
    text: str
    ask: Callable[[Any], None]
    weight: int = 1


def report(title: str, questions: Sequence[Question], subject: Any) -> Report:
    """Ask every question of the same subject, whatever became of the ones before.

    What the learner's code prints is dropped: it would be printed once for each experiment.
    """
    answers = []
    seconds = SECONDS
    dropped = io.StringIO()
    with contained(), contextlib.redirect_stdout(dropped), contextlib.redirect_stderr(dropped):
        for question in questions:
            mistake = _mistake(question, subject, seconds)
            if mistake and mistake.name == "does not end":
                seconds = LEFTOVER_SECONDS
            answers.append(Answer(question.name, question.text, question.weight, mistake))
    return Report(title, tuple(answers))


def check_function(value: object) -> None:
    """Raise Mistake unless this can be called."""
    if not callable(value):
        raise Mistake(
            "not a function",
            f"A function was expected, but this came: {short(value)}.",
            "It is called by the check, with arguments of its own.",
            "Pass the name of the function alone, without parentheses behind it.",
        )


def short(value: object) -> str:
    """Return a value as text of a length that a sentence can hold, however large it is."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array of shape {value.shape}"
    shortened = reprlib.Repr()
    shortened.maxother = shortened.maxstring = 60
    return shortened.repr(value)


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
            npx.set_np()  # this and the next two hold for one thread only
            autograd.set_recording(False)
            autograd.set_training(False)
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
        worker.end()
        return LateError()
    except BaseException:  # the reader's interruption
        worker.end()
        raise
    _idle.append(worker)
    return error


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

    def end(self) -> None:
        """Raise _Stop in the thread, some times: MXNet's destructors can swallow it."""
        self._over = True
        identity = ctypes.c_ulong(self._thread.ident)
        for _ in range(10):
            if self._thread.is_alive():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Stop))
                self._thread.join(0.05)


_idle: list[_Worker] = []


def _mistake(question: Question, subject: Any, seconds: float) -> Mistake | None:
    error = error_of(seconds, question.ask, subject)
    if error is None:
        return None
    if isinstance(error, Mistake):
        # A copy: what was raised keeps the frames of its experiment, and whole networks in them.
        return replace(error)
    if isinstance(error, LateError):
        return Mistake(
            "does not end",
            f"The code was still running after {seconds:g} seconds, and was stopped. Each "
            "experiment is small and takes far less than a second.",
            "Code that does not come back holds up everything that waits for it.",
            "Find the loop whose condition never becomes false, or the function that calls itself.",
        )
    return _raised(error)


def _raised(error: BaseException) -> Mistake:
    if isinstance(error, NotImplementedError):
        return Mistake(
            "not written yet",
            "There is no answer here yet: the code raises NotImplementedError.",
            "The questions can only be asked of code that runs.",
            "Replace the line with `raise NotImplementedError` by your own code.",
        )
    return Mistake(
        "raises an error",
        f"The code raised {type(error).__name__}: {error_text(error)}",
        "Code that ends with an error gives no result that could be questioned.",
        _place(error),
    )


def error_text(error: BaseException) -> str:
    """Return the last line of the message: in MXNet's, lines of C++ stand above it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1] if lines else "(without a message)"
    return text if len(text) <= 200 else f"{text[:200]} ..."


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not any(part in f.filename for part in OWN_CODE)]
    own = [f for f in own if "threading" not in f.filename]
    if not own:
        return "Call it yourself with a small array and read the whole message."
    return f"It happened in `{own[-1].name}`, at the line `{own[-1].line}`."


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
