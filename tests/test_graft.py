"""From a submission to the code that is graded, whatever has become of its cells."""

from grader.graft import graft, names, python
from grader.validate import Cell, Submission

STUBS = {
    "block": "class MyResidual:\n    def __init__(self):\n        raise NotImplementedError",
    "count": "def my_count(channels):\n    raise NotImplementedError",
}
BLOCK = "class MyResidual:\n    answer = 1"
COUNT = "def my_count(channels):\n    return 9 * channels"
CHECK = "checks.residual_block(MyResidual)"


def code(*cells):
    """A submission's code for the stubs; cells are texts, or pairs of an id and a text."""
    pairs = [cell if isinstance(cell, tuple) else ("", cell) for cell in cells]
    submission = Submission([Cell(True, source, grade_id) for grade_id, source in pairs])
    return graft(submission, STUBS, {CHECK})


def test_answers_come_in_the_order_of_the_release_and_checks_do_not():
    found = code(("count", COUNT), CHECK, ("block", BLOCK))
    assert list(found.answers.items()) == [("block", BLOCK), ("count", COUNT)]
    assert found.sources == ["", BLOCK, COUNT]


def test_what_the_answers_use_comes_along_and_what_these_use():
    block = "class MyResidual:\n    answer = helper(1)"
    helper = "import math\nimport os\n\n@cache\ndef helper(x):\n    return math.sqrt(x) * SCALE"
    found = code("from functools import cache", ("block", block), helper, "SCALE = OTHER = 2")
    assert found.helpers == (
        "from functools import cache\nimport math\n"
        "@cache\ndef helper(x):\n    return math.sqrt(x) * SCALE\nSCALE = OTHER = 2"
    )


def test_a_training_that_was_tried_out_does_not_come_along():
    found = code(("block", BLOCK), "history = fit(MyResidual)", "print(MyResidual)", "fit(1)")
    assert found.helpers == ""


def test_helpers_within_a_condition_come_along():
    block = "class MyResidual:\n    answer = helper"
    helper = "if True:\n    def helper(): pass"
    assert code(("block", block), helper).helpers == helper


def test_an_import_of_all_names_comes_along():
    assert code(("block", BLOCK), "from math import *").helpers == "from math import *"


def test_a_stub_is_no_answer():
    assert code(("block", STUBS["block"]), ("count", COUNT)).answers == {"count": COUNT}


def test_deleted_metadata_are_made_up_for_by_names():
    assert code(BLOCK, COUNT).answers == {"block": BLOCK, "count": COUNT}


def test_of_a_doubled_cell_the_last_counts_that_is_more_than_the_stub():
    second = BLOCK.replace("1", "2")
    found = code(("block", BLOCK), ("block", second), ("block", STUBS["block"]))
    assert found.sources == ["", second]


def test_an_answer_in_another_cell_is_found_while_the_stub_still_stands():
    assert code(("block", STUBS["block"]), BLOCK, ("count", COUNT)).answers["block"] == BLOCK


def test_text_cells_are_not_code():
    submission = Submission([Cell(False, BLOCK, "block")])
    assert graft(submission, STUBS, set()).answers == {}


def test_lines_for_the_shell_and_magics_are_passed_over():
    source = "%matplotlib inline\n!rm -rf /\nfiles = !ls\nhelp?\nif x:\n    %time y\nx = 5 % 3"
    assert python(source) == "pass\npass\npass\npass\nif x:\n    pass\nx = 5 % 3"


def test_python_with_lines_that_look_like_magics_stays_as_it_is():
    source = 'text = """\n%d of\n!\n"""'
    assert python(source) == source


def test_text_that_is_no_python_defines_nothing():
    assert names("def broken(:") == set()
    assert names("x" * 10 + "(" * 10_000) == set()
    assert names("a = b = 1\nclass C: pass\ndef f(): pass") == {"a", "b", "C", "f"}
