"""Grading on other machines: folders of any name, poor locales, no home; and what says why not."""

import csv
import os
import shutil
import sqlite3
import subprocess
import sys

import pytest
from submissions import COURSEWORK, hand_in

import grade
import release
from grader import batch, gradebook, jail
from grader.assignment import AssignmentError
from notebooks import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course in a folder whose name has spaces, brackets and other letters."""
    home = tmp_path_factory.mktemp("somewhere") / "My Course? (2) [b] 课程 é"
    for folder in ("coursework", "utils"):
        shutil.copytree(ROOT / folder, home / folder, ignore=shutil.ignore_patterns(*LEFT))
    release.release(home / "coursework", "ps1", home / "build")
    return home / "coursework"


LEFT = ["__pycache__", "release", "submitted", "autograded", "feedback", "marks", "grades", "*.db"]


@pytest.fixture
def own(course, tmp_path):
    """A copy of that copy, to be spoiled."""
    graded = shutil.ignore_patterns("marks", "grades")  # by another test
    shutil.copytree(course, tmp_path / "own", ignore=graded)
    return tmp_path / "own"


# What works


def grade_elsewhere(course, handed_in, **variables):
    """Run the command with these environment variables and no others, and a closed umask."""
    command = [sys.executable, course / "grade.py", "ps1", handed_in]
    variables = {"PYTHONPATH": str(course.parent), "PYTHONUTF8": "1", **variables}
    return subprocess.run(command, env=variables, umask=0o077, capture_output=True, text=True)


@pytest.mark.xdist_group("jail")
@pytest.mark.skipif(bool(jail.missing()), reason=jail.missing())
@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "HOME": "/proc/nowhere"},
        {"LC_ALL": "xx_XX.ISO-8859-1", "PATH": os.environ["PATH"]},
    ],
    ids=["home that cannot be written", "locale that is not there"],
)
def test_a_batch_is_graded(course, tmp_path, variables):
    for student in ("张伟", "Zoë"):
        hand_in(tmp_path / "提交", "ps1", student)
    ended = grade_elsewhere(course, tmp_path / "提交", **variables)
    assert ended.returncode == 0, ended.stderr
    with (course / "grades" / "ps1.csv").open(encoding="utf-8") as file:
        rows = {row["student"]: row["score"] for row in csv.DictReader(file)}
    assert rows == {"张伟": "20.0", "Zoë": "20.0"}


# What is said where it cannot work


def deleted(path):
    path.unlink()


def damaged(path):
    path.write_bytes(b"This is not a database." * 99)


def emptied(path):
    path.write_bytes(b"")


def of_another_assignment(path):
    with sqlite3.connect(path) as book:
        book.execute("UPDATE assignment SET name = 'ps0'")


def replaced_by_a_folder(path):
    path.unlink()
    path.mkdir()


NEW = r"does not know ps1: .*`make assignment ASSIGNMENT=ps1`"


@pytest.mark.parametrize(
    ("spoil", "remedy"),
    [
        (deleted, NEW),
        (emptied, NEW),
        (of_another_assignment, NEW),
        (replaced_by_a_folder, NEW),
        (damaged, "file is not a database"),
    ],
)
def test_a_gradebook_that_cannot_be_used_is_named_before_anything_is_marked(own, spoil, remedy):
    spoil(own / "gradebook.db")
    with pytest.raises(AssignmentError, match=remedy):
        gradebook.Gradebook(own, "ps1").check()


def test_a_gradebook_that_another_program_has_locked_is_named(own):
    book = gradebook.Gradebook(own, "ps1")
    book.check()
    with sqlite3.connect(own / "gradebook.db") as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(AssignmentError, match=r"database is locked. Close formgrader"):
            book.write_table([("ada", {"block": 8}, "")])


def test_a_gradebook_that_has_been_lost_is_cured_as_its_message_says(own):
    deleted(own / "gradebook.db")
    release.release(own, "ps1", own / "build")
    gradebook.Gradebook(own, "ps1").check()


@pytest.mark.parametrize("what", ["marks", "grades"])
def test_a_folder_that_cannot_be_written_ends_grading_with_a_sentence(
    own, tmp_path, what, monkeypatch
):
    """A file in its place stands for a full disk and for a course on a disk for reading only."""
    (own / what).write_text("")
    hand_in(tmp_path / "in", "ps1", "ada")
    monkeypatch.setattr(grade, "COURSE", own)
    monkeypatch.setattr(grade, "missing", lambda: "")
    monkeypatch.setattr(grade, "make_jails", lambda *_: (None, None))
    monkeypatch.setattr(batch, "prepare", lambda *_: None)
    if what == "grades":
        monkeypatch.setattr(batch, "mark_all", lambda *_: {"ada": {"failed": "No reason."}})
    monkeypatch.setattr("sys.argv", ["grade.py", "ps1", str(tmp_path / "in")])
    with pytest.raises(
        SystemExit, match=rf"Grading has stopped. .*/{what}\b.*\n.*again: it resumes."
    ):
        grade.main()


@pytest.mark.skipif(os.getuid() != 0, reason="only root has other users for its jails")
def test_files_that_the_users_of_jails_cannot_read_are_named(tmp_path):
    for name, mode in (("open", 0o755), ("it's closed", 0o700)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "module.py").write_text("")
        folder.chmod(mode)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "module.py").touch(mode=0o600)
    sentence = jail.closed([tmp_path / name for name in ("open", "it's closed", "half")])
    command = sentence[sentence.index("`") + 1 : sentence.rindex("`")]
    assert str(tmp_path / "open") not in command
    assert str(tmp_path / "half") in command
    subprocess.run(command, shell=True, check=True)
    assert jail.closed(list(tmp_path.iterdir())) == ""


def test_the_course_itself_is_open_to_the_users_of_jails():
    assert jail.closed([ROOT / "utils", COURSEWORK / "jailed"]) == ""
