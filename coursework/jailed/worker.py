"""Inside the jail: execute a student's code, then answer each question with plain numbers.

Two lines of JSON arrive on standard input, the code and the questions; frames leave on the
descriptor that RESULT names. This file and the student's code share a process, so nothing that it
says is believed: the grader compares the numbers with those that the instructor's solution gives to
the same questions.
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

from jailed import frames
from jailed.procedures import PROCEDURES, Names
from utils.student import Variant


class EndlessError(BaseException):
    """Code takes too long. No `except Exception` of a student catches it."""


def execute(sources: list[str], seconds: float) -> Names:
    """Execute the sources one after the other: a broken one does not stop those after it.

    None gets more than half of the seconds that are left, so that there are some for the last.
    """
    names: Names = {"__name__": "__main__", "display": lambda *_, **__: None}
    deadline = time.monotonic() + seconds
    for source in sources:
        try:
            with limited(max(0.1, (deadline - time.monotonic()) / 2)):
                exec(compile(source, "<answer>", "exec"), names)
        except BaseException:  # SystemExit too
            continue
    return names


def answer(names: Names, ask: dict[str, Any], seconds: float) -> tuple[list, str]:
    """Return the arrays that answer a question, or none and the name of an error."""
    settings = dict(ask)
    procedure = PROCEDURES[settings.pop("procedure")]
    if "my" in settings:  # the solution is asked for the numbers of each student
        names["my"] = Variant(**settings.pop("my"))
    try:
        with limited(seconds):
            return procedure(names, **settings), ""
    except BaseException as error:
        return [], type(error).__name__


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise EndlessError in code that takes longer and can be interrupted; the jail ends others."""

    def late(*_: object) -> None:
        raise EndlessError

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    seconds = float(sys.argv[1])
    npx.set_np()
    with os.fdopen(int(os.environ["RESULT"]), "wb", buffering=0) as result:
        result.write(frames.write(frames.STARTED))
        names = execute(json.loads(sys.stdin.readline()), seconds)
        result.write(frames.write(frames.READY))
        late = set()
        for number, of_answer, ask in json.loads(sys.stdin.readline()):
            if of_answer in late:  # one endless loop is waited for once
                arrays, error = [], EndlessError.__name__
            else:
                arrays, error = answer(names, ask, seconds)
            if error == EndlessError.__name__:
                late.add(of_answer)
            result.write(frames.write(number, arrays, error))
    os._exit(0)  # threads and handlers that were left behind have nothing to say


if __name__ == "__main__":
    main()
