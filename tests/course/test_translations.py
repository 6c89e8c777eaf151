"""The Chinese edition: whole, up to date, the same lessons, and links that lead right."""

import ast
import csv
import os
import re
import shutil
import sys
from pathlib import Path

import nbformat
import polib
import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

import pieces
import translate
import utils
from notebooks import NOTEBOOKS, ROOT, code_cells, notebook_paths

SOURCES = translate.sources(ROOT)
MARKDOWN = MarkdownIt("commonmark").enable("table")  # as on the pages
LINK = re.compile(r"(?<!`)\]\((?!https?:)([^)\s]+)\)")
LESSON = Path("notebooks", "02_residual_block.ipynb")
PAGE = Path("docs", "troubleshooting.md")

each_source = pytest.mark.parametrize("source", SOURCES, ids=str)
each_notebook = pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)


def catalogue(source):
    return translate.loaded(ROOT / translate.catalogue_of(source))


def chinese(source):
    """The text of a notebook's Markdown cells, or of a page, in the Chinese edition."""
    path = ROOT / translate.target(source)
    if path.suffix == ".md":
        return path.read_text("utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def tree(code):
    """What a cell does, but for its lines for IPython; those follow."""
    lines = re.findall(r"^[%!].*$", code, re.MULTILINE)
    return ast.dump(ast.parse(re.sub(r"^[%!].*$", "", code, flags=re.MULTILINE))), lines


@pytest.fixture
def copy(tmp_path):
    """A copy of what the Chinese edition is made from."""
    shutil.copy(ROOT / "README.md", tmp_path)
    for name in ("notebooks", "docs", "translations"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("checkpoints"))
    return tmp_path


# The edition as it is committed


def test_nothing_is_missing_or_stale_and_what_is_built_equals_its_rebuild():
    assert translate.check(ROOT) == []


def test_it_holds_each_lesson_and_page_and_no_other():
    folders = [ROOT / "notebooks_zh", ROOT / "docs_zh"]
    there = {path.relative_to(ROOT) for folder in folders for path in folder.glob("*.*")}
    built = {translate.target(source) for source in SOURCES} - {Path("README.zh-CN.md")}
    assert there == built
    names = {path.stem for path in (ROOT / translate.CATALOGUES).glob("*.po")}
    assert names == {source.stem for source in SOURCES}


@each_notebook
def test_a_notebook_has_the_same_cells_and_outputs_and_one_more_line_of_code(path):
    english, translated = (
        nbformat.read(folder / path.name, as_version=4)
        for folder in (NOTEBOOKS, ROOT / "notebooks_zh")
    )
    nbformat.validate(translated)
    assert [cell.id for cell in translated.cells] == [cell.id for cell in english.cells]
    for one, other in zip(english.cells, translated.cells):
        kinds = [(c.cell_type, c.metadata, c.get("outputs")) for c in (one, other)]
        assert kinds[0] == kinds[1]
    codes = [cell.source for cell in code_cells(translated)]
    codes[0] = codes[0].removesuffix('\n\nutils.language("zh")')
    assert codes[0] != code_cells(translated)[0].source
    for cell, code in zip(code_cells(english), codes):
        assert code == cell.source or tree(code) == tree(cell.source)


@each_notebook
def test_the_answer_to_a_question_names_a_section_of_the_chinese_notebook(path):
    text = chinese(path.relative_to(ROOT))
    headings = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
    answers = re.findall(r"<details><summary>\d+\. .*?</summary>(.*?)</details>", text, re.DOTALL)
    assert len(answers) >= 4
    for answer in answers:
        section = re.search("\N{FULLWIDTH LEFT PARENTHESIS}见“(.*)”。.\\s*$", answer)
        assert section, answer
        assert section[1] in headings


@each_source
def test_no_asterisk_survives_rendering(source):
    page = BeautifulSoup(MARKDOWN.render(chinese(source)), "html.parser")
    for code in page.find_all("code"):
        code.decompose()
    assert [line for line in page.get_text().splitlines() if "**" in line] == []


@each_source
def test_its_words_are_those_of_the_glossary(source):
    """A word that must not be used may be a part of one that is used."""
    right = sorted((row["chinese"] for row in GLOSSARY), key=len, reverse=True)
    wrong = "|".join(word for row in GLOSSARY for word in row["never"].split(";") if word)
    for entry in catalogue(source):
        text = re.sub("|".join(map(re.escape, right)), " ", entry.msgstr)
        assert re.findall(wrong, text) == [], entry.msgstr


@each_source
def test_its_links_lead_to_files_and_headings_in_chinese_where_there_are_any(source):
    page = ROOT / translate.target(source)
    for link in LINK.findall(chinese(source)):
        name, _, anchor = link.partition("#")
        file = Path(os.path.normpath(page.parent / name)) if name else page
        assert file.exists(), link
        is_switch = source.name == "README.md" and name == "README.md"
        assert is_switch or file.relative_to(ROOT) not in SOURCES, f"{link} leads to English"
        text = file.read_text("utf-8") if anchor else ""
        names = [*map(translate.name, pieces.headings(text)), *re.findall(r'<a id="(.*?)">', text)]
        assert not anchor or anchor in names, link


def test_both_editions_keep_checkpoints_in_one_folder():
    assert (ROOT / "notebooks_zh" / "checkpoints").resolve() == NOTEBOOKS / "checkpoints"
    assert (NOTEBOOKS / "checkpoints").is_dir(), "a notebook could not make it through the link"


# The glossary

with (ROOT / translate.CATALOGUES / "glossary.csv").open(encoding="utf-8", newline="") as file:
    GLOSSARY = list(csv.DictReader(file))


def test_each_term_of_the_glossary_has_one_word():
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    terms = [term for term in re.findall(r"^\| (.+?) \|", text, re.MULTILINE) if term != "term"]
    assert [row["english"] for row in GLOSSARY] == terms
    assert all(row["chinese"] for row in GLOSSARY)


# What becomes of a change


@pytest.mark.parametrize(
    ("source", "was", "becomes"),
    [
        (LESSON, "They agree up to rounding.", "They agree up to  rounding errors."),
        (LESSON, "this is what switches Gluon to", "that is what switches Gluon to"),
        (PAGE, "This cures most problems.", "This cures nearly all problems."),
    ],
)
def test_a_changed_word_is_named_and_its_piece_alone_is_english(copy, source, was, becomes):
    text = (copy / source).read_text("utf-8")
    assert text.count(was) == 1
    (copy / source).write_text(text.replace(was, becomes), "utf-8")
    before = (ROOT / translate.target(source)).read_text("utf-8")
    (fault,) = translate.write(copy)
    assert fault.startswith(f"{translate.catalogue_of(source)}, below ")
    assert ", stale: " in fault
    built = (copy / translate.target(source)).read_text("utf-8")
    assert becomes in built
    lines = [set(text.splitlines()) for text in (before, built)]
    assert len(lines[0] - lines[1]) == len(lines[1] - lines[0]) == 1


def test_a_new_piece_is_named_and_stays_english(copy):
    with (copy / PAGE).open("a", encoding="utf-8") as page:
        page.write("\n## Never seen\n\nIt is *new*.\n")
    assert [fault.rpartition(", ")[2] for fault in translate.write(copy)] == [
        "missing: Never seen",
        "missing: It is *new*.",
    ]
    assert (copy / "docs_zh" / PAGE.name).read_text("utf-8").endswith("\n\nIt is *new*.\n")


def test_a_moved_piece_keeps_its_translation(copy):
    """A cell may get another id: the catalogue follows, or a check fails."""
    notebook = nbformat.read(copy / LESSON, as_version=4)
    notebook.cells[0].id = "another"
    nbformat.write(notebook, copy / LESSON)
    translate.write(copy)
    built, before = (
        nbformat.read(root / translate.target(LESSON), as_version=4).cells[0]
        for root in (copy, ROOT)
    )
    assert built.id == "another"
    assert built.source == before.source
    assert translate.check(copy) == []
    (copy / translate.catalogue_of(LESSON)).write_bytes(
        (ROOT / translate.catalogue_of(LESSON)).read_bytes()
    )
    assert translate.check(copy) == [
        f"{translate.catalogue_of(LESSON)} is not up to date: type `make translate`."
    ]


def test_the_command_names_what_is_missing_and_writes_nothing_to_check(copy, monkeypatch, capsys):
    translate.write(copy)
    file = copy / translate.catalogue_of(PAGE)
    file.write_text(re.sub(r'msgstr "出.*"', 'msgstr ""', file.read_text("utf-8")), "utf-8")
    before = file.read_bytes()
    monkeypatch.setattr(translate, "ROOT", copy)
    monkeypatch.setattr(sys, "argv", ["translate.py", "--check"])
    with pytest.raises(SystemExit) as end:
        translate.main()
    assert end.value.code == 1
    said = capsys.readouterr().out
    assert "missing: When something goes wrong" in said
    assert f"{translate.target(PAGE)} is not up to date" in said
    assert file.read_bytes() == before


# Pieces and catalogues


@each_source
def test_the_pieces_in_a_row_are_the_whole(source):
    text = (ROOT / source).read_text("utf-8")
    if source.suffix == ".md":
        assert "".join(piece.text for piece in pieces.of_page(text)) == text
    else:
        for cell in nbformat.reads(text, as_version=4).cells:
            assert "".join(piece.text for piece in pieces.of_cell(cell)) == cell.source


def test_a_page_falls_into_what_a_translator_can_take_in():
    page = (
        "# A title\n\nA paragraph\nof two lines.\n\n- one\n- two\n  lines\n\n| a | `b` | 3 |\n"
        "|:--|:--|--:|\n| c \\| d | [00](x.md) |  |\n\n```\nmake it  # now\n```\n\n"
        "```text\n# said\n```\n<!-- a, by make a -->\n## `code`\n\nlast"
    )
    found = [piece.message for piece in pieces.of_page(page) if piece.message]
    prose = ["A title", "A paragraph of two lines.", "one", "two lines", "a", "c \\| d"]
    assert found == [*prose, "now", "last"]


def test_code_falls_into_its_comments_and_the_rest():
    code = '%xmode Minimal\na = "# no"  # yes\n# and this\nimport b  # noqa: F401\n'
    cell = nbformat.v4.new_code_cell(code)
    found = [piece.message for piece in pieces.of_cell(cell) if piece.message]
    assert found == ["yes", "and this"]


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        ({"msgstr": "一"}, "translated"),
        ({"msgstr": ""}, "missing"),
        ({"msgstr": " "}, "missing"),
        ({"msgstr": "one"}, "missing"),
        ({"msgstr": "one", "tcomment": "name"}, "translated"),
        ({"msgstr": "一", "flags": ["fuzzy"]}, "stale"),
    ],
)
def test_an_empty_a_copied_and_a_stale_piece_do_not_count(entry, state):
    assert translate.state(polib.POEntry(msgid="one", **entry)) == state


def test_a_translation_that_breaks_the_code_is_refused():
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("a = 1  # one", id="here")]
    known = {("here", "one"): "一\nb = 2"}
    with pytest.raises(translate.CodeError, match="cell here changes its code"):
        translate.built_notebook(LESSON, nbformat.writes(notebook), known)


def test_a_heading_keeps_its_english_name_and_a_link_leads_to_the_chinese_page():
    page = (
        "# A title\n\n## Some code\n\n[Here](../notebooks/errors.md#shapes), [utils](../utils).\n"
    )
    known = {
        ("Some code", "Some code"): "一些代码",
        ("Some code", "[Here](../notebooks/errors.md#shapes), [utils](../utils)."): (
            "[这里](../notebooks/errors.md#shapes)、[utils](../utils)。"
        ),
    }
    built = translate.built_page(PAGE, page, known).partition("\n")[2]
    assert built == (
        '# A title\n\n<a id="some-code"></a>\n\n## 一些代码\n\n'
        "[这里](../notebooks_zh/errors.md#shapes)、[utils](../utils)。\n"
    )


# The line that says the language


@pytest.fixture
def _language_as_before(monkeypatch):
    monkeypatch.setattr(utils, "chosen_language", utils.chosen_language)


@pytest.mark.usefixtures("_language_as_before")
def test_the_toolbox_remembers_its_language_and_refuses_one_that_it_does_not_speak():
    utils.language("zh")
    assert utils.chosen_language == "zh"
    with pytest.raises(ValueError, match="does not speak 'fr'\\. The languages are: en, zh"):
        utils.language("fr")
    assert utils.chosen_language == "zh"
