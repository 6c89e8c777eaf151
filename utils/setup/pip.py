"""Installing with pip, and what to do when a step of the set-up fails.

Uses the standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Union

Command = Sequence[Union[str, Path]]  # Python 3.9 has no | for types at run time
# What a failed step prints, and the sentence that says what to do about it.
REMEDIES = (
    (
        ("libgomp.so.1",),
        "MXNet needs the OpenMP library libgomp.so.1, which this machine does not have. Install "
        "the package that brings it: `apt-get install libgomp1` on Debian and Ubuntu, "
        "`dnf install libgomp` on Fedora, `conda install libgomp` with conda.",
    ),
    (
        ("No space left on device", "os error 28", "Errno 28"),
        "The disk is full. MXNet and its packages need about 1 GB (with a GPU, 5 GB). Make room, "
        "then try again.",
    ),
    (
        ("Permission denied", "os error 13", "Errno 13", "Read-only file system"),
        "A folder cannot be written to (its path is in the message above). Work in a copy of the "
        "course that belongs to you, with a home folder (HOME) that you can write to.",
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
            "No matching distribution found for",
        ),
        "The packages could not be downloaded. Check the connection to the Internet (behind a "
        "proxy, set HTTPS_PROXY; with a package mirror, set PIP_INDEX_URL and UV_DEFAULT_INDEX), "
        "then try again.",
    ),
)


class InstallError(Exception):
    """Installing cannot go on. The message says why and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let Jupyter show the sentence alone: the lines of this package would not help."""
        return [str(self)]


def remedy(output: str) -> str:
    """Return the sentence that helps with what a failed step printed, or "" if none is known."""
    return next((text for signs, text in REMEDIES if any(sign in output for sign in signs)), "")


def run_or_explain(
    command: Command,
    failure: str,
    env: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> None:
    """Run a command and hold its output back. `env` and `pass_fds` are those of subprocess.

    If the command fails, raises InstallError with its output, the sentence `failure` and a remedy.
    """
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
        pass_fds=pass_fds,
    )
    if done.returncode:
        raise InstallError("\n".join([done.stdout.strip(), failure, remedy(done.stdout)]).strip())


def install(arguments: Command, failure: str, pass_fds: Collection[int] = ()) -> None:
    """Run `pip install` with this Python. Raises InstallError, as run_or_explain does."""
    if importlib.util.find_spec("pip") is None:
        raise InstallError(
            "{python} has no pip, which installs packages. Install the package that brings it: "
            "`apt-get install python3-pip` on Debian and Ubuntu.".format(python=sys.executable)
        )
    env = dict(os.environ)
    if "--target" in arguments:  # these two settings, which many people have, contradict it
        env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")
    command = [sys.executable, "-m", "pip", "install", *arguments]
    run_or_explain(command, failure, env, pass_fds)
