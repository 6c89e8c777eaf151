"""The runner: it executes notebooks in order, keeps what succeeds, and names what fails."""

import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import notebooks
import run_course

pytestmark = pytest.mark.slow  # each of these starts kernels


def cell(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


PARAMETERS = cell('budget = "full"', "parameters")
HEADLINE = cell('print("budget", budget)\nprint("accuracy 0.9 on", budget)', "headline")
PROGRESS = cell(
    "import sys\nfrom tqdm import tqdm\n"
    "for step in tqdm(range(200), file=sys.stdout, mininterval=0, bar_format='{l_bar}{bar}|'):\n"
    "    pass"
)
FIGURE = cell("import matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);")
ANNOUNCED_ERROR = cell("1 / 0", "raises-exception")
WORKING = new_notebook(
    cells=[new_markdown_cell("# It works"), PARAMETERS, PROGRESS, FIGURE, ANNOUNCED_ERROR, HEADLINE]
)
FAILING = new_notebook(
    cells=[cell("1 + 1"), cell("raise ValueError('3 channels, not 6')"), cell("'never reached'")]
)


def make_course(folder):
    """Make a folder with the runner and two notebooks; the first one fails."""
    shutil.copytree(notebooks.ROOT / "tools", folder / "tools")
    (folder / "notebooks").mkdir()
    for name, notebook in {"00_failing": FAILING, "01_working": WORKING}.items():
        nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    return folder


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return make_course(tmp_path_factory.mktemp("course"))


def run(course, *arguments):
    command = [sys.executable, course / "tools" / "run_course.py", *arguments]
    return subprocess.run(command, cwd=course, capture_output=True, text=True)


@pytest.fixture(scope="module")
def quick_run(course):
    return run(course, "--budget", "quick")


def test_a_kernel_that_was_killed_is_said_to_be_killed(tmp_path):
    """By Linux, when the memory runs out: the kernel prints nothing itself."""
    path = tmp_path / "killed.ipynb"
    nbformat.write(new_notebook(cells=[cell("import os; os.kill(os.getpid(), 9)")]), path)
    with pytest.raises(notebooks.NotebookError, match="probably because the memory"):
        notebooks.run_notebook(path)


def test_failing_notebook_does_not_stop_the_others(quick_run):
    """The run as a whole fails, and its last lines are a table of all notebooks."""
    assert quick_run.returncode == 1
    rows = [line.split(maxsplit=2) for line in quick_run.stdout.splitlines()[-3:]]
    assert [(name, line) for name, _, line in rows] == [
        ("notebook", "headline"),
        ("00_failing", "FAILED: ValueError: 3 channels, not 6"),
        ("01_working", "accuracy 0.9 on quick"),
    ]


def test_failure_names_notebook_cell_and_error(quick_run):
    assert "00_failing.ipynb stopped at its code cell 2:" in quick_run.stderr
    assert "raise ValueError('3 channels, not 6')" in quick_run.stderr


def test_progress_bar_counts_the_cells_of_all_notebooks(quick_run):
    """It also counts the cells that a failing notebook skips, so that it reaches the end."""
    last = quick_run.stderr.strip().splitlines()[-1]
    assert "01_working" in last
    assert "8/8" in last


def test_executed_copies_keep_everything_up_to_the_failure(course, quick_run):
    failed = nbformat.read(course / "build/run/00_failing.ipynb", 4)
    assert [cell.execution_count for cell in failed.cells] == [1, 2, None]
    assert failed.cells[0].outputs[0].data["text/plain"] == "2"
    assert failed.cells[1].outputs[0].ename == "ValueError"


def test_notebooks_themselves_are_left_alone(course, quick_run):
    notebook = nbformat.read(course / "notebooks/01_working.ipynb", 4)
    assert not any(cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    assert notebooks.tagged(notebook, "parameters").source == 'budget = "full"'


def test_pages_hold_their_figures(course, quick_run):
    page = (course / "build/run/01_working.html").read_text()
    assert "accuracy 0.9 on quick" in page
    assert 'src="data:image/png;base64,' in page


def test_refresh_rewrites_what_succeeds_and_nothing_else(tmp_path):
    """A second run changes no byte, so a diff shows what really changed."""
    course = make_course(tmp_path)
    folder = course / "notebooks"
    failing = (folder / "00_failing.ipynb").read_bytes()
    working = folder / "01_working.ipynb"
    ids = [cell.id for cell in nbformat.read(working, 4).cells]
    both = [folder / "00_failing.ipynb", working]
    run_course.run_course(both, in_place=True, output=course / "build")
    assert (folder / "00_failing.ipynb").read_bytes() == failing
    first = working.read_bytes()
    notebook = nbformat.read(working, 4)
    assert [cell.id for cell in notebook.cells] == ids
    assert notebooks.headline(notebook) == "accuracy 0.9 on full"
    (bar,) = notebook.cells[2].outputs
    assert bar.text.count("%|") == 1  # only the last of the bar's 201 states

    run_course.run_course([working], in_place=True, output=course / "build")
    assert working.read_bytes() == first


def test_refresh_refuses_the_quick_budget(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["run_course.py", "--in-place", "--budget", "quick"])
    with pytest.raises(SystemExit):
        run_course.main()
    assert "committed outputs come from full runs" in capsys.readouterr().err


def test_kernel_works_in_the_folder_it_is_given(tmp_path):
    path = tmp_path / "where.ipynb"
    nbformat.write(new_notebook(cells=[cell("import os\nprint(os.getcwd())", "headline")]), path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert notebooks.headline(notebooks.run_notebook(path, cwd=elsewhere)) == str(elsewhere)


def test_interrupt_ends_the_kernel(course, tmp_path):
    """Ctrl-C reaches only the runner, since each kernel has its own process group."""
    path = tmp_path / "endless.ipynb"
    told = tmp_path / "kernel.pid"
    source = f"import os, time\nopen({str(told)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    nbformat.write(new_notebook(cells=[cell(source)]), path)
    command = [sys.executable, course / "tools" / "run_course.py", path]
    runner = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (told.exists() and told.read_text()):
        assert runner.poll() is None
        time.sleep(0.05)
    runner.send_signal(signal.SIGINT)
    printed = runner.communicate()[1]
    assert runner.returncode == 130
    assert "Traceback" not in printed
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)
