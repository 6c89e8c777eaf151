"""nbgrader sees the release with the student's answers, and nothing that runs."""

import re
from html.parser import HTMLParser

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert import HTMLExporter
from nbconvert.filters import markdown2html
from submissions import COURSEWORK, solved

from grader import assignment, clean
from grader.answers import Answers
from grader.marking import Item
from grader.validate import Cell, Submission, text_of

PICTURE = {"image/png": "aGk=", "text/plain": ["<Figure", ">"], "text/html": "<script>"}


@pytest.fixture(scope="module")
def ps2():
    """Problem set 2; its source stands in for its release."""
    release = nbformat.read(COURSEWORK / "source" / "ps2" / "ps2.ipynb", as_version=4)
    answers = {"network": "stub"}
    by_hand = ["curves", "experiment", "conclusion"]
    items: list[Item] = []
    return assignment.Assignment("ps2", release, [], answers, {}, {}, by_hand, items)


def cleaned(ps2, change=lambda cells: None, outputs=(), answers=()):
    """Return the cells of a cleaned submission, by id. `change` may edit the submission's cells."""
    cells = [
        Cell(cell.cell_type == "code", cell.source, assignment.grade_id(cell), tuple(outputs))
        for cell in solved("ps2", "ada").cells
    ]
    change(cells)
    notebook = clean.clean(ps2, Submission(cells), Answers(dict(answers), ("import math",)))
    nbformat.validate(notebook)
    return {cell.id: cell for cell in notebook.cells}


def place(cells, grade_id):
    return next(i for i, cell in enumerate(cells) if cell.grade_id == grade_id)


def test_answers_and_helpers_are_included(ps2):
    cells = cleaned(ps2, answers={"network": "my_resnet18 = 3"})
    assert cells["network"].source == "my_resnet18 = 3"
    assert cells["helpers"].source.endswith("import math")


def test_a_given_cell_keeps_the_students_changes_and_outputs(ps2):
    cells = cleaned(ps2, outputs=[{"data": PICTURE}])
    assert cells["student"].source.startswith('student = "ada"')
    assert cells["train"].outputs[0].data["image/png"] == "aGk="
    assert cells["network-check"].outputs == []


def test_cells_added_to_an_experiment_are_kept(ps2):
    def change(cells):
        at = place(cells, "experiment")
        cells[at + 1 : at + 1] = [Cell(True, "more()"), Cell(False, "*and* <b>words</b>")]

    cells = cleaned(ps2, change)
    assert cells["experiment-0"].source == "more()"
    assert "<em>and</em>" in cells["experiment-1"].source
    assert "experiment-2" not in cells


def test_without_ids_answers_are_found_after_the_text_that_asks(ps2):
    def change(cells):
        cells[:] = [Cell(cell.is_code, cell.source) for cell in cells]
        at = next(i for i, cell in enumerate(cells) if "two curves show" in cell.source)
        cells[at + 1] = Cell(False, "It falls.")

    assert cleaned(ps2, change)["curves"].source.strip() == "<p>It falls.</p>"


def test_of_two_cells_with_the_same_id_the_changed_one_counts(ps2):
    def change(cells):
        at = place(cells, "curves")
        stub = cells[at]
        cells[at] = Cell(False, "It falls.", "curves")
        cells.append(stub)

    assert "It falls." in cleaned(ps2, change)["curves"].source


def test_outputs_keep_text_and_images_and_no_scripts(ps2):
    outputs = [
        {"data": PICTURE},
        {"output_type": "stream", "name": "stderr", "text": ["one\n", "two"]},
        {"data": {"image/png": '"><script>'}},
        {"data": {"image/svg+xml": "<svg onload='alert(1)'>"}},
        {"data": {"application/javascript": "alert(1)"}},
        None,
        3,
        {"data": 3},
        {"text": 3},
    ]
    kept = cleaned(ps2, outputs=outputs)["experiment"].outputs
    assert kept[0].data == {"image/png": "aGk=", "text/plain": "<Figure>"}
    assert kept[1].text == "one\ntwo"
    assert "script" not in str(kept)
    assert (
        kept[3].data["text/html"].startswith('<img alt="drawing" src="data:image/svg+xml;base64,')
    )
    assert "alert" not in str(kept)


HONEST = (
    "- a list\n- `a < b`\n\n> quoted: $x < y$\n\n```\n[1, 2] < 3\n\nmore\n```\n<https://d2l.ai>"
)
ATTACKS = """<script>alert(1)</script> <img src=x onerror=alert(2)> [a](javascript:alert(3))
![b](javascript:alert(4)) <javascript:alert(5)> <a href="data:text/html,6">c</a>
[d][e] <svg/onload=7> <iframe src=//example.org></iframe> <style>* {display: none}</style>

[e]: javascript:alert(8)

`[f](javascript:alert(9))` \\[g](javascript:alert(10))

```
</pre>[h](javascript:alert(11))

[i](javascript:alert(12))
```
"""


def shown(markdown):
    """Return the page that a person sees, from its title on."""
    cell = nbformat.v4.new_markdown_cell(clean.harmless(markdown))
    page = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0]
    return page.partition("<main")[2]


def test_markdown_keeps_its_formatting():
    page = shown(HONEST)
    for part in ("<li>a list</li>", "<code>a &lt; b</code>", "<blockquote>", "$x &lt; y$"):
        assert part in page
    assert "[1, 2] &lt; 3" in page.replace("&#91;", "[")


class Tags(HTMLParser):
    """Collects the tags of a page, and the values of their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found, self.values = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.add(tag)
        self.values |= {value for name, value in attributes if name not in ("class", "id")}


def test_markdown_runs_nothing_in_the_browser_of_a_grader():
    page = shown(ATTACKS)
    tags = Tags(page)
    assert tags.found <= {"div", "p", "a", "code", "pre", "main"}
    assert not [value for value in tags.values if "alert" in value or ":" in value]
    assert page.count("alert") >= 6, "it is shown as text"


# Properties

PIECES = st.one_of(
    st.sampled_from(["<", ">", "[", "]", "(", ")", "!", "`", "```\n", "\n\n", "\\", '"', "'", "="]),
    st.sampled_from(["<script>", "<img src=x", " onerror=", "<a href=", "</pre>", "<svg/onload="]),
    st.sampled_from(["javascript:alert(1)", "&#106;avascript:", "data:text/html,", "//x.org/y"]),
    st.sampled_from(
        ["# ", "> ", "- ", "| a | b |\n|---|---|\n", "[a]: ", "$", "$$", "<!--", "-->"]
    ),
    st.text(max_size=5),
)
RUNS = re.compile(r"[\x00-\x20]*(javascript|vbscript|data)[\t\r\n]*:", re.IGNORECASE)
VALUES = st.none() | st.integers() | st.text(max_size=9)
DATA = st.dictionaries(
    st.sampled_from(["text/plain", "image/png", "image/svg+xml", "text/html"]),
    st.text(max_size=9) | st.lists(st.text(max_size=9) | VALUES, max_size=2) | VALUES,
)
OUTPUTS = VALUES | st.fixed_dictionaries({}, optional={"data": DATA | VALUES, "text": VALUES})
ANY_CELLS = st.lists(
    st.builds(
        Cell,
        st.booleans(),
        st.lists(PIECES, max_size=9).map("".join).map(text_of),
        st.sampled_from(["", "curves", "experiment", "conclusion", "network", "other"]),
        st.lists(OUTPUTS, max_size=3).map(tuple),
    ),
    max_size=6,
)


@given(markdown=st.lists(PIECES, max_size=12).map("".join).map(text_of))
@settings(max_examples=80, deadline=None)
def test_any_markdown_becomes_harmless_html(markdown):
    """Also where its HTML is rendered as Markdown once more, as nbgrader does."""
    for page in (clean.harmless(markdown), markdown2html(clean.harmless(markdown))):
        tags = Tags(page)
        assert tags.found <= {*clean.TAGS, "div"}
        assert not [value for value in tags.values if RUNS.match(value or "")]


@given(cells=ANY_CELLS)
@settings(max_examples=40, deadline=None)
def test_any_cells_become_a_valid_notebook(ps2, cells):
    nbformat.validate(clean.clean(ps2, Submission(cells), Answers()))
