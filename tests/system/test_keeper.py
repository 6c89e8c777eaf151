"""Whatever the course starts ends within seconds of what started it, however that one ends."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid

import nbformat
import psutil
import pytest
import requests
from jupyter_client.manager import start_new_kernel
from nbformat.v4 import new_code_cell, new_notebook

from grader import jail
from notebooks import ROOT
from utils.runs import keeper
from utils.setup import machine

PATIENCE = 300  # seconds for processes to start, and to end: far more than they need
TOLD = """
import os
from pathlib import Path
from utils.families import Plain, deep_network

def network():
    Path(os.environ["BEGUN"], str(os.getpid())).touch()
    return deep_network(8, Plain)
"""
TRIALS = """
import dataclasses, utils, told
from pathlib import Path
from utils import experiments
from utils.recipes import Recipe
long = Recipe(epochs=1000, batch_size=32, size=14)
trials = [experiments.Trial(told.network, long, seed, images=640) for seed in range(4)]
first = dataclasses.replace(trials[0], recipe=dataclasses.replace(long, epochs=1))
"""
RUN_TRIALS = f"{TRIALS}\nexperiments.run_all(trials)"
MEASURE = f"{TRIALS}\nfrom utils import throughput\nthroughput.by_threads([1], batch_size=512)"
SLEEP = "import time; time.sleep(900)"
LAUNCH = f"""
import subprocess, sys
command = [sys.executable, "-m", "utils.runs.launch", "--workers", "2", "--", "python", "-c"]
silent = {{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}}
subprocess.Popen([*command, {SLEEP!r}], cwd={str(ROOT)!r}, **silent)
{SLEEP}
"""
PROGRAM = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from utils.runs import keeper
keeper.end_with_starter()
print("ready", flush=True)
{SLEEP}
"""
JAILED = f"""
import dataclasses, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "coursework")!r}]
from grader import jail, limits
allowed = dataclasses.replace(limits.read().jail, seconds=900)
jail.Jail(allowed, {{}}).run(["-c", sys.argv[1]])
"""
UNPROTECTED = f"""
import dataclasses, json, sys
from pathlib import Path
course = [Path({str(ROOT)!r}), Path({str(ROOT / "coursework")!r})]
sys.path[:0] = map(str, course)
from grader import jail, limits, marking
allowed = dataclasses.replace(limits.read().jail, seconds=900)
given = json.dumps(["import subprocess; subprocess.run(['sleep', '900'])"]) + "\\n[]\\n"
alone = jail.Jail(allowed, {{}}, protected=False, open_path=(*course, Path(sys.argv[1])))
alone.run([*marking.PROGRAM, "900"], given.encode())
"""


class Marked:
    """The processes of one test: its mark is in their environment or on their command line."""

    def __init__(self, folder):
        self.mark = f"of-a-test-{uuid.uuid4()}"
        self.begun = folder / "begun"  # a file for each trial
        self.begun.mkdir()
        (folder / "told.py").write_text(TOLD)
        paths = f"{ROOT}{os.pathsep}{folder}"
        own = {"MARK": self.mark, "BEGUN": str(self.begun), "PYTHONPATH": paths}
        self.environment = {**os.environ, **own}

    def all(self):
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process):
        with contextlib.suppress(psutil.Error, OSError):
            texts = [*process.cmdline(), *process.environ().values()]
            return process.status() != "zombie" and any(self.mark in text for text in texts)
        return False

    def with_words(self, *words):
        """Those whose command line has all of these words in it."""
        lines = {process: _command(process) for process in self.all()}
        return [process for process, line in lines.items() if all(word in line for word in words)]

    def end(self):
        for process in self.all():
            with contextlib.suppress(psutil.Error):
                process.kill()


def _command(process):
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@pytest.fixture
def marked(tmp_path):
    ours = Marked(tmp_path)
    yield ours
    ours.end()


def wait_for(condition):
    """Wait until this is true."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < PATIENCE
        time.sleep(0.1)


def wait_until_left(marked, expected=0, since=None):
    """Wait until no more processes are left; print the seconds that it took, for a table."""
    started = since or time.monotonic()
    wait_for(lambda: len(marked.all()) <= expected)
    print(f"nothing left after {time.monotonic() - started:.1f} s")


def trials_run(marked):
    """Whether as many trials have begun as run at a time."""
    return len(list(marked.begun.iterdir())) == min(4, machine.available_cpus())


@pytest.fixture
def kernel(marked):
    """A real kernel, as JupyterLab starts it."""
    manager, client = start_new_kernel(env=marked.environment, startup_timeout=PATIENCE)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def reply_to(client, request):
    while True:
        message = client.get_shell_msg(timeout=PATIENCE)
        if message["parent_header"].get("msg_id") == request:
            return message["content"]


def kill(manager):
    os.kill(manager.provisioner.process.pid, signal.SIGKILL)


WAYS = {
    "restart": lambda manager: manager.restart_kernel(),
    "restart at once": lambda manager: manager.restart_kernel(now=True),
    "interrupt": lambda manager: manager.interrupt_kernel(),
    "shutdown": lambda manager: manager.shutdown_kernel(),
    "SIGKILL": kill,
}
# Processes that may be left: a kernel, and after an interruption Python's tracker of its pools.
LEFT = {"restart": 1, "restart at once": 1, "interrupt": 1, "shutdown": 0, "SIGKILL": 0}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_trials_end_with_the_cell_that_runs_them(kernel, marked, way):
    manager, client = kernel
    client.execute(RUN_TRIALS)
    wait_for(lambda: trials_run(marked))
    started = time.monotonic()
    WAYS[way](manager)
    wait_until_left(marked, LEFT[way] + (way == "interrupt"), started)
    assert marked.with_words("multiprocessing.spawn") == []
    trackers = marked.with_words("resource_tracker")
    assert len(trackers) == (1 if way == "interrupt" else 0)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [RUN_TRIALS, MEASURE], ids=["trials", "a measurement"])
def test_what_has_not_begun_yet_ends_too(kernel, marked, cell):
    """Its kernel is killed while its processes still start."""
    manager, client = kernel
    client.execute(cell)
    wait_for(lambda: marked.with_words("multiprocessing.spawn"))
    kill(manager)
    wait_until_left(marked)


@pytest.mark.slow
def test_an_interrupted_cell_keeps_the_runs_that_have_ended_and_goes_on(kernel, marked, tmp_path):
    manager, client = kernel
    kept = tmp_path / "kept.json"
    cell = f"experiments.run_all(trials, Path({str(kept)!r}))"
    request = client.execute(f"{TRIALS}\ntrials.insert(0, first)\n{cell}")
    wait_for(kept.exists)
    manager.interrupt_kernel()
    assert reply_to(client, request)["ename"] == "KeyboardInterrupt"
    assert len(json.loads(kept.read_text("utf-8"))) == 1
    wait_for(lambda: not marked.with_words("multiprocessing.spawn"))
    again = client.execute_interactive(f"trials = [first]\n{cell}", timeout=PATIENCE)
    assert again["content"]["status"] == "ok"
    assert len(json.loads(kept.read_text("utf-8"))) == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["interrupt", "SIGKILL"])
def test_a_launch_ends_with_its_notebook_even_if_nobody_reads_what_it_prints(kernel, marked, way):
    manager, client = kernel
    client.execute(LAUNCH)
    wait_for(lambda: len(marked.with_words(SLEEP)) == 3)  # the launcher and its two workers
    started = time.monotonic()
    WAYS[way](manager)
    wait_until_left(marked, LEFT[way], started)
    assert marked.with_words("utils.runs") == []


@pytest.mark.parametrize(("words", "goes_on"), [([], False), (["nohup"], True)])
def test_a_program_ends_with_its_starter_and_says_so_unless_it_is_to_go_on(marked, words, goes_on):
    command = [*words, sys.executable, "-c", PROGRAM]
    starter = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess; subprocess.run({command})"],
        env=marked.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while starter.stdout.readline() != "ready\n":
        assert starter.poll() is None
    starter.kill()
    starter.wait()
    if goes_on:
        time.sleep(3 * keeper.INTERVAL)
        assert len(marked.all()) == 1
    else:
        wait_until_left(marked)
        assert "begin the command with `nohup`" in starter.stdout.read()


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(JAILED, marks=pytest.mark.skipif(bool(jail.missing()), reason=jail.missing())),
        UNPROTECTED,
    ],
    ids=["jail", "without a jail"],
)
def test_a_submission_ends_with_the_grader(marked, program):
    word = f"{SLEEP} # {marked.mark}" if program == JAILED else marked.mark
    grader = subprocess.Popen([sys.executable, "-c", program, word])
    wanted = 4 if program == JAILED else 3
    wait_for(lambda: len(marked.all()) >= wanted)
    grader.kill()
    grader.wait()
    wait_until_left(marked)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["make", "run_course.py"])
def test_a_run_of_notebooks_ends_with_its_trials(marked, tmp_path, victim):
    """Whether the runner is killed, or the make that has started it."""
    notebook = tmp_path / "trials.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(RUN_TRIALS)]), notebook)
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@'{sys.executable}' '{ROOT}/tools/run_course.py' trials.ipynb\n")
    made = subprocess.Popen(["make"], cwd=tmp_path, env=marked.environment)
    wait_for(lambda: trials_run(marked))
    (process,) = [made] if victim == "make" else marked.with_words(victim)
    process.kill()
    made.wait()
    wait_until_left(marked)


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="`make lab` needs `make set-up`")
@pytest.mark.parametrize("victim", ["make", "open_lab.py"])
def test_a_server_and_its_kernels_end_with_the_make_that_started_it(marked, tmp_path, victim):
    arguments = "LAB_ARGS=--no-browser --port=0"
    made = subprocess.Popen(
        ["make", "--old-file=set-up", "lab", arguments, f"LAB_DIR={tmp_path}"],
        cwd=ROOT,
        env={**marked.environment, "JUPYTER_RUNTIME_DIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    server = _served(tmp_path)
    headers = {"Authorization": f"token {server['token']}"}
    answer = requests.post(f"{server['url']}api/kernels", headers=headers, timeout=PATIENCE)
    answer.raise_for_status()
    wait_for(lambda: marked.with_words("ipykernel_launcher"))
    (process,) = [made] if victim == "make" else marked.with_words(victim)
    process.kill()
    made.wait()
    wait_until_left(marked)


def _served(folder):
    """What a server writes about itself, as soon as it answers."""
    found = []

    def answers():
        with contextlib.suppress(StopIteration, ValueError, requests.ConnectionError):
            server = json.loads(next(folder.glob("jpserver-*.json")).read_text("utf-8"))
            requests.get(f"{server['url']}api", timeout=PATIENCE).raise_for_status()
            found.append(server)
        return found

    wait_for(answers)
    return found[0]


def test_programs_that_last_are_started_by_make_itself_and_look_after_it(tmp_path):
    """A shell between them would stay when make is killed, and the program with it."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "coursework").mkdir()
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = programs / "python"
    python.write_text('#!/bin/sh\necho "$(ps -o comm= -p $PPID) $* -" >> "$SEEN"\n')
    python.chmod(0o755)
    seen = tmp_path / "seen"
    lasting = ["run", "lab", "refresh", "sweep", "bench", "environments", "grade", "formgrader"]
    subprocess.run(
        ["make", "--old-file=set-up", *lasting],
        cwd=tmp_path,
        env={**os.environ, "SEEN": str(seen)},
        check=True,
    )
    lines = [line.split()[:3] for line in seen.read_text("utf-8").splitlines()]
    assert len(lines) >= len(lasting)
    for parent, file, module in lines:
        program = f"tools/{module}/__main__.py" if file == "-m" else file.removeprefix("../")
        assert parent == "make", program
        assert "keeper.end_with_starter(" in (ROOT / program).read_text("utf-8"), program


STARTS = re.compile(r"\b(ProcessPoolExecutor|multiprocessing|os\.fork|start_new_kernel)\b")


def test_pools_of_processes_are_made_in_one_place():
    """Whoever starts processes in another way has to let them end, too, and names the file here."""
    files = [file for name in ("utils", "coursework") for file in (ROOT / name).rglob("*.py")]
    found = {file.name for file in files if STARTS.search(file.read_text("utf-8"))}
    assert found == {"keeper.py"}
