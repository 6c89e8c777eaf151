"""Marking one submission: ask its code in the jail, compare with the solution, give points.

The sentences that explain lost points reach the student. They hold no number of a hidden item, and
no text that the submission wrote.
"""

from __future__ import annotations

import builtins
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy

from grader import ready_made
from grader.answers import Answers
from grader.jail import Jail, JailError
from jailed import frames
from jailed.frames import Frame
from utils.student import VARIANTS, Variant

PROGRAM = ("-m", "jailed.program")
SHORTEST = 2  # seconds; with less left, starting a process is not worth it
MISTAKE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,-]{0,79}")  # its name, as the checks write it
RELATIVE, ABSOLUTE = 1e-3, 1e-4  # tolerances: float32, summed in another order

MISSING = "MissingError"  # what is asked for is not defined
OTHER_CELL = "{why} Another cell of the notebook cannot run. {reason}"
BEFORE = "Your code raised {error} before it defined what was asked for."
FOR_ANOTHER = (
    "This is the answer for the numbers of another student. Write the name under which you hand in "
    "into the cell `student`, and use the numbers that it then shows."
)
PATIENCE = 5  # times the limits for the solution: it ends, on a busy machine too
KNOWN_ERRORS = {
    "EndlessError": "Your code did not finish in time.",
    MISSING: "Your code ends before it defines what was asked for, or names it differently.",
    "NotImplementedError": "There is no answer yet: the code raises NotImplementedError.",
    ready_made.ERROR: "Your code uses a ready-made network or training. These are removed while "
    "answers are graded. Write your own.",
}

Request = dict[str, Any]  # a procedure of jailed/procedures.py, and its arguments
Judge = Callable[[Frame, Frame], str]  # from the solution's and a student's frame: what is wrong


def difference(expected: Frame, given: Frame) -> str:
    """Say how arrays differ from the solution's; "" if they are equal within a tolerance."""
    return _difference(expected, given, RELATIVE, ABSOLUTE)


def inequality(expected: Frame, given: Frame) -> str:
    """Say how whole numbers differ from the solution's; "" if all are equal."""
    return _difference(expected, given, 0, 0)


@dataclass(frozen=True)
class Item:
    """One thing that gives points: what is asked of an answer, and how it is judged.

    The right result of a `personal` item depends on the student's variant: the solution is asked
    once for each variant, with `my` set to it. `judge` compares a result with the solution's.
    """

    grade_id: str  # of the answer
    title: str
    points: float
    request: Request
    personal: bool = False
    judge: Judge = difference


@dataclass(frozen=True)
class Mark:
    """The points for one item, and a sentence on why they are not all.

    `ran` says that the code was run and returned, so that looking for its mistake makes sense.
    """

    item: Item
    points: float
    why: str = ""
    ran: bool = False


def expected(solution: list[str], items: list[Item], jail: Jail) -> list[dict[Variant, Frame]]:
    """Return the solution's frames for each item, by the student's variant.

    Raises ValueError where an item stays unanswered, which is a fault of the assignment, and
    JailError.
    """
    requests = [
        (item.title, item.request | ({"my": asdict(variant)} if item.personal else {}))
        for item in items
        for variant in (VARIANTS if item.personal else VARIANTS[:1])
    ]
    seconds, item_seconds = jail.limits.seconds, jail.limits.item_seconds
    patient = replace(jail.limits, seconds=PATIENCE * seconds, item_seconds=PATIENCE * item_seconds)
    answers, stopped = _ask(solution, requests, replace(jail, limits=patient))
    found: dict[str, list[Frame]] = {}
    for number, (title, _) in enumerate(requests):
        frame = answers.get(number)
        problem = unusable(frame) if frame else unanswered(stopped)
        if frame is None or problem:
            raise ValueError(f"The solution does not answer the item {title!r}. {problem}")
        found.setdefault(title, []).append(frame)
    return [dict(zip(VARIANTS, itertools.cycle(found[item.title]))) for item in items]


def mark(
    sources: list[str],
    answers: Answers,
    items: list[Item],
    solution: list[dict[Variant, Frame]],
    variant: Variant,
    jail: Jail,
) -> list[Mark]:
    """Mark a student's code. Whatever the code does, every item gets a mark. Raises JailError.

    `sources` are what runs before anything is asked, `solution` is what `expected` returns.
    """
    requests = [(item.grade_id, item.request) for item in items]
    given, stopped = _ask(sources, requests, jail) if answers.cells else ({}, "")
    marks = []
    for number, item in enumerate(items):
        frame = given.get(number)
        if item.grade_id not in answers.cells:
            why = answers.problems[item.grade_id]
        elif frame is None:
            why = unanswered(stopped)
        else:
            why = _verdict(item, solution[number], frame, variant)
            if why and item.grade_id in answers.problems:
                why = answers.problems[item.grade_id]
            elif frame.error in ("NameError", MISSING) and answers.broken:
                why = OTHER_CELL.format(why=why, reason=answers.broken)
        ran = frame is not None and frame.error not in KNOWN_ERRORS
        marks.append(Mark(item, 0 if why else item.points, why, ran))
    return marks


def diagnoses(sources: list[str], checks: dict[str, str], jail: Jail) -> dict[str, str]:
    """Return the mistakes that the notebook's own checks find, by the grade id of the answer.

    `checks` are the texts of the check cells. Students have them too, so this jail may hold the
    whole toolbox. The submission could answer in a check's place: only what looks like the name of
    a mistake is passed on. Raises JailError.
    """
    requests = [
        (grade_id, {"procedure": "diagnosis", "check": check}) for grade_id, check in checks.items()
    ]
    answers, _ = _ask(sources, requests, jail)
    names = {grade_id: answers[i].text for i, grade_id in enumerate(checks) if i in answers}
    return {grade_id: name for grade_id, name in names.items() if MISTAKE.fullmatch(name)}


def unanswered(stopped: str = "") -> str:
    """Say that an item got no answer. `stopped` is a sentence on what ended the code, or ""."""
    return f"Your code gave no answer. {stopped}".strip()


def unusable(given: Frame) -> str:
    """Say why a frame holds nothing to compare; "" if it does."""
    if given.error == MISSING and given.text:  # what ended the code before
        if given.text in KNOWN_ERRORS:
            return KNOWN_ERRORS[given.text]
        return BEFORE.format(error=_named(given.text))
    if given.error in KNOWN_ERRORS:
        return KNOWN_ERRORS[given.error]
    if given.error:
        return "Your code raised {error}.".format(error=_named(given.error))
    if not all(numpy.isfinite(array).all() for array in given.arrays):
        return "Some of the numbers are not finite."
    return ""


def _verdict(item: Item, solution: dict[Variant, Frame], given: Frame, variant: Variant) -> str:
    """Say why an answer is wrong; "" if it is right."""
    if why := unusable(given):
        return why
    why = item.judge(solution[variant], given)
    if why and item.personal and any(not item.judge(each, given) for each in solution.values()):
        return FOR_ANOTHER
    return why


def _difference(expected: Frame, given: Frame, relative: float, absolute: float) -> str:
    if [a.shape for a in expected.arrays] != [a.shape for a in given.arrays]:
        return "The result has the wrong shape."
    right, found = (
        numpy.concatenate([array.ravel() for array in frame.arrays]) for frame in (expected, given)
    )
    close = numpy.isclose(found, right, rtol=relative, atol=absolute)
    if close.all():
        return ""
    if close.size == 1:
        return "The number is wrong."
    if close.mean() < 0.01:
        return "Fewer than 1% of the numbers are right."
    percent = int(100 * close.mean())
    return "Only {percent}% of the numbers are right.".format(percent=percent)


def _named(error: str) -> str:
    """The name of an error that everybody has. Another could carry a message out of the jail."""
    kind = getattr(builtins, error, None)
    is_known = isinstance(kind, type) and issubclass(kind, BaseException)
    return error if is_known or error == "MXNetError" else "an error"


def _ask(
    sources: list[str], requests: list[tuple[str, Request]], jail: Jail
) -> tuple[dict[int, Frame], str]:
    """Run code in the jail; return its frames by request, and a sentence on what stopped it, or "".

    `requests` are pairs of an answer and what is asked of it. Where code ends or hangs at a
    request, the other requests to this answer are lost. Those to other answers go to a new process,
    as long as there is time.
    """
    answers: dict[int, Frame] = {}
    pending = list(range(len(requests)))
    stopped, left = "", float(jail.limits.seconds)
    places = {of_answer: place for place, (of_answer, _) in enumerate(requests)}
    while pending and left >= SHORTEST:
        limited = replace(jail, limits=replace(jail.limits, seconds=max(SHORTEST, int(left / 2))))
        asked = [(number, places[requests[number][0]], requests[number][1]) for number in pending]
        job = f"{json.dumps(sources)}\n{json.dumps(asked)}\n"
        ending = limited.run([*PROGRAM, str(jail.limits.item_seconds)], job.encode())
        left -= ending.seconds
        found = frames.read(ending.result, {*pending, frames.STARTED, frames.READY})
        if frames.STARTED not in found and len(pending) == len(requests):
            raise JailError(
                f"The program in the jail did not start. {ending.stopped} {ending.printed[-500:]}"
            )
        answers |= {number: found[number] for number in pending if number in found}
        stopped = stopped or ending.stopped
        rest = [number for number in pending if number not in answers]
        pending = [n for n in rest if requests[n][0] != requests[rest[0]][0]]
        if frames.READY not in found:  # it ends before anything is asked
            break
    return answers, stopped
