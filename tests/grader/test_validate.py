"""Notebooks that are handed in are read; everything else is refused with a sentence."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
def test_without_metadata_the_text_is_read(tmp_path, metadata):
    (cell,) = hand_in(tmp_path, notebook(cells=[{**CELL, "metadata": metadata}])).cells
    assert cell == validate.Cell(True, "a = 1\na")


def test_a_cell_with_the_packed_toolbox_is_skipped(tmp_path):
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
def test_anything_but_a_notebook_is_refused_with_a_sentence(tmp_path, contents, reason):
    with pytest.raises(validate.RefusedError, match=reason) as refusal:
        hand_in(tmp_path, contents)
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("name", ["ps1 (1).ipynb", "Lo\u0308sung", "..\\ps1;rm -rf.ipynb", "\n"])
def test_the_name_of_a_file_does_not_matter(tmp_path, name):
    assert hand_in(tmp_path, b"\xef\xbb\xbf" + notebook().encode(), name).cells


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text(notebook())
    (tmp_path / "ps1.ipynb").symlink_to(tmp_path / "secret")
    with pytest.raises(validate.RefusedError, match="cannot be read"):
        validate.read(tmp_path / "ps1.ipynb", LIMITS)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_only_a_regular_file_is_read(tmp_path, make):
    make(tmp_path / "ps1.ipynb")
    with pytest.raises(validate.RefusedError, match="not a file"):
        validate.read(tmp_path / "ps1.ipynb", LIMITS)


# Properties

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=5,
)
LINES = st.text(max_size=9) | st.lists(st.text(max_size=9), max_size=3)
METADATA = st.fixed_dictionaries({"nbgrader": VALUES | st.fixed_dictionaries({"grade_id": VALUES})})
CELLS = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.just("code") | VALUES,
        "source": LINES | VALUES,
        "metadata": METADATA | VALUES,
        "outputs": st.lists(VALUES, max_size=3) | VALUES,
    },
)
NOTEBOOKS = st.fixed_dictionaries(
    {"nbformat": st.just(4) | VALUES, "cells": st.lists(CELLS | VALUES, max_size=4) | VALUES}
)
CONTENTS = st.one_of(
    st.binary(max_size=60),
    VALUES.map(lambda value: json.dumps(value).encode()),
    NOTEBOOKS.map(lambda notebook: json.dumps(notebook).encode()),
    st.text(max_size=60).map(lambda text: text.encode("utf-16", "surrogatepass")),
)


@given(contents=CONTENTS)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # one file, written anew
)
def test_any_contents_are_read_or_refused(tmp_path, contents):
    cells, refusal = [], "It was read."
    try:
        cells = hand_in(tmp_path, contents).cells
    except validate.RefusedError as error:
        refusal = str(error)
    assert refusal.endswith(".")
    for cell in cells:
        assert isinstance(cell.is_code, bool)
        assert isinstance(cell.grade_id, str)
        cell.source.encode()  # no lone surrogates, which no file could hold
