"""Processes end with the one that started them, however that one ends.

A process cannot see to that itself. A kernel whose cell runs is killed when it restarts, and ends
nothing. So each process that the course starts looks itself, every second, whether its parent is
still the one that started it: `processes`, `end_with`, `end_with_starter`.

The processes of `utils.runs.launch` may be on other machines, and run any program. There this
module runs as a program of its own that starts one process, and kills it when standard input
closes:

    python -m utils.runs.keeper

It reads its task from standard input, one line of JSON. The input closes when `utils.runs.launch`
closes it or dies, and when the ssh server notices that the connection is lost (its setting
ClientAliveInterval says how soon). So no process is left on any machine.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypedDict

from utils.setup import machine

INTERVAL = 1  # seconds between two looks at the parent
GRACE = 8  # seconds that a worker has to save its checkpoint
ENDED = (
    "\nThe program that has started this one has ended, and so this one ends, too. To let it go "
    "on, begin the command with `nohup`.\n"
)
KILL_ME_WITH_MY_PARENT = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


def processes(count: int) -> ProcessPoolExecutor:
    """Return a pool of new processes that end with this one, or when they are interrupted.

    An interrupted process ends at once, and breaks its pool: else it would begin the next task,
    which the pool has handed out already.
    """
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, spawn, initializer=_serve, initargs=(os.getpid(),))


def _serve(owner: int) -> None:
    end_with(owner)
    if callable(signal.getsignal(signal.SIGINT)):  # where it is ignored, it stays ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _leave() -> None:
    os._exit(1)  # from any thread, without waiting for the others


def end_with(owner: int, leave: Callable[[], object] = _leave) -> None:
    """End this process by `leave` soon after its parent, the process `owner`, has ended."""

    def watch() -> None:
        while os.getppid() == owner:
            time.sleep(INTERVAL)
        leave()

    threading.Thread(target=watch, daemon=True).start()


def end_with_starter(leave: Callable[[], object] = _leave) -> None:
    """End this program soon after the one that started it, unless `nohup` lets it go on."""

    def say_and_leave() -> None:
        with contextlib.suppress(OSError):
            os.write(2, ENDED.encode())
        leave()

    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        end_with(os.getppid(), say_and_leave)


class Task(TypedDict):
    """What to start, where, with which additions to the environment, beside how many workers."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    workers_here: int


def keep(task: Task) -> int:
    """Start the process and wait for its end; return its exit code, 128 + n for a signal n.

    Raises OSError where it cannot be started, or where the port of a scheduler is taken.
    """
    environment = task["environment"]
    if environment["DMLC_ROLE"] == "scheduler":
        _check_port(environment["DMLC_PS_ROOT_URI"], int(environment["DMLC_PS_ROOT_PORT"]))
    process = _start(task)
    print(f"started, process {process.pid}", flush=True)
    is_worker = environment["DMLC_ROLE"] == "worker"
    threading.Thread(target=_end_with_input, args=(process, is_worker), daemon=True).start()
    code = process.wait()
    _signal(process, signal.SIGKILL)  # what it has started itself
    return code if code >= 0 else 128 - code


def _start(task: Task) -> subprocess.Popen:
    threads = max(1, machine.available_cpus() // task["workers_here"])
    added = {**task["environment"], "OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    library = ctypes.CDLL(None)
    return subprocess.Popen(
        task["command"],
        cwd=task["folder"],
        env={**os.environ, **added},
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C at the keyboard is the launcher's to hand on
        preexec_fn=lambda: _before_it_starts(library),
    )


def _before_it_starts(library: ctypes.CDLL) -> None:
    library.prctl(KILL_ME_WITH_MY_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's `&` would let it be ignored


def _end_with_input(process: subprocess.Popen, is_worker: bool) -> None:
    """A worker is interrupted first, to save; schedulers and servers have nothing to save."""
    sys.stdin.read()
    if is_worker:
        _signal(process, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
    _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _check_port(host: str, port: int) -> None:
    """MXNet would end without a word that helps."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((host, port))
        except OSError as error:
            raise OSError(
                f"The scheduler cannot use the port {port} of {host} ({error.strerror}). Choose "
                "another with --port, or end the program that has it."
            ) from error


def main() -> int:
    task = json.loads(sys.stdin.readline())
    try:
        return keep(task)
    except FileNotFoundError as error:
        print(
            f"There is no {error.filename} on this machine. The course, the program and the folder "
            f"{task['folder']} have to be at the same place on all machines."
        )
    except OSError as error:
        print(error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
