"""Notebooks as students hand them in, for the tests of grading."""

import csv
import json
import shutil
import sys
from pathlib import Path

import nbformat

import release
from notebooks import ROOT

COURSEWORK = ROOT / "coursework"


def release_both(folder):
    """Release both problem sets in a copy of coursework/; return the copy."""
    shutil.copytree(COURSEWORK / "source", folder / "source")
    for name in ("ps1", "ps2"):
        release.release(folder, name, folder / "build")
    return folder


def solved(name, student, answers=()):
    """Return a notebook with an assignment's solutions; `answers` replaces some, by grade id."""
    notebook = nbformat.read(COURSEWORK / "source" / name / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.source = dict(answers).get(cell.id, cell.source)
        if cell.cell_type == "code":
            cell.source = cell.source.replace("replace-me", student)
    return notebook


def hand_in(folder, name, student, answers=()):
    """Write a student's notebook to a folder of submissions; return its path."""
    path = folder / student / f"{name}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(solved(name, student, answers)), "utf-8")
    return path


def student_named(what):
    """Return a student name made from the description of a submission."""
    return "".join(letter if letter.isalnum() else "-" for letter in what)


def table(course, name):
    """Return the rows of the table of grades, by student."""
    with (course / "grades" / f"{name}.csv").open(encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def contents(folder):
    """Return the contents of all files below a folder, by path."""
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def processes():
    """Return the command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode("utf-8", "replace"))
        except OSError:  # the process has just ended
            continue
    assert any(sys.executable in line or "python" in line for line in found)
    return found
