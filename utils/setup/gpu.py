"""The GPUs that the driver of this machine lists, and the build of MXNet 1.9.1 that fits them.

This has to be known before MXNet is imported, and even before it is installed: the build for GPUs
needs two gigabytes of libraries, and it ends Python when it finds a GPU that it has no code for.
"""

from __future__ import annotations

import ctypes
import platform
from dataclasses import dataclass
from typing import Any

CPU_BUILD, GPU_BUILD = "mxnet", "mxnet-cu112"
# The build holds code for compute capabilities 5.0, 6.0, 7.0, 8.0 and 8.6. Code for 8.6 also runs
# on 8.9, but none of it runs on 9.0: the build has no PTX, which a newer driver could compile.
OLDEST, NEWEST = 5, 8
NO_DEVICE = 100  # CUresult of a driver that lists no GPU
MAJOR, MINOR = 75, 76  # CUdevice_attribute: the two parts of the compute capability


@dataclass(frozen=True)
class GPU:
    """One GPU: the name that its driver gives it, and its compute capability, such as (7, 5)."""

    name: str
    capability: tuple[int, int]

    @property
    def is_supported(self) -> bool:
        """Whether MXNet 1.9.1 has code for it."""
        return OLDEST <= self.capability[0] <= NEWEST

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.capability[0]}.{self.capability[1]})"


class DriverError(Exception):
    """There is no driver for GPUs, or it does not work. The message is a sentence."""


def gpus(library: str = "libcuda.so.1") -> list[GPU]:
    """Return the GPUs that the driver lists, in its order. Raises DriverError."""
    try:
        driver = ctypes.CDLL(library)
    except OSError as error:
        raise DriverError("There is no driver for NVIDIA GPUs on this machine.") from error
    if (code := driver.cuInit(0)) == NO_DEVICE:
        return []
    _check(driver.cuInit, code)
    count = ctypes.c_int()
    _call(driver.cuDeviceGetCount, ctypes.byref(count))
    return [_gpu(driver, number) for number in range(count.value)]


def fitting_build() -> tuple[str, str]:
    """Return the build for the GPUs that the driver lists, and one sentence that says why."""
    if platform.machine() == "aarch64":
        return CPU_BUILD, "On ARM, MXNet 1.9.1 has no build for GPUs: it computes on the processor."
    try:
        return choose_build(gpus())
    except DriverError as error:
        return CPU_BUILD, "{fault} MXNet computes on the processor.".format(fault=error)


def choose_build(found: list[GPU]) -> tuple[str, str]:
    """Return the build for these GPUs, and one sentence that says why."""
    if not found:
        return CPU_BUILD, "The driver lists no GPU. MXNet computes on the processor."
    unfit = [gpu for gpu in found if not gpu.is_supported]
    if not unfit:
        return GPU_BUILD, "MXNet 1.9.1 has code for the {gpu}.".format(gpu=found[0])
    sentence = (
        "The {gpu} is newer than the GPUs that MXNet 1.9.1 was built for, {oldest}.0 to "
        "{newest}.9, so MXNet computes on the processor."
        if unfit[0].capability[0] > NEWEST
        else "The {gpu} is older than the GPUs that MXNet 1.9.1 was built for, {oldest}.0 to "
        "{newest}.9, so MXNet computes on the processor."
    )
    return CPU_BUILD, sentence.format(gpu=unfit[0], oldest=OLDEST, newest=NEWEST)


def _gpu(driver: Any, number: int) -> GPU:
    device = ctypes.c_int()
    _call(driver.cuDeviceGet, ctypes.byref(device), number)
    name = ctypes.create_string_buffer(100)
    _call(driver.cuDeviceGetName, name, len(name), device)
    parts = []
    for attribute in (MAJOR, MINOR):
        part = ctypes.c_int()
        _call(driver.cuDeviceGetAttribute, ctypes.byref(part), attribute, device)
        parts.append(part.value)
    return GPU(name.value.decode(errors="replace"), (parts[0], parts[1]))


def _call(function: Any, *arguments: Any) -> None:
    _check(function, function(*arguments))


def _check(function: Any, code: int) -> None:
    if code:
        raise DriverError(
            "The driver for NVIDIA GPUs does not answer ({function} returned {code}).".format(
                function=function.__name__, code=code
            )
        )
