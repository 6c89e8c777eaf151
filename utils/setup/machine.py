"""This machine: its processors and memory, MXNet's threads, and the device to compute on."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from utils.setup import gpu, packages, remedies


@dataclass(frozen=True)
class Preparation:
    """What `prepare` met and did.

    Attributes:
        asked_for: the reader's own OMP_NUM_THREADS, None if it was not set.
        too_late: whether MXNet had been imported before, so that its threads could not be set.
        restored: the names that numpy has removed and `prepare` has added again.
    """

    asked_for: str | None
    too_late: bool
    restored: tuple[str, ...] = ()

    @property
    def keeps_wish(self) -> bool:
        """Whether MXNet can read the reader's wish, which then stays."""
        return _is_thread_count(self.asked_for)


LATE_ERROR = (
    "MXNet computes in the background, and this cell has begun something that cannot be computed: "
    "{said}. Do not use its result: the numbers in it mean nothing."
)
_preparation: Preparation | None = None


def prepare() -> Preparation:
    """Make MXNet importable here, let it use every available processor, and return what was met.

    MXNet finds in numpy the names that it was written for, and the build that fits this machine.
    OMP_NUM_THREADS may already say how many processors to use. If it is not set, MXNet 1.9.1 takes
    half of them. It reads the variable while it is being imported and never again, so this comes
    first: `import utils` calls it.

    A thread that waits for the others goes to sleep soon. Otherwise it would spin for so long that
    ten notebooks that train at once lose most of their work (`make bench` measures it). Sleeping at
    once (OMP_WAIT_POLICY=PASSIVE) makes a single notebook slower. GOMP_SPINCOUNT belongs to GNU's
    OpenMP, which MXNet uses on Linux. The reader's own settings stay.

    Drawings look as they were designed: a file of settings for matplotlib may ask for LaTeX, or for
    a font that is not here.

    In a notebook, an error that MXNet holds back is shown below the cell that caused it.

    A second call, after numpy or MXNet has been installed, leaves the threads as they are.
    """
    global _preparation
    restored = ()
    with contextlib.suppress(ImportError):  # before anything is installed there is no numpy
        restored = restore_numpy_names()
    packages.use()
    if _preparation is None:
        _ignore_matplotlibrc()
        _watch_cells()
    met = _preparation or _set_threads()
    _preparation = replace(met, restored=met.restored + restored)
    return _preparation


def preparation() -> Preparation:
    """Return what `prepare` met and did in this process."""
    return _preparation or prepare()


def removed_numpy_names() -> dict[str, Any]:
    """Return what MXNet 1.9.1 reads of numpy by names that numpy has removed since 1.23.

    They come from every use of numpy in MXNet 1.9.1 and d2l 1.0.3. A test collects the uses again
    and looks for them in Colab's numpy. Raises ImportError where there is no numpy.
    """
    import numpy

    return {
        "bool": bool,
        "int": int,
        "Inf": math.inf,
        "NaN": math.nan,
        "NAN": math.nan,
        "PINF": math.inf,
        "NINF": -math.inf,
        "PZERO": 0.0,
        "NZERO": -0.0,
        "alltrue": numpy.all,
        "sometrue": numpy.any,
        "product": numpy.prod,
        "round_": numpy.round,
        "in1d": numpy.isin,
        "trapz": getattr(numpy, "trapezoid", None),
        "msort": lambda a: numpy.sort(a, axis=0),
        "compat": SimpleNamespace(basestring=str),
        **dict.fromkeys(("mirr", "npv", "pmt", "ppmt", "pv", "rate"), _financial),
    }


def restore_numpy_names() -> tuple[str, ...]:
    """Add the missing names to numpy, and return them; nothing else changes for other code."""
    import numpy

    removed = removed_numpy_names()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy warns about names that it will remove
        missing = tuple(name for name in removed if not hasattr(numpy, name))
    for name in missing:
        setattr(numpy, name, removed[name])
    return missing


def _financial(*_: Any, **__: Any) -> NoReturn:
    raise NotImplementedError(
        "numpy's financial functions have moved to the package numpy-financial. MXNet only passes "
        "them on, and nothing in this course uses them."
    )


def _ignore_matplotlibrc() -> None:
    os.environ["MATPLOTLIBRC"] = os.devnull  # in place of the reader's file
    if "matplotlib" in sys.modules or Path("matplotlibrc").exists():  # this one would come first
        with contextlib.suppress(ImportError):
            import matplotlib

            matplotlib.rcdefaults()


def _watch_cells() -> None:
    ipython = sys.modules.get("IPython")  # in a notebook it is there
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        shell.events.register("post_run_cell", _show_late_error)


def _show_late_error(cell: Any) -> None:
    """Wait until all that a cell began is computed; show an error that comes only now.

    MXNet would raise it at the next wait, in another cell, which has done nothing wrong. After a
    cell that ended with an error, that one has been shown.
    """
    mxnet = sys.modules.get("mxnet.numpy_extension")
    try:
        getattr(mxnet, "waitall", lambda: None)()
    except Exception as error:
        if cell.success:
            said = str(error).strip().splitlines()[-1]
            print(LATE_ERROR.format(said=said), file=sys.stderr)


def _set_threads() -> Preparation:
    """Set the threads that MXNet will use, unless it is too late or the reader has done so."""
    met = Preparation(os.environ.get("OMP_NUM_THREADS"), too_late="mxnet.base" in sys.modules)
    if not met.too_late:
        if not met.keeps_wish:
            os.environ["OMP_NUM_THREADS"] = str(available_cpus())
        if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
            os.environ["GOMP_SPINCOUNT"] = "1000"
    return met


def _is_thread_count(text: str | None) -> bool:
    """Whether MXNet can read this OMP_NUM_THREADS: a single number, 1 or more.

    Anything else, even a list that OpenMP allows, makes MXNet end Python.
    """
    return text is not None and text.isdecimal() and int(text) > 0


def this_platform() -> tuple[str, str, str, int]:
    """Return the arguments of platform_problem for this machine."""
    bits = 64 if sys.maxsize > 2**32 else 32  # of Python: the kernel may have more
    return platform.system(), platform.machine(), platform.libc_ver()[0], bits


def platform_problem(system: str, processor: str, libc: str = "glibc", bits: int = 64) -> str:
    """Return why MXNet 1.9.1 does not work on such a machine and what to do, "" if it works.

    `system`, `processor` and `libc` are spelled as by the module platform. The C library counts on
    Linux alone.
    """
    if system == "Windows":
        return (
            "MXNet 1.9.1 does not exist for Windows. Install WSL2 (`wsl --install`) and run the "
            "course inside it."
        )
    if (system, processor) == ("Darwin", "arm64"):
        return (
            "MXNet 1.9.1 does not exist for macOS on an Apple chip, but it does for Linux on one. "
            "Run the course in a container, from its folder: `{container}`."
        ).format(container=remedies.CONTAINER)
    if bits == 32 or processor.startswith(("armv", "i386", "i686")):
        return (
            "MXNet 1.9.1 does not exist for 32-bit systems, and this is one. If the processor is a "
            "64-bit one, as in a Raspberry Pi 3 or newer, install a 64-bit system (64-bit "
            "Raspberry Pi OS), and run the course there."
        )
    if system == "Linux" and libc != "glibc":
        return (
            "MXNet 1.9.1 needs the C library glibc, and this Linux has another one, as Alpine has "
            "musl. Run the course in a container, from its folder: `{container}`."
        ).format(container=remedies.CONTAINER)
    known = (("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "x86_64"))
    if (system, processor) not in known:
        return (
            "MXNet 1.9.1 has no package for {system} on {processor}, only for 64-bit processors of "
            "the x86 and the ARM family. Run the course on another machine."
        ).format(system=system, processor=processor)
    return ""


def available_cpus(root: Path = Path("/")) -> int:
    """Return how many processors this process may use, 1 or more.

    Its affinity and its control groups limit it. A container's limit may be a fraction, such as
    1.5. It is rounded up, as Java and Go do.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        count = os.cpu_count() or 1
    return min([count, *(max(1, math.ceil(quota)) for quota in _cpu_quotas(root))])


def available_memory(root: Path = Path("/")) -> int:
    """Return how many bytes of memory this process may use.

    The machine and the control groups limit it. 0 if the system does not say (Windows).
    """
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError):
        return 0
    groups = _control_groups("memory", root)
    limits = [
        _read(group, name) for group in groups for name in ("memory.max", "memory.limit_in_bytes")
    ]
    return min([size, *(int(limit) for limit in limits if limit.isdigit())])


def best_device() -> tuple[Any, str]:
    """Return the MXNet device to compute on, and one sentence that says why."""
    import mxnet as mx

    if mx.context.num_gpus():
        return mx.gpu(0), "MXNet sees a GPU, which trains many times faster than a CPU."
    if mx.runtime.Features().is_enabled("CUDA"):
        return mx.cpu(), "MXNet is built for GPUs, but sees none: is the driver older than CUDA 11?"
    build, why = gpu.fitting_build()
    if build == gpu.GPU_BUILD:
        why = "MXNet's build for GPUs would use the one that is here: `make gpu` installs it."
    return mx.cpu(), why


def threads_used() -> int:
    """Return how many threads MXNet, once imported, computes with."""
    try:
        return ctypes.CDLL("libgomp.so.1").omp_get_max_threads()
    except OSError:  # macOS has another OpenMP library: this is the count that MXNet chooses
        wish = os.environ.get("OMP_NUM_THREADS")  # not set if MXNet was imported before utils
        return int(wish) if wish and _is_thread_count(wish) else max(1, available_cpus() // 2)


def _cpu_quotas(root: Path) -> Iterator[float]:
    for group in _control_groups("cpu", root):
        limit = _read(group, "cpu.max").split()  # version 2: "150000 100000", or "max 100000"
        if not limit:  # version 1: one file each, and -1 for no limit
            limit = [_read(group, f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if limit[0].isdigit():
            yield int(limit[0]) / int(limit[1])


def _control_groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, each with all its parents.

    A container may see the host's names in /proc/self/cgroup, but only its own part of the tree, at
    the mount point. So a folder that does not exist sets no limit, and its parents are read.
    """
    for line in _read(root, "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for name in {controllers or ".", controller if controllers else "unified"}:
            mount = root / "sys/fs/cgroup" / name
            folder = mount / group.lstrip("/")
            yield from (part for part in (folder, *folder.parents) if part.is_relative_to(mount))


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text().strip()
    except OSError:
        return ""
