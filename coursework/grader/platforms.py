"""Grades in the form in which learning platforms import them.

Both platforms name a student by the number that they have put into the name of the submission.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

Row = Sequence[object]


@dataclass(frozen=True)
class Grade:
    """A student's score, and the highest possible one; `number` is the platform's for them."""

    student: str
    number: str
    score: float
    highest: float


def moodle(grades: list[Grade], assignment: str) -> list[Row]:
    """Return the rows of a grading worksheet, which Moodle's assignment imports.

    It needs these three columns, by their English names. A participant is not their user number.
    """
    head = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)"]
    return [
        head,
        *([f"Participant {g.number}", g.student, g.score, g.highest, "-"] for g in grades),
    ]


def canvas(grades: list[Grade], assignment: str) -> list[Row]:
    """Return the rows of a table that Canvas's gradebook imports.

    The columns before the assignment stand in this order. Canvas finds a student by ID, and an
    assignment by its name; the second row says how many points it gives.
    """
    highest = max((g.highest for g in grades), default=0)
    student = ["SIS User ID", "SIS Login ID", "Section"]
    empty = ["" for _ in student]
    return [
        ["Student", "ID", *student, assignment],
        ["    Points Possible", "", *empty, highest],
        *([g.student, g.number, *empty, g.score] for g in grades),
    ]


# By the name of the platform: what makes the rows of its table.
FORMS: dict[str, Callable[[list[Grade], str], list[Row]]] = {"moodle": moodle, "canvas": canvas}


def write(folder: Path, assignment: str, grades: dict[str, list[Grade]]) -> list[Path]:
    """Write ASSIGNMENT-PLATFORM.csv for each platform with grades; return the paths.

    A table of an earlier run that has no grades any more is removed.
    """
    written = []
    for platform, form in FORMS.items():
        path = folder / f"{assignment}-{platform}.csv"
        path.unlink(missing_ok=True)
        if grades.get(platform):
            with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
                csv.writer(file).writerows(form(grades[platform], assignment))
            written.append(path)
    return written
