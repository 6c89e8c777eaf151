"""MXNet and d2l in folders of their own, beside the packages that a machine has already.

Installed in the usual way they would replace these: MXNet 1.9.1 asks for numpy < 2, d2l for one
version of numpy, pandas and matplotlib. So pip puts each of them alone into a folder of the cache,
which stands on sys.path before everything else. A folder appears under its name only when it is
whole, so that an interrupted installation goes on where it stopped.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path

from utils import cache, gpu, installing

D2L = "d2l==1.0.3"
MXNET = {gpu.CPU_BUILD: "mxnet==1.9.1", gpu.GPU_BUILD: "mxnet-cu112==1.9.1"}
# The libraries of CUDA 11 that the build for GPUs needs, in an order in which each finds those it
# needs itself, and the packages that bring them. NVRTC before 11.8 refuses the L4 (8.9).
CUDA = {
    "libcudart.so.11.0": "nvidia-cuda-runtime-cu11==11.8.89",
    "libnvrtc.so.11.2": "nvidia-cuda-nvrtc-cu11==11.8.89",
    "libnvToolsExt.so.1": "nvidia-nvtx-cu11==11.8.86",
    "libcublasLt.so.11": "nvidia-cublas-cu11==11.11.3.6",
    "libcublas.so.11": "nvidia-cublas-cu11==11.11.3.6",
    "libcufft.so.10": "nvidia-cufft-cu11==10.9.0.58",
    "libcurand.so.10": "nvidia-curand-cu11==10.3.0.86",
    "libcusparse.so.11": "nvidia-cusparse-cu11==11.7.5.86",
    "libcusolver.so.11": "nvidia-cusolver-cu11==11.4.1.48",
    "libnccl.so.2": "nvidia-nccl-cu11==2.21.5",
    "libcudnn.so.8": "nvidia-cudnn-cu11==8.9.6.50",
}

MEGABYTES = {  # to download, rounded up
    "d2l==1.0.3": 1,
    "mxnet==1.9.1": 50,
    "mxnet-cu112==1.9.1": 500,
    "nvidia-cuda-runtime-cu11==11.8.89": 1,
    "nvidia-cuda-nvrtc-cu11==11.8.89": 24,
    "nvidia-nvtx-cu11==11.8.86": 1,
    "nvidia-cublas-cu11==11.11.3.6": 418,
    "nvidia-cufft-cu11==10.9.0.58": 169,
    "nvidia-curand-cu11==10.3.0.86": 59,
    "nvidia-cusparse-cu11==11.7.5.86": 205,
    "nvidia-cusolver-cu11==11.4.1.48": 129,
    "nvidia-nccl-cu11==2.21.5": 148,
    "nvidia-cudnn-cu11==8.9.6.50": 700,
}


def wanted(build: str) -> list[str]:
    """Return what the build, gpu.CPU_BUILD or gpu.GPU_BUILD, needs, MXNet last."""
    libraries = dict.fromkeys(CUDA.values()) if build == gpu.GPU_BUILD else ()
    return [D2L, *libraries, MXNET[build]]


def folder(requirement: str) -> Path:
    """Return where a package has its folder. It exists only when the package is whole."""
    return cache.folder("packages") / requirement


def is_here(requirement: str) -> bool:
    """Whether a package has its folder, or this Python has it by other means."""
    return folder(requirement).exists() or _is_installed(requirement)


def install(requirement: str) -> None:
    """Put a package into its folder. Raises InstallError; may be interrupted and called again."""
    packages = folder(requirement).parent
    packages.mkdir(parents=True, exist_ok=True)
    cache.clear(packages)
    with tempfile.TemporaryDirectory(dir=packages, prefix=cache.PART) as part:
        arguments = ["--quiet", "--no-deps", "--target", f"{part}/whole", requirement]
        installing.pip(arguments, f"{requirement} could not be installed.")
        try:
            os.replace(f"{part}/whole", folder(requirement))
        except OSError:  # another process has put it there at the same time
            if not folder(requirement).exists():
                raise


def use() -> None:
    """Let `import mxnet` and `import d2l` find what has a folder and fits this machine.

    Raises InstallError where a library of CUDA cannot be loaded.
    """
    build = gpu.CPU_BUILD
    if all(folder(requirement).exists() for requirement in wanted(gpu.GPU_BUILD)):
        build, _ = gpu.fitting_build()
    if build == gpu.GPU_BUILD:
        load_cuda()
    for requirement in (D2L, MXNET[build]):
        path = str(folder(requirement))
        if folder(requirement).exists() and not _is_installed(requirement):
            sys.path.insert(0, path)


def load_cuda() -> list[Path]:
    """Load the libraries of CUDA 11, so that MXNet finds them; return their files.

    Raises InstallError where one cannot be loaded.
    """
    files = [_library(package, name) for name, package in CUDA.items()]
    for file in files:
        try:
            ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise installing.InstallError(
                f"A library of CUDA cannot be loaded: {error}. Delete the folder {file.parents[3]} "
                "and install it again, or choose a machine without a GPU."
            ) from error
    return files


def _library(package: str, name: str) -> Path:
    """Return the file of a library: nvidia-cuda-nvrtc-cu11 has it in nvidia/cuda_nvrtc/lib."""
    part = package.split("-cu11")[0].split("-", 1)[1].replace("-", "_")
    return folder(package) / "nvidia" / part / "lib" / name


def _is_installed(requirement: str) -> bool:
    """Whether this Python finds a package, in its environment or where `use` has let it look."""
    name, version = requirement.split("==")
    try:
        return importlib.metadata.version(name) == version
    except importlib.metadata.PackageNotFoundError:
        return False
