"""This machine: its processors, the threads MXNet computes with, the device, and a report on it all."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PREPARED_BY = "nobody"  # who set OMP_NUM_THREADS: "user", "utils", or "nobody": mxnet came first


def prepare() -> None:
    """Let MXNet use every available processor, unless OMP_NUM_THREADS already says how many.

    Without the variable MXNet 1.9.1 takes half of them. It reads it while it is being imported,
    and never again, so this comes first.
    """
    global PREPARED_BY
    if "OMP_NUM_THREADS" in os.environ:
        PREPARED_BY = "user"
    elif "mxnet" not in sys.modules:
        PREPARED_BY = "utils"
        os.environ["OMP_NUM_THREADS"] = str(available_cpus())


def available_cpus(root: Path = Path("/")) -> int:
    """Return how many processors this process may use: by affinity and by control group, 1 or more.

    A container's limit may be a fraction, such as 1.5; it is rounded up, as Java and Go do.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows
        count = os.cpu_count() or 1
    return min([count, *(max(1, math.ceil(quota)) for quota in _cpu_quotas(root))])


def best_device() -> tuple[Any, str]:
    """Return the MXNet device to compute on, and one sentence that says why this one."""
    from d2l import mxnet as d2l

    device = d2l.try_gpu()
    if device.device_type == "gpu":
        return device, "MXNet sees a GPU, which trains many times faster than the CPU."
    return device, "MXNet sees no GPU. The notebooks are made to fit a CPU."


def _cpu_quotas(root: Path) -> Iterator[float]:
    for folder in _control_groups("cpu", root):
        try:
            if (folder / "cpu.max").exists():  # version 2
                quota, period = (folder / "cpu.max").read_text().split()
            else:  # version 1
                quota = (folder / "cpu.cfs_quota_us").read_text().strip()
                period = (folder / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            continue
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)


def _control_groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, each with all its parents.

    The paths in /proc/self/cgroup may be the host's while the container sees only its own part, at
    the mount point: a folder that is not there is no limit, and its parents are looked at.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            mounts = [root / "sys/fs/cgroup", root / "sys/fs/cgroup/unified"]
        elif controller in controllers.split(","):
            mounts = [root / "sys/fs/cgroup" / controller, root / "sys/fs/cgroup" / controllers]
        else:
            continue
        for mount in mounts:
            folder = mount / group.lstrip("/")
            yield from (part for part in (folder, *folder.parents) if part.is_relative_to(mount))
