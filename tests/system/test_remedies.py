"""What is said where a step fails: the cause, as far as it can be known, and the way out."""

import errno
import os
import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy.exc

import set_up
from notebooks import ROOT
from utils.setup import packages, remedies

CERTIFICATE = "invalid peer certificate: UnknownIssuer"
UNREACHED = "ERROR: No matching distribution found for uv==0.13.9"


@pytest.mark.parametrize(
    ("printed", "advice"),
    [
        (
            "OSError: libgomp.so.1: cannot open shared object file: No such file or directory",
            "apt-get install libgomp1",
        ),
        ("error: failed to copy file: No space left on device (os error 28)", "The disk is full"),
        ("OSError: [Errno 122] Disk quota exceeded: '.venv'", "your share of the disk"),
        ("failed to write: Disk quota exceeded (os error 122)", "your share of the disk"),
        ("OSError: [Errno 27] File too large", "`ulimit -f`"),
        ("OSError: [Errno 12] Cannot allocate memory", "not enough memory"),
        ("numpy.core._exceptions._ArrayMemoryError: Unable to allocate 9 GiB", "not enough memory"),
        ("mxnet.base.MXNetError: MXNetError: Resource temporarily unavailable", "`ulimit -u`"),
        ("Tokio: Os { code: 11, message: 'Resource temporarily unavailable' }", "`ulimit -u`"),
        ("RuntimeError: can't start new thread", "`ulimit -u`"),
        ("OSError: [Errno 24] Too many open files: 'x'", "`ulimit -n 4096`"),
        ("OSError: [Errno 116] Stale file handle: 'x'", "network drive"),
        ("OSError: [Errno 13] Permission denied: '.cache'", "belongs to you"),
        ("OSError: [Errno 30] Read-only file system: 'build'", "belongs to you"),
        ("libmxnet.so: failed to map segment from shared object", "not enough memory"),
        (f"cause: {CERTIFICATE}", "ca-certificates"),
        (UNREACHED, "Check the connection"),
        ("error: Failed to fetch: cause: dns error", "Check the connection"),
        ("cause: tunnel error: proxy authorization required", "a name and a password"),
        ("OSError('Tunnel connection failed: 407 Proxy Authentication Required')", "a password"),
        ("HTTP status client error (403 Forbidden) for url", "refuses to deliver"),
        ("error: Hash mismatch for `numpy==1.23.5`", "requirements.txt names"),
        ("OSError: libquadmath.so.0: cannot open shared object file", "install libquadmath0"),
        ("OSError: libarmpl_lp64_mp.so: cannot open shared object file", "utils.setup.bootstrap"),
        ("has no wheels with a matching platform tag (e.g., `musllinux_1_2`)", "Alpine"),
    ],
)
def test_failed_step_is_shown_with_what_to_do(printed, advice):
    """The messages are those of the loader, the system, uv and pip, word for word."""
    program = [sys.executable, "-c", f"raise SystemExit({printed!r})"]
    with pytest.raises(packages.InstallError, match=advice) as failure:
        packages.run_or_explain(program, "It failed.")
    assert printed in str(failure.value)


def test_nothing_is_said_about_a_cause_that_is_not_known():
    assert remedies.remedy("ValueError: 3 channels, not 6 (407 images)", {}) == ""


PASSWORD = "se#cret"


@pytest.mark.parametrize(
    ("name", "address", "advice"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", "ALL_PROXY names a SOCKS proxy"),
        ("https_proxy", "socks5h://127.0.0.1:1080", "https_proxy names a SOCKS proxy"),
        ("HTTPS_PROXY", "proxy.example:3128", "Write HTTPS_PROXY=http://"),
        ("HTTP_PROXY", "http//proxy.example:3128", "Write HTTP_PROXY=http://"),
        ("HTTPS_PROXY", "ftp://proxy.example:3128", "Write HTTPS_PROXY=http://"),
        ("HTTPS_PROXY", f"http://ada:{PASSWORD}@proxy.example:3128", "%23 for #"),
        ("HTTPS_PROXY", "http://ada:se/cret@proxy.example:3128", "%2F for /"),
        ("HTTPS_PROXY", "http://ada@example.org:secret@proxy.example:3128", "%40 for @"),
        ("HTTPS_PROXY", "http://ada:secret@proxy.example:3128", "Check the connection"),
    ],
)
def test_where_nothing_is_reached_the_address_of_the_proxy_is_read(name, address, advice):
    """pip only says that there is no such package."""
    sentence = remedies.remedy(UNREACHED, {name: address})
    assert advice in sentence
    assert PASSWORD not in sentence


def test_a_socks_proxy_that_uv_could_not_reach_is_not_called_unusable():
    printed = "error: Failed to fetch: x\n  cause: error connecting to socks proxy"
    sentence = remedies.remedy(printed, {"ALL_PROXY": "socks5://127.0.0.1:1080"})
    assert sentence == remedies.NO_ACCESS


@pytest.mark.parametrize("name", remedies.CERTIFICATES)
@pytest.mark.parametrize("printed", [CERTIFICATE, "suitable TLS CA certificate bundle", UNREACHED])
def test_certificates_that_are_not_there_are_named(tmp_path, name, printed):
    sentence = remedies.remedy(printed, {name: str(tmp_path / "gone.pem")})
    assert sentence.startswith(f"{name} names {tmp_path / 'gone.pem'}, but there is no such ")


def test_a_file_without_certificates_is_named(tmp_path):
    (tmp_path / "bad.pem").write_text("nothing")
    sentence = remedies.remedy(CERTIFICATE, {"SSL_CERT_FILE": str(tmp_path / "bad.pem")})
    assert "no certificate can be read from it" in sentence


@pytest.mark.parametrize("printed", ["undefined symbol: PyX", "Importing the numpy C-extensions"])
def test_where_an_import_fails_what_leaks_in_is_named(printed):
    assert "LD_LIBRARY_PATH" in remedies.remedy(printed, {"LD_LIBRARY_PATH": "/opt/lib"})
    assert remedies.remedy(printed, {}) == ""


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "killed (SIGKILL), probably because the memory"),
        ("import os; os._exit(137)", "killed (SIGKILL), probably because the memory"),
        ("import os; os.abort()", "crashed (SIGABRT)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "`ulimit -a`"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "from outside (SIGTERM)"),
    ],
)
def test_a_step_that_a_signal_has_ended_says_so(code, said):
    """A step that is killed prints nothing, so its exit status is all there is."""
    with pytest.raises(packages.InstallError) as failure:
        packages.run_or_explain([sys.executable, "-c", code], "It failed.")
    assert said in str(failure.value)


@pytest.mark.parametrize("status", [0, 1, 2, 126, 127, 255])
def test_other_exit_statuses_name_no_signal(status):
    assert remedies.ending(status) == ""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk")
@pytest.mark.parametrize("place", ["course", "home"])
def test_a_disk_on_which_no_program_may_run_is_named(tmp_path, place):
    """The course lies on one, or the cache, from which a library is loaded."""
    code = (
        "from utils.setup import remedies; import ctypes, shutil, sys\n"
        f"shutil.copy({ctypes_library()!r}, 'lib.so')\n"
        "try: ctypes.CDLL('./lib.so')\n"
        f"except OSError as error: print(remedies.remedy(f'{tmp_path}/lib.so: ' + str(error)))"
    )
    program = {"course": "tools/set_up.py", "home": f'-c "{code}"'}[place]
    copy = f"cp -r {ROOT}/tools {ROOT}/utils {ROOT}/requirements.txt ."
    script = f"mount -t tmpfs -o noexec disk {tmp_path} && cd {tmp_path} && {copy}"
    script += f" && PYTHONPATH=. {sys.executable} {program}"
    run = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    if "unshare" in run.stderr or "mount:" in run.stderr:
        pytest.skip("this machine lets not even root mount a disk")
    assert "(noexec)" in run.stdout + run.stderr
    assert str(tmp_path) in run.stdout + run.stderr


def ctypes_library():
    import _ctypes

    return _ctypes.__file__


def database_error(text):
    return sqlalchemy.exc.OperationalError("INSERT", {}, sqlite3.OperationalError(text))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "belongs to you"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "your share of the disk"),
        (MemoryError(), "not enough memory"),
        (database_error("attempt to write a readonly database"), "belongs to you"),
        (database_error("unable to open database file"), "belongs to you"),
        (database_error("database is locked"), "close formgrader"),
        (database_error("database or disk is full"), "The disk is full"),
    ],
)
def test_a_command_ends_with_a_sentence_where_the_machine_is_at_fault(error, advice):
    with pytest.raises(SystemExit) as end, remedies.explained():
        raise error
    assert advice in str(end.value).splitlines()[-1]


def test_a_fault_of_the_course_keeps_its_traceback():
    with pytest.raises(FileNotFoundError), remedies.explained():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")


def test_every_command_explains_what_the_machine_refuses():
    """Whoever adds a program to the Makefile ends it in the same way."""
    files = [*(ROOT / "tools").rglob("*.py"), *(ROOT / "coursework").glob("*.py")]
    texts = {file: file.read_text("utf-8") for file in files if "measure" not in file.parts}
    programs = {file for file, text in texts.items() if '__name__ == "__main__"' in text}
    programs.remove(ROOT / "tools" / "set_up.py")  # before there is an environment
    assert programs
    for file in programs:
        assert '__name__ == "__main__":\n    with remedies.explained():' in texts[file], file


def test_looking_for_data_that_is_killed_ends_set_up_with_a_sentence(monkeypatch):
    monkeypatch.setattr(set_up, "ready", lambda: True)
    monkeypatch.setattr(set_up, "PYTHON", "/bin/sh")
    killed = subprocess.CompletedProcess([], -9)
    monkeypatch.setattr(set_up.subprocess, "run", lambda *_, **__: killed)
    with pytest.raises(SystemExit, match="killed"):
        set_up.main()


def test_jupyter_shows_the_sentence_without_the_lines_of_this_package():
    assert packages.InstallError("Do this.")._render_traceback_() == ["Do this."]
