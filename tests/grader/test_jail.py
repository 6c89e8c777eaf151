"""The jail: what gets out, what cannot, and what is stopped."""

import dataclasses
import os
import re
import ssl
import sys
import sysconfig
from pathlib import Path

import pytest

from grader import jail, limits

SHORT = 2  # seconds, for code that would never end

pytestmark = [
    pytest.mark.xdist_group("jail"),  # test_grading looks for processes that are left
    pytest.mark.skipif(bool(jail.missing()), reason=jail.missing()),
]


@pytest.fixture(scope="module")
def run():
    """Run code in a jail with the course's packages."""
    packages = {"/packages": Path(sysconfig.get_path("purelib"))}

    def run(code, given=b"", seconds=60):
        allowed = dataclasses.replace(limits.read().jail, seconds=seconds, result_megabytes=1)
        return jail.Jail(allowed, packages).run(["-c", code], given)

    return run


def test_bytes_go_in_and_a_result_comes_out(run):
    code = "import os, sys; os.write(int(os.environ['RESULT']), sys.stdin.buffer.read()[::-1])"
    ending = run(code, b"abc" * 100_000)
    assert ending == jail.Ending(b"cba" * 100_000, "")


def test_it_runs_the_same_python_with_the_same_libraries(run):
    """Else a library of the system's own Python, of another version, would be loaded."""
    code = "import ssl, sys; print(sys.version, ssl.OPENSSL_VERSION)"
    ending = run(code)
    assert ending.printed.strip() == f"{sys.version} {ssl.OPENSSL_VERSION}", ending


def test_mxnet_computes_in_it(run):
    code = "from mxnet import np, npx; npx.set_np(); print(np.ones((64, 64)).sum().item())"
    assert run(code).printed.splitlines()[-1] == "4096.0"


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        ("while True: pass", "SIG|within"),
        (
            "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
            "SIG|within",
        ),
        ("import time; time.sleep(1000)", "did not end within 8 seconds."),
        ("import os, time\nos.fork()\nwhile time.process_time() < 1.5: pass", "did not end within"),
        ("import os, signal; os.kill(0, signal.SIGKILL)", "SIGKILL"),
        (
            "import os\nwhile True: os.write(int(os.environ['RESULT']), b'x' * 65536)",
            "more than 1 MB",
        ),
    ],
    ids=[
        "loop",
        "loop without signals",
        "sleep",
        "two loops",
        "kill all",
        "result without end",
    ],
)
def test_code_that_does_not_end_is_stopped(run, code, sign):
    assert re.search(sign, run(code, seconds=SHORT).stopped)


def test_waiting_for_the_processor_does_not_count(run):
    """On a busy machine, too, a submission may use its seconds."""
    ending = run("import time; time.sleep(3); print('done')", seconds=SHORT)
    assert (ending.printed, ending.stopped) == ("done\n", "")
    assert ending.seconds < SHORT


def test_memory_counts_for_all_processes_together():
    small = dataclasses.replace(limits.read().jail, seconds=10, megabytes=400)
    code = "import os, time\nfor _ in range(3): os.fork()\nx = b'1' * 10**8; time.sleep(9)"
    ending = jail.Jail(small, {}).run(["-c", code])
    assert ending.stopped == "It used more than 400 MB of memory."


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bytearray(10**11)", "MemoryError"),
        ("open('/tmp/file', 'wb').write(b'x' * 10**8)", "File too large"),
        ("[open(f'/tmp/{i}', 'wb').write(b'x' * 10**7) for i in range(50)]", "No space left"),
        ("open('/packages/new', 'w')", "Read-only file system"),
        ("open('/new', 'w')", "rror"),
        ("open('/dev/shm/new', 'w')", "rror"),
        ("import socket; socket.create_connection(('192.0.2.1', 80), 1)", "unreachable"),
        ("import os\nwhile True: os.fork()", "temporarily unavailable"),
        (f"open({str(Path(__file__))!r})", "No such file"),
        ("import os; os.setuid(0)", "not permitted"),
        ("import os; os.kill(1, 0)", "not permitted"),
    ],
    ids=lambda value: value[:30],
)
def test_forbidden_actions_fail(run, code, error):
    assert error in run(code).printed


@pytest.mark.slow
def test_endless_output_is_cut(run):
    ending = run("while True: print('x' * 1000)", seconds=SHORT)
    assert len(ending.printed) == limits.read().jail.output_kilobytes * 1024


def test_no_process_of_it_survives(run):
    """Not even a daemon that has left its parent's session."""
    name = f"left-behind-{os.getpid()}"
    code = f"import os, sys, time\nif os.fork() == 0:\n os.setsid()\n time.sleep(1000)\n#{name}"
    run(code)
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert lines
    assert not any(name.encode() in line for line in lines)


def test_the_environment_is_invisible(run, monkeypatch):
    monkeypatch.setenv("A_SECRET", "canary")
    printed = run("import os; print(dict(os.environ)); os.system('cat /proc/*/environ')").printed
    assert "canary" not in printed


def test_without_bubblewrap_the_package_is_named(run, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(jail.JailError, match="apt-get install bubblewrap"):
        run("")
