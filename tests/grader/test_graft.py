"""From a submission to the code that is graded, whatever has become of its cells."""

import pytest

from grader.graft import graft, names
from grader.statements import python
from grader.validate import Cell, RefusedError, Submission

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
    return graft(submission, STUBS, {CHECK, "by-hand"}, {"np"})


def test_answers_come_and_checks_and_what_a_person_grades_do_not():
    found = code(("block", BLOCK), CHECK, ("by-hand", "MyResidual = 3"), ("count", COUNT))
    assert found.answers == {"block": BLOCK, "count": COUNT}
    assert found.sources == (BLOCK, COUNT)


def test_what_the_answers_use_comes_along_and_what_these_use_in_the_order_of_the_notebook():
    block = "class MyResidual:\n    answer = helper(1)"
    helper = "import math\nimport os\n\n@cache\ndef helper(x):\n    return math.sqrt(x) * SCALE"
    found = code("from functools import cache", helper, "SCALE = OTHER = 2", ("block", block))
    assert found.helpers == (
        "from functools import cache",
        "import math",
        "@cache\ndef helper(x):\n    return math.sqrt(x) * SCALE",
        "SCALE = OTHER = 2",
    )
    assert found.sources == (*found.helpers, block)


def test_a_training_that_was_tried_out_does_not_come_along():
    found = code(("block", BLOCK), "history = fit(MyResidual)", "print(MyResidual)", "fit(1)")
    assert found.helpers == ()


def test_a_name_that_is_local_to_an_answer_is_not_looked_for_elsewhere():
    block = "class MyResidual:\n    def forward(self, X):\n        Y = X\n        return Y"
    assert code("net = X = Y = MyResidual()", ("block", block)).helpers == ()


def test_what_stands_behind_the_answers_comes_along_only_where_nothing_stood_before():
    block = "class MyResidual:\n    answer = np.zeros(later(scale))"
    last = "import numpy as np\nscale = 7\ndef later(x):\n    return x"
    found = code("scale = 5", ("block", block), last)
    assert found.sources == ("scale = 5", block, "def later(x):\n    return x")


def test_what_changes_an_answer_comes_along():
    forward = "def forward(self, X):\n    return X\nMyResidual.forward = forward\nother.forward = 1"
    assert code(("block", BLOCK), forward).sources == (
        BLOCK,
        "def forward(self, X):\n    return X",
        "MyResidual.forward = forward",
    )


def test_what_fills_a_helper_comes_along_each_time():
    block = "class MyResidual:\n    answer = widths"
    filled = "widths = []\nfor i in range(4):\n    widths.append(i)\nwidths += [2]\nwidths += [2]"
    assert "\n".join(code(filled, ("block", block)).helpers) == filled


@pytest.mark.parametrize(
    "forward",
    [
        "@d2l.add_to_class(MyResidual)\ndef forward(self, X):\n    return X",
        'setattr(MyResidual, "forward", print)',
    ],
)
def test_a_method_that_is_added_later_comes_along(forward):
    assert code(("block", BLOCK), forward).sources == (BLOCK, forward)


@pytest.mark.parametrize(
    "helper",
    [
        "(helper := 3)",
        "async def helper(): pass",
        "with open(1) as helper:\n    pass",
        "try:\n    import helper\nexcept ImportError:\n    helper = None",
        "first, *helper = 1, 2, 3",
        "class Other:\n    width = 1\nhelper: int = Other.width",
    ],
)
def test_a_name_can_be_bound_in_many_ways(helper):
    block = "class MyResidual:\n    answer = helper"
    assert "\n".join(code(helper, ("block", block)).helpers) == helper


def test_a_call_of_a_module_changes_nothing_that_is_graded():
    block = "class MyResidual:\n    answer = np.zeros(numpy.pi)"
    found = code("import numpy", "np.save(net)\nnumpy.save(fit(MyResidual))", ("block", block))
    assert found.helpers == ("import numpy",)


def test_helpers_within_a_condition_come_along():
    block = "class MyResidual:\n    answer = helper"
    helper = "if True:\n    def helper(): pass"
    assert code(helper, ("block", block)).helpers == (helper,)


def test_statements_that_share_a_line_come_along_once():
    block = "class MyResidual:\n    answer = a + b"
    assert code("a = 1; b = 2", ("block", block)).helpers == ("a = 1; b = 2",)


def test_an_import_of_all_names_comes_along():
    assert code("from math import *", ("block", BLOCK)).helpers == ("from math import *",)


def test_where_the_cell_of_an_answer_only_points_to_another_that_one_counts():
    assert code(("block", "# see below"), BLOCK).answers == {"block": BLOCK}


def test_a_stub_is_no_answer():
    assert code(("block", STUBS["block"]), ("count", COUNT)).answers == {"count": COUNT}


def test_deleted_metadata_are_made_up_for_by_names():
    assert code(BLOCK, COUNT).answers == {"block": BLOCK, "count": COUNT}


def test_of_a_doubled_cell_the_last_counts_that_is_more_than_the_stub():
    second = BLOCK.replace("1", "2")
    found = code(("block", BLOCK), ("block", second), ("block", STUBS["block"]))
    assert found.sources == (second,)


def test_an_answer_in_another_cell_is_found_while_the_stub_still_stands():
    assert code(("block", STUBS["block"]), BLOCK, ("count", COUNT)).answers["block"] == BLOCK


def test_text_cells_are_not_code():
    submission = Submission([Cell(False, BLOCK, "block")])
    assert graft(submission, STUBS, set(), set()).answers == {}


def test_lines_for_the_shell_and_magics_are_passed_over():
    source = "%matplotlib inline\n!rm -rf /\nfiles = !ls\nhelp?\nif x:\n    %time y\nx = 5 % 3"
    assert python(source) == "pass\npass\npass\npass\nif x:\n    pass\nx = 5 % 3"


def test_more_of_what_jupyter_takes():
    assert python("    a = 1\n    b = 2") == "a = 1\nb = 2"
    assert python("!pip install one \\\n    two\na = 1") == "pass\na = 1"
    height = "a = (1\n% height)\nhelp?"
    assert python(height) == "a = (1\n% height)\npass"


@pytest.mark.parametrize(
    "source",
    [
        "(\n" + " " * 90_000 + "\n(",
        "\n".join(f"a{i} = a{i + 1}" for i in range(4000)) + "\nMyResidual = a0",
        "x=1;" * 4000,
        "!a\n" * 20_000,
        "a\n" + " " * 90_000 + "x",
        " " * 90_000 + "= x",
        "(" * 90_000,
        "-" * 90_000 + "1",
        "a" + ".b" * 40_000,
        "if 1:\n" + "".join(" " * i + "if 1:\n" for i in range(1, 90)) + " " * 90 + "x = 1",
    ],
    ids=lambda source: source[:12],
)
@pytest.mark.timeout(60)  # a second or two; some took minutes
def test_strange_code_does_not_keep_the_grader_busy(source):
    code(("block", BLOCK), source, ("count", COUNT))


def test_more_statements_than_anybody_writes_are_refused():
    with pytest.raises(RefusedError, match="5000 statements"):
        code(*(20 * ["a;" * 400]))


def test_python_with_lines_that_look_like_magics_stays_as_it_is():
    source = 'text = """\n%d of\n!\n"""'
    assert python(source) == source


def test_text_that_is_no_python_defines_nothing():
    assert names("def broken(:") == set()
    assert names("x" * 10 + "(" * 10_000) == set()
    assert names("a = b = 1\nclass C: pass\ndef f(): pass") == {"a", "b", "C", "f"}
