"""Marking one submission: what each of its answers is worth, and why."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from grader import compare
from grader.jail import Jail, JailError
from jailed import frames
from jailed.frames import Frame
from utils.student import VARIANTS, Variant

PROGRAM = ("-m", "jailed.worker")
SHORTEST = 2  # seconds: less is not worth a start
LONGEST_NAME = 80  # of a mistake
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,-]*")
NO_ANSWER = "There is no answer: the cell is as it was handed out, or it is gone."
FOR_ANOTHER = (
    "This is the answer for the numbers of another student. Write the name under which you hand in "
    "into the cell `student`, and use the numbers that it then shows."
)

Ask = dict[str, Any]
Judge = Callable[[Frame, Frame], str]  # of the solution, of a student: what is wrong, or ""


@dataclass(frozen=True)
class Question:
    """One thing that is asked of an answer: its title, its points, and what the worker is asked.

    The answer to an `own` question depends on the student's variant: for the solution, `my` is set
    to each. `judge` holds an answer against that of the solution.
    """

    grade_id: str
    title: str
    points: float
    ask: Ask
    own: bool = False
    judge: Judge = compare.difference


@dataclass(frozen=True)
class Mark:
    """The points for one question, and a sentence where they are not all.

    `ran` says that the code was asked and came back, so that its mistake can be looked for.
    """

    question: Question
    points: float
    why: str = ""
    ran: bool = False


def expected(
    solution: list[str], questions: list[Question], jail: Jail
) -> list[dict[Variant, Frame]]:
    """Return what the instructor's solution answers to each question, by the student's variant.

    Raises ValueError where it leaves a question unanswered: that is a mistake of the assignment.
    """
    asks = [
        (question.title, {**question.ask, "my": asdict(variant)} if question.own else question.ask)
        for question in questions
        for variant in (VARIANTS if question.own else VARIANTS[:1])
    ]
    answers, stopped = _ask(solution, asks, jail)
    for number, (title, _) in enumerate(asks):
        if problem := compare.unanswered(answers.get(number), stopped):
            raise ValueError(f"The solution does not answer the question {title!r}: {problem}")
    found: dict[str, list[Frame]] = {}
    for number, (title, _) in enumerate(asks):
        found.setdefault(title, []).append(answers[number])
    return [dict(zip(VARIANTS, itertools.cycle(found[each.title]))) for each in questions]


def mark(
    sources: list[str],
    answered: Collection[str],
    questions: list[Question],
    solution: list[dict[Variant, Frame]],
    variant: Variant,
    jail: Jail,
) -> list[Mark]:
    """Mark a student's code. Whatever it does, the result has a mark for every question.

    `answered` are the grade ids of the cells with an answer, `solution` is what `expected` returns.
    """
    asks = [(question.grade_id, question.ask) for question in questions]
    given, stopped = _ask(sources, asks, jail) if answered else ({}, "")
    marks = []
    for number, question in enumerate(questions):
        frame, why = given.get(number), NO_ANSWER
        if question.grade_id in answered:
            why = _verdict(question, solution[number], frame, variant, stopped)
        ran = frame is not None and frame.error not in compare.KNOWN_ERRORS
        marks.append(Mark(question, 0 if why else question.points, why, ran))
    return marks


def diagnoses(sources: list[str], checks: dict[str, str], jail: Jail) -> dict[str, str]:
    """Return the mistake that the notebook's own check names, by the grade id of the answer.

    `checks` are the texts of the check cells, which every student has: the jail holds nothing that
    is to be kept from them. Since their code could speak in the place of the check, a name is
    believed that has nothing but letters, in the length of a name.
    """
    asks = [
        (grade_id, {"procedure": "diagnosis", "check": check}) for grade_id, check in checks.items()
    ]
    answers, _ = _ask(sources, asks, jail)
    found = {}
    for number, grade_id in enumerate(checks):
        arrays = answers[number].arrays if number in answers else []
        letters = [letter for array in arrays for letter in array.ravel()[:LONGEST_NAME].tolist()]
        name = "".join(chr(int(letter)) for letter in letters[:LONGEST_NAME] if 32 <= letter < 128)
        if NAME.fullmatch(name):
            found[grade_id] = name
    return found


def _verdict(
    question: Question,
    solution: dict[Variant, Frame],
    given: Frame | None,
    variant: Variant,
    stopped: str,
) -> str:
    """Why an answer is not right, in a sentence; "" if it is."""
    if why := compare.unanswered(given, stopped):
        return why
    why = question.judge(solution[variant], given)
    if why and question.own and any(not question.judge(f, given) for f in solution.values()):
        return FOR_ANOTHER
    return why


def _ask(
    sources: list[str], asks: list[tuple[str, Ask]], jail: Jail
) -> tuple[dict[int, Frame], str]:
    """Return the answers by number, and what stopped the code, or "".

    `asks` are pairs: of which answer something is asked, and what. Where the code ends or does not
    come back, the other questions about this answer are lost, and those about the others are asked
    in a new process, as long as there is time.
    """
    answers: dict[int, Frame] = {}
    unasked = list(range(len(asks)))
    stopped, left = "", float(jail.limits.seconds)
    places = {of_answer: place for place, (of_answer, _) in enumerate(asks)}
    while unasked and left >= SHORTEST:
        started = time.monotonic()
        limited = replace(jail, limits=replace(jail.limits, seconds=max(SHORTEST, int(left / 2))))
        questions = [(number, places[asks[number][0]], asks[number][1]) for number in unasked]
        job = f"{json.dumps(sources)}\n{json.dumps(questions)}\n"
        ending = limited.run([*PROGRAM, str(jail.limits.question_seconds)], job.encode())
        left -= time.monotonic() - started
        found = frames.read(ending.result, {*unasked, frames.STARTED, frames.READY})
        if frames.STARTED not in found and len(unasked) == len(asks):
            raise JailError(f"The worker did not start: {ending.stopped} {ending.printed[-500:]}")
        answers |= {number: found[number] for number in unasked if number in found}
        stopped = stopped or ending.stopped
        rest = [number for number in unasked if number not in answers]
        unasked = [number for number in rest if asks[number][0] != asks[rest[0]][0]]
        if frames.READY not in found:  # it ends before anything is asked
            break
    return answers, stopped
