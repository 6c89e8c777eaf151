"""Grading: what each kind of submission gets, and what none of them can do."""

import csv
import dataclasses
import json
import os
from pathlib import Path

import grade
import hostile
import nbformat
import pytest
import release

from grader import jail, limits
from run_course import ROOT

COURSEWORK = ROOT / "coursework"
BYSTANDERS = 10

pytestmark = pytest.mark.skipif(bool(jail.missing()), reason=jail.missing())


@pytest.fixture(scope="module")
def allowed():
    """The limits, but for less time: the submissions that use it all up are many."""
    usual = limits.read()
    return dataclasses.replace(
        usual, jail=dataclasses.replace(usual.jail, seconds=24, question_seconds=5)
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A folder like coursework/, with both problem sets released."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "source").symlink_to(COURSEWORK / "source")
    for name in ("ps1", "ps2"):
        release.release(folder, name, folder / "build")
    return folder


def solved(name, student, answers=()):
    """A notebook with the solutions of an assignment, or with other answers by grade id."""
    notebook = nbformat.read(COURSEWORK / "source" / name / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = dict(answers).get(cell.id, cell.source).replace("replace-me", student)
    return notebook


def hand_in(folder, name, student, notebook):
    """Put a student's notebook where it is collected; return its path."""
    path = folder / student / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(notebook), "utf-8")
    return path


def table(course, name):
    """The rows of the table of grades, by student."""
    with (course / "grades" / f"{name}.csv").open(encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def student_named(what):
    return "".join(letter if letter.isalnum() else "-" for letter in what)


@pytest.fixture(scope="module")
def hostile_batch(course, allowed, tmp_path_factory):
    """All hostile submissions, graded, with right ones in between; and what was there before."""
    folder = tmp_path_factory.mktemp("submissions")
    for what, (source, _) in hostile.ANSWERS.items():
        student = student_named(what)
        hand_in(folder, "ps1", student, solved("ps1", student, {"block": source}))
    for what, (change, _) in hostile.NOTEBOOKS.items():
        student = student_named(what)
        change(hand_in(folder, "ps1", student, solved("ps1", student)))
    ordered = sorted(path.name for path in folder.iterdir())
    step = len(ordered) // BYSTANDERS
    for number in range(BYSTANDERS):
        student = f"{ordered[number * step]}-bystander"
        hand_in(folder, "ps1", student, solved("ps1", student))
    problems = grade.grade(course, "ps1", folder, allowed)
    return problems, table(course, "ps1")


EXPECTED = {
    **{what: points for what, (_, points) in hostile.ANSWERS.items()},
    **{what: points for what, (_, points) in hostile.NOTEBOOKS.items()},
}


def test_there_are_at_least_60_hostile_broken_and_odd_submissions():
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("what", EXPECTED)
def test_a_submission_gets_exactly_its_points(hostile_batch, what):
    row = hostile_batch[1][student_named(what)]
    assert float(row["score"]) == EXPECTED[what], row


def test_bystanders_get_full_marks(hostile_batch):
    rows = [row for name, row in hostile_batch[1].items() if name.endswith("-bystander")]
    assert [float(row["score"]) for row in rows] == BYSTANDERS * [20]


def test_no_submission_is_left_out(hostile_batch):
    problems, rows = hostile_batch
    assert problems == []
    assert len(rows) == len(EXPECTED) + BYSTANDERS
    assert all(float(row["of"]) == 20 for row in rows.values())
