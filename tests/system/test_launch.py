"""Launching: roles find one another, and end together, with a sentence, whatever happens to one."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy
import pytest
import team
from mxnet import cpu

from utils.runs import checkpoint
from utils.runs import launch as launcher

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("launch"),
    pytest.mark.usefixtures("numpy_mode"),
]

TESTS = Path(__file__).parent
# On hosts of their own the workers would take more threads, and add in another order.
PYTHON = ("env", "OMP_NUM_THREADS=1", sys.executable)
STARTED = re.compile(r"\[(.+)\] started, process (\d+)")


class Running:
    """A launch, its lines so far, and all the processes that came of it."""

    def __init__(self, *options, program=PYTHON, script=TESTS / "team.py", arguments=()):
        command = [sys.executable, "-m", "utils.runs.launch", "--workers", "2", *options, "--"]
        command += [*program, script, *arguments]
        self.command = list(map(str, command))
        self.mark = f"LAUNCH_OF_A_TEST={uuid.uuid4()}"
        env = {**os.environ, "PYTHONPATH": str(TESTS.parent), **dict([self.mark.split("=")])}
        self.process = subprocess.Popen(
            self.command,
            cwd=TESTS.parent,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []

    def read_until(self, text):
        for line in self.process.stdout:
            self.lines.append(line)
            if text in line:
                return
        pytest.fail(f"it ended without {text!r}:\n{self.output}")

    def finish(self):
        """Read to the end; return the exit code."""
        self.lines += self.process.stdout
        return self.process.wait()

    @property
    def output(self):
        return "".join(self.lines)

    @property
    def roles(self):
        return {role: int(process) for role, process in STARTED.findall(self.output)}

    def left(self):
        """The processes that carry the mark of this launch in their environment."""
        return [
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/environ")
            if self.mark.encode() in _read(path)
        ]


def _read(path):
    with contextlib.suppress(OSError):  # it has just ended
        return path.read_bytes()
    return b""


@pytest.fixture
def launch():
    """Start launches, and end what is left of them, by process id."""
    running = []

    def start(*options, **arguments):
        running.append(Running(*options, **arguments))
        return running[-1]

    yield start
    for one in running:
        for process in one.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)


def learned(running):
    return dict(re.findall(r"\[(worker \d)\] learned (\w+)", running.output))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the workers learn in a run that nothing disturbs."""
    running = Running(arguments=[tmp_path_factory.mktemp("undisturbed")])
    assert running.finish() == 0, running.output
    return learned(running)["worker 0"]


def test_two_workers_learn_what_one_learns_from_double_batches(launch, sample, tmp_path, capsys):
    """Twenty steps of ResNet-18 on real images, without what cannot be compared."""
    running = launch(arguments=[tmp_path, "kind=smooth"])
    with capsys.disabled():
        print("\n" + " ".join(running.command))
    assert running.finish() == 0, running.output
    first, second = (numpy.load(tmp_path / f"{rank}.npz") for rank in (0, 1))
    net, _ = team.twenty_steps(sample, cpu(), "device")
    for name, alone in zip(first.files, team.learned(net)):
        assert numpy.array_equal(first[name], second[name])
        assert abs(first[name] - alone).max() <= 1e-6


@pytest.mark.timeout(180)  # the others do not wait for a role that is gone
@pytest.mark.parametrize("victim", ["scheduler", "server 0", "worker 0", "worker 1"])
def test_when_a_role_is_killed_all_end_and_the_same_command_goes_on(
    launch, undisturbed, tmp_path, victim
):
    running = launch(arguments=[tmp_path])
    running.read_until("step 5")
    os.kill(running.roles[victim], signal.SIGKILL)
    assert running.finish() == 1
    assert f"The {victim} on this machine was killed by SIGKILL." in running.output
    assert running.left() == []
    again = launch(arguments=[tmp_path])
    assert again.finish() == 0, again.output
    assert "the run goes on after step" in again.output
    assert learned(again) == {"worker 0": undisturbed, "worker 1": undisturbed}


def test_an_interrupted_launch_saves_the_step_and_leaves_nothing(launch, undisturbed, tmp_path):
    running = launch(arguments=[tmp_path])
    running.read_until("step 3")
    running.process.send_signal(signal.SIGINT)
    assert running.finish() == 130
    assert "Interrupted: all were ended, worker 0 first." in running.output
    assert running.left() == []
    assert checkpoint.exists(tmp_path / "0.zip")
    again = launch(arguments=[tmp_path])
    assert again.finish() == 0, again.output
    assert learned(again)["worker 1"] == undisturbed


def test_nothing_is_left_where_the_launcher_itself_or_a_keeper_is_killed(launch, tmp_path):
    running = launch(arguments=[tmp_path, "epochs=50"])
    running.read_until("step 3")
    keeper = Path(f"/proc/{running.roles['worker 1']}/stat").read_text().split()[3]
    os.kill(int(keeper), signal.SIGKILL)
    assert running.finish() == 1
    assert "The worker 1 on this machine was killed by SIGKILL." in running.output
    assert running.left() == []
    running = launch(arguments=[tmp_path, "epochs=50"])
    running.read_until("step 3")
    running.process.kill()
    limit = time.monotonic() + 20
    while running.left() and time.monotonic() < limit:
        time.sleep(0.2)
    assert running.left() == []


def test_a_worker_that_hangs_is_named(launch, tmp_path):
    running = launch("--silence", "20", arguments=[tmp_path, "epochs=500"])
    running.read_until("step 3")
    os.kill(running.roles["worker 1"], signal.SIGSTOP)
    assert running.finish() == 1
    assert "The worker 1 on this machine has printed nothing for 20 s" in running.output
    assert "Worker 0 has waited 10 s for the others." in running.output
    assert running.left() == []


def test_where_a_server_hangs_the_workers_give_up(launch, tmp_path):
    running = launch(arguments=[tmp_path, "epochs=500", "give_up=3"])
    running.read_until("step 3")
    os.kill(running.roles["server 0"], signal.SIGSTOP)
    assert running.finish() == 1
    assert re.search(r"Worker \d gives up: a process hangs, or a machine is gone.", running.output)
    assert running.left() == []


def test_workers_that_do_not_share_their_work_are_told(launch, tmp_path):
    running = launch(arguments=[tmp_path, "epochs=1", "kind=alone"])
    assert running.finish() == 1
    assert (
        'each worker has trained alone. Pass callbacks=[Team(kvstore="dist_sync")]'
        in running.output
    )
    assert running.left() == []


def test_a_slow_worker_is_named(launch, tmp_path):
    running = launch(arguments=[tmp_path, "epochs=1", "slow=1"])
    assert running.finish() == 0, running.output
    assert "Worker 1 is slow: the others wait for it." in running.output


def test_a_time_limit_ends_all(launch, tmp_path):
    running = launch("--limit", "8", arguments=[tmp_path, "epochs=5000"])
    assert running.finish() == 1
    assert "The time limit of 8 s (--limit) has passed." in running.output
    assert running.left() == []


def test_workers_with_another_seed_or_other_code_are_refused(launch, tmp_path):
    running = launch(arguments=[tmp_path, "seed_of=1"])
    assert running.finish() == 1
    assert "Worker 1 does not run what worker 0 runs: seed 1 (worker 0: 0)." in running.output
    for rank in (0, 1):  # the same script, with a line more for worker 1
        shutil.copy(TESTS.parent / "small_runs.py", tmp_path)
        text = (TESTS / "team.py").read_text("utf-8")
        (tmp_path / f"team{rank}.py").write_text(text + "\n# newer" * rank, "utf-8")
    start = tmp_path / "start.py"
    start.write_text(
        "import os, runpy, sys\n"
        f"sys.argv[0] = '{tmp_path}/team' + os.environ['TEAM_RANK'] + '.py'\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    running = launch(script=start, arguments=[tmp_path])
    assert running.finish() == 1
    assert re.search(r"Worker 1 does not run what worker 0 runs: code \w+ \(", running.output)


def test_a_batch_that_does_not_divide_is_refused(launch, tmp_path):
    running = launch(arguments=[tmp_path, "batch_size=33"])
    assert running.finish() == 1
    assert "batch_size is 33, which does not divide into 2 equal parts" in running.output
    assert running.left() == []


def test_a_port_in_use_is_named(launch, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        running = launch("--port", port, arguments=[tmp_path])
        assert running.finish() == 1
    assert f"The scheduler cannot use the port {port} of 127.0.0.1" in running.output
    assert "Choose another with --port" in running.output
    assert running.left() == []


def test_a_script_or_program_that_is_not_there_is_named(launch, tmp_path):
    running = launch(script=tmp_path / "nowhere.py")
    assert running.finish() == 1
    assert "can't open file" in running.output
    assert re.search(r"The worker \d on this machine ended with exit code 2", running.output)
    running = launch(program=("no-such-program",))
    assert running.finish() == 1
    assert "There is no no-such-program on this machine." in running.output


def test_without_a_distributed_store_one_process_trains_on_all(monkeypatch, capfd):
    """As on ARM and macOS: the launcher says so in a sentence, and goes on with what there is."""
    monkeypatch.setattr(launcher, "HAS_STORE", False)
    show = "import os; print('workers:', os.environ['DMLC_NUM_WORKER'])"
    launcher.run(launcher.parse(["--workers", "2", "--", "python", "-c", show]))
    printed = capfd.readouterr().out
    assert printed.startswith(launcher.ALONE)
    assert printed.count("workers: 1") == 1


def test_without_a_distributed_store_hosts_are_of_no_use(monkeypatch, tmp_path):
    monkeypatch.setattr(launcher, "HAS_STORE", False)
    (tmp_path / "hosts.txt").write_text("127.0.0.1\n")
    command = ["--workers", "2", "--hosts", str(tmp_path / "hosts.txt"), "--", "true"]
    with pytest.raises(launcher.LaunchError, match=r"no distributed store.*Leave out --hosts"):
        launcher.run(launcher.parse(command))
