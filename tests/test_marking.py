"""Marks that no submission can take for itself, break, or lose to somebody else's."""

import dataclasses
import json
import sysconfig
from pathlib import Path

import hostile
import pytest

from grader import jail, limits, marking, ready_made
from run_course import ROOT

SECONDS = 8
STUB = "class MyResidual(nn.Block):\n    raise NotImplementedError"
IMPORTS = "import numpy\nfrom mxnet import np, npx\nfrom mxnet.gluon import nn"
SAME = {"name": "MyResidual", "arguments": [8], "settings": {}, "shape": [2, 8, 7, 9]}
OTHER = {**SAME, "arguments": [16], "settings": {"use_1x1conv": True, "strides": 2}}

pytestmark = pytest.mark.skipif(
    bool(jail.missing_programs()), reason=f"this machine lacks {jail.missing_programs()}"
)


def outputs(title, points, setting, training):
    ask = {"procedure": "outputs", **setting, "seed": 7, "training": training}
    return marking.Question("block", title, points, ask)


ASSIGNMENT = marking.Assignment(
    stubs={"block": STUB},
    given={"checks.residual_block(MyResidual)"},
    solution=[IMPORTS, hostile.RIGHT],
    questions=[
        marking.Question("block", "parameters", 2, {"procedure": "parameters", **SAME}),
        outputs("the shape stays", 2, SAME, False),
        outputs("the shape stays, in training", 2, SAME, True),
        outputs("the shape changes", 2, OTHER, False),
        outputs("the shape changes, in training", 2, OTHER, True),
    ],
)


@pytest.fixture(scope="module")
def mark(tmp_path_factory):
    """Mark the text of an answer."""
    folder = tmp_path_factory.mktemp("grader")
    stripped = folder / "stripped"
    stripped.mkdir()
    shown = ready_made.binds(ROOT, Path(sysconfig.get_path("purelib")), stripped)
    for name in ("__init__", "frames", "worker"):
        shown[f"/course/grader/{name}.py"] = ROOT / "coursework" / "grader" / f"{name}.py"
    allowed = limits.read()
    short = jail.Jail(dataclasses.replace(allowed.jail, seconds=SECONDS), shown)
    answers = marking.expected(ASSIGNMENT, short)

    def mark(source):
        cells = [
            {"cell_type": "code", "source": IMPORTS, "metadata": {}},
            {
                "cell_type": "code",
                "source": source,
                "metadata": {"nbgrader": {"grade_id": "block"}},
            },
        ]
        path = folder / "ps1.ipynb"
        path.write_text(json.dumps({"nbformat": 4, "nbformat_minor": 5, "cells": cells}))
        return marking.mark(path, ASSIGNMENT, answers, short, allowed.file)

    return mark


@pytest.mark.parametrize("name", hostile.HOSTILE)
def test_a_submission_gets_exactly_its_points(mark, name):
    source, points = hostile.HOSTILE[name]
    marks = mark(source)
    assert len(marks.marks) == len(ASSIGNMENT.questions)
    assert marks.points == points, [given.why for given in marks.marks]
    assert all(given.why or given.points for given in marks.marks)
