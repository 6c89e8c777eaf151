"""MXNet and d2l in folders of their own, beside the packages that a machine has already.

Installed in the usual way they would replace these: MXNet 1.9.1 asks for numpy < 2, d2l for one
version of numpy, pandas and matplotlib. So pip puts each of them alone into a folder of the cache,
which stands first on sys.path. A folder appears under its name only when it is whole, so that an
interrupted installation continues where it stopped.

On Linux on ARM, MXNet cannot be loaded as it was published. `Mended` brings a copy that can.

Uses the standard library alone, since it runs before anything is installed.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from utils.setup import gpu, remedies, storage

Command = Sequence[Union[str, Path]]  # Python 3.9 has no | for types at run time
# Settings for pip and uv that are kept, by a part of their names: where packages come from, and the
# way there. Others, such as PIP_PREFIX or UV_CONSTRAINT, were made for another installation.
KEPT = re.compile(
    "INDEX|LINK|HOST|CERT|TLS|PROXY|HTTP|TIMEOUT|RETRIES|CACHE|OFFLINE|KEYRING|CREDENTIALS"
    "|CONCURRENT|CONFIG_FILE|PYTHON_(INSTALL|DOWNLOADS|PREFERENCE)|VERSION_CHECK"
)
# These may also come from pip's own files of settings.
FOR_A_FOLDER = {
    "PIP_USER": "0",
    "PIP_REQUIRE_VIRTUALENV": "0",
    "PIP_ROOT": "/",
    "PIP_DRY_RUN": "0",
}
FOR_ANY_PLACE = {"PIP_REQUIRE_HASHES": "0", "PIP_CONSTRAINT": os.devnull}


class InstallError(Exception):
    """Installing cannot go on. The message says why and what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let Jupyter show the sentence alone: the lines of this package would not help."""
        return [str(self)]


def run_or_explain(
    command: Command,
    failure: str,
    env: Mapping[str, str] | None = None,
    pass_fds: Collection[int] = (),
) -> None:
    """Run a command and hold its output back. `env` and `pass_fds` are those of subprocess.

    If the command fails, raises InstallError with its output, the sentence `failure` and a remedy.
    """
    done = subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
        pass_fds=pass_fds,
    )
    if done.returncode:
        advice = [remedies.ending(done.returncode), remedies.remedy(done.stdout)]
        lines = [done.stdout.strip(), failure, *filter(None, advice)]
        raise InstallError("\n".join(lines).strip())


def installing(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the settings for pip and uv that are about another purpose."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(("PIP_", "UV_")) or KEPT.search(name)
    }


def pip_install(arguments: Command, failure: str, pass_fds: Collection[int] = ()) -> None:
    """Run `pip install` with this Python. Raises InstallError, as run_or_explain does."""
    if not _has_pip():
        raise InstallError(
            "{python} has no pip, which installs packages. Install the package that brings it: "
            "`apt-get install python3-pip` on Debian and Ubuntu.".format(python=sys.executable)
        )
    env = {**installing(os.environ), **FOR_ANY_PLACE}
    command: list[str | Path] = [sys.executable, "-m", "pip", "install", *arguments]
    if "--target" in arguments:
        env.update(FOR_A_FOLDER)
        command.append("--prefix=")  # pip's own settings may name one, which contradicts a target
    else:  # into this Python, as its owner does
        owner = ("PIP_USER", "PIP_BREAK_SYSTEM_PACKAGES")
        env.update({name: os.environ[name] for name in owner if name in os.environ})
    run_or_explain(command, failure, env, pass_fds)


def _has_pip() -> bool:
    """Whether this Python has pip."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # setuptools', where MXNet has imported distutils
        return importlib.util.find_spec("pip") is not None


@dataclass(frozen=True)
class Package:
    """A package as pip knows it, the size of its download, and the CUDA libraries inside it."""

    name: str
    version: str
    megabytes: int
    library_folder: str = ""
    libraries: tuple[str, ...] = ()

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.name}=={self.version}"

    @property
    def folder(self) -> Path:
        """Where it is, once it is whole."""
        return packages_folder() / self.requirement

    @property
    def files(self) -> list[Path]:
        """Its CUDA libraries."""
        return [self.folder / self.library_folder / library for library in self.libraries]

    def is_installed(self) -> bool:
        """Whether this Python has it in its environment, or in a folder that `use` has added."""
        try:
            return importlib.metadata.version(self.name) == self.version
        except importlib.metadata.PackageNotFoundError:
            return False

    def is_here(self) -> bool:
        """Whether it need not be installed. CUDA libraries are loaded from its folder alone."""
        return self.folder.exists() or (self.is_installed() and not self.libraries)

    def install(self) -> None:
        """Put it into its folder. May be interrupted and called again. Raises InstallError."""
        with storage.appearing_whole(self.folder.parent) as part:
            self._fill(part / self.folder.name)

    def _fill(self, folder: Path) -> None:
        """Let pip unpack it into a folder that is not there yet."""
        options = ["--quiet", "--no-deps", "--no-cache-dir"]
        pip_install(
            [*options, "--target", folder, self.requirement],
            "{requirement} could not be installed.".format(requirement=self.requirement),
        )


@dataclass(frozen=True)
class Mended(Package):
    """MXNet for Linux on ARM, with OpenBLAS in place of a library that nobody can be given.

    The package was published without Arm's library of linear algebra, for which it asks. OpenBLAS
    offers all that it asks for, under names that begin with scipy_, because that is how the package
    scipy-openblas32 is made. patchelf writes a copy of MXNet's library that asks for these names.
    """

    def is_installed(self) -> bool:
        """Whether this Python has it, and mended."""
        if not super().is_installed():
            return False
        return Path(str(importlib.metadata.distribution(self.name).locate_file(OPENBLAS))).exists()

    def library(self) -> str:
        """Name the library that computes, and the processors for which it has chosen its code."""
        found = importlib.metadata.distribution(self.name).locate_file(OPENBLAS)
        openblas = ctypes.CDLL(str(found))
        words = []
        for function in (openblas.scipy_openblas_get_config, openblas.scipy_openblas_get_corename):
            function.restype = ctypes.c_char_p
            words.append(function().decode())
        release, core = " ".join(words[0].split()[:2]), words[1]
        return "with {release}, in its form for {core}".format(release=release, core=core)

    def _fill(self, folder: Path) -> None:
        for part in MENDING:
            if not part.folder.exists():
                part.install()
        super()._fill(folder)
        _mend(folder)
        failure = "MXNet for ARM was mended, but it does not compute as it should."
        run_or_explain([sys.executable, "-c", CONVOLVE, COURSE, folder], failure)


def packages_folder() -> Path:
    """Return the folder of these packages, one for each kind of processor that shares a home."""
    processor = platform.machine()
    x86 = processor in ("x86_64", "AMD64")
    return storage.folder("packages" if x86 else f"packages-{processor}")


def _mend(folder: Path) -> None:
    """Let the MXNet in this folder ask OpenBLAS, which is put beside it. Raises InstallError."""
    openblas, patchelf = (part.folder for part in MENDING)
    library, target = folder / "mxnet" / "libmxnet.so", folder / OPENBLAS
    shutil.copy(openblas / "scipy_openblas32" / "lib" / target.name, target)
    # All that OpenBLAS offers; patchelf passes over the names for which MXNet does not ask.
    offered = re.findall(rb"\0scipy_(\w+)(?=\0)", target.read_bytes())
    names = sorted({name.decode() for name in offered})
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as table:
        table.writelines(f"{name} scipy_{name}\n" for name in names)
        table.flush()
        run_or_explain(
            [
                *(patchelf / "bin" / "patchelf", "--rename-dynamic-symbols", table.name),
                *("--replace-needed", "libarmpl_lp64_mp.so", target.name),
                *("--remove-needed", "libamath.so", "--remove-needed", "libastring.so"),
                library,
            ],
            "MXNet for ARM could not be mended.",
        )
    with (folder / "mxnet" / "libinfo.py").open("a", encoding="utf-8") as file:
        file.write(ONE_THREAD)


COURSE = Path(__file__).parents[2]
OPENBLAS = "mxnet/libscipy_openblas.so"  # beside libmxnet.so, which looks for libraries there
# OpenBLAS, and the tool that renames what a library asks for.
MENDING = (Package("scipy-openblas32", "0.3.31.188.0", 9), Package("patchelf", "0.19.3.0", 1))
# The end of mxnet/libinfo.py, which is imported before the library is loaded. numpy has an OpenBLAS
# of its own, whose threads stay.
ONE_THREAD = f"""

# Added by the course on residual networks. MXNet calls OpenBLAS from threads of its own: with more
# threads in each, OpenBLAS would warn at every call.
def _let_openblas_use_one_thread():
    import ctypes
    folder = os.path.dirname(os.path.abspath(__file__))
    ctypes.CDLL(os.path.join(folder, "{Path(OPENBLAS).name}")).scipy_openblas_set_num_threads(1)

_let_openblas_use_one_thread()
"""
# Each sum of a window of ones, and each weight's gradient, is a whole number known beforehand.
CONVOLVE = """
import sys
sys.path[:0] = sys.argv[2:0:-1]
import utils, mxnet
from mxnet import autograd, np, npx
from mxnet.gluon import nn
assert mxnet.__file__.startswith(sys.argv[2]), mxnet.__file__
npx.set_np()
layer = nn.Conv2D(4, kernel_size=3, use_bias=False)
layer.initialize("ones")
with autograd.record():
    Y = layer(np.ones((2, 3, 8, 8)))
Y.backward()
assert (Y == 27).all() and (layer.weight.grad() == 72).all(), "a convolution is wrong"
"""


D2L = Package("d2l", "1.0.3", 1)
MXNET = {
    gpu.CPU_BUILD: Package("mxnet", "1.9.1", 50),
    gpu.GPU_BUILD: Package("mxnet-cu112", "1.9.1", 500),
}
if (platform.system(), platform.machine()) == ("Linux", "aarch64"):
    MXNET[gpu.CPU_BUILD] = Mended("mxnet", "1.9.1", 36)
# CUDA 11 for the build for GPUs. The order lets each library find those that it needs itself.
# NVRTC 11.7 refuses the L4.
CUDA = (
    Package(
        "nvidia-cuda-runtime-cu11",
        "11.8.89",
        1,
        "nvidia/cuda_runtime/lib",
        ("libcudart.so.11.0",),
    ),
    Package(
        "nvidia-cuda-nvrtc-cu11", "11.8.89", 24, "nvidia/cuda_nvrtc/lib", ("libnvrtc.so.11.2",)
    ),
    Package("nvidia-nvtx-cu11", "11.8.86", 1, "nvidia/nvtx/lib", ("libnvToolsExt.so.1",)),
    Package(
        "nvidia-cublas-cu11",
        "11.11.3.6",
        418,
        "nvidia/cublas/lib",
        ("libcublasLt.so.11", "libcublas.so.11"),
    ),
    Package("nvidia-cufft-cu11", "10.9.0.58", 169, "nvidia/cufft/lib", ("libcufft.so.10",)),
    Package("nvidia-curand-cu11", "10.3.0.86", 59, "nvidia/curand/lib", ("libcurand.so.10",)),
    Package(
        "nvidia-cusparse-cu11", "11.7.5.86", 205, "nvidia/cusparse/lib", ("libcusparse.so.11",)
    ),
    Package(
        "nvidia-cusolver-cu11", "11.4.1.48", 129, "nvidia/cusolver/lib", ("libcusolver.so.11",)
    ),
    Package("nvidia-nccl-cu11", "2.21.5", 148, "nvidia/nccl/lib", ("libnccl.so.2",)),
    Package("nvidia-cudnn-cu11", "8.9.6.50", 700, "nvidia/cudnn/lib", ("libcudnn.so.8",)),
)


def wanted(build: str) -> list[Package]:
    """Return what a build (gpu.CPU_BUILD or gpu.GPU_BUILD) needs, MXNet last."""
    return [D2L, *(CUDA if build == gpu.GPU_BUILD else ()), MXNET[build]]


def use() -> None:
    """Let `import mxnet` and `import d2l` find the folders that are there and fit this machine."""
    build = gpu.CPU_BUILD
    if all(package.is_here() for package in wanted(gpu.GPU_BUILD)):
        build, _ = gpu.fitting_build()
    if build == gpu.GPU_BUILD:
        try:
            load_cuda()
        except InstallError as error:
            print("{fault} Until then MXNet computes on the processor.".format(fault=error))
            build = gpu.CPU_BUILD
    for package in (D2L, MXNET[build]):
        if package.folder.exists() and not package.is_installed():
            sys.path.insert(0, str(package.folder))


def load_cuda() -> list[Path]:
    """Load the CUDA 11 libraries, so that MXNet finds them, and return their files.

    Raises InstallError if one cannot be loaded.
    """
    loaded = []
    for package in CUDA:
        for file in package.files:
            try:
                ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
            except OSError as error:
                raise InstallError(
                    "A CUDA library cannot be loaded: {reason}. Delete the folder {folder} and "
                    "install it again.".format(reason=error, folder=package.folder)
                ) from error
            loaded.append(file)
    return loaded
