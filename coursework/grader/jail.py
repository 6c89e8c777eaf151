"""The jail: the sandbox in which a submission's code runs. Only bytes come back.

bubblewrap gives the code no network, a read-only Python with the packages, an empty file system in
memory, and a process namespace that dies with the grader. Kernel limits bound the rest. Run as
root, each jail gets a user of its own; run as anybody else, a user namespace.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from grader.limits import JailLimits
from jailed import WAITING
from utils.setup import remedies

NOBODY = 65534  # and the numbers below it, one for each jail that runs at the same time
HERE = "/course/notebooks"  # empty, but beside utils/, where a notebook's first cell looks for it
MISSING = (
    "Submissions run in a jail, which needs the program bubblewrap. Install it: "
    "`apt-get install bubblewrap` on Debian and Ubuntu, `dnf install bubblewrap` on Fedora."
)


class JailError(Exception):
    """The jail itself failed. That costs no student points: repair it and grade again."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: its result, the start of its output, what stopped it, and what it used.

    `stopped` is a sentence, or "" where the program ended by itself and well. `seconds` are those
    of the processor, or what the time on the clock counts for, if that is more.
    """

    result: bytes
    printed: str
    stopped: str = ""
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Jail:
    """A Python that sees these files, read-only, and nothing else.

    `binds` maps paths inside the jail to what is shown there; Python imports from /course and
    /packages. Jails that run at the same time have different `slot`s. Without `protected` there is
    no jail at all: the code runs as the grader's user, with all rights of that user, and imports
    from `open_path`.
    """

    limits: JailLimits
    binds: dict[str, Path]
    slot: int = 0
    protected: bool = True
    open_path: tuple[Path, ...] = ()

    def run(self, program: Sequence[str], given: bytes = b"") -> Ending:
        """Run Python with these arguments; `given` is its standard input.

        It writes its result to the descriptor named by the environment variable RESULT. Raises
        JailError where bubblewrap is missing.
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
                process.kill()  # bubblewrap, and so everything in its process namespace
                if not self.protected:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)

    def _listen(self, process: subprocess.Popen, reading: int, given: bytes) -> Ending:
        """Collect result and output, each up to its limit, until the process ends or is late."""
        assert process.stdin is not None  # it is a pipe, and so is stdout
        assert process.stdout is not None
        printing = process.stdout.fileno()
        limits = {
            reading: self.limits.result_megabytes * 2**20,
            printing: self.limits.output_kilobytes * 2**10,
        }
        kept = {descriptor: bytearray() for descriptor in limits}
        started, allowed, used, stopped = time.monotonic(), self.limits.seconds, 0.0, ""
        unsent = memoryview(given)
        os.set_blocking(process.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            for descriptor in limits:
                selector.register(descriptor, selectors.EVENT_READ)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            while len(selector.get_map()) > 0 and not stopped:
                for key, _ in selector.select(0.1):
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
                        stopped = f"It returned more than {self.limits.result_megabytes} MB."
                if process.poll() is not None and reading not in selector.get_map():
                    break
                memory, processor = _usage(process.pid)
                used = max(used, processor)
                if memory > self.limits.megabytes * 2**20:
                    stopped = f"It used more than {self.limits.megabytes} MB of memory."
                if used > allowed:
                    stopped = f"It did not end within {allowed} seconds of the processor."
                if time.monotonic() - started > WAITING * allowed:
                    stopped = f"It did not end within {WAITING * allowed} seconds."
        if not stopped:
            stopped = _end(process)
            if process.returncode < 0 and self.protected:  # no code inside can reach bubblewrap
                killed = remedies.ending(process.returncode)
                raise JailError("The jail itself did not end well. {why}".format(why=killed))
        printed = bytes(kept[printing]).decode("utf-8", "replace")
        used = max(used, (time.monotonic() - started) / WAITING)
        return Ending(bytes(kept[reading]), printed, stopped, used)

    def _command(self, result: int) -> list[str]:
        """The command line up to Python's arguments."""
        environment = self._environment(result)
        if not self.protected:
            environment |= {"PYTHONPATH": os.pathsep.join(map(str, self.open_path))}
            environment |= {"OWNER": str(os.getpid())}  # the program ends with this process
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
        if (python / own).is_dir():  # conda has packages there too
            command += ["--tmpfs", f"/python/{own}", "--remount-ro", f"/python/{own}"]
        command += ["--perms", "0755", "--dir", "/course"]  # else other users could not enter it
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
        program = [f"/python/bin/python{version}", "-s", "-P"]
        if any((python / "lib").glob("libpython3*.so*")):  # else that of the system is taken
            program = ["env", "LD_LIBRARY_PATH=/python/lib", *program]
        return [*command, *self._prlimit(), *program]

    def _prlimit(self) -> list[str]:
        """The limits that the kernel enforces for each process, set before Python starts."""
        limits = self.limits
        return [
            "prlimit",
            f"--cpu={limits.seconds + 1}:{limits.seconds + 2}",  # if it hides from the count
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
            "OMP_NUM_THREADS": "1",  # reproducible sums, and processors left for other jails
            "PATH": "/usr/bin",
            "PYTHONPATH": "/course:/packages",
            "RESULT": str(result),
        }


def _end(process: subprocess.Popen) -> str:
    """Wait for a process that has closed its result; say what ended it, "" if it ended well."""
    try:
        status = process.wait(5)
    except subprocess.TimeoutExpired:  # it closed its result, but keeps running
        return "It did not end."
    names = {128 + number: number.name for number in signal.Signals}
    if status == 128 + signal.SIGKILL:
        return "It was ended by SIGKILL, as Linux does when the memory runs out."
    if status in names:
        return "It was ended by {signal}.".format(signal=names[status])
    return "It ended with the status {status}.".format(status=status) if status else ""


def _usage(process: int) -> tuple[int, float]:
    """Bytes of memory, and seconds of the processor, that the descendants of a process use."""
    memory, seconds = 0, 0.0
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(process).children(recursive=True):
            with contextlib.suppress(psutil.Error), child.oneshot():
                memory += child.memory_info().rss
                seconds += sum(child.cpu_times()[:4])  # with those of its children that have ended
    return memory, seconds


def _send(descriptor: int, unsent: memoryview) -> memoryview:
    """Write what fits into a pipe, and return the rest. A closed pipe discards everything."""
    try:
        return unsent[os.write(descriptor, unsent[: 2**16]) :]
    except BrokenPipeError:
        return unsent[len(unsent) :]


def missing() -> str:
    """Say in a sentence what the jail needs and this machine lacks; "" if it has everything."""
    if shutil.which("bwrap") is None:
        return MISSING
    lacks = [name for name in ("prlimit", "setpriv") if shutil.which(name) is None]
    return f"The jail needs {' and '.join(lacks)} from the package util-linux." if lacks else ""


def closed(shown: list[Path]) -> str:
    """Say in a sentence which of these folders the jail's user could not read; "" if none.

    Only root has other users for its jails. A umask of 077 closes all of its files to them.
    """
    if os.getuid() != 0:
        return ""
    found = [folder for folder in shown if not _is_open(folder)]
    if not found:
        return ""
    names = " ".join(shlex.quote(str(folder)) for folder in found)
    return (
        "The submissions run as another user than root, who cannot read the files of the course: "
        f"they were made with a closed umask. Open them: `chmod -R go+rX {names}`."
    )


def _is_open(folder: Path) -> bool:
    """Whether other users can list a folder, and read what lies directly in it."""
    # What Python cannot read of its own cache, it compiles again.
    paths = [path for path in folder.iterdir() if path.exists() and path.name != "__pycache__"]
    needed = {path: 0o5 if path.is_dir() else 0o4 for path in (folder, *paths)}
    return all(path.stat().st_mode & bits == bits for path, bits in needed.items())
