"""MXNet and d2l in folders of their own: whole or absent, and found when they are needed."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from notebooks import ROOT
from utils.setup import gpu, packages, storage
from utils.setup.packages import D2L, Package

MXNET, CUDA_MXNET = packages.MXNET[gpu.CPU_BUILD], packages.MXNET[gpu.GPU_BUILD]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(Package, "is_installed", lambda _: False)


def lay(package):
    """Put an empty folder where a whole package would be. Returns its path as on sys.path."""
    package.folder.mkdir(parents=True)
    return str(package.folder)


def in_the_cache(cache):
    return os.listdir(cache / "residual-networks" / "packages")


def test_what_a_processor_needs_is_mxnet_and_d2l():
    assert packages.wanted(gpu.CPU_BUILD) == [D2L, MXNET]


def test_what_a_gpu_needs_comes_with_its_libraries_before_mxnet():
    *libraries, mxnet = (package.requirement for package in packages.wanted(gpu.GPU_BUILD))
    assert mxnet == "mxnet-cu112==1.9.1"
    assert "nvidia-cuda-nvrtc-cu11==11.8.89" in libraries  # 11.7 refuses the L4


def test_a_package_of_this_environment_is_here_without_a_folder(cache):
    assert MXNET.is_here()
    assert not Package("mxnet", "1.9.0", 1).is_here()
    assert not CUDA_MXNET.is_here()


def test_a_package_appears_under_its_name_when_it_is_whole(cache, monkeypatch):
    seen = []

    def install(arguments, failure):
        os.makedirs(Path(arguments[arguments.index("--target") + 1], "d2l"))
        seen.append(D2L.folder.exists())

    monkeypatch.setattr(packages, "pip_install", install)
    D2L.install()
    assert seen == [False]
    assert (D2L.folder / "d2l").is_dir()
    assert in_the_cache(cache) == ["d2l==1.0.3"]


def test_a_package_that_two_processes_install_at_once_is_there_once(cache, monkeypatch):
    """The second finds the folder of the first when its own is ready."""

    def install(arguments, failure):
        for folder in (D2L.folder, Path(arguments[arguments.index("--target") + 1])):
            (folder / "d2l").mkdir(parents=True)

    monkeypatch.setattr(packages, "pip_install", install)
    D2L.install()
    assert (D2L.folder / "d2l").is_dir()
    assert in_the_cache(cache) == ["d2l==1.0.3"]


def test_the_folder_of_a_library_does_not_follow_from_the_name_of_its_package(cache):
    package = Package("one-name", "1", 1, "another/folder", ("libone.so",))
    assert package.files == [package.folder / "another" / "folder" / "libone.so"]


def test_an_installation_that_is_interrupted_leaves_nothing(cache, monkeypatch):
    def interrupted(arguments, failure):
        os.makedirs(arguments[arguments.index("--target") + 1])
        raise KeyboardInterrupt

    monkeypatch.setattr(packages, "pip_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        D2L.install()
    assert in_the_cache(cache) == []


def test_the_environment_comes_before_the_cache(cache):
    """At home, a folder that a notebook once filled changes nothing."""
    lay(MXNET)
    before = list(sys.path)
    packages.use()
    assert sys.path == before


def test_where_the_environment_has_no_mxnet_the_cache_is_used(cache, nothing_installed):
    d2l, mxnet = lay(D2L), lay(MXNET)
    packages.use()
    assert sys.path[:2] == [mxnet, d2l]


@pytest.mark.parametrize("build", [gpu.GPU_BUILD, gpu.CPU_BUILD])
def test_the_build_for_gpus_is_used_where_the_driver_has_one_that_fits(cache, monkeypatch, build):
    """At home, where d2l and the build for processors are installed, and after the GPU has gone."""
    folders = [lay(package) for package in (*packages.CUDA, CUDA_MXNET)]
    loaded = []
    monkeypatch.setattr(gpu, "fitting_build", lambda: (build, ""))
    monkeypatch.setattr(packages, "load_cuda", lambda: loaded.append(True))
    packages.use()
    assert (sys.path[0] == folders[-1]) == bool(loaded) == (build == gpu.GPU_BUILD)


def test_while_a_library_is_missing_the_processor_computes(cache, monkeypatch):
    """Somebody has deleted it, for example because it could not be loaded."""
    for package in (*packages.CUDA[1:], CUDA_MXNET):
        lay(package)
    monkeypatch.setattr(gpu, "fitting_build", lambda: pytest.fail("not to be asked"))
    before = list(sys.path)
    packages.use()
    assert sys.path == before


@pytest.fixture
def stub_libraries(cache, tmp_path):
    """Empty libraries with the names of the CUDA libraries."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine to build stand-ins for libraries")
    (tmp_path / "empty.c").touch()
    for library in (file for package in packages.CUDA for file in package.files):
        library.parent.mkdir(parents=True, exist_ok=True)
        name = f"-Wl,-soname,{library.name}"
        subprocess.run(["cc", "-shared", name, "-o", library, tmp_path / "empty.c"], check=True)


def test_every_library_is_loaded_in_order(stub_libraries):
    names = [name for package in packages.CUDA for name in package.libraries]
    assert [file.name for file in packages.load_cuda()] == names


def test_a_library_that_cannot_be_loaded_is_named_and_the_processor_computes(
    stub_libraries, monkeypatch, capsys
):
    lay(CUDA_MXNET)
    nccl = packages.CUDA[-2]
    nccl.files[0].write_text("not a library")
    monkeypatch.setattr(gpu, "fitting_build", lambda: (gpu.GPU_BUILD, ""))
    packages.use()
    printed = capsys.readouterr().out
    assert "libnccl.so.2" in printed
    assert f"Delete the folder {nccl.folder} " in printed
    assert str(CUDA_MXNET.folder) not in sys.path


# MXNet for Linux on ARM. It is mended here with this machine's patchelf, and cannot be loaded.

ON_ARM = packages.Mended("mxnet", "1.9.1", 36)
DOWNLOADS = ROOT / ".cache" / "arm" / "wheels"
LIBRARY = Path("mxnet", "libmxnet.so")
# A process that installs it from what was downloaded, and says how far it is.
INSTALL = """
import shutil, subprocess, sys
from utils.setup import packages
downloads, mend, convolve = sys.argv[1], packages._mend, packages.run_or_explain

def pip_install(arguments, failure):
    target = arguments[arguments.index("--target") + 1]
    print("unpacking", flush=True)
    shutil.copytree(f"{downloads}/{arguments[-1]}", target)
    print("mending", flush=True)

def run_or_explain(command, failure):
    if command[0] == sys.executable:
        print("checking", flush=True)
        command = [sys.executable, "-c", "import time; time.sleep(1)"]
    convolve(command, failure)

packages.pip_install, packages.run_or_explain = pip_install, run_or_explain
packages.Mended("mxnet", "1.9.1", 36).install()
"""


@pytest.fixture(scope="session")
def downloads():
    """A folder with MXNet and OpenBLAS for ARM, and patchelf for this machine, each unpacked."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    arm = ["--platform", "manylinux2014_aarch64", "--only-binary", ":all:"]
    openblas, patchelf = packages.MENDING
    for package, platform in ((ON_ARM, arm), (openblas, arm), (patchelf, [])):
        folder = DOWNLOADS / package.requirement
        if not folder.exists():
            with storage.appearing_whole(DOWNLOADS) as part:
                command = [*pip, part / folder.name, *platform, package.requirement]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode:
                    pytest.skip(f"no network to fetch {folder.name}: {done.stderr[-300:]}")
    return DOWNLOADS


def installing(downloads, cache):
    """Start a process that installs MXNet for ARM into this cache."""
    return subprocess.Popen(
        [sys.executable, "-c", INSTALL, downloads],
        env={**os.environ, "XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def segments(library):
    """The alignments of the parts of a 64-bit library that are mapped into memory."""
    header = library.read_bytes()[:4096]
    (start,) = struct.unpack_from("<Q", header, 32)
    size, count = struct.unpack_from("<HH", header, 54)
    entries = [struct.unpack_from("<IIQQQQQQ", header, start + i * size) for i in range(count)]
    return [entry[7] for entry in entries if entry[0] == 1]


@pytest.mark.slow
@pytest.mark.network
def test_on_arm_mending_survives_kills_and_two_at_once(downloads, cache):
    """Killed while it unpacks, mends and checks: nothing has the name. Then two at once."""
    for stage in ("unpacking", "mending", "checking"):
        process = installing(downloads, cache)
        assert any(line.strip() == stage for line in process.stdout)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not ON_ARM.folder.exists()
    both = [installing(downloads, cache) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    names = [name for name in in_the_cache(cache) if not name.startswith(storage.PART)]
    assert sorted(names) == sorted(part.requirement for part in (ON_ARM, *packages.MENDING))
    asked_for = re.findall(rb"\0scipy_(\w+)(?=\0)", (ON_ARM.folder / LIBRARY).read_bytes())
    assert len(set(asked_for)) == 51
    patchelf = packages.MENDING[1].folder / "bin" / "patchelf"
    command = [patchelf, "--print-needed", ON_ARM.folder / LIBRARY]
    needed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "libscipy_openblas.so" in needed
    assert not {"libarmpl_lp64_mp.so", "libamath.so", "libastring.so"} & set(needed)
    assert (ON_ARM.folder / packages.OPENBLAS).exists()
    assert (ON_ARM.folder / "mxnet/libinfo.py").read_text().count(packages.ONE_THREAD) == 1
    # Linux on ARM has pages of 4, 16 (Raspberry Pi 5, Apple chips) or 64 KB.
    for library in (LIBRARY, packages.OPENBLAS):
        assert set(segments(ON_ARM.folder / library)) == {64 * 1024}


def test_on_arm_mxnet_has_its_name_only_if_it_computes(cache, monkeypatch):
    for part in packages.MENDING:
        lay(part)
    monkeypatch.setattr(packages, "pip_install", lambda arguments, _: None)
    monkeypatch.setattr(packages, "_mend", lambda folder: (folder / "mxnet").mkdir(parents=True))
    monkeypatch.setattr(packages, "CONVOLVE", "raise SystemExit('a convolution is wrong')")
    with pytest.raises(packages.InstallError, match=r"(?s)is wrong.*does not compute as it should"):
        ON_ARM.install()
    assert not ON_ARM.folder.exists()


def test_on_arm_the_mended_mxnet_comes_before_the_published_one(cache, monkeypatch):
    """The one of this environment stands for the published one: it has no OpenBLAS beside it."""
    monkeypatch.setitem(packages.MXNET, gpu.CPU_BUILD, ON_ARM)
    assert not ON_ARM.is_here()
    mxnet = lay(ON_ARM)
    packages.use()
    assert sys.path[0] == mxnet


def test_processors_that_share_a_home_have_packages_of_their_own(cache, monkeypatch):
    lay(D2L)
    monkeypatch.setattr(packages.platform, "machine", lambda: "aarch64")
    assert not D2L.folder.exists()


def test_what_checks_a_mended_mxnet_passes_with_a_right_one():
    """With this machine's, which needs no mending."""
    here = Path(next(p for p in sys.path if Path(p, "mxnet", "libinfo.py").exists()))
    checked = subprocess.run([sys.executable, "-c", packages.CONVOLVE, packages.COURSE, here])
    assert checked.returncode == 0
