"""Start the processes of a distributed training, and end them all when one of them fails.

    python -m utils.runs.launch --workers 2 --servers 1 [--hosts hosts.txt] -- python train.py ...

The workers run the command. A scheduler, through which they find one another, and servers, which
add up gradients, are MXNet's own. Without a file of hosts all run on this machine. With one they
are dealt out to its hosts over ssh; the course has to be in the same folder on each of them.
`python` stands for the one that runs this.

The file of hosts has one in each line: its name for ssh and, where the other machines need another,
its address. A # begins a comment. The first host also runs worker 0 and keeps the checkpoint.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import queue
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from utils.runs import keeper

ROOT = Path(__file__).parents[2]
SSH_FAILED = 255  # the exit code by which ssh says that it is ssh itself that failed
# Nobody can type a password, and a machine that is gone is noticed.
SSH_OPTIONS = ["BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5"]
SERVE = [sys.executable, "-c", "import utils, mxnet"]  # with a DMLC_ROLE the import is the work
# MXNet's other builds, for ARM and macOS, have no distributed store.
HAS_STORE = (sys.platform, platform.machine()) == ("linux", "x86_64")
ALONE = (
    "MXNet's build for this machine has no distributed store, only that for Linux on x86-64 has: "
    "one process trains here, on all of every batch, and exchanges nothing."
)
FAREWELL = 10  # seconds that scheduler and servers have to end after the last worker


class LaunchError(Exception):
    """The training could not be started, or was ended; the message says why and what to do."""


@dataclass(frozen=True)
class Host:
    """A machine: its name for ssh ("" for this one), and the address that the others use."""

    name: str
    address: str

    def __str__(self) -> str:
        return self.name or "this machine"


HERE = Host("", "127.0.0.1")


def read_hosts(path: Path) -> list[Host]:
    """Return the hosts that a file names; raise LaunchError for none, or an unknown one."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise LaunchError(f"The file of hosts {path} cannot be read: {error.strerror}.") from error
    words = [line.partition("#")[0].split() for line in lines]
    hosts = [_host(parts, path, number) for number, parts in enumerate(words, 1) if parts]
    if not hosts:
        raise LaunchError(f"{path} names no host. Write one into each line.")
    return hosts


def _host(parts: list[str], path: Path, number: int) -> Host:
    name = parts[0]
    address = parts[1] if len(parts) > 1 else name.rpartition("@")[2]
    try:
        found = socket.gethostbyname(address)
    except OSError as error:
        raise LaunchError(
            f"The host {address} in line {number} of {path} is not known to this machine "
            f"({error.strerror}). Correct its name, or write its address behind the name."
        ) from error
    if found.startswith("127.") and found != address:  # as Debian has it for a machine's own name
        raise LaunchError(
            f"The host {address} in line {number} of {path} has the address {found}, by which "
            "other machines cannot reach it. Write its address behind the name."
        )
    return Host(name, found)


class Role:
    """One process of the training: a scheduler, a server or a worker, numbered from 0."""

    def __init__(self, kind: str, number: int, host: Host) -> None:
        self.kind, self.number, self.host = kind, number, host
        self.keeper: subprocess.Popen[str] | None = None
        self.heard = time.monotonic()  # when it last printed something

    def __str__(self) -> str:
        return self.kind if self.kind == "scheduler" else f"{self.kind} {self.number}"

    def start(self, task: keeper.Task, ssh: Sequence[str], ended: queue.Queue) -> threading.Thread:
        """Start its keeper, here or over ssh, and hand it its task; return the thread that prints.

        The thread prints what the process prints, and puts this role into `ended` at its end.
        """
        command = [sys.executable, "-m", "utils.runs.keeper"]
        if self.host.name:
            there = f"cd {shlex.quote(str(ROOT))} && exec {shlex.join(command)}"
            options = [part for option in SSH_OPTIONS for part in ("-o", option)]
            command = [*ssh, *options, self.host.name, there]
        try:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,  # a progress bar's "\r" ends a line, too
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(
                f"{command[0]} cannot be started on this machine: {error.strerror}. Install it, or "
                "name another program with --ssh."
            ) from error
        assert process.stdin is not None  # a pipe
        assert process.stdout is not None
        self.keeper = process
        with contextlib.suppress(BrokenPipeError):  # it has failed, which its end will tell
            process.stdin.write(json.dumps(task) + "\n")
            process.stdin.flush()
        arguments = (process, process.stdout, ended)
        follower = threading.Thread(target=self._follow, args=arguments, daemon=True)
        follower.start()
        return follower

    def _follow(
        self, process: subprocess.Popen[str], printed: Iterable[str], ended: queue.Queue
    ) -> None:
        try:
            for line in printed:
                self.heard = time.monotonic()
                if line.strip():
                    # One write, so that the lines of two roles stay apart.
                    print(f"[{self}] {line.rstrip()}\n", end="", flush=True)
        except BrokenPipeError:  # nobody reads what is printed any more
            self.ask_to_end()
        process.wait()
        ended.put(self)

    def ask_to_end(self) -> None:
        """Close the keeper's input, whereupon it ends the process."""
        if self.keeper and self.keeper.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.keeper.stdin.close()

    def see_end(self, seconds: float) -> bool:
        """Wait for its end, kill the keeper after `seconds`; return whether that was not needed."""
        if self.keeper is None:
            return True
        try:
            self.keeper.wait(seconds)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            return False
        return True

    def problem(self) -> str:
        """Return why it ended, as the end of a sentence that begins with its name, or ""."""
        code = self.keeper.returncode if self.keeper else 0
        if code == SSH_FAILED and self.host.name:
            return (
                f"could not be reached, or was lost (ssh says why, above). Try `ssh "
                f"{self.host.name} true`, which has to work without a password"
            )
        number = -code if code < 0 else code - 128
        if number in list(signal.Signals):
            return f"was killed by {signal.Signals(number).name}"
        return f"ended with exit code {code}" if code else ""


class Launch:
    """A running training: its roles, and how they are ended."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self.roles = roles
        self.workers = [role for role in roles if role.kind == "worker"]
        self.ended = queue.Queue()
        self.followers: list[threading.Thread] = []
        self.started = time.monotonic()

    def start(self, command: Sequence[str], port: int, ssh: Sequence[str]) -> None:
        """Start all roles; those that are not workers serve."""
        program, *arguments = command
        work = [sys.executable if program == "python" else program, *arguments]
        for role in self.roles:
            neighbors = [worker for worker in self.workers if worker.host == role.host]
            task = keeper.Task(
                command=work if role.kind == "worker" else SERVE,
                folder=os.getcwd(),
                environment=self._environment(role, port),
                workers_here=max(1, len(neighbors)),
            )
            self.followers.append(role.start(task, ssh, self.ended))

    def watch(self, limit: float, silence: float) -> None:
        """Wait until all workers have ended well; raise LaunchError as soon as a role has not."""
        left = set(self.workers)
        while left:
            with contextlib.suppress(queue.Empty):
                role = self.ended.get(timeout=0.5)
                left.discard(role)
                if problem := role.problem():
                    raise LaunchError(f"The {self._who(role)} {problem}. {self._after()}")
            if time.monotonic() - self.started > limit:
                raise LaunchError(
                    f"The time limit of {limit:.0f} s (--limit) has passed. {self._after()}"
                )
            quiet = [role for role in left if time.monotonic() - role.heard > silence]
            if quiet:
                raise LaunchError(
                    f"The {self._who(quiet[0])} has printed nothing for {silence:.0f} s "
                    f"(--silence): it hangs, or is very slow. {self._after()}"
                )

    def end(self, first: Role | None = None) -> None:
        """End all roles that still run; `first` before the others, so that it can save."""
        for group in ([first] if first else [], self.roles):
            started = [role for role in group if role.keeper]
            for role in started:
                role.ask_to_end()
            for role in started:
                role.see_end(keeper.GRACE + 2)
        for follower in self.followers:  # their last lines are still to be printed
            follower.join(1)

    def _environment(self, role: Role, port: int) -> dict[str, str]:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "PYTHONPATH": os.pathsep.join(paths),
            "DMLC_ROLE": role.kind,
            "TEAM_RANK": str(role.number),
            "DMLC_PS_ROOT_URI": self.roles[0].host.address,
            "DMLC_PS_ROOT_PORT": str(port),
            "DMLC_NODE_HOST": role.host.address,
            "DMLC_NUM_WORKER": str(len(self.workers)),
            "DMLC_NUM_SERVER": str(sum(role.kind == "server" for role in self.roles)),
        }

    def _who(self, role: Role) -> str:
        return f"{role} on {role.host}"

    def _after(self) -> str:
        seconds = time.monotonic() - self.started
        return (
            f"This was after {seconds:.0f} s; all others were ended. The same command goes on from "
            "the checkpoint, if the script keeps one."
        )


def assign(workers: int, servers: int, machines: Sequence[Host]) -> list[Role]:
    """Distribute the roles over the machines in turn; the scheduler runs on the first."""
    roles = [Role("scheduler", 0, machines[0])]
    for kind, count in (("server", servers), ("worker", workers)):
        roles += [Role(kind, number, machines[number % len(machines)]) for number in range(count)]
    return roles


def free_port() -> int:
    """Return a port that is free on this machine at the moment."""
    with socket.socket() as free:
        free.bind(("", 0))
        return free.getsockname()[1]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; the command of the workers follows `--`."""
    parser = argparse.ArgumentParser(prog="python -m utils.runs.launch", description=__doc__)
    parser.add_argument("--workers", type=_count, required=True)
    parser.add_argument("--servers", type=_count, default=1)
    parser.add_argument("--hosts", type=Path, help="a file of hosts")
    parser.add_argument("--port", type=int, help="the scheduler's, otherwise a free one")
    parser.add_argument("--limit", type=float, default=86_400, help="seconds for all, at most")
    parser.add_argument("--silence", type=float, default=120, help="seconds without a word")
    parser.add_argument("--ssh", type=shlex.split, default=["ssh"], help="instead of ssh")
    parser.add_argument("command", nargs="+", help="what each worker runs")
    return parser.parse_args(arguments)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return int(text)


def run(options: argparse.Namespace) -> None:
    """Run a training to its end and leave no process; raise LaunchError where it fails."""
    machines = read_hosts(options.hosts) if options.hosts else [HERE]
    port = options.port or free_port()
    names = ", ".join(map(str, machines))
    if HAS_STORE:
        launch = Launch(assign(options.workers, options.servers, machines))
        print(f"Scheduler at {machines[0].address}, port {port}; on {names}.", flush=True)
    elif options.hosts:
        raise LaunchError(f"{ALONE} Leave out --hosts, or start this on machines that have one.")
    else:
        launch = Launch([Role("worker", 0, HERE)])
        print(ALONE, flush=True)
    try:
        launch.start(options.command, port, options.ssh)
        launch.watch(options.limit, options.silence)
        if not all(role.see_end(FAREWELL) for role in launch.roles):
            raise LaunchError(
                "The workers have ended, but the scheduler and the servers still wait for them: "
                'each worker has trained alone. Pass callbacks=[Team(kvstore="dist_sync")] to '
                "train.fit."
            )
    except KeyboardInterrupt:
        launch.end(first=launch.workers[0])
        raise
    finally:
        launch.end()
    seconds = time.monotonic() - launch.started
    print(f"Every worker has finished, after {seconds:.0f} s.")


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keeper.end_with_starter(partial(os.kill, os.getpid(), signal.SIGTERM))  # worker 0 first
    try:
        run(parse(arguments))
    except LaunchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: all were ended, worker 0 first.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
