"""What to do about a machine on which a step fails: a sentence for each cause that can be known.

A cause is read from what the failed step printed, from its exit status, and from the settings of
this machine: a proxy that is spelled wrong makes pip say only that there is no such package.

Uses the standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
SOCKS = ("socks", "socks4", "socks4a", "socks5", "socks5h")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR")
# They bring packages and libraries of other programs into this Python.
INTRUDERS = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LD_PRELOAD")

# Builds the container of .devcontainer/Dockerfile and opens the notebooks in it.
CONTAINER = (
    "docker build -t residual-networks .devcontainer && docker run -it --rm "
    '-p 127.0.0.1:8888:8888 -v "$PWD":/course residual-networks'
)
MEMORY = (
    "There is not enough memory. Close other programs and notebooks, or raise the limit of this "
    "container or account (`ulimit -v`), then try again."
)
NOEXEC = (
    "The disk of {folder} is mounted so that no program on it may run (noexec). Move the course, "
    "with its home folder (HOME) and its cache (XDG_CACHE_HOME), to a disk without this setting; "
    "`findmnt --target .` shows how the disk of a folder is mounted."
)
NOT_WRITABLE = (
    "A folder cannot be written to (its path is in the message above). Work in a copy of the "
    "course that belongs to you, with a home folder (HOME) that you can write to."
)
UNTRUSTED = (
    "This machine does not trust the certificate of the server that it reached. Check the date of "
    "this machine and install the package ca-certificates, or set SSL_CERT_FILE to the "
    "certificates that your network uses."
)
NO_ACCESS = (
    "The packages could not be downloaded. Check the connection to the Internet (behind a proxy, "
    "set HTTPS_PROXY; with a package mirror, set PIP_INDEX_URL and UV_DEFAULT_INDEX), then try "
    "again."
)
INTRUDER = (
    "{names} of this machine may bring packages or libraries of other programs into this Python. "
    "Try again without: `env {options} make lab`."
)

# What a failed step prints, and the sentence that says what to do about it. The first one counts.
REMEDIES = (
    (
        ("libarmpl", "libamath.so", "libastring.so"),
        "This is MXNet for ARM as it was published. It lacks Arm's library of linear algebra and "
        "cannot be loaded. Bring a mended copy: `python -m utils.setup.bootstrap`, in the folder "
        "of the course. Then restart the kernel.",
    ),
    (
        ("libgomp.so.1",),
        "MXNet needs the OpenMP library libgomp.so.1, which this machine does not have. Install "
        "the package that brings it: `apt-get install libgomp1` on Debian and Ubuntu, "
        "`dnf install libgomp` on Fedora, `conda install libgomp` with conda.",
    ),
    (
        ("libquadmath.so.0",),
        "MXNet needs the library libquadmath.so.0, which this machine does not have. Install the "
        "package that brings it: `apt-get install libquadmath0` on Debian and Ubuntu, "
        "`dnf install libquadmath` on Fedora.",
    ),
    (
        ("Disk quota exceeded", "os error 122)", "[Errno 122]"),
        "You have used up your share of the disk (quota). MXNet and its packages need about 1 GB "
        "(with a GPU, 5 GB). Delete files of yours, caches too, or move the course and its cache "
        "(XDG_CACHE_HOME) to another disk. Then try again.",
    ),
    (
        ("No space left on device", "os error 28)", "[Errno 28]", "disk is full"),
        "The disk is full. MXNet and its packages need about 1 GB (with a GPU, 5 GB). Make room, "
        "then try again.",
    ),
    (
        ("File too large", "os error 27)", "[Errno 27]"),
        "This machine allows you no file as large as the course needs (500 MB). Raise the limit, "
        "which `ulimit -f` shows, or ask whoever runs the machine to raise it.",
    ),
    (
        ("Cannot allocate memory", "os error 12)", "[Errno 12]", "MemoryError", "std::bad_alloc"),
        MEMORY,
    ),
    (
        (
            "Resource temporarily unavailable",
            "can't start new thread",
            "os error 11)",
            "[Errno 11]",
        ),
        "This machine allows you no more processes or threads (`ulimit -u` shows how many). End "
        "other programs and notebooks of yours, then try again.",
    ),
    (
        ("Too many open files", "os error 24)", "[Errno 24]"),
        "Too many files are open. Raise the limit, for example to 4096, with `ulimit -n 4096` in "
        "this terminal, then try again.",
    ),
    (
        ("Input/output error", "disk I/O error", "os error 5)", "[Errno 5]", "Stale file handle"),
        "The disk does not answer as it should; a network drive may have lost its connection. Try "
        "again, and if that fails, move the course to a disk of this machine.",
    ),
    (
        ("database is locked",),
        "Another program uses the gradebook. Wait until it has finished, or close formgrader, then "
        "try again.",
    ),
    (
        ("matching platform tag", "is not a supported wheel on this platform"),
        "Some packages do not exist for this system. On Alpine and other systems with musl, and on "
        "systems from before 2014, run the course in a container: `" + CONTAINER + "`.",
    ),
    (
        ("Hash mismatch", "DO NOT MATCH THE HASHES"),
        "A package that arrived is not the one that requirements.txt names. A download may have "
        "broken off, or a mirror or proxy changes files. Try again, in another network if it "
        "happens twice.",
    ),
    (
        ("failed: 407", "answers 407", "proxy authorization required", "Proxy Authentication"),
        "The proxy wants a name and a password. Write both into HTTPS_PROXY and HTTP_PROXY: "
        "http://NAME:PASSWORD@PROXY:PORT, with %23 for #, %40 for @, %2F for / and %3A for :.",
    ),
    (
        ("401 Unauthorized", "403 Forbidden"),
        "The server of the packages, or a proxy before it, refuses to deliver them. Where it wants "
        "a name and a password, write both into PIP_INDEX_URL and UV_DEFAULT_INDEX: "
        "https://NAME:PASSWORD@SERVER/simple.",
    ),
)
LOADING = ("failed to map segment from shared object",)
DENIED = ("Permission denied", "os error 13)", "[Errno 13]", "Read-only file system")
DENIED += ("readonly database", "unable to open database file")
TRUST = (
    "invalid peer certificate",
    "CERTIFICATE_VERIFY_FAILED",
    "No CA certificates",
    "suitable TLS CA certificate bundle",
    "confirming the ssl certificate",
    "NO_CERTIFICATE_OR_CRL_FOUND",
)
ACCESS = (
    "dns error",
    "error sending request",
    "Failed to fetch",
    "Failed to download",
    "Failed to establish a new connection",
    "Connection refused",
    "timed out",
    "No matching distribution found for",
    "Unable to connect to proxy",
    "Failed to parse:",
    "unsupported scheme",
    "SOCKS",
    "key_proxy_ssl_context",  # pip's traceback for a SOCKS proxy
)
IMPORTING = ("Importing the numpy", "undefined symbol", "GLIBC", "numpy.core", "cannot import name")


def remedy(output: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the sentence that helps with what a failed step printed, or "" if none is known.

    `environment` holds the settings with which it ran.
    """

    def printed(signs: tuple[str, ...]) -> bool:
        return any(sign in output for sign in signs)

    for signs, sentence in REMEDIES:
        if printed(signs):
            return sentence
    if printed(LOADING):
        folder = noexec_folder(output)
        return NOEXEC.format(folder=folder) if folder else MEMORY
    if printed(DENIED):
        folder = noexec_folder(output)
        return NOEXEC.format(folder=folder) if folder else NOT_WRITABLE
    if printed(TRUST):
        return certificate_problem(environment) or UNTRUSTED
    if printed(ACCESS):
        if "connecting to socks proxy" in output:  # uv can use one, and this one fails
            return NO_ACCESS
        return proxy_problem(environment) or certificate_problem(environment) or NO_ACCESS
    names = [name for name in INTRUDERS if environment.get(name)]
    if names and printed(IMPORTING):
        options = " ".join(f"-u {name}" for name in names)
        return INTRUDER.format(names=" and ".join(names), options=options)
    return ""


def connection_problem(failure: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return what stands between this machine and a server that failed, or "" if nothing is known.

    `failure` is what the attempt to reach the server raised.
    """
    sentence = remedy(failure, environment)
    return "" if sentence == NO_ACCESS else sentence


def proxy_problem(environment: Mapping[str, str]) -> str:
    """Return what is wrong with the way in which the proxy is written, or "".

    A password is not repeated.
    """
    for name in PROXIES:
        address = environment.get(name, "")
        if not address:
            continue
        scheme, separator, rest = address.partition("://")
        user = rest.rpartition("@")[0]
        if not separator or scheme not in ("http", "https", *SOCKS):
            return (
                "The address in {name} does not begin with http://, and programs read it in "
                "different ways. Write {name}=http://PROXY:PORT."
            ).format(name=name)
        if any(mark in user for mark in "#/?@"):
            return (
                "The name or the password in {name} contains a character that stands for something "
                "else in an address. Write %23 for #, %2F for /, %3F for ? and %40 for @."
            ).format(name=name)
        if scheme in SOCKS:
            return (
                "{name} names a SOCKS proxy, which pip cannot use. If your network has another one "
                "for HTTP, set HTTPS_PROXY and HTTP_PROXY to it, and unset {name}. If not, install "
                "uv in another way (https://docs.astral.sh/uv), which can use SOCKS."
            ).format(name=name)
    return ""


def certificate_problem(environment: Mapping[str, str]) -> str:
    """Return which setting names certificates that are not there or cannot be read, or ""."""
    for name in CERTIFICATES:
        path = environment.get(name, "")
        if path and (reason := _certificate_fault(Path(path), is_folder=name == "SSL_CERT_DIR")):
            return (
                "{name} names {path}, but {reason}. Unset {name}, or set it to the certificates "
                "that your network uses."
            ).format(name=name, path=path, reason=reason)
    return ""


def _certificate_fault(path: Path, is_folder: bool) -> str:
    if is_folder or path.is_dir():
        return "" if path.is_dir() else "there is no such folder"
    import ssl  # some Pythons have none, and the jail's cannot load it

    try:
        ssl.create_default_context(cafile=str(path))
    except FileNotFoundError:
        return "there is no such file"
    except OSError:  # ssl.SSLError is one
        return "no certificate can be read from it"
    return ""


def noexec_folder(output: str) -> str:
    """Return the first path in this text that is on a disk from which no program may run, or ""."""
    for path in re.findall(r"'(/[^'\n]+)'|`(/[^`\n]+)`|(/[^:\n'`\"]+):", output):
        name = next(filter(None, path))
        if is_noexec(Path(name)):
            return name
    return ""


def is_noexec(path: Path) -> bool:
    """Whether a path, or the folder where it would be, is on a disk mounted with noexec."""
    there = next((each for each in (path, *path.parents) if os.path.exists(each)), None)
    if there is None or not hasattr(os, "ST_NOEXEC"):  # macOS
        return False
    return bool(os.statvfs(there).f_flag & os.ST_NOEXEC)


def ending(status: int) -> str:
    """Say what a signal that ended a process means, and what to do; "" where none ended it.

    `status` is its exit status as subprocess gives it, or as a shell does.
    """
    number = -status if status < 0 else status - 128
    if number not in set(signal.Signals):
        return ""
    name = signal.Signals(number).name
    if name == "SIGKILL":
        sentence = "It was killed ({name}), probably because the memory ran out. {remedy}"
    elif name in ("SIGXCPU", "SIGXFSZ"):
        sentence = (
            "It was ended at a limit of this machine ({name}); `ulimit -a` shows the limits. Raise "
            "it, or ask whoever runs the machine to raise it."
        )
    elif name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"):
        sentence = (
            "It crashed ({name}). Too little memory or a full disk can be the cause, or a library "
            "that does not fit this machine."
        )
    else:
        sentence = "It was ended from outside ({name}). Try again."
    return sentence.format(name=name, remedy=MEMORY.partition(". ")[2])


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End the program with a sentence where this machine is at fault, and not with a traceback."""
    try:
        yield
    except Exception as error:
        # What the database of the gradebook raises is no OSError, but says the same.
        if not isinstance(error, (OSError, MemoryError)) and "OperationalError" not in repr(error):
            raise
        sentence = MEMORY if isinstance(error, MemoryError) else remedy(str(error))
        if not sentence:
            raise
        sys.exit(f"{error}\n{sentence}".strip())
