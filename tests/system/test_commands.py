"""The commands of the Makefile, and the files that repeat them for other programs."""

import json
import os
import re
import shlex
import subprocess

import nbformat
import pytest
import requests
import tomllib
import yaml
from nbformat.v4 import new_code_cell, new_notebook, new_output
from packaging.requirements import Requirement

import check_lab
import set_up
from notebooks import NOTEBOOKS, ROOT, code_cells, tagged

UV = set_up.VENV / "bin" / "uv"
IMPORT_ALL = "import utils, mxnet, d2l.mxnet, matplotlib.pyplot, jupyterlab, ipykernel, tqdm"


def make(*arguments):
    command = ["make", "--no-print-directory", *arguments]  # these tests run inside `make test`
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_make_alone_lists_every_command_with_one_line():
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    rows = [line.split(maxsplit=2) for line in make().stdout.splitlines()]
    assert {name for _, name, help_line in rows if help_line} == {*targets[1].split()}


def test_make_without_python_says_what_to_install():
    printed = make("style", "PYTHON=python-that-is-not-here").stderr
    assert "install Python 3.9 or newer" in printed


def test_commit_hooks_run_what_make_style_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    recipe = make("--dry-run", "style").stdout
    commands = [line for line in recipe.splitlines() if " .venv/bin/" in f" {line}"]
    assert [hook["entry"] for hook in hooks] == commands


@pytest.mark.xdist_group("checked")
def test_tests_of_one_group_stay_together(request, worker_id):
    """pytest-xdist deals tests out by their ids, which then end with the name of the group."""
    if worker_id == "master":
        pytest.skip("no tests run beside this one")
    assert request.node.nodeid.endswith("@checked")


def test_what_pyright_is_told_to_overlook_has_a_reason():
    """Two lines today; whoever needs a third counts it here."""
    files = [file for name in ("utils", "coursework") for file in (ROOT / name).rglob("*.py")]
    lines = [line for file in files for line in file.read_text("utf-8").splitlines()]
    ignored = [line for line in lines if re.search("(pyright|type): ignore", line)]
    assert len(ignored) == 2
    for line in ignored:
        assert re.search(r"# pyright: ignore\[\w+\]  \(.+\)$", line), line


@pytest.mark.parametrize("file", ["requirements.txt", "site/requirements.txt"])
def test_lock_holds_every_dependency_within_its_range(file):
    """Whoever changes a range runs `make lock`; the lock names no package index."""
    lock = (ROOT / file).read_text()
    pins = dict(re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", lock, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    for_pages = groups.pop("site")
    of_course = [project["project"]["dependencies"], *groups.values()]
    lists = of_course if file == "requirements.txt" else [for_pages]
    wanted = [Requirement(line) for lines in lists for line in lines]
    for requirement in wanted:
        assert requirement.specifier.contains(pins[requirement.name]), requirement
    blocks = re.split(r"^(?=\w)", lock, flags=re.MULTILINE)
    named = [
        block for block in blocks if re.search("residual-networks-course|pyproject.toml", block)
    ]
    ours = {re.split(r"[\[=]", block)[0] for block in named}
    assert ours == {requirement.name for requirement in wanted}
    assert "://" not in lock
    assert "--hash=sha256:" in lock


def test_ci_runs_the_tests_as_the_readme_says(tmp_path):
    """Where all that the tests need is there, it installs nothing and calls `make test`."""
    calls = tmp_path / "calls"
    for name in ("make", "chromium", "chromedriver", "bwrap", "apt-get", "python3"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {calls}\n')
        program.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run([ROOT / ".ci" / "run"], check=True, env={**os.environ, "PATH": path})
    assert calls.read_text().splitlines()[-1] == "make test"
    assert "apt-get" not in calls.read_text()


@pytest.mark.slow
@pytest.mark.xdist_group("environments")
@pytest.mark.network
def test_conda_and_binder_get_the_same_environment(tmp_path):
    """The pip part of environment.yml, installed into an empty Python, imports everything."""
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert f"python={set_up.COURSE_PYTHON}" in conda
    python = tmp_path / "env" / "bin" / "python"
    run = {"check": True, "cwd": ROOT, "env": {**os.environ, "UV_SYSTEM_CERTS": "1"}}
    subprocess.run([UV, "-q", "venv", "--python", set_up.COURSE_PYTHON, tmp_path / "env"], **run)
    arguments = [word for line in pip["pip"] for word in shlex.split(line)]
    subprocess.run([UV, "-q", "pip", "install", "--python", python, *arguments], **run)
    cell = f"import sys; sys.path.insert(0, '..'); {IMPORT_ALL}"
    subprocess.run([python, "-c", cell], check=True, cwd=NOTEBOOKS)


WRONG_BLOCK = """
class MyResidual(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2D(num_channels, kernel_size=3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()

    def forward(self, X):
        Y = npx.relu(self.bn1(self.conv1(X)))
        Y = npx.relu(self.bn2(self.conv2(Y)))
        return Y + (self.conv3(X) if self.conv3 else X)
"""


@pytest.mark.slow
def test_learners_do_not_see_the_menus_of_nbgrader():
    """In the JupyterLab of `make lab`, and of no other."""
    assert 'JUPYTER_CONFIG_PATH="$PWD/tools/lab"' in make("--dry-run", "lab").stdout
    setting = str(ROOT / "tools" / "lab")
    command = [set_up.VENV / "bin" / "jupyter", "labextension", "list"]
    for path, listed in ((setting, "disabled"), ("", "enabled")):
        environment = {**os.environ, "JUPYTER_CONFIG_PATH": path}
        run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        (line,) = re.findall(r".*@jupyter/nbgrader v.*", run.stdout + run.stderr)
        assert listed in line


@pytest.mark.slow
def test_jupyterlab_asks_no_question_about_news(tmp_path):
    """Its page is told so by the server. Its own default asks, in the first minute of a course."""
    with check_lab.jupyterlab(NOTEBOOKS, settings=tmp_path) as address:
        page = requests.get(address.format(""), timeout=60).text
    settings = re.search(r'<script id="jupyter-config-data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert json.loads(settings[1])["news"] == {"disabled": True}


@pytest.mark.slow
@pytest.mark.browser
def test_notebook_runs_in_jupyterlab_and_names_the_mistake_of_a_learner(tmp_path):
    """`make lab`, a browser, a wrong block in the exercise, Run All Cells: every cell runs."""
    missing = check_lab.missing_programs()
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} on this machine to open JupyterLab with")
    notebook = nbformat.read(NOTEBOOKS / "02_residual_block.ipynb", as_version=4)
    tagged(notebook, "exercise").source = WRONG_BLOCK
    path, screenshot = tmp_path / "02.ipynb", tmp_path / "lab.png"
    nbformat.write(notebook, path)
    notebook = check_lab.run_in_lab(path, screenshot=screenshot)
    assert check_lab.unexpected_errors(notebook) == []
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    shown = tagged(notebook, "check").outputs[0].data["text/html"]
    assert "Look first at: shortcut added after the last ReLU." in shown
    assert screenshot.read_bytes().startswith(b"\x89PNG")


def test_only_announced_errors_are_expected():
    error = new_output("error", ename="ValueError", evalue="3 channels, not 6", traceback=[])
    announced = new_code_cell("fail()", outputs=[error], metadata={"tags": ["raises-exception"]})
    unannounced = new_code_cell("fail()", outputs=[error])
    errors = check_lab.unexpected_errors(new_notebook(cells=[announced, unannounced]))
    assert errors == ["code cell 2: ValueError: 3 channels, not 6"]
