"""nbgrader as the grader uses it: its settings, its gradebook, and the marks it is given.

nbgrader would execute a notebook to grade it. Here it executes nothing, also where somebody starts
its own autograding from formgrader: the grader has marked the submission before.
"""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import json
import os
import re
import sys
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import sqlalchemy.exc
from nbformat import NotebookNode
from nbgrader import api
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from traitlets import Unicode
from traitlets.config import Config

from grader import platforms
from grader.assignment import CHECK, AssignmentError, grade_id, nbgrader
from grader.batch import Result
from grader.platforms import Grade
from utils.setup import remedies

# nbgrader causes it with each new student; it tells the instructor nothing.
warnings.filterwarnings("ignore", category=sqlalchemy.exc.SAWarning)
STUB = "raise NotImplementedError"


class MissingMarksError(Exception):
    """A submission has not been marked; the message says how to mark it."""


class InjectMarks(NbGraderPreprocessor):
    """nbgrader's step in place of execution: gives each check cell its points and explanations."""

    folder = Unicode(help="where the marks are: ASSIGNMENT/STUDENT.json").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Put a student's marks into the notebook. Raises MissingMarksError."""
        assignment = resources["nbgrader"]["assignment"]
        path = Path(self.folder) / assignment / f"{resources['nbgrader']['student']}.json"
        if not path.exists():
            raise MissingMarksError(
                f"There is no {path}. Submissions are marked by `make grade "
                f"ASSIGNMENT={assignment} FROM=...`, and not by nbgrader."
            )
        result = json.loads(path.read_text("utf-8"))
        for cell in nb.cells:
            if nbgrader(cell).get("grade") and not nbgrader(cell).get("solution"):
                cell.outputs = _outputs(result, grade_id(cell).removesuffix(CHECK), cell.source)
        return nb, resources


def config(course: Path) -> Config:
    """Return nbgrader's settings for a course, with nothing that executes a submission."""
    settings = Config()
    settings.CourseDirectory.root = str(course)
    settings.CourseDirectory.db_url = f"sqlite:///{course / 'gradebook.db'}"
    settings.ClearSolutions.code_stub = {"python": STUB}
    settings.ClearSolutions.text_stub = "*Write your answer here.*"
    settings.InjectMarks.folder = str(course / "marks")
    settings.Autograde.autograde_preprocessors = [
        InjectMarks,  # in place of Execute
        IgnorePattern,
        LimitOutput,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    return settings


class Gradebook:
    """nbgrader's gradebook, release and feedback for one course and assignment."""

    def __init__(self, course: Path, assignment: str) -> None:
        self.course, self.assignment = course, assignment
        # To make the database, nbgrader calls alembic, a program of its environment.
        search = os.environ.get("PATH", os.defpath)
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), search])
        self._links = tempfile.TemporaryDirectory()
        self.api = NbGraderAPI(config=config(_plain(course, Path(self._links.name))))

    def release(self) -> Path:
        """Write the notebook for students; return its path. Raises AssignmentError."""
        outcome = self.api.generate_assignment(self.assignment, force=True, create=True)
        if not outcome["success"]:
            raise AssignmentError(_reason(outcome))
        return self.course / "release" / self.assignment / f"{self.assignment}.ipynb"

    def check(self) -> None:
        """Raise AssignmentError unless the gradebook can be used and knows the assignment."""
        path, name = self.course / "gradebook.db", self.assignment
        if path.is_file():
            with self._database() as database:
                if name in {assignment.name for assignment in database.assignments}:
                    return
        raise AssignmentError(
            f"{path} does not know {name}: it is new, or the old one has been deleted. Restore it, "
            f"or release {name} once more, `make assignment ASSIGNMENT={name}`; then grade again. "
            "Points that a person has entered are only in the old one."
        )

    def enter(self, student: str, result: Result) -> str:
        """Enter a marked submission; return why that failed, or "".

        A submission that has been entered before stays untouched, and so do its scores by hand.
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
        """Write a student's feedback page; return why that failed, or ""."""
        outcome = self.api.generate_feedback(self.assignment, student, force=True)
        return "" if outcome["success"] else _reason(outcome)

    def write_table(self, students: list[tuple[str, dict[str, float], str]]) -> None:
        """Write grades/ASSIGNMENT.csv, with a row for each student.

        `students` are names, points by answer, and remarks. The score includes points that a person
        has entered in formgrader.
        """
        path = self.course / "grades" / f"{self.assignment}.csv"
        path.parent.mkdir(exist_ok=True)
        answers = list(dict.fromkeys(answer for _, points, _ in students for answer in points))
        with (
            path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
            self._database() as database,
        ):
            table = csv.writer(file)
            table.writerow(["student", "score", "of", *answers, "to grade by hand", "remark"])
            for student, points, remark in students:
                score, highest, by_hand = _score(database, self.assignment, student)
                given = [points.get(answer, "") for answer in answers]
                table.writerow([student, score, highest, *given, by_hand, remark])

    def write_imports(self, results: dict[str, Result]) -> list[Path]:
        """Write grades/ASSIGNMENT-PLATFORM.csv for the platforms that students come from.

        Whoever still has answers to be graded by hand is left out: a platform takes what it gets
        for the whole grade. Returns the paths.
        """
        grades: dict[str, list[Grade]] = defaultdict(list)
        with self._database() as database:
            for student, result in results.items():
                score, highest, by_hand = _score(database, self.assignment, student)
                if by_hand == "no" and not result.get("failed"):
                    number = result.get("number", "")
                    grades[result.get("platform", "")].append(
                        Grade(student, number, score, highest)
                    )
        return platforms.write(self.course / "grades", self.assignment, grades)

    def _is_entered(self, student: str) -> bool:
        with self._database() as database:
            return _score(database, self.assignment, student)[1] != ""

    @contextlib.contextmanager
    def _database(self) -> Iterator[api.Gradebook]:
        """The gradebook. Raises AssignmentError where it cannot be read or written."""
        try:
            with api.Gradebook(self.api.coursedir.db_url) as database:
                yield database
        except sqlalchemy.exc.SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).rstrip(".")
            raise AssignmentError(
                f"{self.course / 'gradebook.db'} cannot be used: {reason}. Close formgrader if it "
                "is open, and look whether the file can be written. If it is damaged, restore it, "
                "or delete it and release the assignments once more."
            ) from error


def _plain(course: Path, links: Path) -> Path:
    """A path to the course in which nbgrader sees no pattern: it takes [b] and ? for such."""
    if glob.escape(str(course)) == str(course):
        return course
    link = links / "course"
    link.symlink_to(course.resolve())
    return link


def _outputs(result: Result, answer: str, check: str) -> list[NotebookNode]:
    """The explanations for a student, and the points as nbgrader reads them: a number."""
    marks = [mark for mark in result["marks"] if mark["answer"] == answer]
    lines, previous = [result["notes"][answer]] if answer in result["notes"] else [], ""
    for mark in marks:
        lines.append(f"{mark['points']:g} of {mark['of']:g}  {mark['title']}")
        if mark["why"]:
            lines.append(f"{'':8}{'As above.' if mark['why'] == previous else mark['why']}")
        previous = mark["why"]
    if mistake := result["diagnoses"].get(answer):
        call = check.splitlines()[-1]
        lines.append("Look first at: {mistake}.".format(mistake=mistake))
        lines.append("In your own notebook, {call} says more.".format(call=call))
    text = "\n".join(lines or ["This check gives no points."]) + "\n"
    points = {"text/plain": str(float(sum(mark["points"] for mark in marks)))}
    return [
        nbformat.v4.new_output("stream", name="stdout", text=text),
        nbformat.v4.new_output("execute_result", points, execution_count=1),
    ]


def _score(database: api.Gradebook, assignment: str, student: str) -> tuple[Any, Any, str]:
    """Score, highest possible score, and "yes" or "no" for manual grading; "" if not entered."""
    try:
        submission = database.find_submission(assignment, student)
    except api.MissingEntry:
        return "", "", ""
    by_hand = "yes" if submission.needs_manual_grade else "no"
    return submission.score, submission.max_score, by_hand


def _reason(outcome: dict) -> str:
    """The last error in nbgrader's log, and what to do where this machine is at fault."""
    said = f"{outcome.get('error', '')}\n{outcome.get('log', '')}"
    errors = [
        line.strip() for line in said.splitlines() if re.match(r" *[\w.]+(Error|Entry):", line)
    ]
    if not errors:
        return f"nbgrader failed: {said.strip()}"
    return f"{errors[-1]} {remedies.remedy(errors[-1])}".strip()
