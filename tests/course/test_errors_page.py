"""The page of errors: every message on it comes from a cell of tools/errors.ipynb that was run."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import error_page
from notebooks import notebook_paths, tags


@pytest.fixture(scope="module")
def committed():
    return error_page.PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def source():
    return nbformat.read(error_page.SOURCE, as_version=4)


@pytest.mark.slow
def test_the_page_shows_what_its_examples_say_today(committed):
    """All of them are run, the mended ones too. `make refresh` makes the page again."""
    assert error_page.page(error_page.execute(error_page.SOURCE)) == committed


def test_the_page_shows_nothing_of_the_machine_or_of_one_run(committed):
    """No path, no place in MXNet's source, no time, no address, no stack trace."""
    forbidden = r"/\w+/|\w\.(?:cc|h|py):\d|\d\d:\d\d:\d\d|0x[0-9a-f]+|Traceback"
    assert re.findall(forbidden, committed) == []


def test_every_entry_is_on_the_page_and_no_two_have_one_heading(committed, source):
    texts = [cell.source for cell in source.cells if cell.cell_type == "markdown"]
    headings = [line for text in texts for line in text.splitlines() if line.startswith("### ")]
    assert re.findall("^### .*$", committed, re.MULTILINE) == headings
    assert len(set(headings)) == len(headings)


def test_every_reported_mistake_has_an_example_a_cause_and_a_cure(source):
    for entry in re.split(r"^(?=### )", "\n".join(map(outlined, source.cells)), flags=re.M)[1:]:
        if entry.startswith("### `"):
            assert "[announced]" in entry
            assert re.search(r"\*\*Cause\.\*\* \S(.|\n)*\n\n\*\*Cure\.\*\* \S", entry), entry


def outlined(cell):
    if cell.cell_type == "markdown":
        return cell.source
    return "[announced]" if "raises-exception" in tags(cell) else "[code]"


def test_the_notebook_is_kept_without_outputs(source):
    assert not any(cell.outputs for cell in source.cells if cell.cell_type == "code")


def example(*outputs, announced=True, hidden=False):
    """A heading that quotes a message, and a cell below it that has been run."""
    cell_tags = ["raises-exception"] * announced + ["hidden"] * hidden
    cell = new_code_cell("1 / 0", outputs=list(outputs), metadata={"tags": cell_tags})
    return new_notebook(cells=[new_markdown_cell("### `by zero`"), new_markdown_cell("Why."), cell])


def error(name, text):
    return new_output("error", ename=name, evalue=text, traceback=[])


def stream(name, text):
    return new_output("stream", name=name, text=text)


ZERO = error("ZeroDivisionError", "division by zero")


def test_an_example_stands_below_its_heading_with_what_it_says():
    assert error_page.page(example(ZERO)) == (
        "### `by zero`\n\nWhy.\n\n```python\n1 / 0\n```\n\n"
        "```text\nZeroDivisionError: division by zero\n```\n"
    )


def test_a_hidden_example_is_checked_but_not_shown():
    assert error_page.page(example(ZERO, hidden=True)) == "### `by zero`\n\nWhy.\n"
    with pytest.raises(error_page.PageError):
        error_page.page(example(hidden=True))


@pytest.mark.parametrize(
    "outputs",
    [[], [error("ValueError", "other words")], [stream("stdout", "by zero")]],
    ids=["raises nothing", "another message", "only prints it"],
)
def test_an_announced_example_that_says_something_else_is_refused(outputs):
    with pytest.raises(error_page.PageError, match=r"'by zero' this cell says (.|\n)*\n1 / 0$"):
        error_page.page(example(*outputs))


@pytest.mark.parametrize(
    "output",
    [ZERO, stream("stderr", "/a/b.py:7: UserWarning: deprecated\n  call()\n")],
    ids=["error", "warning"],
)
def test_a_mended_example_that_fails_or_warns_is_refused(output):
    with pytest.raises(error_page.PageError, match=r"should run, but it says (.|\n)*\n1 / 0$"):
        error_page.page(example(output, announced=False))


def test_a_mistake_that_nobody_reports_shows_what_it_prints():
    notebook = example(stream("stdout", "7\n"), announced=False)
    notebook.cells[0].source = "### A silent one"
    assert error_page.page(notebook).endswith("```python\n1 / 0\n```\n\n```text\n7\n```\n")


def message(*outputs):
    return error_page.message(new_code_cell("", outputs=list(outputs)))


def test_of_mxnets_message_only_the_telling_part_is_left():
    evalue = (
        'Traceback (most recent call last):\n  File "../src/x.cc", line 7\n'
        "MXNetError: [12:59:59] ../src/x.cc:151: Check failed: a == b"
    )
    assert message(error("MXNetError", evalue)) == "MXNetError: Check failed: a == b"


def test_a_warning_is_shown_without_the_place_and_the_line_of_code():
    warning = stream(
        "stderr", '/a/b.py:7: UserWarning: "Stage.blocks" is odd.\n  stage.initialize()\n'
    )
    assert message(warning) == 'UserWarning: "Stage.blocks" is odd.'


def test_a_long_message_is_cut_and_says_so():
    shown = message(error("AssertionError", "word " * 1000))
    assert shown.endswith(" ...")
    assert len(shown) <= error_page.LONGEST
    assert max(map(len, shown.splitlines())) <= error_page.WIDTH


def test_each_entry_is_linked_from_the_lesson_where_it_arises(committed):
    """And each link leads to an entry."""
    headings = re.findall("^### (.*)$", committed, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    text = "\n".join(path.read_text("utf-8") for path in notebook_paths())
    assert set(re.findall(r"\(errors\.md#([^)]*)\)", text)) == anchors
