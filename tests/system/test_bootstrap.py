"""The first cell of a notebook that travels alone: what it installs, and what it says."""

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from notebooks import ROOT
from utils.setup import bootstrap, gpu, packages
from utils.setup.packages import InstallError, Package

MXNET = packages.MXNET[gpu.CPU_BUILD]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def modules_imported(path):
    """The top-level modules that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


def test_the_list_of_what_the_course_imports_is_whole():
    """Apart from the standard library, MXNet, d2l, the course itself, and Pillow for matplotlib."""
    imported = {name for path in (ROOT / "utils").rglob("*.py") for name in modules_imported(path)}
    apart = {*sys.stdlib_module_names, "utils", "mxnet", "d2l", "google", "PIL"}
    assert imported - apart <= set(bootstrap.IMPORTED)


def test_it_needs_nothing_but_the_standard_library():
    """numpy is not there yet, or cannot be imported. The names are added to it later."""
    code = (
        "import sys; sys.modules['numpy'] = None; before = set(sys.modules);"
        "import utils.setup.bootstrap;"
        "print({name.split('.')[0] for name in set(sys.modules) - before})"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert ast.literal_eval(printed) - sys.stdlib_module_names == {"utils"}


@pytest.mark.parametrize(("version", "sentence"), [("1.9.1", ""), ("1.6.0", "MXNet 1.6.0 is")])
def test_another_mxnet_that_is_loaded_needs_a_restart(version, sentence):
    problem = bootstrap.loaded_problem(SimpleNamespace(__version__=version))
    assert problem.startswith(sentence)
    assert ("Restart" in problem) == bool(sentence)


def test_without_mxnet_nothing_is_loaded():
    assert bootstrap.loaded_problem(None) == ""


def test_what_is_there_already_keeps_its_version(monkeypatch):
    calls = []

    def install(arguments, failure):
        calls.append((arguments, Path(arguments[1]).read_text()))

    monkeypatch.setattr(packages, "pip_install", install)
    bootstrap.complete(["tqdm"])
    ((arguments, constraints),) = calls
    assert arguments[0] == "--constraint"
    assert arguments[2:] == ["tqdm"]
    assert f"numpy=={importlib.metadata.version('numpy')}\n" in constraints


def test_where_nothing_is_missing_pip_is_not_called(monkeypatch):
    monkeypatch.setattr(packages, "pip_install", lambda *_: pytest.fail("called"))
    bootstrap.complete([])


@pytest.fixture
def gpu_machine(monkeypatch):
    """A machine with a T4. Installing a package only adds it to the list that is returned."""
    installed = []
    monkeypatch.setattr(gpu, "gpus", lambda: [gpu.GPU("Tesla T4", (7, 5))])
    monkeypatch.setattr(Package, "install", lambda package: installed.append(package))
    monkeypatch.setattr(Package, "is_here", lambda package: package in installed)
    monkeypatch.setattr(packages, "load_cuda", list)
    monkeypatch.setattr(bootstrap, "try_import", lambda _: None)
    return installed


def test_each_package_has_a_line_and_a_second_start_installs_nothing(gpu_machine, capsys):
    bootstrap.install()
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "MXNet 1.9.1 has code for the Tesla T4 (compute capability 7.5)."
    assert printed[-1] == "Installing mxnet-cu112==1.9.1 (500 MB), 12 of 12."
    assert gpu_machine == packages.wanted(gpu.GPU_BUILD)
    bootstrap.install()
    assert capsys.readouterr().out.splitlines() == printed[:1]


def test_an_interrupted_first_cell_continues_where_it_stopped(gpu_machine, monkeypatch):
    first_two = packages.wanted(gpu.GPU_BUILD)[:2]

    def install(package):
        if len(gpu_machine) == 2:
            raise KeyboardInterrupt
        gpu_machine.append(package)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(Package, "install", install)
        with pytest.raises(KeyboardInterrupt):
            bootstrap.install()
    assert gpu_machine == first_two
    bootstrap.install()
    assert gpu_machine == packages.wanted(gpu.GPU_BUILD)


@pytest.mark.parametrize("in_colab", [True, False])
def test_with_a_gpu_too_new_it_says_how_to_get_another_in_colab(
    gpu_machine, in_colab, monkeypatch, capsys
):
    monkeypatch.setattr(gpu, "gpus", lambda: [gpu.GPU("NVIDIA H100", (9, 0))])
    if in_colab:
        monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    bootstrap.install()
    printed = capsys.readouterr().out
    assert "is newer than" in printed
    assert ("Change runtime type → T4 GPU" in printed) == in_colab
    assert gpu_machine == packages.wanted(gpu.CPU_BUILD)


def test_where_the_build_for_gpus_cannot_be_loaded_the_other_is_taken(
    gpu_machine, monkeypatch, capsys
):
    mxnet = packages.MXNET[gpu.GPU_BUILD]
    mxnet.folder.mkdir(parents=True)

    def try_import(package):
        if package == mxnet:
            raise InstallError("CUDA: Check failed.")

    monkeypatch.setattr(bootstrap, "try_import", try_import)
    bootstrap.install()
    assert "CUDA: Check failed.\nSo MXNet computes on the processor." in capsys.readouterr().out
    assert gpu_machine[-1] == MXNET
    assert not mxnet.folder.exists()


def test_a_full_disk_is_told_in_a_sentence(gpu_machine, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Package, "install", full)
    with pytest.raises(InstallError, match="The disk is full"):
        bootstrap.install()


def test_a_runtime_too_new_is_told_to_choose_an_earlier_one(monkeypatch):
    """As if Python had lost something that MXNet imports."""
    monkeypatch.setattr(bootstrap, "TRY", "raise SystemExit('ImportError: No module named imp')")
    with pytest.raises(InstallError) as failure:
        bootstrap.try_import(MXNET)
    assert "ImportError: No module named imp" in str(failure.value)
    assert "Runtime version → an earlier one" in str(failure.value)
    assert "3.9 to 3.13" in str(failure.value)


def test_what_has_worked_is_not_tried_again_by_the_same_python_and_numpy(monkeypatch):
    bootstrap.try_import(MXNET)
    monkeypatch.setattr(bootstrap, "TRY", "raise SystemExit('tried again')")
    bootstrap.try_import(MXNET)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "2.9")
    with pytest.raises(InstallError, match="tried again"):
        bootstrap.try_import(MXNET)
