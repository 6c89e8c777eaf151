"""The program in the jail: execute a submission's code, then answer each item with a frame.

Standard input brings two lines of JSON, the code and the requests. Frames leave through the
descriptor named by RESULT. This program shares a process with the submission's code, so nothing it
reports is trusted: the grader compares its numbers with those of the instructor's solution.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

from mxnet import npx

from jailed import WAITING, frames
from jailed.frames import Frame
from jailed.procedures import PROCEDURES, MissingError, Names
from utils import _gluon
from utils.runs import keeper
from utils.student import Variant


class EndlessError(BaseException):
    """Code takes too long. A submission's `except Exception` does not catch it."""


def execute(sources: list[str], seconds: float) -> tuple[Names, dict[str, str]]:
    """Execute sources in order; return their names, and the errors that ended some, by source.

    A broken one does not stop the others. Each may use the processor for half of the seconds that
    are left, so that some remain for the last.
    """
    errors: dict[str, str] = {}
    names: Names = {"__name__": "__main__", "display": lambda *_, **__: None}
    for source in sources:
        processor, clock = time.process_time(), time.monotonic()
        try:
            with limited(max(0.1, seconds / 2)):
                exec(compile(source, "<answer>", "exec"), names)
        except BaseException as error:  # SystemExit too
            errors[source] = type(error).__name__
        clock, processor = time.monotonic() - clock, time.process_time() - processor
        seconds -= max(processor, clock / WAITING)
    return names, errors


def answer(
    number: int, names: Names, errors: dict[str, str], request: dict[str, Any], seconds: float
) -> Frame:
    """Return the frame that answers an item: arrays or a text, or the name of an error.

    Where nothing has the name that is asked for, the text is the error that ended a source with it.
    """
    settings = dict(request)
    procedure = PROCEDURES[settings.pop("procedure")]
    if "my" in settings:  # the solution is asked with the numbers of each student
        names["my"] = Variant(**settings.pop("my"))
    try:
        with limited(seconds):
            _gluon.reset_thread()  # nothing that a source or another item left behind counts here
            found = procedure(names, **settings)
    except MissingError:
        ended = [error for source, error in errors.items() if settings["name"] in source]
        return Frame(number, error=MissingError.__name__, text=ended[0] if ended else "")
    except BaseException as error:
        return Frame(number, error=type(error).__name__)
    return Frame(number, text=found) if isinstance(found, str) else Frame(number, arrays=found)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise EndlessError once in code that takes more seconds of the processor.

    Or WAITING times as many on the clock. The jail ends code that ignores the error.
    """
    timers = {signal.ITIMER_PROF: seconds, signal.ITIMER_REAL: WAITING * seconds}

    def stop() -> None:
        for timer in timers:
            signal.setitimer(timer, 0)

    def late(*_: object) -> None:
        stop()
        raise EndlessError

    signal.signal(signal.SIGALRM, late)
    signal.signal(signal.SIGPROF, late)
    for timer, allowed in timers.items():
        signal.setitimer(timer, allowed)
    try:
        yield
    finally:
        stop()


def main() -> None:
    if owner := os.environ.get("OWNER"):  # there is no jail, which would end with the grader
        keeper.end_with(int(owner), lambda: os.killpg(0, signal.SIGKILL))
    seconds = float(sys.argv[1])
    npx.set_np()
    with os.fdopen(int(os.environ["RESULT"]), "wb", buffering=0) as result:
        result.write(frames.write(Frame(frames.STARTED)))
        names, errors = execute(json.loads(sys.stdin.readline()), 2 * seconds)  # imports take long
        result.write(frames.write(Frame(frames.READY)))
        late = set()
        for number, of_answer, request in json.loads(sys.stdin.readline()):
            if of_answer in late:  # wait only once for an endless loop
                frame = Frame(number, error=EndlessError.__name__)
            else:
                frame = answer(number, names, errors, request, seconds)
            if frame.error == EndlessError.__name__:
                late.add(of_answer)
            result.write(frames.write(frame))
    os._exit(0)  # without waiting for threads and exit handlers of the submission


if __name__ == "__main__":
    main()
