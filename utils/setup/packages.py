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
from dataclasses import dataclass
from pathlib import Path

from utils.setup import gpu, pip, storage


@dataclass(frozen=True)
class Package:
    """A package as pip is asked for it, what has to be downloaded, and its libraries of CUDA."""

    requirement: str
    megabytes: int
    libraries: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is, once it is whole."""
        return storage.folder("packages") / self.requirement

    @property
    def files(self) -> list[Path]:
        """Its libraries: nvidia-cuda-nvrtc-cu11 has them in nvidia/cuda_nvrtc/lib."""
        part = self.requirement.split("-cu11")[0].split("-", 1)[-1].replace("-", "_")
        return [self.folder / "nvidia" / part / "lib" / name for name in self.libraries]

    def is_installed(self) -> bool:
        """Whether this Python has it in its environment, or where `use` has let it look."""
        name, version = self.requirement.split("==")
        try:
            return importlib.metadata.version(name) == version
        except importlib.metadata.PackageNotFoundError:
            return False

    def is_here(self) -> bool:
        """Whether it need not be installed. Libraries are loaded from their folder alone."""
        return self.folder.exists() or (self.is_installed() and not self.libraries)

    def install(self) -> None:
        """Put it into its folder. Raises InstallError; may be interrupted and called again."""
        packages = self.folder.parent
        packages.mkdir(parents=True, exist_ok=True)
        storage.clear(packages)
        with tempfile.TemporaryDirectory(dir=packages, prefix=storage.PART) as part:
            options = ["--quiet", "--no-deps", "--no-cache-dir", "--target", f"{part}/whole"]
            failure = f"{self.requirement} could not be installed."
            pip.install([*options, self.requirement], failure)
            try:
                os.replace(f"{part}/whole", self.folder)
            except OSError:  # another process has put it there at the same time
                if not self.folder.exists():
                    raise


D2L = Package("d2l==1.0.3", 1)
MXNET = {
    gpu.CPU_BUILD: Package("mxnet==1.9.1", 50),
    gpu.GPU_BUILD: Package("mxnet-cu112==1.9.1", 500),
}
# CUDA 11 for the build for GPUs, in an order in which each library finds those it needs itself.
CUDA = (
    Package("nvidia-cuda-runtime-cu11==11.8.89", 1, ("libcudart.so.11.0",)),
    Package("nvidia-cuda-nvrtc-cu11==11.8.89", 24, ("libnvrtc.so.11.2",)),  # 11.7 refuses the L4
    Package("nvidia-nvtx-cu11==11.8.86", 1, ("libnvToolsExt.so.1",)),
    Package("nvidia-cublas-cu11==11.11.3.6", 418, ("libcublasLt.so.11", "libcublas.so.11")),
    Package("nvidia-cufft-cu11==10.9.0.58", 169, ("libcufft.so.10",)),
    Package("nvidia-curand-cu11==10.3.0.86", 59, ("libcurand.so.10",)),
    Package("nvidia-cusparse-cu11==11.7.5.86", 205, ("libcusparse.so.11",)),
    Package("nvidia-cusolver-cu11==11.4.1.48", 129, ("libcusolver.so.11",)),
    Package("nvidia-nccl-cu11==2.21.5", 148, ("libnccl.so.2",)),
    Package("nvidia-cudnn-cu11==8.9.6.50", 700, ("libcudnn.so.8",)),
)


def wanted(build: str) -> list[Package]:
    """Return what the build, gpu.CPU_BUILD or gpu.GPU_BUILD, needs, MXNet last."""
    return [D2L, *(CUDA if build == gpu.GPU_BUILD else ()), MXNET[build]]


def use() -> None:
    """Let `import mxnet` and `import d2l` find what has a folder and fits this machine."""
    build = gpu.CPU_BUILD
    if all(package.is_here() for package in wanted(gpu.GPU_BUILD)):
        build, _ = gpu.fitting_build()
    if build == gpu.GPU_BUILD:
        try:
            load_cuda()
        except pip.InstallError as error:
            print(f"{error} Until then MXNet computes on the processor.")
            build = gpu.CPU_BUILD
    for package in (D2L, MXNET[build]):
        if package.folder.exists() and not package.is_installed():
            sys.path.insert(0, str(package.folder))


def load_cuda() -> list[Path]:
    """Load the libraries of CUDA 11, so that MXNet finds them; return their files.

    Raises InstallError where one cannot be loaded.
    """
    files = [file for package in CUDA for file in package.files]
    for file in files:
        try:
            ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise pip.InstallError(
                f"A library of CUDA cannot be loaded: {error}. Delete the folder {file.parents[3]} "
                "and install it again."
            ) from error
    return files
