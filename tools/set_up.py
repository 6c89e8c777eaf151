"""Make the course's environment in .venv, then find or fetch its data.

Needs Python 3.9 or newer and nothing else: no root, no venv module, no Python 3.11 (uv brings it).
uv makes the environment and installs the lock, requirements.txt, with its hashes verified. What uv
does not know is left to this script: whether an environment was finished before its set-up was
killed, and that two set-ups must not write into one folder. So .venv counts as ready only when its
stamp, which is written last, names this lock, this folder, this Python and this kind of processor:
a container may see the folder of a machine that has another one.
"""

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if sys.version_info < (3, 9):  # noqa: UP036  (an older Python gets the sentence)
    sys.exit(
        "Set-up was started with Python {}.{}, but it needs Python 3.9 or newer. Name a newer one: "
        "`make PYTHON=python3.11 run`.".format(*sys.version_info)
    )
sys.path.insert(0, str(ROOT))
from utils.setup import gpu, machine, packages, remedies, storage  # noqa: E402

CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.txt"
STAMP = VENV / "residual-networks-stamp"
FIND_THE_COURSE = "import os, sys; sys.path.append(os.path.dirname(sys.prefix))\n"
COURSE_PYTHON = "3.11"  # the newest that d2l 1.0.3 and its numpy 1.23.5 have wheels for
UV = "uv==0.13.9"


def say(sentence: str) -> None:
    """Print a sentence at once, even into a pipe."""
    print(sentence, flush=True)


def wanted_stamp() -> bytes:
    """Return what the stamp of the course's environment says when it is ready."""
    return stamp(LOCK, ROOT)


def stamp(requirements: Path, folder: Path) -> bytes:
    """Return what names a lock, a folder, the Python and its processor, in any language setting."""
    lock = hashlib.sha256(requirements.read_bytes()).hexdigest()
    python = f"Python {COURSE_PYTHON} for {platform.machine()}"
    return os.fsencode(f"requirements.txt {lock}\nfolder {folder}\n{python}\n")


def ready() -> bool:
    """Whether .venv is whole, and made for this lock, this folder, this Python and processor."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_bytes() == wanted_stamp()


def folder_problem() -> str:
    """Return why no environment can work in this folder, and what to do; "" if it can."""
    if os.pathsep in str(ROOT):
        return (
            "The name of this folder has a colon, which separates folders in the settings of many "
            "programs: {folder}. Rename it, and run the same command again."
        ).format(folder=ROOT)
    if remedies.is_noexec(ROOT):
        return remedies.NOEXEC.format(folder=ROOT)
    home = storage.home()
    if not any(os.access(folder, os.W_OK) for folder in (home, ROOT)):
        return (
            "Nothing can be written, neither in this folder nor in your home folder ({home}). Work "
            "in a copy of the course that belongs to you, or set HOME to a folder that you can "
            "write to."
        ).format(home=home)
    return ""


@contextlib.contextmanager
def alone() -> Iterator[int]:
    """Hold this folder's set-up lock, and yield its file descriptor.

    Child processes inherit the descriptor, and with it the lock: if set-up is killed while uv is
    still writing into .venv, the next set-up waits until that uv has ended.
    """
    import fcntl  # Windows has none, but set-up has ended there by now

    CACHE.mkdir(exist_ok=True)
    with (CACHE / "set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder. Waiting until it has finished.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def find_uv(lock: int) -> Path:
    """Return the path of uv: the one on PATH, or else one in .cache, installed if missing.

    `lock` is the file descriptor of `alone`.
    """
    on_path = shutil.which("uv")
    # pyenv leaves a `uv` on PATH that only says which Python's environment has the real one.
    if on_path and subprocess.run([on_path, "--version"], capture_output=True).returncode == 0:
        return Path(on_path)
    own = CACHE / f"uv-{platform.machine()}"
    if not own.exists():
        say("Installing uv, which makes the environment (a few seconds).")
        with storage.appearing_whole(CACHE) as part:
            target = ["--target", part / own.name, UV]
            packages.pip_install(target, "uv could not be installed.", pass_fds=[lock])
    return own / "bin" / "uv"


def build(lock: int) -> None:
    """Make .venv from requirements.txt, whatever is there. `lock`: the descriptor of `alone`."""
    start = time.monotonic()
    os.umask(
        0o022
    )  # where root grades, the submissions run as another user, who reads the packages
    with contextlib.suppress(FileNotFoundError):
        STAMP.unlink()  # first, so that a half-removed environment never looks ready
    if storage.home().is_relative_to(CACHE):
        say(f"Nothing can be written at home, so {storage.home()} takes its place.")
    install(LOCK, VENV, "280 MB: a minute or two, longer on a slow line", lock)
    # The environment finds the course from any folder. A path would be read in the language
    # settings of each day.
    site_packages = VENV / "lib" / f"python{COURSE_PYTHON}" / "site-packages"
    (site_packages / "residual-networks.pth").write_text(FIND_THE_COURSE)
    mxnet = packages.MXNET[gpu.CPU_BUILD]
    if isinstance(mxnet, packages.Mended):
        bring(mxnet, site_packages, lock)
    failure = "MXNet is installed, but it cannot be imported."
    packages.run_or_explain([PYTHON, "-E", "-c", "import mxnet"], failure)
    storage.write_whole(STAMP, wanted_stamp())
    say(f"The environment is ready ({time.monotonic() - start:.0f} s).")


def bring(mxnet: packages.Mended, site_packages: Path, lock: int) -> None:
    """Put MXNet for ARM, which is not in the lock, into the environment, from the packages' folder.

    So it is found there as on other processors: by the jail of the grader, too.
    """
    say(f"Bringing MXNet for ARM ({mxnet.megabytes + 10} MB) and mending it.")
    packages.run_or_explain(
        [PYTHON, "-E", "-m", "utils.setup.bootstrap"],
        "MXNet for ARM could not be brought.",
        pass_fds=[lock],
    )
    without_notes = shutil.ignore_patterns("* works with *")
    shutil.copytree(mxnet.folder, site_packages, ignore=without_notes, dirs_exist_ok=True)


def install(requirements: Path, folder: Path, size: str, lock: int) -> None:
    """Make an environment with the packages of a lock, whatever is in its folder.

    `size` says how much is downloaded; `lock` is the file descriptor of `alone`.
    """
    uv = find_uv(lock)
    # Some networks have a certificate of their own. Trust what this machine trusts, as pip and
    # browsers do.
    env = {"UV_SYSTEM_CERTS": "1", **packages.installing(os.environ)}
    say(f"Making the environment in {folder.relative_to(ROOT)} with Python {COURSE_PYTHON}.")
    if folder.exists():  # uv refuses to clear one whose removal was killed halfway
        shutil.rmtree(folder)
    packages.run_or_explain(
        [uv, "venv", "--python", COURSE_PYTHON, folder],
        "An environment with Python {version} could not be made. If uv cannot download Python "
        "{version}, install it in another way and run the same command again.".format(
            version=COURSE_PYTHON
        ),
        env,
        pass_fds=[lock],
    )
    say(f"Installing the packages ({size}).")
    python = folder / "bin" / "python"
    command = [uv, "pip", "sync", "--compile-bytecode", "--python", python, "--require-hashes"]
    packages.run_or_explain(
        [*command, requirements],
        "The packages of {lock} could not be installed.".format(
            lock=requirements.relative_to(ROOT)
        ),
        env,
        pass_fds=[lock],
    )


def main() -> int:
    """Make the environment unless it is ready, then the data; return the exit status."""
    try:
        if problem := (machine.platform_problem(*machine.this_platform()) or folder_problem()):
            raise packages.InstallError(problem)
        if not ready():
            with alone() as lock:
                if not ready():  # another set-up may have made it while this one waited
                    build(lock)
    except packages.InstallError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"{error}\n{remedies.remedy(str(error))}".strip())
    except KeyboardInterrupt:
        sys.exit("\nSet-up was interrupted. Nothing is lost: run the same command again.")
    # -E: without a PYTHONPATH, which may bring packages of another Python.
    command = [str(PYTHON), "-E", "-X", "utf8", "-m", "utils.setup.fetch"]
    status = subprocess.run(command, cwd=str(ROOT)).returncode
    if killed := remedies.ending(status):
        sys.exit("Looking for the data did not end well. {reason}".format(reason=killed))
    return status


if __name__ == "__main__":
    sys.exit(main())
