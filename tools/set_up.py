"""Make the course's environment in .venv, then find or fetch its data.

Needs Python 3.9 or newer and nothing else: no root, no venv module, no Python 3.11 (uv brings it).
May be killed at any moment, run again, and run twice at once: .venv counts as ready only when its
stamp, which is written last, names this lock, this folder and this Python.
"""

import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.txt"
STAMP = VENV / "residual-networks-stamp"
COURSE_PYTHON = "3.11"  # the newest that d2l 1.0.3 and its numpy 1.23.5 have wheels for
UV = "uv==0.13.9"

# What a failed step prints, and the sentence that says what to do about it.
REMEDIES = (
    (
        ("libgomp.so.1",),
        "MXNet needs the OpenMP library libgomp.so.1, which this machine does not have. Install "
        "the package that brings it: `apt-get install libgomp1` on Debian and Ubuntu, "
        "`dnf install libgomp` on Fedora.",
    ),
    (
        ("No space left on device", "os error 28", "Errno 28"),
        "The disk is full. The environment needs about 1 GB; make room, then run the same command "
        "again.",
    ),
    (
        ("Permission denied", "os error 13", "Errno 13", "Read-only file system"),
        "A folder cannot be written to (its path is in the message above). Work in a copy of the "
        "course that belongs to you, with a HOME that you can write to.",
    ),
    (
        ("invalid peer certificate", "CERTIFICATE_VERIFY_FAILED", "No CA certificates"),
        "This machine does not trust the certificate of the server that it reached. Install the "
        "package ca-certificates, or set SSL_CERT_FILE to the certificates that your network uses.",
    ),
    (
        (
            "dns error",
            "error sending request",
            "Failed to fetch",
            "Failed to download",
            "Failed to establish a new connection",
            "Connection refused",
            "timed out",
            "No matching distribution found for uv",
        ),
        "The packages could not be downloaded. Check the connection to the Internet (behind a "
        "proxy, set HTTPS_PROXY; with a package mirror, set PIP_INDEX_URL and UV_DEFAULT_INDEX), "
        "then run the same command again.",
    ),
)


class SetUpError(Exception):
    """Set-up cannot go on; the message says why and what to do."""


def remedy(output):
    """The sentence that helps with what a failed step printed, or "" where none is known."""
    return next((text for signs, text in REMEDIES if any(sign in output for sign in signs)), "")


def check_machine(system, machine, python):
    """Raise SetUpError unless MXNet 1.9.1 has a package for this machine.

    `system` and `machine` are spelled as by the platform module; `python` is a version tuple.
    """
    if python < (3, 9):
        raise SetUpError(
            "Set-up was started with Python {}.{}; it needs Python 3.9 or newer. Name a newer one: "
            "`make PYTHON=python3.11 run`.".format(*python)
        )
    if system == "Windows":
        raise SetUpError(
            "MXNet 1.9.1 does not exist for Windows. Install WSL2 (`wsl --install`) and run the "
            "course inside it."
        )
    if (system, machine) not in (("Linux", "x86_64"), ("Darwin", "x86_64")):
        raise SetUpError(
            f"MXNet 1.9.1 has no working package for {system} on {machine}, only for processors "
            "of the x86-64 family. Run the course in an amd64 container, from its folder: `docker "
            'run -it --platform linux/amd64 -v "$PWD":/course -w /course python:3.11 bash`.'
        )


def say(sentence):
    print(sentence, flush=True)


def run(command, failure, **options):
    """Run a command with its output held back; show it, with a remedy, only where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **options,
    )
    if done.returncode:
        raise SetUpError("\n".join([done.stdout.strip(), failure, remedy(done.stdout)]).strip())


def wanted_stamp():
    lock = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    return f"requirements.txt {lock}\nfolder {ROOT}\nPython {COURSE_PYTHON}\n"


def ready():
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text() == wanted_stamp()


@contextlib.contextmanager
def alone():
    """Hold this folder's set-up lock; yields its file descriptor.

    Children inherit the descriptor, and with it the lock: when set-up is killed while uv is still
    writing into .venv, the next set-up waits until that uv has ended.
    """
    import fcntl  # absent on Windows, which has got its sentence by now

    CACHE.mkdir(exist_ok=True)
    with (CACHE / "set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder; waiting until it has finished.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def find_uv(lock):
    """The path of uv: the one on PATH, or one of our own in .cache/uv, installed where missing."""
    on_path = shutil.which("uv")
    # pyenv leaves a `uv` on PATH that only says in which Python's environment the real one is
    if on_path and subprocess.run([on_path, "--version"], capture_output=True).returncode == 0:
        return on_path
    own = CACHE / "uv"
    if not own.exists():
        if importlib.util.find_spec("pip") is None:
            raise SetUpError(
                f"{sys.executable} has no pip, which set-up needs to install uv. Install the "
                "package that brings it: `apt-get install python3-pip` on Debian and Ubuntu."
            )
        say("Installing uv, which makes the environment (a few seconds).")
        part = CACHE / "uv.part"
        shutil.rmtree(part, ignore_errors=True)
        # Settings for pip that many people have and that contradict --target.
        env = {**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        command = [sys.executable, "-m", "pip", "install", "--target", part, UV]
        run(command, "uv could not be installed.", pass_fds=[lock], env=env)
        os.replace(part, own)
    return own / "bin" / "uv"


def build(lock):
    """Make .venv from requirements.txt, whatever stood there before."""
    start = time.monotonic()
    with contextlib.suppress(FileNotFoundError):
        STAMP.unlink()  # first, so that a half-removed environment never looks ready
    uv = find_uv(lock)
    # Trust what this machine trusts, as pip and browsers do: some networks have a certificate of
    # their own.
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")
    say(f"Making the environment in .venv with Python {COURSE_PYTHON}.")
    run(
        [uv, "venv", "--clear", "--python", COURSE_PYTHON, VENV],
        f"An environment with Python {COURSE_PYTHON} could not be made. Where uv cannot download "
        f"Python {COURSE_PYTHON}, install it in another way and run the same command again.",
        pass_fds=[lock],
    )
    say("Installing the packages (220 MB; a minute or two, longer on a slow line).")
    run(
        [uv, "pip", "sync", "--python", PYTHON, "--require-hashes", LOCK],
        "The packages of requirements.txt could not be installed.",
        pass_fds=[lock],
    )
    site_packages = VENV / "lib" / f"python{COURSE_PYTHON}" / "site-packages"
    (site_packages / "residual-networks.pth").write_text(f"{ROOT}\n")
    run([PYTHON, "-c", "import mxnet"], "MXNet is installed, but it cannot be imported.")
    STAMP.write_text(wanted_stamp())
    say(f"The environment is ready ({time.monotonic() - start:.0f} s).")


def main():
    try:
        check_machine(platform.system(), platform.machine(), sys.version_info[:2])
        if not ready():
            with alone() as lock:
                if not ready():  # another set-up may have made it while this one waited
                    build(lock)
    except SetUpError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit("\n".join([str(error), remedy(str(error))]).strip())
    except KeyboardInterrupt:
        sys.exit("\nSet-up was interrupted. Nothing is lost: run the same command again.")
    return subprocess.run([str(PYTHON), "-m", "utils.fetch"], cwd=str(ROOT)).returncode


if __name__ == "__main__":
    sys.exit(main())
