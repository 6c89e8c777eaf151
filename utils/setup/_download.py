"""Downloading: one file over HTTP, and Debian's package of Fashion-MNIST through apt.

Nothing here is verified: `fetch` does that.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

from utils.setup import remedies, storage

CONNECT_AND_READ_TIMEOUT = (5, 15)  # seconds
PATIENCE = 20  # seconds until the speed of a download is judged
SLOWEST = 20_000  # bytes per second, on average since the download began
UPDATE_TIMEOUT = 120  # seconds for apt's lists, about 10 MB
PACKAGE_TIMEOUT = 900  # seconds for the package, 31 MB
DISK_SPACE = 100_000_000  # bytes that apt may need; on a full disk apt-get hangs
PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = "./usr/share/datasets/fashion-mnist"  # as the package spells it
PERCENT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"


class DownloadError(Exception):
    """A server or apt does not deliver; the message says why.

    `remedy` is a sentence that says what to do, where the cause is known to be on this machine.
    """

    remedy = ""


class UnreachableError(DownloadError):
    """A server does not answer, or is too slow: it is not worth asking for the next file."""


def over_http(server: str, name: str, largest: int) -> bytes:
    """Return the file `name` of a server (an address that ends in /), with a progress bar.

    Reading stops soon after `largest` bytes.
    Raises UnreachableError if the server fails, stalls or trickles, DownloadError if it lacks the
    file.
    """
    download = _Download(server, name, largest)
    download.start()
    began = time.monotonic()
    bar = _bar(name, unit="B", unit_scale=True)
    try:
        while download.is_alive():
            download.join(timeout=0.1)
            bar.total = download.length
            bar.update(len(download.received) - bar.n)
            seconds = time.monotonic() - began
            if seconds > PATIENCE and bar.n < SLOWEST * seconds:
                raise UnreachableError("{server} is too slow.".format(server=server))
    finally:
        download.abandoned = True
        bar.close()
    if download.error:
        raise download.error
    return bytes(download.received)


class _Download(threading.Thread):
    """A download on its own thread, which can be abandoned wherever the server holds it up.

    The timeouts of requests are not enough: a server that sends a byte now and then meets them all.
    """

    def __init__(self, server: str, name: str, largest: int) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.url = f"{server}{name}"
        self.largest = largest
        self.received = bytearray()
        self.length: int | None = None
        self.error: DownloadError | None = None
        self.abandoned = False

    def run(self) -> None:
        try:
            self._receive()
        # Settings of this machine raise OSError and others: a bad address of a proxy, certificates
        # that are not there. An error that left this thread would be printed with its traceback.
        except Exception as error:
            self.error = self._explained(error)
            self.error.remedy = remedies.connection_problem(f"{self.error} {error}")

    def _explained(self, error: Exception) -> DownloadError:
        """Return an error that says in a sentence what has failed."""
        if isinstance(error, requests.HTTPError):
            status = error.response.status_code
            kind = UnreachableError if status == 407 else DownloadError  # 407 comes from a proxy
            return kind("{url} answers {status}.".format(url=self.url, status=status))
        if isinstance(error, (requests.ConnectionError, requests.Timeout)):
            return UnreachableError("{server} does not answer.".format(server=self.server))
        if isinstance(
            error,
            (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError),
        ):
            return DownloadError("{url} broke off.".format(url=self.url))
        return UnreachableError(
            "{server} cannot be asked: {reason}.".format(
                server=self.server, reason=str(error).rstrip(".")
            )
        )

    def _receive(self) -> None:
        # If a server compressed the file once more, requests would silently unpack it.
        headers = {"Accept-Encoding": "identity"}
        with requests.get(
            self.url, stream=True, timeout=CONNECT_AND_READ_TIMEOUT, headers=headers
        ) as response:
            response.raise_for_status()
            self.length = int(response.headers.get("Content-Length", 0)) or None
            for chunk in response.iter_content(1 << 16):
                self.received += chunk
                if self.abandoned or len(self.received) > self.largest:
                    return


def has_apt() -> bool:
    """Whether this machine can fetch and unpack a Debian package."""
    return bool(shutil.which("apt-get") and shutil.which("dpkg-deb"))


def from_debian(folder: Path | None) -> dict[str, bytes]:
    """Return the files of Debian's package, by name, fetched with apt-get and progress bars.

    apt keeps its own lists for this, in a temporary folder inside `folder` (None: the system's).
    So it needs neither root nor an earlier `apt-get update`, and leaves nothing behind.
    Raises DownloadError.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=f"{storage.PART}apt-", dir=folder) as apt:
            return _files_of(_package(Path(apt)))
    except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        raise DownloadError(str(error)) from error


def _package(folder: Path) -> Path:
    free = shutil.disk_usage(folder).free
    if free < DISK_SPACE:
        raise DownloadError(
            "it needs {needed} MB, but the disk of {folder} has {free} MB left. Make room on it, "
            "or set XDG_CACHE_HOME to a folder on another disk.".format(
                needed=DISK_SPACE // 10**6, folder=folder.parent, free=free // 10**6
            )
        )
    # The update fails if any of this machine's archives does, though the one with the package may
    # have answered. So its result is not looked at.
    _apt_get(folder, "update", seconds=UPDATE_TIMEOUT)
    complaint = _apt_get(folder, "download", PACKAGE, seconds=PACKAGE_TIMEOUT)
    package = next(folder.glob("*.deb"), None)
    if package is None:
        raise DownloadError(complaint)
    return package


def _apt_get(folder: Path, *action: str, seconds: int) -> str:
    """Run apt-get in a folder, with a progress bar, and return its last complaint, if any."""
    options = [f"Dir::State={folder}", f"Dir::Cache={folder}", "APT::Status-Fd=1"]
    options += ["Acquire::http::Timeout=15", "Acquire::Retries=1", "Acquire::Languages=none"]
    # Started by root, apt would become a user who cannot enter a folder inside root's home.
    options += ["APT::Sandbox::User=root"]
    command = ["apt-get", "-qq", *(part for option in options for part in ("-o", option)), *action]
    complaints = folder / "complaints"
    with (
        complaints.open("w") as stderr,
        _bar(f"apt-get {action[0]}", total=100, bar_format=PERCENT) as bar,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},  # numbers with a point
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as apt,
    ):
        alarm = threading.Timer(seconds, apt.kill)
        alarm.start()
        try:
            assert apt.stdout  # a pipe
            for line in apt.stdout:
                if line.startswith("dlstatus:"):  # dlstatus:file:percent:message
                    bar.update(float(line.split(":")[2]) - bar.n)
            apt.wait()
        finally:
            alarm.cancel()
            apt.kill()
    return (complaints.read_text().splitlines() or ["it did not finish in time"])[-1]


def _files_of(package: Path) -> dict[str, bytes]:
    command = ["dpkg-deb", "--fsys-tarfile", package]
    unpacked = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
        return {
            os.path.basename(member.name): file.read()
            for member in archive
            if os.path.dirname(member.name) == PACKAGE_FOLDER
            and (file := archive.extractfile(member))
        }


def _bar(description: str, **options: Any) -> tqdm:
    # The delay keeps a server that does not answer from leaving an empty bar behind.
    return tqdm(desc=description, delay=0.5, leave=False, file=sys.stdout, **options)
