"""Marking one submission: what each of its answers is worth, and why."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from grader import frames, graft, validate
from grader.compare import difference
from grader.frames import Frame
from grader.jail import Ending, Jail
from grader.limits import FileLimits

PROGRAM = ("-m", "grader.worker")


@dataclass(frozen=True)
class Question:
    """One thing that is asked of an answer: its title, its points, and what the worker is asked."""

    grade_id: str
    title: str
    points: float
    ask: dict[str, Any]


@dataclass(frozen=True)
class Assignment:
    """Stubs by grade id, the release's other code cells, the solution's code, and the questions."""

    stubs: dict[str, str]
    given: set[str]
    solution: list[str]
    questions: list[Question]


@dataclass(frozen=True)
class Mark:
    """The points for one question, and a sentence where they are not all."""

    question: Question
    points: float
    why: str = ""


@dataclass(frozen=True)
class Marks:
    """All marks of a submission; `refused` says why it could not be read."""

    marks: list[Mark] = field(default_factory=list)
    refused: str = ""

    @property
    def points(self) -> float:
        """The sum."""
        return sum(mark.points for mark in self.marks)


def expected(assignment: Assignment, jail: Jail) -> dict[int, Frame]:
    """Return what the instructor's solution answers, from the same jail.

    Raises ValueError where it leaves a question unanswered: that is a mistake of the assignment.
    """
    answers, _ = _ask(assignment.solution, assignment.questions, jail)
    for number, question in enumerate(assignment.questions):
        problem = difference(answers[number], answers[number]) if number in answers else "nothing"
        if problem:
            raise ValueError(f"The solution does not answer {question.title!r}: {problem}")
    return answers


def mark(
    path: Path, assignment: Assignment, answers: dict[int, Frame], jail: Jail, limits: FileLimits
) -> Marks:
    """Mark a submission. Whatever it does, the result has a mark for every question."""
    try:
        submission = validate.read(path, limits)
    except validate.RefusedError as error:
        zeros = [Mark(question, 0, str(error)) for question in assignment.questions]
        return Marks(zeros, str(error))
    found = graft.graft(submission, assignment.stubs, assignment.given)
    given, stopped = _ask(found.sources, assignment.questions, jail)
    marks = []
    for number, question in enumerate(assignment.questions):
        why = difference(answers[number], given.get(number), stopped)
        if question.grade_id in found.unanswered:
            why = "There is no answer: the cell is as it was handed out, or it is gone."
        marks.append(Mark(question, 0 if why else question.points, why))
    return Marks(marks)


def _ask(sources: list[str], questions: list[Question], jail: Jail) -> tuple[dict[int, Frame], str]:
    """Return the answers by number, and what stopped the code, or "".

    A question at which the code ends costs that question alone: the others are asked again, as
    long as there is time.
    """
    answers: dict[int, Frame] = {}
    open_numbers = list(range(len(questions)))
    stopped, left = "", float(jail.limits.seconds)
    while open_numbers and left >= 1:
        ending, seconds = _run(sources, questions, open_numbers, replace_seconds(jail, left))
        left -= seconds
        whole = frames.read(ending.result)
        answers.update({number: whole[number] for number in open_numbers if number in whole})
        unanswered = [number for number in open_numbers if number not in answers]
        stopped = stopped or ending.stopped
        open_numbers = unanswered[1:]
    return answers, stopped


def replace_seconds(jail: Jail, seconds: float) -> Jail:
    """The same jail with less time."""
    return replace(jail, limits=replace(jail.limits, seconds=int(seconds)))


def _run(
    sources: list[str], questions: list[Question], numbers: list[int], jail: Jail
) -> tuple[Ending, float]:
    job = {"sources": sources, "questions": [[n, questions[n].ask] for n in numbers]}
    started = time.monotonic()
    ending = jail.run(PROGRAM, json.dumps(job).encode())
    return ending, time.monotonic() - started
