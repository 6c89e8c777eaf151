"""Fetching Fashion-MNIST's files: from one mirror after another, and from Debian's archive.

Tested on a local server, and with Debian's own archive. The four mirrors themselves could not be
reached when this was written: what they send is verified, so a wrong one is only passed over.
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
from collections.abc import Iterable, Iterator
from pathlib import Path

import requests
from tqdm import tqdm

from utils.setup.files import FILES, LARGEST, DataError, unpack

MIRRORS = [
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "https://apache-mxnet.s3-accelerate.dualstack.amazonaws.com/gluon/dataset/fashion-mnist/",
]
CONNECT_AND_READ_TIMEOUT = (5, 15)  # seconds
PATIENCE = 20  # seconds until the speed of a download is judged
SLOWEST = 20_000  # bytes per second, on average since the download began
UPDATE_TIMEOUT = 120  # seconds for apt's lists, about 10 MB
PACKAGE_TIMEOUT = 900  # seconds for the package, 31 MB
ROOM = 100_000_000  # bytes that apt may need on the disk; where it is full, apt-get hangs
PACKAGE = "dataset-fashion-mnist"
PERCENT = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"

Fetched = tuple[str, bytes, bytes]  # a file's name, its bytes as they came, its contents


class UnreachableError(Exception):
    """A mirror does not answer, or too slowly: not worth asking for the next file."""


def from_mirrors(names: Iterable[str]) -> Iterator[Fetched]:
    """Yield each of the files that one of the mirrors delivers rightly, as soon as it is there."""
    mirrors = list(MIRRORS)
    for name in names:
        for mirror in list(mirrors):
            url = f"{mirror}{name}.gz"
            try:
                packed = _download(url)
                contents = unpack(packed, FILES[name], url)
            except UnreachableError as error:
                print(f"{mirror} {error}.")
                mirrors.remove(mirror)
            except DataError as error:
                print(error)
            else:
                yield name, packed, contents
                break


def _download(url: str) -> bytes:
    """Return what an address delivers, with a progress bar.

    Raises UnreachableError if the server fails, stalls or trickles, DataError if it lacks the file.
    """
    download = _Download(url)
    download.start()
    began = time.monotonic()
    bar = _bar(url.rpartition("/")[2], unit="B", unit_scale=True)
    try:
        while download.is_alive():
            download.join(timeout=0.1)
            bar.total = download.length
            bar.update(len(download.received) - bar.n)
            seconds = time.monotonic() - began
            if seconds > PATIENCE and bar.n < SLOWEST * seconds:
                raise UnreachableError("is too slow")
    finally:
        download.abandoned = True
        bar.close()
    if download.error:
        raise download.error
    return bytes(download.received)


class _Download(threading.Thread):
    """A download on a thread of its own, which can be left behind wherever the server holds it up.

    The timeouts of requests alone don't do: a server that sends a byte now and then meets them all.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.received = bytearray()
        self.length: int | None = None
        self.error: Exception | None = None
        self.abandoned = False

    def run(self) -> None:
        try:
            self._receive()
        except (requests.ConnectionError, requests.Timeout):
            self.error = UnreachableError("does not answer")
        except requests.HTTPError as error:
            self.error = DataError(f"{self.url} answers {error.response.status_code}.")
        except requests.RequestException:
            self.error = DataError(f"{self.url} broke off.")

    def _receive(self) -> None:
        # A server that packed the file once more would be unpacked by requests without a word.
        headers = {"Accept-Encoding": "identity"}
        with requests.get(
            self.url, stream=True, timeout=CONNECT_AND_READ_TIMEOUT, headers=headers
        ) as response:
            response.raise_for_status()
            self.length = int(response.headers.get("Content-Length", 0)) or None
            for chunk in response.iter_content(1 << 16):
                self.received += chunk
                if self.abandoned or len(self.received) > LARGEST:
                    return


def from_debian(names: Iterable[str], folder: Path | None) -> list[Fetched]:
    """Return the files from Debian's package, which apt fetches on Debian and Ubuntu, or nothing.

    apt keeps lists of its own for this, in a temporary folder below `folder` (None: the system's):
    so this needs neither root nor an earlier `apt-get update`, and leaves nothing behind.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return []
    print(f"Asking apt for the package {PACKAGE}: 40 MB, with the lists that apt needs.")
    try:
        with tempfile.TemporaryDirectory(prefix=".part-apt-", dir=folder) as apt:
            packed = _files_of(_package(Path(apt)))
        return [
            (name, packed[name], unpack(packed[name], FILES[name], f"{name}.gz in it"))
            for name in names
        ]
    except (OSError, subprocess.SubprocessError, tarfile.TarError, KeyError, DataError) as error:
        print(f"apt could not deliver it: {error}")
        return []


def _package(folder: Path) -> Path:
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise DataError(
            f"it needs {ROOM // 10**6} MB, but the disk of {folder.parent} has {free // 10**6} MB "
            "left. Make room on it, or set XDG_CACHE_HOME to a folder on another disk."
        )
    # It fails where any one of the machine's archives does, though ours may be there: go on.
    _apt_get(folder, "update", seconds=UPDATE_TIMEOUT)
    complaint = _apt_get(folder, "download", PACKAGE, seconds=PACKAGE_TIMEOUT)
    package = next(folder.glob("*.deb"), None)
    if package is None:
        raise DataError(complaint)
    return package


def _apt_get(folder: Path, *action: str, seconds: int) -> str:
    """Run apt-get in a folder, with a progress bar, and return its last complaint, if any."""
    options = [f"Dir::State={folder}", f"Dir::Cache={folder}", "APT::Status-Fd=1"]
    options += ["Acquire::http::Timeout=15", "Acquire::Retries=1", "Acquire::Languages=none"]
    # As root, apt would hand over to a user who cannot enter a folder below root's home.
    options += ["APT::Sandbox::User=root"]
    command = ["apt-get", "-qq", *(part for option in options for part in ("-o", option)), *action]
    complaints = folder / "complaints"
    with (
        complaints.open("w") as stderr,
        _bar(f"apt-get {action[0]}", total=100, bar_format=PERCENT) as bar,
    ):
        environment = {**os.environ, "LC_ALL": "C"}  # numbers with a point
        apt = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        alarm = threading.Timer(seconds, apt.kill)
        alarm.start()
        try:
            for line in apt.stdout:
                if line.startswith("dlstatus:"):  # dlstatus:file:percent:message
                    bar.update(float(line.split(":")[2]) - bar.n)
            apt.wait()
        finally:
            alarm.cancel()
            apt.kill()
            apt.stdout.close()
    return (complaints.read_text().splitlines() or ["it did not finish in time"])[-1]


def _files_of(package: Path) -> dict[str, bytes]:
    unpacked = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(unpacked.stdout)) as archive:
        folder = "./usr/share/datasets/fashion-mnist"
        return {name: archive.extractfile(f"{folder}/{name}.gz").read() for name in FILES}


def _bar(description: str, **options) -> tqdm:
    # The delay keeps a server that does not answer from leaving an empty bar behind.
    return tqdm(desc=description, delay=0.5, leave=False, file=sys.stdout, **options)
