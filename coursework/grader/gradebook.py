"""nbgrader around the grader: how it is set up here, and the steps that are taken with it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import sqlalchemy.exc
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
)
from traitlets.config import Config

from grader.assignment import AssignmentError
from grader.batch import Result
from grader.inject import InjectMarks

# nbgrader's own, at each student who is new; it says nothing to whoever grades.
warnings.filterwarnings("ignore", category=sqlalchemy.exc.SAWarning)
STUB = "raise NotImplementedError"


def config(course: Path) -> Config:
    """nbgrader's settings for a course: nothing of a submission is ever executed."""
    settings = Config()
    settings.CourseDirectory.root = str(course)
    settings.CourseDirectory.db_url = f"sqlite:///{course / 'gradebook.db'}"
    settings.ClearSolutions.code_stub = {"python": STUB}
    settings.ClearSolutions.text_stub = "*Write your answer here.*"
    settings.InjectMarks.folder = str(course / "marks")
    settings.Autograde.autograde_preprocessors = [
        InjectMarks,  # in the place of Execute
        *(IgnorePattern, LimitOutput, SaveAutoGrades, AssignLatePenalties, CheckCellMetadata),
    ]
    return settings


class Shell:
    """nbgrader, for one course and assignment."""

    def __init__(self, course: Path, assignment: str) -> None:
        self.course, self.assignment = course, assignment
        # nbgrader calls a program of its environment, alembic, to make the gradebook.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.api = NbGraderAPI(config=config(course))

    def release(self) -> Path:
        """Write the notebook for the students; return its path. Raises AssignmentError."""
        outcome = self.api.generate_assignment(self.assignment, force=True, create=True)
        if not outcome["success"]:
            raise AssignmentError(_reason(outcome))
        return self.course / "release" / self.assignment / f"{self.assignment}.ipynb"

    def enter(self, student: str, result: Result) -> str:
        """Enter a marked submission into the gradebook; return why that failed, or "".

        What has been entered already is left alone, and with it what a person has graded.
        """
        marks = self.course / "marks" / self.assignment
        stamp, notebook = marks / f"{student}.entered", (marks / f"{student}.ipynb").read_bytes()
        entered = json.dumps(result, sort_keys=True).encode() + notebook
        digest = hashlib.sha256(entered).hexdigest()
        if self._is_entered(student) and stamp.exists() and stamp.read_text() == digest:
            return ""
        folder = self.course / "submitted" / student / self.assignment
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.assignment}.ipynb").write_bytes(notebook)
        stamp.unlink(missing_ok=True)
        outcome = self.api.autograde(self.assignment, student, force=True, create=True)
        if not outcome["success"]:
            return _reason(outcome)
        stamp.write_text(digest)
        return ""

    def feedback(self, student: str) -> str:
        """Write a student's feedback as a page; return why that failed, or ""."""
        outcome = self.api.generate_feedback(self.assignment, student, force=True)
        return "" if outcome["success"] else _reason(outcome)

    def write_table(self, students: list[tuple[str, dict[str, float], str]]) -> None:
        """Write grades/ASSIGNMENT.csv: for each student the score so far, and what is to be known.

        `students` are names, points by answer, and remarks. To the score counts what a person has
        entered in formgrader.
        """
        path = self.course / "grades" / f"{self.assignment}.csv"
        path.parent.mkdir(exist_ok=True)
        answers = list(dict.fromkeys(answer for _, points, _ in students for answer in points))
        with (
            path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
            self._gradebook() as book,
        ):
            table = csv.writer(file)
            table.writerow(["student", "score", "of", *answers, "to grade by hand", "remark"])
            for student, points, remark in students:
                score, most, by_hand = _score(book, self.assignment, student)
                given = [points.get(answer, "") for answer in answers]
                table.writerow([student, score, most, *given, by_hand, remark])

    def _is_entered(self, student: str) -> bool:
        with self._gradebook() as book:
            return _score(book, self.assignment, student)[1] != ""

    def _gradebook(self) -> Gradebook:
        return Gradebook(self.api.coursedir.db_url)


def _score(book: Gradebook, assignment: str, student: str) -> tuple[Any, Any, str]:
    """Score, highest score, and whether a person has still to grade; blanks if not entered."""
    try:
        submission = book.find_submission(assignment, student)
    except MissingEntry:
        return "", "", ""
    by_hand = "yes" if submission.needs_manual_grade else "no"
    return submission.score, submission.max_score, by_hand


def _reason(outcome: dict) -> str:
    """The error that nbgrader has met, without the one that only refers to it."""
    said = f"{outcome.get('error', '')}\n{outcome.get('log', '')}"
    errors = [
        line.strip() for line in said.splitlines() if re.match(r" *[\w.]+(Error|Entry):", line)
    ]
    return errors[-1] if errors else f"nbgrader failed: {said.strip()}"
