"""The jail: where a submission's code runs, and from where only bytes come back.

bubblewrap gives it no network, a read-only Python with the packages, an empty file system in memory
and a process namespace of its own, which dies with the grader. Limits of the kernel hold the rest.
Whoever runs this as root gives each jail another user; as anybody else, a user namespace does.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from grader.limits import JailLimits

NOBODY = 65534  # and the numbers below it, one for each jail that runs at the same time
HERE = "/course/notebooks"  # empty, and beside utils/ as at home: first cells look for it there
MISSING = (
    "Submissions are run in a jail, which needs the program bubblewrap. Install it: "
    "`apt-get install bubblewrap` on Debian and Ubuntu, `dnf install bubblewrap` on Fedora."
)


class JailError(Exception):
    """The jail itself did not work. That is nobody's zero: mend it and grade again."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: its result, the start of what it printed, and what stopped it, or ""."""

    result: bytes
    printed: str
    stopped: str = ""


@dataclass(frozen=True)
class Jail:
    """A Python with these folders of packages, read-only, and nothing else.

    `binds` maps paths inside to what is shown there: Python imports from /course and /packages.
    `slot` tells jails apart that run at once. Without `protected` there is no jail at all: the code
    runs as whoever grades, may read and write what they may, and imports from `open_path`.
    """

    limits: JailLimits
    binds: dict[str, Path]
    slot: int = 0
    protected: bool = True
    open_path: tuple[Path, ...] = ()

    def run(self, program: Sequence[str], given: bytes = b"") -> Ending:
        """Run Python with these arguments. `given` is its input; RESULT names the descriptor for
        its result.

        Raises JailError where bubblewrap is missing.
        """
        reading, writing = os.pipe()
        try:
            process = subprocess.Popen(
                [*self._command(writing), *program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[writing],
                start_new_session=True,
            )
        except FileNotFoundError as error:
            os.close(reading)
            raise JailError(MISSING) from error
        finally:
            os.close(writing)
        with process:
            try:
                return self._listen(process, reading, given)
            finally:
                os.close(reading)
                process.kill()  # bubblewrap, and with it everything in its process namespace
                if not self.protected:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)

    def _listen(self, process: subprocess.Popen, reading: int, given: bytes) -> Ending:
        """Collect the result and what is printed, each up to its limit, until the time is up."""
        limits = {
            reading: self.limits.result_megabytes * 2**20,
            process.stdout.fileno(): self.limits.output_kilobytes * 2**10,
        }
        kept = {descriptor: bytearray() for descriptor in limits}
        deadline, stopped = time.monotonic() + self.limits.seconds, ""
        unsent = memoryview(given)
        os.set_blocking(process.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            for descriptor in limits:
                selector.register(descriptor, selectors.EVENT_READ)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            while len(selector.get_map()) > 0 and not stopped:
                for key, _ in selector.select(max(0, min(0.1, deadline - time.monotonic()))):
                    if key.fileobj is process.stdin:
                        unsent = _send(process.stdin.fileno(), unsent)
                        if not unsent:
                            selector.unregister(process.stdin)
                            process.stdin.close()
                        continue
                    chunk = os.read(key.fd, 2**16)
                    if not chunk:
                        selector.unregister(key.fd)
                    room = limits[key.fd] - len(kept[key.fd])
                    kept[key.fd] += chunk[:room]
                    if len(chunk) > room and key.fd == reading:
                        stopped = f"it returned more than {self.limits.result_megabytes} MB"
                if process.poll() is not None and reading not in selector.get_map():
                    break
                if _memory(process.pid) > self.limits.megabytes * 2**20:
                    stopped = f"it used more than {self.limits.megabytes} MB of memory"
                if time.monotonic() > deadline:
                    stopped = f"it did not end within {self.limits.seconds} seconds"
        if not stopped:
            stopped = _end(process)
        printed = bytes(kept[process.stdout.fileno()]).decode("utf-8", "replace")
        return Ending(bytes(kept[reading]), printed, stopped)

    def _command(self, result: int) -> list[str]:
        """bubblewrap's command line, up to Python itself."""
        environment = self._environment(result)
        if not self.protected:
            environment |= {"PYTHONPATH": os.pathsep.join(map(str, self.open_path))}
            variables = [f"{name}={value}" for name, value in environment.items()]
            return ["env", "-i", *variables, sys.executable, "-P"]
        python = Path(sys.base_prefix)
        command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
        command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
        command += ["--unshare-cgroup-try", "--hostname", "jail"]
        command += ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
        for name in ("bin", "lib", "lib64"):
            command += ["--symlink", f"usr/{name}", f"/{name}"]
        command += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
        command += ["--ro-bind", str(python), "/python"]
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        own = f"lib/python{version}/site-packages"
        if (python / own).is_dir():  # with conda, the packages are there a second time
            command += ["--tmpfs", f"/python/{own}", "--remount-ro", f"/python/{own}"]
        command += ["--perms", "0755", "--dir", "/course"]  # else it would be closed to others
        size = str(self.limits.file_megabytes * 2**20)
        for folder in ("/tmp", HERE):
            command += ["--perms", "1777", "--size", size, "--tmpfs", folder]
        for inside, outside in self.binds.items():
            command += ["--ro-bind", str(outside), inside]
        for name, value in environment.items():
            command += ["--setenv", name, value]
        command += ["--remount-ro", "/", "--remount-ro", "/dev", "--chdir", HERE]
        if os.getuid() == 0:
            user = str(NOBODY - self.slot)
            drop = ["--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs"]
            drop += ["--inh-caps=-all", "--bounding-set=-all"]
            command += ["setpriv", *drop]
        else:
            command += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
            command += ["--cap-drop", "ALL"]
        return [*command, *self._prlimit(), f"/python/bin/python{version}", "-s", "-P"]

    def _prlimit(self) -> list[str]:
        """Limits that the kernel keeps for each process, set from outside of Python."""
        limits = self.limits
        return [
            "prlimit",
            f"--cpu={limits.seconds}:{limits.seconds + 1}",
            f"--as={limits.megabytes * 2**20}",
            f"--nproc={limits.processes}",
            f"--fsize={limits.file_megabytes * 2**20}",
            "--core=0",
            "--nofile=256",
        ]

    def _environment(self, result: int) -> dict[str, str]:
        return {
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",  # the same sums each time, and room for the other jails
            "PATH": "/usr/bin",
            "PYTHONPATH": "/course:/packages",
            "RESULT": str(result),
        }


def _end(process: subprocess.Popen) -> str:
    """What ended a process that has closed its result, or ""."""
    try:
        status = process.wait(5)
    except subprocess.TimeoutExpired:  # it goes on behind closed doors
        return "it did not end"
    names = {128 + number: number.name for number in signal.Signals}
    return f"it was ended by {names.get(status, f'the status {status}')}" if status else ""


def _memory(process: int) -> int:
    """Bytes that a process and its descendants hold in memory."""
    total = 0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += child.memory_info().rss
    return total


def _send(descriptor: int, unsent: memoryview) -> memoryview:
    """Write what fits into a pipe. Nobody need read it: a closed one takes all."""
    try:
        return unsent[os.write(descriptor, unsent[: 2**16]) :]
    except BrokenPipeError:
        return unsent[len(unsent) :]


def missing() -> str:
    """A sentence on what the jail needs and this machine lacks; "" if it has everything."""
    if shutil.which("bwrap") is None:
        return MISSING
    lacks = [name for name in ("prlimit", "setpriv") if shutil.which(name) is None]
    return f"The jail needs {' and '.join(lacks)}, of the package util-linux." if lacks else ""
