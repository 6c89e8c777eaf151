"""Installing with pip: on which machines MXNet works at all, and what to do when a step fails.

Uses the standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence

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
        "The disk is full. MXNet and its packages need about 1 GB (with a GPU, 5 GB); make room, "
        "then do the same again.",
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
            "No matching distribution found for",
        ),
        "The packages could not be downloaded. Check the connection to the Internet (behind a "
        "proxy, set HTTPS_PROXY; with a package mirror, set PIP_INDEX_URL and UV_DEFAULT_INDEX), "
        "then do the same again.",
    ),
)


class InstallError(Exception):
    """Installing cannot go on; the message says why and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let Jupyter show the sentence alone: the lines of this package would not help."""
        return [str(self)]


def remedy(output: str) -> str:
    """Return the sentence that helps with what a failed step printed, or "" if none is known."""
    return next((text for signs, text in REMEDIES if any(sign in output for sign in signs)), "")


def platform_problem(system: str, machine: str) -> str:
    """Return why MXNet 1.9.1 does not work on such a machine and what to do, "" where it does.

    `system` and `machine` are spelled as by the platform module.
    """
    if system == "Windows":
        return (
            "MXNet 1.9.1 does not exist for Windows. Install WSL2 (`wsl --install`) and run the "
            "course inside it."
        )
    if (system, machine) not in (("Linux", "x86_64"), ("Darwin", "x86_64")):
        return (
            f"MXNet 1.9.1 has no working package for {system} on {machine}, only for processors "
            "of the x86-64 family. Run the course in an amd64 container, from its folder: `docker "
            'run -it --platform linux/amd64 -v "$PWD":/course -w /course python:3.11 bash`.'
        )
    return ""


def run(command: Sequence[object], failure: str, **options: object) -> None:
    """Run a command with its output held back.

    Raises InstallError with that output, `failure` and a remedy where the command fails.
    """
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **options,
    )
    if done.returncode:
        raise InstallError("\n".join([done.stdout.strip(), failure, remedy(done.stdout)]).strip())


def install(arguments: Sequence[object], failure: str, **options: object) -> None:
    """Run this Python's `pip install`; raise InstallError where it fails."""
    if importlib.util.find_spec("pip") is None:
        raise InstallError(
            f"{sys.executable} has no pip, which installs packages. Install the one that brings "
            "it: `apt-get install python3-pip` on Debian and Ubuntu."
        )
    env = dict(os.environ)
    if "--target" in arguments:  # which settings that many people have would contradict
        env.update(PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")
    run([sys.executable, "-m", "pip", "install", *arguments], failure, env=env, **options)
