"""Reading what is handed in: every notebook, and a sentence for everything else."""

import json
import os

import pytest

from grader import limits, validate

LIMITS = limits.read().file
CELL = {
    "cell_type": "code",
    "source": ["a = 1\n", "a"],
    "metadata": {"nbgrader": {"grade_id": "block", "solution": True}},
}


def notebook(**changed):
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [CELL], **changed}
    )


def hand_in(folder, contents, name="ps1.ipynb"):
    path = folder / name
    path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    return validate.read(path, LIMITS)


def test_a_notebook_gives_its_cells(tmp_path):
    (cell,) = hand_in(tmp_path, notebook()).cells
    assert cell == validate.Cell(True, "a = 1\na", "block")


@pytest.mark.parametrize("metadata", [{}, None, {"nbgrader": 3}, {"nbgrader": {"grade_id": [1]}}])
def test_stripped_metadata_leave_the_text(tmp_path, metadata):
    (cell,) = hand_in(tmp_path, notebook(cells=[{**CELL, "metadata": metadata}])).cells
    assert cell == validate.Cell(True, "a = 1\na")


def test_a_cell_with_the_packed_toolbox_is_passed_over(tmp_path):
    (cell,) = hand_in(tmp_path, notebook(cells=[{**CELL, "source": "x" * (2**20)}])).cells
    assert cell.source == ""


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("{", "JSON is broken"),
        ("[" * 100_000, "JSON is broken"),
        ("[]", "not a notebook of format 4"),
        (notebook(nbformat=3), "not a notebook of format 4"),
        (notebook(cells={}), "no list of cells"),
        (notebook(cells=[1]), "no list of cells"),
        (notebook(cells=[CELL] * 1001), "1001 cells"),
        (notebook(cells=[{**CELL, "source": "x" * 90_000}] * 12), "more than 1000 kB"),
        (notebook(cells=[{**CELL, "source": [1]}]), "not text"),
        (notebook(cells=[{**CELL, "source": 7}]), "not text"),
        (notebook().encode("utf-16"), "not UTF-8"),
        (b"PK\x03\x04" + bytes(100), "JSON is broken"),
        (notebook(cells=[{**CELL, "source": "x" * (11 * 2**20)}]), "larger than 10 MB"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_notebook_is_refused_in_a_sentence(tmp_path, contents, reason):
    with pytest.raises(validate.RefusedError, match=reason) as refusal:
        hand_in(tmp_path, contents)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    "name", ["ps1.py", ".ipynb", "-rf.ipynb", "ps1\n.ipynb", "..\\ps1.ipynb", "a;b.ipynb"]
)
def test_a_name_of_another_kind_is_refused(tmp_path, name):
    with pytest.raises(validate.RefusedError, match="The name"):
        hand_in(tmp_path, notebook(), name)


@pytest.mark.parametrize("name", ["ps1 (1).ipynb", "Lösung.ipynb", "Lo\u0308sung.ipynb"])
def test_a_name_that_browsers_and_students_give_is_none(tmp_path, name):
    assert hand_in(tmp_path, b"\xef\xbb\xbf" + notebook().encode(), name).cells


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text(notebook())
    (tmp_path / "ps1.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(validate.RefusedError, match="cannot be read"):
        validate.read(tmp_path / "ps1.ipynb", LIMITS)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_only_a_file_is_read(tmp_path, make):
    make(tmp_path / "ps1.ipynb")
    with pytest.raises(validate.RefusedError, match="not a file"):
        validate.read(tmp_path / "ps1.ipynb", LIMITS)
