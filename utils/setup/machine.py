"""This machine: its processors and memory, the threads MXNet computes with, the device to use."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from utils.setup import gpu, packages


@dataclass
class Preparation:
    """What `prepare` met: the reader's own OMP_NUM_THREADS, and whether MXNet was there first.

    `names` are those that it put back into numpy.
    """

    asked_for: str | None = field(default_factory=lambda: os.environ.get("OMP_NUM_THREADS"))
    too_late: bool = field(default_factory=lambda: "mxnet.base" in sys.modules)
    names: list[str] = field(default_factory=list)

    @property
    def keeps_wish(self) -> bool:
        """MXNet reads a single number of 1 or more; by anything else it ends Python."""
        return (self.asked_for or "").isdecimal() and int(self.asked_for) > 0


preparation = Preparation()


def prepare() -> None:
    """Let MXNet be imported here, and use every available processor.

    It finds in numpy the names it was written for, and its own build for this machine.
    OMP_NUM_THREADS may already say how many processors. Without the variable MXNet 1.9.1 takes half
    of them. It reads it while it is being imported, and never again, so this comes first.

    A thread that waits for the others goes to sleep soon. Otherwise it would spin for so long that
    ten notebooks which train at once lose most of their work (`make bench` measures it); sleeping
    at once (OMP_WAIT_POLICY=PASSIVE) makes a single one slower. The variable is that of GNU's
    OpenMP, which MXNet uses on Linux. A wish of the reader's stays.
    """
    with contextlib.suppress(ImportError):  # before anything is installed there is no numpy
        from utils.setup import numpy_names

        preparation.names += numpy_names.put_back()
    packages.use()
    if preparation.too_late:
        return
    if not preparation.keeps_wish:
        os.environ["OMP_NUM_THREADS"] = str(available_cpus())
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & os.environ.keys():
        os.environ["GOMP_SPINCOUNT"] = "1000"


def available_cpus(root: Path = Path("/")) -> int:
    """Return how many processors this process may use: by affinity and by control group, 1 or more.

    A container's limit may be a fraction, such as 1.5; it is rounded up, as Java and Go do.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        count = os.cpu_count() or 1
    return min([count, *(max(1, math.ceil(quota)) for quota in _cpu_quotas(root))])


def available_memory(root: Path = Path("/")) -> int:
    """Return how many bytes of memory this process may use: the machine's, or its control group's.

    0 where the system does not say (Windows).
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
    """Return the MXNet device to compute on, and one sentence that says why this one."""
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
    except OSError:  # macOS has another OpenMP library
        return int(os.environ.get("OMP_NUM_THREADS", 1))


def _cpu_quotas(root: Path) -> Iterator[float]:
    for group in _control_groups("cpu", root):
        limit = _read(group, "cpu.max").split()  # version 2: "150000 100000", or "max 100000"
        if not limit:  # version 1: one file each, and -1 for no limit
            limit = [_read(group, f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if limit[0].isdigit():
            yield int(limit[0]) / int(limit[1])


def _control_groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, each with all its parents.

    A container may see the host's names in /proc/self/cgroup, but only its own part of the tree,
    at the mount point: a folder that is not there sets no limit, and its parents are read.
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
