"""What was set for other programs stays outside: other Pythons, Jupyters, pips and drawings."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import notebooks
import set_up
from utils.setup import packages, storage

MAKEFILE = notebooks.ROOT / "Makefile"
COMMANDS = re.search(r"^\.PHONY: help (.*)$", MAKEFILE.read_text("utf-8"), re.MULTILINE)[1].split()
FOLDERS = [
    "My Course (2) 课程",
    "Été [1] – d'Ann",
    '100% & "#1"; $HOME `id` ~',
    "-C notes",
]
# Each program that the Makefile starts writes down how it was started.
STUB = """#!/bin/sh
{ echo "started $0 $*"; echo "in $PWD"; env; } >> "$SEEN"
"""
PROGRAMS = ["python", "jupyter", "uv", "ruff", "codespell", "deptry", "lint-imports", "pyright"]
PROGRAMS += ["check-jsonschema"]


@pytest.fixture(params=FOLDERS)
def course(request, tmp_path):
    """A folder with the Makefile, in which all programs only write down how they were started."""
    folder = tmp_path / request.param
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (folder / "coursework").mkdir()
    shutil.copy(MAKEFILE, folder)
    for path in [*(programs / name for name in PROGRAMS), tmp_path / "python3"]:
        path.write_text(STUB)
        path.chmod(0o755)
    return folder


def make(course, *arguments, **environment):
    """Run make in this folder, and return what the programs wrote down."""
    seen = course.parent / "seen"
    seen.write_text("")
    path = f"{course.parent}:{os.environ['PATH']}"
    subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=course,
        env={**os.environ, "SEEN": str(seen), "PATH": path, **environment},
        check=True,
    )
    return seen.read_text().splitlines()


def test_every_command_works_in_a_folder_of_any_name(course):
    lines = make(course, *COMMANDS)
    assert len([line for line in lines if line.startswith("started ")]) > len(COMMANDS)
    folders = {line for line in lines if line.startswith("in ")}
    assert folders == {f"in {course}", f"in {course}/coursework"}


def test_jupyterlab_gets_the_folder_of_the_course_whole(course):
    lines = make(course, "lab", "LAB_DIR=my notebooks (2)")
    assert f"JUPYTER_CONFIG_PATH={course}/tools/lab" in lines
    assert any(line.endswith("--notebook-dir=my notebooks (2)") for line in lines)
    assert any(line.startswith(f"PATH={course}/.venv/bin:") for line in make(course, "formgrader"))


def test_submissions_may_lie_in_a_folder_of_any_name(course):
    lines = make(course, "grade", "ASSIGNMENT=ps1", f"FROM={course.name.replace('$', '$$')}")
    assert f"started .venv/bin/python coursework/grade.py ps1 {course.name}" in lines


INTRUDERS = {
    "PYTHONPATH": "/opt/ros/lib/python3/dist-packages",
    "PYTHONHOME": "/usr",
    "PYTHONSTARTUP": "/no/such/file.py",
    "PYTHONSAFEPATH": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "JUPYTER_PATH": "/opt/jupyter",
    "JUPYTER_PREFER_ENV_PATH": "no",
    "DMLC_ROLE": "server",
    "DMLC_NUM_WORKER": "4",
    "CDPATH": "/tmp",
    "LC_ALL": "en_US.ISO-8859-1",
    "LC_CTYPE": "zh_CN.GBK",
}


@pytest.mark.parametrize("course", FOLDERS[:1], indirect=True)
def test_no_command_hands_on_what_is_meant_for_other_programs(course):
    lines = make(course, *COMMANDS, **INTRUDERS)
    assert {"PYTHONUTF8=1", "LC_CTYPE=C.UTF-8"} <= set(lines)
    for name, value in INTRUDERS.items():
        assert f"{name}={value}" not in lines


@pytest.mark.parametrize("home", ["", "/proc/nobody", "/dev/null"])
@pytest.mark.parametrize("course", FOLDERS[:1], indirect=True)
def test_without_a_home_that_can_be_written_the_course_has_one(course, home):
    """HOME is missing, not there, or no folder; programs keep settings and caches in it."""
    assert f"HOME={course}/.cache/home" in make(course, "run", HOME=home)
    assert f"HOME={course.parent}" in make(course, "run", HOME=str(course.parent))


@pytest.mark.slow
def test_notebooks_run_with_this_python_and_without_the_readers_start_up_files(
    tmp_path, monkeypatch
):
    kernel = tmp_path / "kernels" / "python3" / "kernel.json"
    startup = tmp_path / "profile_default" / "startup" / "first.py"
    for file in (kernel, startup):
        file.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["/no/such/python"], "display_name": "x", "language": "python"}')
    startup.write_text("leaked = True")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    path = tmp_path / "one.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("import sys\n'leaked' in globals()")]), path)
    assert notebooks.run_notebook(path).cells[0].outputs[0].data["text/plain"] == "False"


DRAWING = "import matplotlib; print(*map(matplotlib.rcParams.get, ('text.usetex', 'font.family')))"
PLAIN = "False ['sans-serif']\n"


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("named", f"import utils; {DRAWING}"),
        ("matplotlib", f"import utils; {DRAWING}"),  # in the reader's folder of settings
        (".", f"import utils; {DRAWING}"),
        ("matplotlib", f"import matplotlib, utils; {DRAWING}"),
    ],
    ids=["MATPLOTLIBRC", "at home", "beside the notebook", "matplotlib is there before utils"],
)
def test_a_matplotlibrc_changes_no_drawing_of_the_course(tmp_path, place, code):
    """LaTeX and this font are not on this machine: each drawing would fail, or warn many times."""
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "matplotlibrc").write_text("text.usetex: True\nfont.family: NoSuchFont\n")
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    environment.pop("MATPLOTLIBRC")
    if place == "named":
        environment["MATPLOTLIBRC"] = str(tmp_path / place)
    environment["PYTHONPATH"] = str(notebooks.ROOT)
    python = [sys.executable, "-c", code]
    assert subprocess.check_output(python, cwd=tmp_path, env=environment, text=True) == PLAIN


def make_wheel(folder):
    """Write a package of one module as pip installs it."""
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Name: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")


OTHER_INSTALLATIONS = {
    "prefix": "/no/such/prefix",
    "root": "/no/such/root",
    "user": "true",
    "require-hashes": "true",
    "require-virtualenv": "true",
    "constraint": "/no/such/constraints.txt",
    "dry-run": "true",
}


@pytest.mark.parametrize("place", ["the environment", "a file"])
def test_a_package_is_installed_whatever_pip_is_set_to_do_elsewhere(tmp_path, monkeypatch, place):
    make_wheel(tmp_path)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    settings = {"no-index": "true", "find-links": str(tmp_path)}  # these are kept
    if place == "a file":
        lines = [f"{name} = {value}" for name, value in {**OTHER_INSTALLATIONS, **settings}.items()]
        (tmp_path / "pip.conf").write_text("\n".join(["[install]", *lines]))
        monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    else:
        only_here = {"requirement": "/no/such/file", "python": "/no/such/python", "target": "/no"}
        for name, value in {**OTHER_INSTALLATIONS, **only_here, **settings}.items():
            monkeypatch.setenv(f"PIP_{name.replace('-', '_').upper()}", value)
    packages.pip_install(["--target", tmp_path / "here", "tiny==1.0"], "It failed.")
    assert (tmp_path / "here" / "tiny.py").exists()


def test_uv_is_told_the_way_to_its_packages_and_nothing_about_other_projects():
    names = ["UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_CACHE_DIR", "UV_SYSTEM_CERTS", "HTTPS_PROXY"]
    names += ["UV_HTTP_TIMEOUT", "UV_PYTHON_INSTALL_DIR", "PIP_CERT", "PIP_CONFIG_FILE", "HOME"]
    kept = dict.fromkeys(names, "x")
    dropped = ["UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE_NEWER", "UV_NO_BINARY", "UV_WORKING_DIR"]
    dropped += ["UV_PROJECT", "UV_PYTHON", "UV_SYSTEM_PYTHON", "PIP_PREFIX", "PIP_NO_DEPS"]
    assert packages.installing({**kept, **dict.fromkeys(dropped, "x")}) == kept


def test_an_environment_is_ready_in_every_language(tmp_path):
    """Its stamp names the folder; read as text, it would differ where names are not UTF-8."""
    folder = tmp_path / "课程"
    for name in ("tools", "utils"):
        shutil.copytree(set_up.ROOT / name, folder / name)
    shutil.copy(set_up.LOCK, folder)
    ask = [sys.executable, "-c", "import set_up; print(set_up.wanted_stamp())"]
    settings = ({"PYTHONUTF8": "1"}, {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"})
    answers = [
        subprocess.check_output(ask, cwd=folder / "tools", env={**os.environ, **each})
        for each in settings
    ]
    assert answers[0] == answers[1]
    assert folder.name.encode() in ast.literal_eval(answers[0].decode())


def test_the_environment_finds_the_course_wherever_it_is(tmp_path):
    """The line that set-up writes holds no path: Python would read one in today's language."""
    python = tmp_path / "课程 (2)" / ".venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", python.parents[1]], check=True)
    (packages_folder,) = python.parents[1].glob("lib/python3*/site-packages")
    (packages_folder / "course.pth").write_text(set_up.FIND_THE_COURSE)
    (python.parents[2] / "found.py").write_text("print('found')")
    environment = {**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    printed = subprocess.check_output([python, "-c", "import found"], env=environment, cwd="/")
    assert printed == b"found\n"


def test_a_folder_in_which_no_environment_works_is_named(monkeypatch):
    monkeypatch.setattr(set_up, "ROOT", Path("/home/ada/lesson: one"))
    assert "has a colon" in set_up.folder_problem()
    monkeypatch.setattr(set_up, "ROOT", Path("/home/ada/lesson one"))
    assert set_up.folder_problem() == ""
    monkeypatch.setattr(set_up.os, "access", lambda *_: False)
    assert "neither in this folder nor in your home folder" in set_up.folder_problem()


def test_a_user_without_any_home_is_told_to_set_it(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(storage.Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(OSError, match="Set HOME to a folder of yours"):
        storage.folder("packages")
