"""The code to grade is found in a submission, whatever has become of its cells."""

import re
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from grader.answers import find, names
from grader.statements import python
from grader.validate import Cell, RefusedError, Submission
from grader.validate import text_of as text_of_notebook

STUBS = {
    "block": "class MyResidual:\n    def __init__(self):\n        raise NotImplementedError",
    "count": "def my_count(channels):\n    raise NotImplementedError",
}
BLOCK = "class MyResidual:\n    answer = 1"
COUNT = "def my_count(channels):\n    return 9 * channels"
CHECK = "checks.residual_block(MyResidual)"


def code(*cells):
    """The answers in a submission. Cells are texts, or pairs of an id and a text."""
    pairs = [cell if isinstance(cell, tuple) else ("", cell) for cell in cells]
    submission = Submission([Cell(True, source, grade_id) for grade_id, source in pairs])
    return find(submission, STUBS, {CHECK, "by-hand"}, {"np"})


def test_answers_are_found_without_checks_and_what_a_person_grades():
    found = code(("block", BLOCK), CHECK, ("by-hand", "MyResidual = 3"), ("count", COUNT))
    assert found.cells == {"block": BLOCK, "count": COUNT}
    assert found.sources == (BLOCK, COUNT)


def test_helpers_and_their_helpers_come_in_the_order_of_the_notebook():
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


def test_a_training_that_was_tried_out_is_left_behind():
    found = code(("block", BLOCK), "history = fit(MyResidual)", "print(MyResidual)", "fit(1)")
    assert found.helpers == ()


def test_a_local_name_of_an_answer_is_not_looked_up_in_other_cells():
    block = "class MyResidual:\n    def forward(self, X):\n        Y = X\n        return Y"
    assert code("net = X = Y = MyResidual()", ("block", block)).helpers == ()


def test_statements_after_the_answers_count_only_for_names_that_were_unbound():
    block = "class MyResidual:\n    answer = np.zeros(later(scale))"
    last = "import numpy as np\nscale = 7\ndef later(x):\n    return x"
    found = code("scale = 5", ("block", block), last)
    assert found.sources == ("scale = 5", block, "def later(x):\n    return x")


def test_statements_that_change_an_answer_are_kept():
    forward = "def forward(self, X):\n    return X\nMyResidual.forward = forward\nother.forward = 1"
    assert code(("block", BLOCK), forward).sources == (
        BLOCK,
        "def forward(self, X):\n    return X",
        "MyResidual.forward = forward",
    )


def test_all_statements_that_fill_a_helper_are_kept():
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
def test_a_method_that_is_added_later_is_kept(forward):
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


def test_calling_a_modules_function_does_not_change_the_module():
    block = "class MyResidual:\n    answer = np.zeros(numpy.pi)"
    found = code("import numpy", "np.save(net)\nnumpy.save(fit(MyResidual))", ("block", block))
    assert found.helpers == ("import numpy",)


def test_helpers_inside_a_condition_are_found():
    block = "class MyResidual:\n    answer = helper"
    helper = "if True:\n    def helper(): pass"
    assert code(helper, ("block", block)).helpers == (helper,)


def test_statements_that_share_a_line_are_kept_once():
    block = "class MyResidual:\n    answer = a + b"
    assert code("a = 1; b = 2", ("block", block)).helpers == ("a = 1; b = 2",)


def test_a_star_import_is_kept():
    assert code("from math import *", ("block", BLOCK)).helpers == ("from math import *",)


def test_an_answer_cell_that_points_to_another_gives_way_to_it():
    assert code(("block", "# see below"), BLOCK).cells == {"block": BLOCK}


def test_a_stub_is_not_an_answer():
    assert code(("block", STUBS["block"]), ("count", COUNT)).cells == {"count": COUNT}


def test_without_metadata_answers_are_found_by_name():
    assert code(BLOCK, COUNT).cells == {"block": BLOCK, "count": COUNT}


def test_of_copied_cells_the_last_one_with_an_answer_counts():
    second = BLOCK.replace("1", "2")
    found = code(("block", BLOCK), ("block", second), ("block", STUBS["block"]))
    assert found.sources == (second,)


def test_an_answer_in_another_cell_is_found_beside_its_stub():
    assert code(("block", STUBS["block"]), BLOCK, ("count", COUNT)).cells["block"] == BLOCK


# Text cells, and cells that are not Python


def text_of(*texts, grade_id="block"):
    """The answers in a submission with text cells."""
    cells = [Cell(False, text, grade_id) for text in texts]
    return find(Submission([*cells, Cell(True, COUNT, "count")]), STUBS, set(), set())


@pytest.mark.parametrize(
    "text", [BLOCK, f"```python\n{BLOCK}\n```", f"My answer:\n\n```\n{BLOCK}\n```\nThat is all."]
)
def test_code_in_a_text_cell_is_graded_with_a_note(text):
    found = text_of(text)
    assert found.cells == {"block": BLOCK, "count": COUNT}
    assert "text cell" in found.notes["block"]
    assert found.problems == {}
    assert text_of(text, grade_id="").cells == found.cells


def test_code_in_a_text_cell_gives_way_to_code_in_a_code_cell():
    cells = [Cell(True, BLOCK), Cell(False, BLOCK.replace("1", "2"), "block")]
    found = find(Submission(cells), STUBS, set(), set())
    assert found.cells == {"block": BLOCK}
    assert found.notes == {}


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ([], "its cell is gone, and no other cell defines MyResidual"),
        ([Cell(True, STUBS["block"], "block")], "the cell is as it was handed out"),
        ([Cell(False, STUBS["block"], "block")], "the cell is as it was handed out"),
        ([Cell(True, " \n", "block")], "the cell is empty"),
        ([Cell(True, "", "block", is_too_long=True)], "too long"),
        ([Cell(False, "I could not do it.", "block")], "text cell.*SyntaxError in line 1"),
        ([Cell(False, "# class MyResidual", "block")], "text cell"),
    ],
)
def test_what_is_there_in_place_of_an_answer_is_said(cells, problem):
    found = find(Submission(cells), STUBS, set(), set())
    assert re.search(problem, found.problems["block"])
    assert "block" not in found.cells


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("class MyResidual：\n    pass", "in line 1: .*FF1A .*FULLWIDTH COLON.*Write : in"),  # noqa: RUF001
        ("class MyResidual:\n    a = “1”", r'in line 2: .*U\+201C .*Write " in its place'),
        ("class MyResidual:\n    a = ‘1’", "in line 2: .*2018 .*Write ' in its"),  # noqa: RUF001
        ("class MyResidual:\n\xa0\xa0\xa0 a = 1", "in line 2: .*NO-BREAK SPACE.*plain space"),
        ("class MyResidual:\n    a = 1\u200b", "in line 2: .*ZERO WIDTH SPACE.*Delete it"),
        ("class MyResidual:\n    a = 5 – 3", "in line 2: .*EN DASH.*Write - in its place"),
        ("class MyResidual:\n    a = (1，2)", "in line 2: .*FULLWIDTH COMMA.*Write , in"),  # noqa: RUF001
        ("\n\nclass MyResidual:\n    a = (1", "in line 4, at character 9: '\\(' was never closed"),
        ("!pip install \\\n  d2l\nclass MyResidual(:", "in line 3, at character"),
        ("class MyResidual:\nanswer = 1", "IndentationError in line 2"),
        ("class MyResidual:\n\tif 1:\n        a = 1", "TabError in line 3"),
        ("class MyResidual:\n    print 1", "in line 2, .*Did you mean print"),
        ("> class MyResidual:\nclass MyResidual:", "in line 1, at character 1: invalid"),
        ("<<<<<<< HEAD\nclass MyResidual: pass", "in line 1, at character 1: invalid syntax"),
        ("class MyResidual: pass\nreturn MyResidual", "in line 2, .*'return' outside function"),
        ("class MyResidual:\n    a = f'{x['b']}'", "in line 2, .*f-string"),
        ("class MyResidual: pass\n\0", "null bytes"),
        ("class MyResidual: pass\nx = " + "-" * 90_000 + "1", "Python cannot read this code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("grade_id", ["block", ""])
def test_the_line_and_the_character_of_a_syntax_error_are_named(source, sentence, grade_id):
    """Also in a cell that has lost its id, if it looks like the answer."""
    found = code((grade_id, source), ("count", COUNT))
    assert re.search(sentence, found.problems["block"])
    assert "\n" not in found.problems["block"]
    assert len(found.problems["block"]) < 300
    assert found.problems.keys() == {"block"}


def test_a_cell_that_is_not_python_gives_way_to_one_that_is():
    found = code(("block", "class MyResidual：\n    pass"), BLOCK)  # noqa: RUF001
    assert found.cells == {"block": BLOCK}
    assert found.problems.keys() == {"count"}
    assert "FF1A" in found.broken


def test_code_of_another_language_is_no_broken_code():
    assert code(("block", BLOCK), "%%bash\nfor x in *; do echo; done").broken == ""


def test_shell_lines_and_magics_become_pass():
    source = "%matplotlib inline\n!rm -rf /\nfiles = !ls\nhelp?\nif x:\n    %time y\nx = 5 % 3"
    assert python(source) == "pass\npass\npass\npass\nif x:\n    pass\nx = 5 % 3"


def test_indented_cells_and_continued_shell_lines_are_read():
    assert python("    a = 1\n    b = 2") == "a = 1\nb = 2"
    assert python("!pip install one \\\n    two\na = 1") == "pass\na = 1"
    height = "a = (1\n% height)\nhelp?"
    assert python(height) == "a = (1\n% height)\npass"


def test_prompts_are_removed_as_jupyter_removes_them():
    assert python(f"\n>>> {BLOCK}".replace("\n  ", "\n...   ")) == BLOCK
    assert python(f"In [7]: {BLOCK}".replace("\n  ", "\n   ...:   ")) == BLOCK


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


def test_python_that_looks_like_magics_is_unchanged():
    source = 'text = """\n%d of\n!\n"""'
    assert python(source) == source


def test_text_that_is_not_python_defines_nothing():
    assert names("def broken(:") == set()
    assert names("x" * 10 + "(" * 10_000) == set()
    assert names("a = b = 1\nclass C: pass\ndef f(): pass") == {"a", "b", "C", "f"}


# Properties

NAMES = st.sampled_from(["MyResidual", "my_count", "np", "helper", "a"])
PIECES = st.one_of(
    NAMES,
    st.sampled_from(
        [" ", "\n", "\n    ", "\r", "\t", "\x0c", "\\\n", ";", ":", ",", ".", "(", ")"]
    ),
    st.sampled_from(
        ["[", "]", "{", "}", "=", ":=", "*", "**", "@", "%", "!", "?", "#", "'", '"""']
    ),
    st.sampled_from(
        ["def ", "class ", "lambda ", "import ", "from ", "if ", "for ", "in ", "del "]
    ),
    st.sampled_from(
        ["global ", "async ", "await ", "return", "try:", "with ", "f'{", "\\d", "1if"]
    ),
    st.text(max_size=5),
)
STATEMENTS = st.sampled_from(
    [
        "open('executed', 'w').write('')",
        "__import__('os').system('touch executed')",
        "import this",
        "helper = print('executed')",
        "class MyResidual(helper()):\n    print(1)",
        "def my_count(channels=exec('1')):\n    return a",
        "@helper()\ndef my_count(channels): pass",
        "from helper import *",
        "a.b[helper()] = c = 1",
    ]
)
SOURCES = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=20).map("".join),
    st.lists(STATEMENTS | STATEMENTS.map("    {}".format) | st.text(max_size=9)).map("\n".join),
)
IDS = st.sampled_from(["", "block", "count", "by-hand", "\ud800"])
SUBMISSIONS = st.lists(st.builds(Cell, st.booleans(), SOURCES, IDS), max_size=6).map(Submission)
EXECUTES = ("exec", "import", "open", "os.", "subprocess.", "socket.", "ctypes.")


class Witness:
    """Records, inside `with`, the audit events of executed code. Audit hooks cannot be removed."""

    def __init__(self):
        self.on, self.events = False, []
        sys.addaudithook(self.note)

    def note(self, event, details):
        looks_for_source = event == "open" and details[0] in ("<unknown>", "<cell>")
        if self.on and event.startswith(EXECUTES) and not looks_for_source:  # of a syntax error
            self.events.append(event)

    def __enter__(self):
        self.events, self.on = [], True

    def __exit__(self, *_):
        self.on = False


@pytest.fixture(scope="module")
def witness():
    return Witness()


def test_the_witness_notices_executed_code(witness):
    with witness:
        exec("open('/dev/null').close()")
    assert witness.events == ["exec", "open"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
@given(submission=SUBMISSIONS)
@example(Submission([Cell(True, "class MyResidual:\n    \ud800 = 1", "block")]))
@example(Submission([Cell(True, "MyResidual = '\x00'", "block"), Cell(True, "\x0c\x0b\x1c")]))
@settings(max_examples=150, deadline=None)
def test_finding_answers_in_any_text_fails_only_as_documented_and_executes_nothing(
    witness, submission
):
    with witness:
        try:
            found = find(submission, STUBS, {CHECK, "by-hand"}, {"np"})
        except RefusedError:
            found = None
    assert witness.events == []
    if found:
        assert found.cells.keys() <= STUBS.keys()
        assert set(found.cells.values()) | set(found.helpers) == set(found.sources)
        assert found.cells.keys() | found.problems.keys() == STUBS.keys()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::SyntaxWarning")
@given(source=SOURCES, is_code=st.booleans())
@example("class MyResidual：", True)  # noqa: RUF001
@settings(max_examples=300, deadline=None)
def test_any_text_is_code_that_compiles_or_gets_a_sentence_on_why_it_does_not(source, is_code):
    source = text_of_notebook(source)
    found = find(Submission([Cell(is_code, source, "block")]), STUBS, {CHECK}, {"np"})
    if "block" not in found.problems:
        compile(found.cells["block"], "<answer>", "exec")
        return
    problem = found.problems["block"]
    assert problem.endswith(".") or problem.endswith("?")
    assert problem.isprintable()
    if "block" in found.cells:
        assert re.search(r"Error in line \d+|Python cannot read this code", problem)
        with pytest.raises((SyntaxError, ValueError, RecursionError, MemoryError)):
            compile(found.cells["block"], "<answer>", "exec")
