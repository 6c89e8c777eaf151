"""The machines of a distributed training, read from a file.

A line for each: its name for ssh and, where the other machines need another, its address. What
stands behind a # is left out. The first also runs worker 0 and keeps the checkpoint.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path


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


def read(path: Path) -> list[Host]:
    """Return the hosts of a file; raise LaunchError where there is none, or one is not known."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise LaunchError(f"The file of hosts {path} cannot be read: {error.strerror}.") from error
    words = [line.partition("#")[0].split() for line in lines]
    hosts = [
        _host(line, f"line {number} of {path}") for number, line in enumerate(words, 1) if line
    ]
    if not hosts:
        raise LaunchError(f"{path} names no host. Write one into each line.")
    return hosts


def _host(line: list[str], where: str) -> Host:
    name = line[0]
    address = line[1] if len(line) > 1 else name.rpartition("@")[2]
    try:
        found = socket.gethostbyname(address)
    except OSError as error:
        raise LaunchError(
            f"The host {address} in {where} is not known to this machine ({error.strerror}). "
            "Correct its name, or write its address behind the name."
        ) from error
    if found.startswith("127.") and found != address:  # as Debian has it for a machine's own name
        raise LaunchError(
            f"The host {address} in {where} has the address {found}, by which other machines "
            "cannot reach it. Write its address behind the name."
        )
    return Host(name, found)
