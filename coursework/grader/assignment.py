"""An assignment as the grader needs it, from its source notebook, its release and its questions."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grader import graft
from grader.marking import Question

SETUP = "setup"  # the tag of a cell that is executed before every answer: imports
CHECK = "-check"  # what the id of an answer's check cell ends with


class AssignmentError(Exception):
    """The assignment itself is not ready; the message says what to do."""


@dataclass(frozen=True)
class Assignment:
    """The release, and of it the parts that grading needs.

    `stubs`, `checks` and `solution` are texts of cells by the grade id of the answer; `by_hand` are
    the ids of the answers that a person grades.
    """

    name: str
    release: NotebookNode
    setup: list[str]
    stubs: dict[str, str]
    checks: dict[str, str]
    solution: dict[str, str]
    by_hand: list[str]
    questions: list[Question]

    @property
    def setup_names(self) -> set[str]:
        """What is defined before any answer."""
        return {name for source in self.setup for name in graft.names(source)}

    @property
    def others(self) -> set[str]:
        """The ids of answers that a person grades, and the texts of cells that never change."""
        fixed = {cell.source.strip() for cell in self.release.cells if is_fixed(cell)}
        return {*fixed, *self.by_hand}


def names(course: Path) -> list[str]:
    """The assignments of a course."""
    return sorted(path.name for path in (course / "source").iterdir() if path.is_dir())


def load(course: Path, name: str) -> Assignment:
    """Return an assignment of a course. Raises AssignmentError."""
    source, release = (
        _notebook(course / folder / name / f"{name}.ipynb", name)
        for folder in ("source", "release")
    )
    questions = importlib.import_module(f"questions.{name}").QUESTIONS
    answers = [cell for cell in release.cells if nbgrader(cell).get("solution")]
    by_hand = [grade_id(cell) for cell in answers if nbgrader(cell).get("grade")]
    stubs = {grade_id(c): c.source for c in answers if grade_id(c) not in by_hand}
    cells = {grade_id(cell): cell.source for cell in source.cells}
    points = {grade_id(cell): nbgrader(cell).get("points") for cell in release.cells}
    asked = [answer for answer in stubs if answer + CHECK in points]
    _check_points(questions, {answer: points[answer + CHECK] for answer in asked})
    return Assignment(
        name=name,
        release=release,
        setup=[cell.source for cell in release.cells if _is_setup(cell)],
        stubs=stubs,
        checks={answer: cells[answer + CHECK] for answer in asked},
        solution={answer: cells[answer] for answer in stubs},
        by_hand=by_hand,
        questions=questions,
    )


def nbgrader(cell: NotebookNode) -> dict:
    """What nbgrader notes in a cell; nothing for most."""
    return cell.metadata.get("nbgrader", {})


def grade_id(cell: NotebookNode) -> str:
    """The id that nbgrader gave a cell, or ""."""
    return nbgrader(cell).get("grade_id", "")


def is_fixed(cell: NotebookNode) -> bool:
    """Whether a cell is not for students to change: it is locked, or run before every answer."""
    return _is_setup(cell) or bool(nbgrader(cell).get("locked"))


def _is_setup(cell: NotebookNode) -> bool:
    return SETUP in cell.metadata.get("tags", [])


def _notebook(path: Path, name: str) -> NotebookNode:
    if not path.is_file():
        raise AssignmentError(
            f"There is no {path}. Write the assignment in source/{name}/{name}.ipynb, then release "
            f"it: `make assignment ASSIGNMENT={name}`."
        )
    return nbformat.read(path, as_version=4)


def _check_points(questions: list[Question], points: dict[str, float | None]) -> None:
    """Raise AssignmentError unless the questions of each answer add up to its cell's points."""
    asked: Counter[str] = Counter()
    for question in questions:
        asked[question.grade_id] += question.points
    titles = Counter(question.title for question in questions)
    if doubled := [title for title, count in titles.items() if count > 1]:
        raise AssignmentError(f"Two questions have the title {doubled[0]!r}. Rename one of them.")
    if asked != Counter(points):  # which counts what is not there as 0: a check without points
        raise AssignmentError(
            f"The questions give the points {dict(asked)}, but the check cells of the released "
            f"notebook give {points}. Make them equal, and release the assignment again."
        )
