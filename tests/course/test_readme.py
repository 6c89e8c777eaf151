"""The README and the pages behind it: they name what is there, and are short enough to be read."""

import json
import re

import pytest

from environments.stand_ins import ENVIRONMENTS
from notebooks import ROOT, notebook_paths
from pictures import IMAGES, described, pictures

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *DOCS]
PAGES += [ROOT / "coursework" / "README.md", ROOT / "notebooks" / "errors.md"]
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?!https?:)([^)\s]+)\)")
ALTERNATIVE = re.compile(r"!\[((?:\\.|[^\]\\])*)\]")
WORDS = 900  # of the README, as `wc -w` counts them, without what stands for its picture
STAMPS = 20  # words that `make publish` adds

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def text(page):
    return page.read_text(encoding="utf-8")


def anchors(page):
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def targets():
    return set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))


def test_the_readme_is_short():
    assert len(ALTERNATIVE.sub("", text(README)).split()) <= WORDS - STAMPS


def test_the_readme_shows_one_picture():
    shown = re.findall(r"\]\(([^()]*)\)", "".join(re.findall(r"^!.*$", text(README), re.MULTILINE)))
    assert shown == ["notebooks/images/blocks.png"]


def test_the_pictures_are_those_in_the_committed_notebooks():
    """`make refresh` copies them; each is shown on a page."""
    shown = "".join(map(text, [README, *DOCS]))
    found = [*pictures()]
    assert {picture.name for picture in found} == {"blocks", "depth", "network", "curves"}
    for picture in found:
        assert (IMAGES / f"{picture.name}.png").read_bytes() == picture.png
        assert f"notebooks/images/{picture.name}.png" in shown


@each_page
def test_each_of_its_pictures_has_words_that_stand_for_it(page):
    """For a figure of a notebook they are the figure's own; `make refresh` copies them, too."""
    for words in ALTERNATIVE.findall(text(page)):
        assert len(words) > 80, words
    for picture in pictures():
        assert not picture.alt or described(text(page), picture.name, picture.alt) == text(page)


def test_the_words_for_a_picture_are_replaced_and_the_rest_of_the_page_stays():
    page = "![an old [a\\] one](../images/a.png) by *hand* ![other](images/b.png)"
    now = "![x\\[0\\] is 1](../images/a.png) by *hand* ![other](images/b.png)"
    assert described(page, "a", "x[0]\nis 1") == now
    assert described(now, "a", "x[0] is 1") == now


def test_the_map_names_every_notebook_and_no_other():
    there = {path.name for path in notebook_paths()}
    assert set(re.findall(r"\(notebooks/(\d\w+\.ipynb)\)", text(README))) == there


def test_every_page_of_docs_is_one_click_away():
    linked = {ROOT / target for target in LINK.findall(text(README))}
    assert set(DOCS) <= linked


@each_page
def test_its_links_lead_to_files_and_headings(page):
    for link in LINK.findall(text(page)):
        target, _, anchor = link.partition("#")
        file = page.parent / target if target else page
        assert file.exists(), link
        assert not anchor or anchor in anchors(file), link


@each_page
def test_its_commands_exist(page):
    blocks = "".join(re.findall(r"^```\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL))
    commands = re.findall(r"^make ([a-z][\w-]*)", blocks, re.MULTILINE)
    for command in commands + re.findall(r"`make ([a-z][\w-]*)", text(page)):
        assert command in targets(), command


@pytest.mark.parametrize(
    "page", [README, ROOT / "CONTRIBUTING.md", *DOCS], ids=lambda page: page.name
)
def test_the_files_that_it_names_exist(page):
    """Those in the folders of the project, between backquotes."""
    folders = "notebooks|notebooks_zh|utils|tests|tools|coursework|docs|docs_zh|site|translations"
    for name in re.findall(rf"`((?:{folders})/[\w./-]*)`", text(page)):
        assert (ROOT / name).exists(), name


def test_the_table_of_environments_names_each_with_every_notebook_that_is_not_new():
    """`make environments` writes it, after it has run the notebooks there."""
    page = text(ROOT / "docs" / "where_it_runs.md")
    new = re.findall(
        r"\d\d", "".join(re.findall(r"^New since the table was made: (.*?)\.", page, re.M))
    )
    numbers = ", ".join(path.name[:2] for path in notebook_paths() if path.name[:2] not in new)
    row = re.compile(r"^\| (.*) \| (3\.\d+) \| [\d.]+ \| (.*) \|$", re.MULTILINE)
    assert row.findall(page) == [(e.like, e.python, f"{numbers} run") for e in ENVIRONMENTS]


def test_each_generated_part_stands_once():
    """A tool replaces what stands between two markers; see `generated.py`."""
    pages = "".join(map(text, PAGES))
    starts = re.findall(r"^<!-- (.*), by make [\w-]+ -->$", pages, re.MULTILINE)
    assert sorted(starts) == ["badges", "benchmark", "clone", "environments"]


def test_the_minutes_of_a_class_follow_from_the_benchmark():
    """Thirty times the minutes alone, by the share that ten notebooks reach on two cores."""
    load = json.loads((ROOT / "tools" / "bench" / "results.json").read_text())["load"]["is"]
    share = load["10"] / load["1"]
    page = text(ROOT / "docs" / "teaching.md")
    assert f"{share:.0%} of the speed of one alone" in page
    rows = re.findall(r"^\| (0[^|]*) \| (\d[.\d]*) \| (\d+) \| (\d+) \|$", page, re.MULTILINE)
    assert len(rows) == 4
    for _, alone, on_16, on_32 in rows:
        minutes = 30 * float(alone) / share
        assert [int(on_16), int(on_32)] == [round(minutes / 8), round(minutes / 16)]
