"""An assignment as the grader needs it: from its source notebook, its release and its items."""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from grader import answers
from grader.marking import Item

SETUP = "setup"  # tag of cells that run before all answers: imports
CHECK = "-check"  # ends the id of an answer's check cell


class AssignmentError(Exception):
    """An assignment is not ready; the message tells its author what to do."""


@dataclass(frozen=True)
class Assignment:
    """The release, and the parts of it that grading needs.

    `stubs`, `checks` and `solution` are texts of cells by the grade id of their answer. `by_hand`
    are the ids of the answers that a person grades.
    """

    name: str
    release: NotebookNode
    setup: list[str]
    stubs: dict[str, str]
    checks: dict[str, str]
    solution: dict[str, str]
    by_hand: list[str]
    items: list[Item]

    @property
    def setup_names(self) -> set[str]:
        """The names defined before any answer."""
        return {name for source in self.setup for name in answers.names(source)}

    @property
    def ignored(self) -> set[str]:
        """The ids of answers graded by hand, and the texts of cells that never change."""
        fixed = {cell.source.strip() for cell in self.release.cells if is_fixed(cell)}
        return {*fixed, *self.by_hand}


def names(course: Path) -> list[str]:
    """Return the names of a course's assignments."""
    return sorted(path.name for path in (course / "source").iterdir() if path.is_dir())


def load(course: Path, name: str) -> Assignment:
    """Return a released assignment. Raises AssignmentError."""
    source, release = (
        _notebook(course / folder / name / f"{name}.ipynb", name)
        for folder in ("source", "release")
    )
    items = importlib.import_module(f"items.{name}").ITEMS
    written = [cell for cell in release.cells if nbgrader(cell).get("solution")]
    by_hand = [grade_id(cell) for cell in written if nbgrader(cell).get("grade")]
    stubs = {grade_id(cell): cell.source for cell in written if grade_id(cell) not in by_hand}
    cells = {grade_id(cell): cell.source for cell in source.cells}
    points = {grade_id(cell): nbgrader(cell).get("points") for cell in release.cells}
    asked = [answer for answer in stubs if answer + CHECK in points]
    _check_points(items, {answer: points[answer + CHECK] for answer in asked})
    return Assignment(
        name=name,
        release=release,
        setup=[cell.source for cell in release.cells if _is_setup(cell)],
        stubs=stubs,
        checks={answer: cells[answer + CHECK] for answer in asked},
        solution={answer: cells[answer] for answer in stubs},
        by_hand=by_hand,
        items=items,
    )


def nbgrader(cell: NotebookNode) -> dict:
    """Return nbgrader's metadata of a cell; most cells have none."""
    return cell.metadata.get("nbgrader", {})


def grade_id(cell: NotebookNode) -> str:
    """Return the id that nbgrader gave a cell, or ""."""
    return nbgrader(cell).get("grade_id", "")


def is_fixed(cell: NotebookNode) -> bool:
    """Whether students must not change a cell: it is locked, or belongs to the setup."""
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


def _check_points(items: list[Item], points: dict[str, float | None]) -> None:
    """Raise AssignmentError unless each answer's items add up to its check cell's points."""
    total: dict[str, float] = dict.fromkeys(points, 0)  # a check may give none
    for item in items:
        total[item.grade_id] = total.get(item.grade_id, 0) + item.points
    titles = Counter(item.title for item in items)
    if doubled := [title for title, count in titles.items() if count > 1]:
        raise AssignmentError(f"Two items have the title {doubled[0]!r}. Rename one of them.")
    if total != points:
        raise AssignmentError(
            f"The items give the points {total}, but the check cells of the released "
            f"notebook give {points}. Make them equal, and release the assignment again."
        )
