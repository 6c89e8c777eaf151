"""Make the course's environment in .venv, then find or fetch its data.

Needs Python 3.9 or newer and nothing else: no root, no venv module, no Python 3.11 (uv brings it).
May be killed at any moment, run again, and run twice at once: .venv counts as ready only when its
stamp, which is written last, names this lock, this folder and this Python.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if sys.version_info < (3, 9):  # noqa: UP036  (whoever has an older one gets the sentence)
    sys.exit(
        "Set-up was started with Python {}.{}; it needs Python 3.9 or newer. Name a newer one: "
        "`make PYTHON=python3.11 run`.".format(*sys.version_info)
    )
sys.path.insert(0, str(ROOT))
from utils.setup.pip import InstallError, install, platform_problem, remedy, run  # noqa: E402

CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.txt"
STAMP = VENV / "residual-networks-stamp"
COURSE_PYTHON = "3.11"  # the newest that d2l 1.0.3 and its numpy 1.23.5 have wheels for
UV = "uv==0.13.9"


def say(sentence):
    print(sentence, flush=True)


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
        say("Installing uv, which makes the environment (a few seconds).")
        part = CACHE / "uv.part"
        shutil.rmtree(part, ignore_errors=True)
        install(["--target", part, UV], "uv could not be installed.", pass_fds=[lock])
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
    say("Installing the packages (280 MB; a minute or two, longer on a slow line).")
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
        problem = platform_problem(platform.system(), platform.machine())
        if problem:
            raise InstallError(problem)
        if not ready():
            with alone() as lock:
                if not ready():  # another set-up may have made it while this one waited
                    build(lock)
    except InstallError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit("\n".join([str(error), remedy(str(error))]).strip())
    except KeyboardInterrupt:
        sys.exit("\nSet-up was interrupted. Nothing is lost: run the same command again.")
    return subprocess.run([str(PYTHON), "-m", "utils.setup.fetch"], cwd=str(ROOT)).returncode


if __name__ == "__main__":
    sys.exit(main())
