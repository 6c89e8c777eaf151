"""From a submission to the code that is graded, whatever has become of its cells."""

from grader.graft import graft, names
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
    submission = Submission([Cell("code", source, grade_id) for grade_id, source in pairs])
    return graft(submission, STUBS, {CHECK})


def test_answers_come_in_their_order_and_checks_do_not():
    found = code(("block", BLOCK), CHECK, ("count", COUNT))
    assert found.sources == [BLOCK, COUNT]
    assert found.unanswered == []


def test_imports_and_helpers_come_along():
    assert code("import math", ("block", BLOCK), "def helper(): pass").sources == [
        "import math",
        BLOCK,
        "def helper(): pass",
    ]


def test_a_stub_is_no_answer():
    found = code(("block", STUBS["block"]), ("count", COUNT))
    assert found.sources == [COUNT]
    assert found.unanswered == ["block"]


def test_deleted_metadata_are_made_up_for_by_names():
    found = code(BLOCK, COUNT)
    assert found.sources == [BLOCK, COUNT]
    assert found.unanswered == []


def test_of_a_doubled_cell_the_last_counts_that_is_more_than_the_stub():
    second = BLOCK.replace("1", "2")
    found = code(("block", BLOCK), ("block", second), ("block", STUBS["block"]))
    assert found.sources == [second]


def test_an_answer_in_another_cell_is_found_while_the_stub_still_stands():
    assert code(("block", STUBS["block"]), BLOCK, ("count", COUNT)).sources == [BLOCK, COUNT]


def test_text_cells_are_not_code():
    submission = Submission([Cell("markdown", BLOCK, "block")])
    assert graft(submission, STUBS, set()).unanswered == ["block", "count"]


def test_lines_for_the_shell_and_magics_are_passed_over():
    assert code("%matplotlib inline\n!rm -rf /\nx = 5 % 3").sources == ["pass\npass\nx = 5 % 3"]


def test_text_that_is_no_python_defines_nothing():
    assert names("def broken(:") == set()
    assert names("x" * 10 + "(" * 10_000) == set()
    assert names("a = b = 1\nclass C: pass\ndef f(): pass") == {"a", "b", "C", "f"}
