"""What a class gets: the course without solutions, hidden questions, and what belongs to them."""

import inspect
import re
import shutil
import subprocess

import nbformat
import pytest
from submissions import contents

import hand_out
from notebooks import ROOT, code_cells, run_notebook, tags

CANARY = "canary-40487"
OF_TEACHERS = ("coursework/items/ps1.py", "coursework/source/ps1/ps1.ipynb", "tests/solutions.py")


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A copy of the course with canaries in all solutions, answers and hidden questions."""
    copy = tmp_path_factory.mktemp("course")
    for name in hand_out.KEPT:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=hand_out.MADE)
        else:
            shutil.copy2(ROOT / name, copy / name)
    for path in copy.glob("notebooks*/[0-9]*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "hide-input" in tags(cell):
                cell.source += f"\n# {CANARY}"
            answered = re.compile(r"(<summary>\d+\. .*?</summary>)", re.DOTALL)
            cell.source = answered.sub(rf"\1 {CANARY}", cell.source)
        nbformat.write(notebook, path)
    for name in OF_TEACHERS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(CANARY)
    with (copy / "docs" / "teaching.md").open("a") as page:
        page.write(CANARY)
    return copy


@pytest.fixture(scope="module")
def handed_out(course, tmp_path_factory):
    output = tmp_path_factory.mktemp("build") / "release"
    hand_out.hand_out(course, output)
    return output


def lessons(folder):
    paths = sorted(folder.glob("notebooks*/[0-9]*.ipynb"))
    return {path: nbformat.read(path, as_version=4) for path in paths}


def test_no_solution_no_answer_and_no_hidden_question_is_in_it(course, handed_out):
    planted = [path for path, held in contents(course).items() if CANARY.encode() in held]
    assert len(planted) >= len(lessons(course)) + len(OF_TEACHERS)
    found = [path for path, held in contents(handed_out).items() if CANARY.encode() in held]
    assert found == []


def test_exercises_and_their_checks_are_all_there(course, handed_out):
    for before, after in zip(lessons(course).values(), lessons(handed_out).values()):
        for tag in ("exercise", "check", "taught", "parameters", "headline"):
            counts = [sum(tag in tags(cell) for cell in book.cells) for book in (before, after)]
            assert counts[0] == counts[1]
        text = "\n".join(cell.source for cell in after.cells)
        assert re.search("Second hint|Hint|第二个提示|提示", text)
        announced = re.search(r"a solution (is folded|, collapsed)|下面都有一份参考答案", text)
        assert announced is None


def test_a_solution_stays_only_where_the_lesson_goes_on_with_it_and_is_not_readable(handed_out):
    for notebook in lessons(handed_out).values():
        for cell in code_cells(notebook):
            if "hide-input" in tags(cell):
                assert cell.source.startswith(hand_out.SEALED)
    sealed = hand_out.sealed("def double(x):\n    return 2 * x")
    names = {}
    exec(sealed, names)
    assert names["double"](3) == 6
    assert inspect.getsource(names["double"]).endswith("return 2 * x"), "09 compares two blocks"
    assert "return" not in sealed


def test_of_an_answer_the_section_stays_in_which_it_is_found(handed_out):
    for path, notebook in lessons(handed_out).items():
        text = "\n".join(cell.source for cell in notebook.cells)
        answers = [answer.strip() for _, answer, _ in hand_out.RECALLED.findall(text)]
        assert answers
        for answer in answers:
            assert re.fullmatch(r"\(See .*\)|.见“.*”。.", answer), (path.name, answer)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", ["00_start_here", "02_residual_block"])
def test_its_notebooks_run(handed_out, lesson):
    """The first goes on with solutions, the second with a version of what learners write."""
    run_notebook(handed_out / "notebooks" / f"{lesson}.ipynb", "quick")


def test_its_pages_name_only_what_is_there(handed_out):
    commands = subprocess.run(
        ["make", "help"], cwd=handed_out, capture_output=True, text=True, check=True
    ).stdout
    assert "make lab" in commands
    assert "make assignment" not in commands
    pages = {path: path.read_text("utf-8") for path in handed_out.rglob("*.md")}
    for path, notebook in lessons(handed_out).items():
        pages[path] = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for path, text in pages.items():
        for _, target in hand_out.LINK.findall(text):
            place = target.partition("#")[0]
            assert "://" in target or not place or (path.parent / place).exists(), (path, target)
        for command in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE):
            assert f"make {command} " in commands, (path, command)
