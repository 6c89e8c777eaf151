"""Notebooks that work alone, and the address of the course: `make colab` and `make publish`."""

import ast
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

import colab
import first_cell
import publish
from notebooks import NOTEBOOKS, ROOT, code_cells, notebook_paths
from utils.setup import fetch

FIRST, SECOND = "https://github.com/one/course", "https://github.com/another/a-course.of-hers"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
SHORT = NOTEBOOKS / "02_residual_block.ipynb"


def run_cell(source, cwd, home):
    """Run a first cell in a Python of its own; return the finished process."""
    code = f"{source}\nprint(sys.path[0], utils.__file__)"
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", "import sys; exec(sys.stdin.read())"]
    return subprocess.run(
        command, cwd=cwd, env=environment, input=code, capture_output=True, text=True, timeout=120
    )


# Packed


@pytest.mark.slow
def test_the_toolbox_inside_is_the_one_beside(tmp_path):
    """Every file, the data's sample too, but nothing that Python has cached."""
    run = run_cell(first_cell.alone(), tmp_path, tmp_path)
    assert run.returncode == 0, run.stderr
    unpacked = tmp_path / "residual-networks" / "utils"
    for path in first_cell.toolbox():
        copy = unpacked / path.relative_to(ROOT / "utils")
        if path.suffix != ".gz":
            assert copy.read_bytes() == path.read_bytes()
    assert fetch.read_folder(unpacked / "sample", fetch.SAMPLE_FILES)
    assert str(tmp_path) in run.stdout


def test_at_home_the_same_cell_does_nothing(tmp_path):
    """Beside the toolbox it prints nothing, writes nothing, and imports the toolbox."""
    (tmp_path / "notebooks").mkdir()
    shutil.copytree(ROOT / "utils", tmp_path / "utils")
    run = run_cell(first_cell.alone(), tmp_path / "notebooks", tmp_path)
    assert run.stdout.split() == ["..", str(tmp_path / "notebooks/../utils/__init__.py")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notebooks", "utils"]


@pytest.mark.slow
def test_packing_twice_gives_the_same_text():
    """The times of the files do not matter."""
    packed = first_cell.archive()
    os.utime(ROOT / "utils" / "__init__.py")
    assert first_cell.archive() == packed


@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_a_packed_notebook_needs_no_file_beside_it(path):
    """No link to a file beside it, no output; its long first cell is folded."""
    notebook = colab.pack(path, "first cell", "")
    assert [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count] == []
    for cell in notebook.cells:
        assert not re.search(r"\]\((?!https?:)", cell.source) or cell.cell_type == "code"
    first = code_cells(notebook)[0]
    assert first.source == "first cell"
    assert first.metadata["cellView"] == "form"
    nbformat.validate(notebook)


def test_once_published_its_links_lead_to_colab_and_to_the_repository():
    text = "\n".join(cell.source for cell in colab.pack(SHORT, "", FIRST).cells)
    assert "colab.research.google.com/github/one/course/blob/main/notebooks/03_layer" in text
    start = colab.pack(notebook_paths()[0], "", FIRST)
    assert f"({FIRST}/blob/main/notebooks/errors.md)" in str(start.cells)


# Published


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A function that publishes a copy of the course and returns the text of each changed file."""
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks", ignore=shutil.ignore_patterns("checkpoints"))
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    monkeypatch.setattr(
        publish, "notebook_paths", lambda: sorted((tmp_path / "notebooks").glob("[0-9]*.ipynb"))
    )

    def stamp(address):
        monkeypatch.setattr(sys, "argv", ["publish.py", address])
        publish.main()
        changed = [tmp_path / "README.md", *publish.notebook_paths()]
        return {path.name: path.read_text("utf-8") for path in changed}

    return stamp


def test_before_it_is_published_no_badge_points_anywhere():
    """This holds for the repository as long as its README names no address."""
    if colab.published_address():
        pytest.skip(f"published at {colab.published_address()}")
    for path in [ROOT / "README.md", *notebook_paths()]:
        text = path.read_text("utf-8")
        assert colab.BADGE_IMAGE not in text
        assert colab.BINDER_IMAGE not in text


def test_the_address_stands_in_the_readme_and_in_every_notebook(course):
    stamped = course(FIRST)
    assert f"git clone {FIRST}\n" in stamped["README.md"]
    assert colab.published_address() == FIRST
    for name, text in stamped.items():
        notebook = "00_start_here.ipynb" if name == "README.md" else name
        assert f"{colab.link(FIRST, notebook)}" in text
        assert f"mybinder.org/v2/gh/one/course/main?urlpath=lab/tree/notebooks/{notebook}" in text


def test_another_address_takes_the_place_of_the_first(course):
    first = course(FIRST)
    second = course(SECOND + ".git")
    for name, text in first.items():
        moved = text.replace(FIRST, SECOND).replace("one/course", "another/a-course.of-hers")
        assert second[name] == moved.replace("\ncd course\n", "\ncd a-course.of-hers\n")
    assert course(SECOND) == second


def test_a_published_notebook_keeps_its_form(course):
    """Title first, badges second, a first cell that is short enough, and all else as it was."""
    course(FIRST)
    for path in publish.notebook_paths():
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        before = nbformat.read(NOTEBOOKS / path.name, as_version=4)
        before.cells = [cell for cell in before.cells if not colab.has_badges(cell)]
        assert colab.has_badges(notebook.cells.pop(1))
        first = code_cells(notebook)[0]
        assert len(first.source.splitlines()) <= 15
        ast.parse(first.source)
        first.source = code_cells(before)[0].source
        assert notebook == before


@pytest.mark.parametrize(
    "address", ["", "owner/name", "https://github.com/owner", "https://gitlab.com/owner/name"]
)
def test_an_address_that_colab_cannot_open_is_refused(address, course):
    with pytest.raises(SystemExit, match="make publish REPO="):
        course(address)


@needs_git
@pytest.mark.slow
def test_a_published_notebook_alone_clones_the_course(tmp_path):
    """An address on this disk stands in for the published one."""
    origin, alone = tmp_path / "origin", tmp_path / "alone"
    alone.mkdir()
    shutil.copytree(ROOT / "utils", origin / "utils")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", origin, *command], check=True)
    cell = first_cell.at_home(f"file://{origin}")
    for _ in range(2):  # the second time it is there
        run = run_cell(cell, alone, tmp_path)
        assert run.returncode == 0, run.stderr
        assert str(alone / "residual-networks" / "utils") in run.stdout


@needs_git
def test_without_network_the_clone_says_what_to_do(tmp_path):
    run = run_cell(first_cell.at_home("http://127.0.0.1:9/owner/name"), tmp_path, tmp_path)
    assert "Check the network, delete residual-networks" in run.stderr
