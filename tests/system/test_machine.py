"""This machine: processors, memory, threads, and the report that notebook 00 shows."""

import ctypes
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.setup import fetch, machine, report

ROOT = Path(__file__).resolve().parents[2]
GIB = 2**30


def in_fresh_python(code, **environment):
    """Run code in a new Python, without settings for threads. Returns what it prints."""
    threads = ("OMP_", "GOMP_")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(threads)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def lay_out(root, files):
    """Write a small copy of /proc and /sys inside `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


# Processors and memory


@pytest.fixture
def sixteen_processors(monkeypatch):
    """Set the affinity of this process to 16 processors."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 16, id="no control groups: the affinity"),
        pytest.param(
            {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "400000 100000"},
            4,
            id="version 2: the quota",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"},
            16,
            id="version 2: no limit",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/jobs/mine",
                "sys/fs/cgroup/jobs/mine/cpu.max": "max 100000",
                "sys/fs/cgroup/jobs/cpu.max": "300000 100000",
            },
            3,
            id="version 2: the limit of a parent",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/host/name", "sys/fs/cgroup/cpu.max": "200000 100000"},
            2,
            id="version 2: a container that sees the host's name but not its tree",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/box\n3:memory:/",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "500000",
                "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
            },
            5,
            id="version 1: the quota",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/box",
                "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000",
            },
            16,
            id="version 1: no limit",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "150000 100000"},
            2,
            id="a fraction is rounded up",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "20000 100000"},
            1,
            id="never less than one",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "6400000 100000"},
            16,
            id="a quota above the affinity",
        ),
    ],
)
def test_available_cpus_is_the_smallest_limit(tmp_path, sixteen_processors, files, expected):
    lay_out(tmp_path, files)
    assert machine.available_cpus(tmp_path) == expected


def test_without_affinity_the_processors_are_counted(tmp_path, monkeypatch):
    """As on macOS."""
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert machine.available_cpus(tmp_path) == 12


def test_a_process_pinned_to_one_processor_counts_one():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import utils; "
        "print(utils.setup.machine.available_cpus(), os.environ['OMP_NUM_THREADS'])"
    )
    assert in_fresh_python(code) == "1 1"


@pytest.mark.parametrize(
    ("group", "file"),
    [("0::/box", "box/memory.max"), ("7:memory:/box", "memory/box/memory.limit_in_bytes")],
    ids=["version 2", "version 1"],
)
def test_available_memory_respects_the_control_group(tmp_path, group, file):
    lay_out(tmp_path, {"proc/self/cgroup": group, f"sys/fs/cgroup/{file}": str(GIB // 2)})
    assert machine.available_memory(tmp_path) == GIB // 2


def test_an_unlimited_control_group_leaves_the_memory_of_the_machine(tmp_path):
    lay_out(tmp_path, {"proc/self/cgroup": "0::/", "sys/fs/cgroup/memory.max": "max"})
    assert machine.available_memory(tmp_path) > GIB // 2


# Threads

COUNT_THREADS = "import mxnet; print(utils.setup.machine.threads_used())"


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        pytest.param({}, machine.available_cpus(), id="no wish: all processors"),
        pytest.param({"OMP_NUM_THREADS": "7"}, 7, id="the wish of the reader"),
        pytest.param({"OMP_NUM_THREADS": "2,4"}, machine.available_cpus(), id="a list"),
    ],
)
def test_mxnet_computes_with(wish, expected):
    """The count comes from the OpenMP library itself. MXNet would end Python over a list."""
    assert in_fresh_python(f"import utils; {COUNT_THREADS}", **wish) == str(expected)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({}, "GOMP_SPINCOUNT = '1000'"),
        ({"GOMP_SPINCOUNT": "5"}, "GOMP_SPINCOUNT = '5'"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "GOMP_SPINCOUNT = '0'"),
    ],
)
@pytest.mark.slow
def test_waiting_threads_sleep_soon_unless_the_reader_wishes_otherwise(wish, expected):
    """As the OpenMP library understands it: it shows its settings when it is loaded."""
    code = "import os; os.dup2(1, 2); import utils, mxnet"
    assert expected in in_fresh_python(code, OMP_DISPLAY_ENV="VERBOSE", **wish)


def test_importing_utils_imports_no_mxnet():
    assert in_fresh_python("import utils, sys; print('mxnet' in sys.modules)") == "False"


CELLS = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {cells}:
    print("[next cell]", flush=True)
    shell.run_cell(cell)
"""
BEGIN = "import sys, utils\nsys.stderr = sys.stdout\nfrom mxnet import np, npx\nnpx.set_np()"
WRONG = "probabilities = npx.softmax(np.ones((2, 3), dtype='int32'))"


def shown_below(*cells):
    """Return what stands below each of these cells of a notebook."""
    printed = in_fresh_python(CELLS.format(cells=[BEGIN, *cells]))
    return [text.strip() for text in printed.split("[next cell]")[2:]]


def test_an_error_that_mxnet_holds_back_is_shown_below_the_cell_that_caused_it():
    wrong, innocent = shown_below(WRONG, "npx.waitall()")
    assert "only support floating point types, not int32. Do not use its result" in wrong
    assert innocent == ""


def test_below_a_cell_that_has_failed_stands_its_own_error_alone():
    failed, innocent = shown_below(f"{WRONG}\n1 / 0", "npx.waitall()")
    assert "ZeroDivisionError" in failed
    assert "floating point" not in failed
    assert innocent == ""


def test_after_mxnet_utils_leaves_the_environment_alone_and_the_report_says_so():
    code = (
        "import mxnet, utils, os; from utils.setup import machine, report;"
        "print(os.environ.get('OMP_NUM_THREADS'));"
        "print(report.threads_fact(1, 2, machine.preparation()).fix)"
    )
    kept, fix = in_fresh_python(code).splitlines()
    assert kept == "None"
    assert "mxnet was imported before utils" in fix
    assert "Restart the kernel" in fix


def test_the_environment_is_read_when_the_machine_is_prepared_and_not_before(monkeypatch):
    """A second preparation, after something has been installed, does not take ours for a wish."""
    monkeypatch.setattr(machine, "_preparation", None)
    monkeypatch.delitem(sys.modules, "mxnet.base", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "2,4")
    met = machine.prepare()
    assert (met.asked_for, met.too_late) == ("2,4", False)
    assert os.environ["OMP_NUM_THREADS"] == str(machine.available_cpus())
    assert machine.prepare().asked_for == "2,4"


def test_what_was_met_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        machine.preparation().too_late = True


def test_names_restored_by_a_later_preparation_are_added(monkeypatch):
    import numpy

    machine.prepare()
    before = machine.preparation().restored
    monkeypatch.delattr(numpy, "PZERO")
    machine.prepare()
    assert machine.preparation().restored == (*before, "PZERO")


@pytest.mark.parametrize(("setting", "threads"), [(None, 6), ("", 6), ("2,4", 6), ("5", 5)])
def test_without_gnus_openmp_the_threads_follow_from_the_environment(monkeypatch, setting, threads):
    """As on macOS, also when MXNet was imported before utils: then nothing has set the variable."""

    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(machine, "available_cpus", lambda: 12)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if setting is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert machine.threads_used() == threads


# The platform


@pytest.mark.parametrize(
    ("platform", "way_out"),
    [
        (("Windows", "AMD64", ""), "MXNet 1.9.1 does not exist for Windows. Install WSL2"),
        (("Darwin", "arm64", ""), "but it does for Linux on one. Run the course in a container"),
        (("Linux", "armv7l", "glibc", 32), "32-bit systems, and this is one"),
        (("Linux", "aarch64", "glibc", 32), "install a 64-bit system"),  # below a 64-bit kernel
        (("Linux", "i686", "glibc", 32), "32-bit systems"),
        (("Linux", "aarch64", "musl"), "as Alpine has musl. Run the course in a container"),
        (("Linux", "x86_64", ""), "needs the C library glibc"),  # what older Pythons call musl
        (("Linux", "ppc64le", "glibc"), "no package for Linux on ppc64le"),
    ],
)
def test_a_platform_without_mxnet_comes_with_a_way_out(platform, way_out):
    assert way_out in machine.platform_problem(*platform)


@pytest.mark.parametrize(
    "platform",
    [("Linux", "x86_64", "glibc"), ("Linux", "aarch64", "glibc"), ("Darwin", "x86_64", "")],
)
def test_a_platform_with_mxnet_has_no_problem(platform):
    assert machine.platform_problem(*platform) == ""


def test_this_machine_has_mxnet():
    """It runs these tests."""
    assert machine.platform_problem(*machine.this_platform()) == ""


def test_best_device_is_one_mxnet_can_compute_on(numpy_mode):
    from mxnet import np

    device, why = machine.best_device()
    assert np.ones(3, ctx=device).sum().item() == 3
    assert why.endswith(".")


# The report


def preparation(asked_for=None, too_late=False):
    return machine.Preparation(asked_for, too_late)


@pytest.mark.parametrize(
    "fact",
    [
        report.platform_fact("Linux", "x86_64"),
        report.platform_fact("Linux", "aarch64"),
        report.platform_fact("Darwin", "x86_64"),
        report.numpy_fact("1.23.5", []),
        report.numpy_fact("2.1.3", ["PZERO", "trapz"]),
        report.mxnet_fact("1.9.1"),
        report.mxnet_fact("1.9.1", build="the build for ARM"),
        report.threads_fact(2, 2, preparation()),
        report.threads_fact(2, 2, preparation(asked_for="2")),
        report.threads_fact(1, 1, preparation(too_late=True)),
        report.memory_fact(8 * GIB),
        report.memory_fact(0),
        report.disk_fact(Path("/somewhere"), 8 * GIB),
    ],
    ids=lambda fact: f"{fact.name} {fact.value}",
)
def test_what_is_right_needs_no_fix(fact):
    assert not fact.fix
    assert "fine" in fact.mark


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (report.platform_fact("Windows", "AMD64"), "WSL2"),
        (report.platform_fact("Darwin", "arm64"), "in a container"),
        (report.platform_fact("Linux", "aarch64", "musl"), "in a container"),
        (report.numpy_fact("", []), "make lab"),
        (report.mxnet_fact("1.6.0"), "1.9.1"),
        (report.mxnet_fact("", "No module named 'mxnet'"), "make lab"),
        (report.mxnet_fact("", "libarmpl_lp64_mp.so: cannot open"), "utils.setup.bootstrap"),
        (report.mxnet_fact("", "libgomp.so.1: cannot open shared object file"), "libgomp1"),
        (report.threads_fact(1, 4, preparation(asked_for="1")), "idle"),
        (report.threads_fact(9, 4, preparation(asked_for="9")), "set it to 4"),
        (report.threads_fact(2, 4, preparation(too_late=True)), "Restart the kernel"),
        (report.memory_fact(GIB), "1 GiB"),
        (report.disk_fact(Path("/somewhere"), GIB // 10), "/somewhere"),
    ],
    ids=lambda value: getattr(value, "value", ""),
)
def test_what_is_wrong_comes_with_a_sentence_that_says_what_to_do(fact, words):
    assert words in fact.fix
    assert fact.fix.endswith(".")
    assert "look" in fact.mark


def test_the_report_names_where_the_data_came_from(monkeypatch):
    """Only the sample is there: the report says how to get all of it."""
    monkeypatch.setattr(fetch, "find", fetch.sample)
    fact = report.data_fact()
    assert "sample" in fact.value
    assert "FASHION_MNIST_DIR" in fact.fix


def test_the_report_passes_on_what_is_wrong_with_the_data(tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path))
    assert str(tmp_path) in report.data_fact().fix


def test_the_report_shows_every_fact_and_every_fix_in_text_and_in_html():
    """Also those with characters that have a meaning in HTML."""
    facts = (report.Fact("Speed", "3 < 5"), report.Fact("Light", "off", "Switch it <on>."))
    shown = report.Findings(facts)
    assert "To look at: Light." in str(shown)
    assert "✗ look  Light       off\n                    Switch it <on>." in str(shown)
    page = shown._repr_html_()
    assert "3 &lt; 5" in page
    assert "Switch it &lt;on&gt;." in page


def test_where_all_is_in_order_one_line_is_enough_unless_all_is_asked_for():
    facts = (report.Fact("Speed", "fast"), report.Fact("Light", "on"))
    assert str(report.Findings(facts)) == "Everything is in order."
    assert "table" not in report.Findings(facts)._repr_html_(), "a caption alone would be narrow"
    assert ">Everything is in order.<" in report.Findings(facts)._repr_html_()
    in_full = report.Findings(facts, in_full=True)
    assert str(in_full).splitlines()[1:] == ["✓ fine  Speed       fast", "✓ fine  Light       on"]
    assert "Speed" in in_full._repr_html_()


def test_without_mxnet_the_report_still_stands(monkeypatch):
    """A library that cannot be loaded gets one line of the report, with what to do."""
    monkeypatch.setattr(fetch, "find", fetch.sample)
    monkeypatch.setitem(sys.modules, "mxnet", None)
    names = {fact.name: fact for fact in report.this_machine().facts}
    assert "make lab" in names["MXNet"].fix
    assert "Threads" not in names


def test_a_library_without_libgomp_is_reported(tmp_path):
    """Here an empty file takes the place of libgomp."""
    (tmp_path / "libgomp.so.1").touch()
    code = (
        "import utils; from utils.setup.report import mxnet_fact, _import;"
        "print(mxnet_fact(*_import('mxnet')))"
    )
    assert "libgomp1" in in_fresh_python(code, LD_LIBRARY_PATH=str(tmp_path))
