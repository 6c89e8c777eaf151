"""Set-up: survives kills and a second set-up, does nothing twice, and says what is missing."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import set_up
from environments import stand_ins

WITH_UV = {**os.environ, "PATH": f"{set_up.VENV / 'bin'}:{os.environ['PATH']}"}


def copy_course(folder):
    """Copy what set-up needs: the scripts, the toolbox with its sample, and the lock."""
    for name in ("tools", "utils"):
        shutil.copytree(set_up.ROOT / name, folder / name)
    shutil.copy(set_up.LOCK, folder)
    return folder


def start(course, environment=WITH_UV):
    """Start set-up in its own process group, as a shell does."""
    return subprocess.Popen(
        [sys.executable, "tools/set_up.py"],
        cwd=course,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_for(process, sentence):
    """Read what set-up prints up to the line that begins with this sentence."""
    for line in process.stdout:
        if line.startswith(sentence):
            return
    pytest.fail(f"set-up ended without printing {sentence!r}")


@pytest.fixture(scope="module")
def survivor(tmp_path_factory):
    """A course whose set-up was killed three times, and then started twice at once.

    The file that says "this is an environment" is gone, as after a kill during a removal.
    """
    course = copy_course(tmp_path_factory.mktemp("course"))

    making = start(course)
    wait_for(making, "Making the environment")
    os.killpg(making.pid, signal.SIGKILL)
    making.wait()

    packages = course / ".venv" / "lib" / f"python{set_up.COURSE_PYTHON}" / "site-packages"
    for kill in (os.killpg, os.kill):  # the second leaves its uv behind, writing into .venv
        installing = start(course)
        wait_for(installing, "Installing the packages")
        while not (packages / "mxnet").exists() and installing.poll() is None:
            time.sleep(0.01)
        assert installing.poll() is None
        kill(installing.pid, signal.SIGKILL)
        installing.wait()
    (course / ".venv" / "pyvenv.cfg").unlink(missing_ok=True)

    both = [start(course), start(course)]
    printed = [process.communicate()[0] for process in both]
    return SimpleNamespace(
        folder=course, printed=printed, statuses=[process.returncode for process in both]
    )


@pytest.mark.slow
@pytest.mark.xdist_group("environments")
@pytest.mark.network
def test_after_kills_two_set_ups_at_once_both_succeed(survivor):
    """Each waits for what is at work in the folder, and one of them makes the environment."""
    assert survivor.statuses == [0, 0], "\n".join(survivor.printed)
    assert "Another set-up is at work" in "".join(survivor.printed)
    assert "".join(survivor.printed).count("The environment is ready") == 1


@pytest.mark.slow
@pytest.mark.xdist_group("environments")
@pytest.mark.network
def test_after_kills_the_environment_is_whole(survivor):
    """Every package is as the lock says, and the course can be imported from any folder."""
    python = survivor.folder / ".venv/bin/python"
    uv = [set_up.VENV / "bin/uv", "pip", "sync", "--offline", "--dry-run", "--python", python]
    changes = subprocess.run([*uv, survivor.folder / "requirements.txt"], capture_output=True)
    assert b"Would make no changes" in changes.stderr
    imports = [python, "-c", "import utils, mxnet; print(utils.__file__)"]
    printed = subprocess.check_output(imports, cwd="/", text=True)
    assert Path(printed.strip()).parent == survivor.folder / "utils"


def test_set_up_waits_for_the_uv_that_a_killed_one_left_behind(tmp_path):
    """This uv runs until it is told to stop, and then fails."""
    course = copy_course(tmp_path)
    working, stop = tmp_path / "working", tmp_path / "stop"
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    wait = f"touch {working}; until [ -e {stop} ]; do sleep 0.05; done"
    uv.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit\n{wait}\nexit 1\n')
    uv.chmod(0o755)
    environment = {**os.environ, "PATH": f"{uv.parent}:{os.environ['PATH']}"}
    try:
        killed = start(course, environment)
        while not working.exists():
            time.sleep(0.01)
        killed.kill()
        killed.wait()
        following = start(course, environment)
        assert following.stdout.readline().startswith("Another set-up is at work")
    finally:
        stop.touch()
    assert following.wait() == 1


@pytest.mark.slow
@pytest.mark.xdist_group("environments")
@pytest.mark.network
def test_second_set_up_prints_one_line_and_touches_nothing(survivor):
    before = (survivor.folder / ".venv").stat().st_mtime_ns
    again = start(survivor.folder)
    printed = again.communicate()[0]
    assert again.returncode == 0
    assert len(printed.splitlines()) == 1
    assert (survivor.folder / ".venv").stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["lock", "folder", "python", "processor"])
def test_environment_made_for_something_else_is_not_ready(change, tmp_path, monkeypatch):
    """A new lock, a moved folder or a removed Python: the environment must be made again."""
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.symlink_to(sys.executable)
    lock = tmp_path / "requirements.txt"
    lock.write_text("mxnet==1.9.1\n")
    for name, value in {"ROOT": tmp_path, "PYTHON": python, "LOCK": lock}.items():
        monkeypatch.setattr(set_up, name, value)
    monkeypatch.setattr(set_up, "STAMP", venv / "stamp")
    set_up.STAMP.write_bytes(set_up.wanted_stamp())
    assert set_up.ready()
    if change == "lock":
        lock.write_text("mxnet==1.9.0\n")
    elif change == "folder":
        monkeypatch.setattr(set_up, "ROOT", tmp_path / "elsewhere")
    elif change == "processor":  # a container on ARM, in the folder of a machine with x86-64
        monkeypatch.setattr(set_up.platform, "machine", lambda: "other")
    else:
        python.unlink()
        python.symlink_to(tmp_path / "removed")
    assert not set_up.ready()


def test_without_network_says_so_and_can_be_repeated(tmp_path):
    """uv's own message comes first, then what to do. Nothing looks ready."""
    course = copy_course(tmp_path)
    closed = "http://127.0.0.1:9"  # the discard port, where nothing listens
    cut_off = {"HTTPS_PROXY": closed, "UV_HTTP_RETRIES": "0", "UV_CACHE_DIR": str(tmp_path / "uv")}
    process = start(course, {**WITH_UV, **cut_off})
    printed = process.communicate()[0]
    assert process.returncode == 1
    assert "Failed to fetch" in printed
    assert "Check the connection to the Internet" in printed.splitlines()[-1]
    assert not (course / ".venv" / set_up.STAMP.name).exists()


@pytest.mark.parametrize("broken_uv", [False, True], ids=["no uv", "pyenv's empty uv"])
def test_without_uv_and_pip_names_the_package_that_brings_pip(tmp_path, broken_uv):
    """This Python finds no pip, like Debian's without python3-pip."""
    course = copy_course(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['pip'] = None")
    programs = tmp_path / "bin"
    programs.mkdir()
    if broken_uv:
        (programs / "uv").write_text("#!/bin/sh\nexit 127\n")
        (programs / "uv").chmod(0o755)
    hidden = {"PATH": str(programs), "PYTHONPATH": str(tmp_path)}
    process = start(course, {**os.environ, **hidden})
    assert "apt-get install python3-pip" in process.communicate()[0]
    assert process.returncode == 1


def test_machine_without_mxnet_is_told_the_way_out(monkeypatch):
    monkeypatch.setattr(set_up.machine, "this_platform", lambda: ("Darwin", "arm64", "", 64))
    with pytest.raises(SystemExit, match="does not exist for macOS on an Apple chip"):
        set_up.main()


def test_old_python_is_told_to_be_too_old():
    python = stand_ins.find_python("3.8")
    if not python:
        pytest.skip("no Python 3.8 on this machine")
    started = subprocess.run([python, "tools/set_up.py"], cwd=set_up.ROOT, capture_output=True)
    assert b"needs Python 3.9 or newer" in started.stderr
