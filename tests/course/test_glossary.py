"""The glossary: each of its terms is explained where the lessons first use it."""

import re
from pathlib import Path

import nbformat
import pytest

from notebooks import notebook_paths

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| (.+?) \| (.*?) ?\| (.+?) \| \[(\d\d)\]\(\.\./notebooks/(.+?)\) \|$")
CODE = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)", re.DOTALL)
ITALIC = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")


def entries(text):
    """Return term, other forms, sentence and notebook of each row."""
    return [match.groups() for match in map(ROW.match, text.splitlines()) if match]


GLOSSARY = entries((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))


def forms(term, others):
    """Return the spellings of a term, in small letters; a plural with s goes without saying."""
    return {form.lower() for form in (term, f"{term}s", *filter(None, others.split(", ")))}


def lesson_cells():
    """Return the notebook's number and the text of each cell that teaches, in reading order.

    The opening cell of a notebook and the map of the course say what is to come, so they may name
    what is not yet explained.
    """
    cells = []
    for path in notebook_paths():
        for cell in nbformat.read(path, as_version=4).cells[1:]:
            if cell.cell_type == "markdown" and not cell.source.startswith("## The map"):
                cells.append((path.stem[:2], cell.source))
    return cells


def misplaced(glossary, cells):
    """Return a sentence for each term that a cell uses before one explains it, in italics."""
    terms = {form: row[0] for row in glossary for form in forms(row[0], row[1])}
    longest_first = "|".join(map(re.escape, sorted(terms, key=len, reverse=True)))
    used = re.compile(rf"(?<![\w-])({longest_first})(?!\w)", re.IGNORECASE)
    lesson = {row[0]: row[3] for row in glossary}
    seen, wrong = set(), []
    for number, text in cells:
        prose = CODE.sub(" ", text)
        explained = {terms.get(name.lower()) for name in ITALIC.findall(prose)}
        for form in used.findall(prose):
            term = terms[form.lower()]
            if term in seen:
                continue
            seen.add(term)
            if term not in explained:
                wrong.append(f"{term}: used in {number} before it is explained: {prose[:60]!r}")
            elif lesson[term] != number:
                wrong.append(f"{term}: explained in {number}, the glossary says {lesson[term]}")
    return wrong + [f"{term}: in no lesson" for term in lesson if term not in seen]


def test_each_row_names_a_term_a_sentence_and_a_lesson_in_alphabetical_order():
    rows = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
    assert len(GLOSSARY) == sum(row.startswith("| ") for row in rows) - 1, "a row has another form"
    assert len(GLOSSARY) > 50
    names = [row[0].lower() for row in GLOSSARY]
    assert names == sorted(set(names))
    for term, _, sentence, number, file in GLOSSARY:
        assert sentence.endswith("."), term
        assert file.startswith(number)


def test_each_term_is_explained_where_the_lessons_first_use_it():
    assert misplaced(GLOSSARY, lesson_cells()) == []


@pytest.mark.parametrize(
    ("prose", "said"),
    [
        ("A *stage* is a row of blocks. Two stages follow.", None),
        ("Two stages follow.", "stage: used in 01 before it is explained"),
        ("Nothing about it.", "stage: in no lesson"),
        ("A backstage door, a stagehand, `stage`.", "stage: in no lesson"),
    ],
)
def test_a_term_in_another_place_is_found(prose, said):
    wrong = misplaced([("stage", "", "A row of blocks.", "01", "01.ipynb")], [("01", prose)])
    assert wrong == [] if said is None else wrong[0].startswith(said)


def test_a_term_explained_in_another_lesson_is_found():
    row = ("stage", "", "A row of blocks.", "02", "02.ipynb")
    assert misplaced([row], [("01", "A *stage* is a row.")]) == [
        "stage: explained in 01, the glossary says 02"
    ]
