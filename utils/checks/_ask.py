"""Asks questions of a learner's code, which may raise an error, print, or never return."""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import io
import os
import queue
import random
import reprlib
import shutil
import sys
import tempfile
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon, np, npx

from utils import _gluon
from utils.checks._errors import explained
from utils.checks._report import Answer, Mistake, Report

SECONDS = 10  # for one question: many times what it takes on an idle machine
LEFTOVER_SECONDS = 2  # for each question after one that ran out of time


@dataclass(frozen=True)
class Question:
    """One question; `ask` takes the learner's code and raises Mistake if something is wrong."""

    name: str
    text: str
    ask: Callable[[Any], None]
    weight: int = 1


def ask_all(title: str, questions: Sequence[Question], subject: Any) -> Report:
    """Ask every question about the subject, whatever became of the questions before it.

    What the learner's code prints, draws or saves under a relative path is dropped: each experiment
    would repeat it. A network starts every question with the parameters that it came with, and is
    given back with them.
    """
    answers = []
    seconds = SECONDS
    _known.clear()
    with contained(), given_back(subject) as reset:
        for question in questions:
            reset()
            mx.random.seed(0, ctx=mx.cpu())  # an answer does not depend on what was drawn before
            mistake = _mistake(question, subject, seconds)
            if mistake and mistake.name == "does not end":
                seconds = LEFTOVER_SECONDS
            answers.append(Answer(question.name, question.text, question.weight, mistake))
    return Report(title, tuple(answers))


def given(*premises: Callable[[Any], None], ask: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a question whose experiment means what it says only if the premises hold.

    Where it fails and a premise does, the mistake is that of the premise.
    """

    def asked(subject: Any) -> None:
        try:
            ask(subject)
        except Mistake:
            for premise in premises:
                if broken := _broken(premise, subject):
                    raise replace(broken) from None
            raise

    return asked


def _broken(premise: Callable[[Any], None], subject: Any) -> Mistake | None:
    """Return the mistake of a premise; an error of the code is left to other questions.

    Several questions share a premise. It is asked once for each subject of `ask_all`.
    """
    key = premise, id(subject)
    if key not in _known:
        broken = None
        try:
            premise(subject)
        except Mistake as mistake:
            broken = replace(mistake)
        except Exception:
            pass
        stop_if_late()
        _known[key] = broken
    return _known[key]


_known: dict[tuple[Callable[[Any], None], int], Mistake | None] = {}


def check_function(value: object) -> None:
    """Raise Mistake unless the value can be called."""
    if not callable(value):
        raise Mistake(
            "not a function",
            "The check expects a function, but it was given {given}.".format(given=short(value)),
            "The check calls the function itself, with arguments of its own.",
            "Pass just the name of the function, without parentheses after it.",
        )


def check_block(block: object) -> None:
    """Raise Mistake unless the value is a Gluon block."""
    if not isinstance(block, gluon.Block):
        raise Mistake(
            "makes no block",
            "Your code should make a Gluon block, but it made {made}.".format(made=short(block)),
            "Only a block has parameters that can be initialized and trained.",
            "Does the class inherit from `nn.Block` or `nn.HybridBlock`? Does the function end "
            "with `return`?",
        )


def check_maker(maker: object) -> None:
    """Raise Mistake unless the value is a class or function that needs no arguments."""
    if not callable(maker):
        raise Mistake(
            "no network",
            "The check expects a network, or a class or function that makes one, but it was given "
            "{given}.".format(given=short(maker)),
            "The check runs the network on images of its own.",
            "Pass the network, or just the name of your class or function, without quotation "
            "marks. If a function made the network, does it end with `return`?",
        )
    if needed := needed_arguments(maker):
        raise Mistake(
            "needs arguments",
            "The check makes a network without passing arguments, but your code needs "
            "{names}.".format(names=", ".join(needed)),
            "Only you know which values belong there.",
            "Give each argument a default value in the definition, or make the network yourself "
            "and pass it to the check.",
        )


def needed_arguments(maker: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments without a default."""
    try:
        parameters = inspect.signature(maker).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have no signature
        return []
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in optional]


def short(value: Any) -> str:
    """Describe a value in a few words that fit into a sentence, however large it is."""
    if isinstance(value, numpy.generic):
        return str(value)
    if isinstance(value, (numpy.ndarray, mx.nd.NDArray)):
        return _short_array(value)
    shortened = reprlib.Repr()
    shortened.maxother = shortened.maxstring = 60
    return " ".join(shortened.repr(value).split())


def _short_array(array: Any) -> str:
    modules = {numpy.ndarray: "numpy", np.ndarray: "mxnet.np", mx.nd.NDArray: "mxnet.nd"}
    module = next(name for kind, name in modules.items() if isinstance(array, kind))
    if array.ndim:
        return "an array of `{module}` with the shape {shape}".format(
            module=module, shape=array.shape
        )
    return "an array of `{module}` without axes, {number}".format(
        module=module, number=array.item()
    )


def _mistake(question: Question, subject: Any, seconds: float) -> Mistake | None:
    with isolated():
        error = error_of(seconds, question.ask, subject)
    if error is None:
        return None
    if isinstance(error, Mistake):
        # A copy: the raised one keeps the frames of its experiment alive, and networks in them.
        return replace(error)
    if isinstance(error, LateError):
        return Mistake(
            "does not end",
            "The code was still running after {seconds:g} seconds, and was stopped. Each "
            "experiment is small and takes far less than a second.".format(seconds=seconds),
            "Code that never returns holds up everything that waits for it.",
            "Look for a loop whose condition never becomes false, or a function that calls itself.",
        )
    return explained(error)


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
            _gluon.settle()  # else a compiled network may hand out the values before a last step
            states = [(p, _gluon.state_of(p)) for p in subject.collect_params().values()]

    def reset() -> None:
        if states:
            _gluon.settle()  # a thread that was given up may be waiting here to write
            for thread in list(_late):
                thread.join(0.2)
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

    def task() -> None:
        _gluon.reset_thread()
        try:
            function(*arguments)
        except BaseException:
            _gluon.settle()
            raise
        npx.waitall()  # an error that comes late is this code's own

    thread = _idle.pop() if _idle else _Thread()
    outcome = thread.begin(task)
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


class _Thread:
    """A thread that runs one task after another.

    Questions share it: MXNet keeps megabytes of workspace for every thread that has computed with
    it, and does not free them when the thread ends.
    """

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue = queue.SimpleQueue()
        self._over = False
        self._gate = threading.Lock()  # held while _Stop is sent, and while the task is left
        self._inside = False  # a task, where _Stop may arrive
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def begin(self, task: Callable[[], None]) -> queue.SimpleQueue:
        """Run the task; return the queue that will get the error that it raises, or None."""
        outcome: queue.SimpleQueue = queue.SimpleQueue()
        self._tasks.put((task, outcome))
        return outcome

    def _work(self) -> None:
        while not self._over:
            task, outcome = self._tasks.get()
            outcome.put(self._error_of(task))
            del task, outcome  # frees the learner's network while the thread is idle

    def _error_of(self, task: Callable[[], None]) -> BaseException | None:
        error = None
        try:
            with self._gate:
                if self._over:  # given up before it began
                    return None
                self._inside = True
            try:
                task()
            finally:
                self._leave()
        except BaseException as raised:  # SystemExit would otherwise end the thread in silence
            error = raised
        self._leave()  # once more: _Stop may have arrived on the way in
        return error

    def _leave(self) -> None:
        """Let no _Stop arrive from here on, neither a new one nor one that is on its way."""
        while True:
            with contextlib.suppress(_Stop), self._gate:
                self._inside = False
                self._send(None)
                return

    def _send(self, error: type[BaseException] | None) -> None:
        identity = ctypes.c_ulong(self._thread.ident or 0)
        sent = ctypes.py_object(error) if error else None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, sent)

    def end(self, grace: float) -> None:
        """Raise _Stop in the task, several times: MXNet's destructors can swallow it.

        The first two times are followed by `grace` seconds, in which the code can clean up.
        """
        self._over = True
        _late.add(self._thread)
        with _unreported():
            for seconds in (grace, grace, *(8 * [0.05])):
                with self._gate:
                    if self._inside:
                        self._send(_Stop)
                self._thread.join(seconds)


@contextlib.contextmanager
def _unreported() -> Iterator[None]:
    """Report no _Stop that arrived in a destructor.

    Whoever reports such errors, the kernel or a test runner, does so in the thread that is being
    stopped, where the next _Stop may arrive in the middle of the report.
    """
    report = sys.unraisablehook
    sys.unraisablehook = lambda error: None if error.exc_type is _Stop else report(error)
    try:
        yield
    finally:
        sys.unraisablehook = report


_idle: list[_Thread] = []
_late: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
