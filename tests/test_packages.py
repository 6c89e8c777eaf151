"""MXNet and d2l in folders of their own: whole or not there, and found when they are needed."""

import os
import shutil
import subprocess
import sys

import pytest

from utils import gpu, installing, packages


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def lay(requirement):
    """Put an empty folder where a whole package would be."""
    packages.folder(requirement).mkdir(parents=True)
    return str(packages.folder(requirement))


@pytest.fixture
def nothing_installed(monkeypatch):
    monkeypatch.setattr(packages, "_is_installed", lambda _: False)


def test_what_a_processor_needs_is_mxnet_and_d2l():
    assert packages.wanted(gpu.CPU_BUILD) == ["d2l==1.0.3", "mxnet==1.9.1"]


def test_what_a_gpu_needs_brings_every_library_once_and_mxnet_last():
    wanted = packages.wanted(gpu.GPU_BUILD)
    assert set(packages.CUDA.values()) < set(wanted)
    assert len(wanted) == len(set(wanted))
    assert wanted[-1] == "mxnet-cu112==1.9.1"
    assert "nvidia-cuda-nvrtc-cu11==11.8.89" in wanted  # 11.7 refuses the L4
    assert packages.MEGABYTES.keys() >= set(wanted)


def test_a_package_of_this_environment_is_here_without_a_folder(cache):
    assert packages.is_here("mxnet==1.9.1")
    assert not packages.is_here("mxnet==1.9.0")
    assert not packages.is_here("mxnet-cu112==1.9.1")


def test_a_package_appears_under_its_name_when_it_is_whole(cache, monkeypatch):
    seen = []

    def pip(arguments, failure):
        part = arguments[arguments.index("--target") + 1]
        os.makedirs(f"{part}/d2l")
        seen.append(packages.folder("d2l==1.0.3").exists())

    monkeypatch.setattr(installing, "pip", pip)
    packages.install("d2l==1.0.3")
    assert seen == [False]
    assert (packages.folder("d2l==1.0.3") / "d2l").is_dir()
    assert os.listdir(cache / "residual-networks" / "packages") == ["d2l==1.0.3"]


def test_an_installation_that_is_interrupted_leaves_nothing_and_can_be_repeated(cache, monkeypatch):
    def interrupted(arguments, failure):
        os.makedirs(arguments[arguments.index("--target") + 1])
        raise KeyboardInterrupt

    monkeypatch.setattr(installing, "pip", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packages.install("d2l==1.0.3")
    assert os.listdir(cache / "residual-networks" / "packages") == []


def test_the_environment_comes_before_the_cache(cache):
    """At home, a folder that a notebook once filled changes nothing."""
    lay("mxnet==1.9.1")
    before = list(sys.path)
    packages.use()
    assert sys.path == before


def test_where_the_environment_has_no_mxnet_the_cache_is_used(cache, nothing_installed):
    d2l, mxnet = lay("d2l==1.0.3"), lay("mxnet==1.9.1")
    packages.use()
    assert sys.path[:2] == [mxnet, d2l]


@pytest.mark.parametrize("build", [gpu.GPU_BUILD, gpu.CPU_BUILD])
def test_the_build_for_gpus_is_used_where_the_driver_has_one_that_fits(
    cache, nothing_installed, monkeypatch, build
):
    """The same cache serves a machine whose GPU has gone."""
    folders = {name: lay(name) for name in {*packages.wanted(gpu.GPU_BUILD), "mxnet==1.9.1"}}
    loaded = []
    monkeypatch.setattr(gpu, "fitting_build", lambda: (build, ""))
    monkeypatch.setattr(packages, "load_cuda", lambda: loaded.append(True))
    packages.use()
    assert sys.path[0] == folders[packages.MXNET[build]]
    assert bool(loaded) == (build == gpu.GPU_BUILD)


def test_half_of_the_gpu_packages_are_not_used(cache, nothing_installed, monkeypatch):
    for name in packages.wanted(gpu.GPU_BUILD)[:-2]:
        lay(name)
    monkeypatch.setattr(gpu, "fitting_build", lambda: pytest.fail("not to be asked"))
    packages.use()
    assert packages.folder("mxnet-cu112==1.9.1").name not in "".join(sys.path)


@pytest.fixture
def stub_libraries(cache, tmp_path):
    """Empty libraries with the names of CUDA's."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine to build stand-ins for libraries")
    (tmp_path / "empty.c").touch()
    for name, package in packages.CUDA.items():
        library = packages._library(package, name)
        library.parent.mkdir(parents=True, exist_ok=True)
        command = ["cc", "-shared", f"-Wl,-soname,{name}", "-o", library, tmp_path / "empty.c"]
        subprocess.run(command, check=True)


def test_every_library_is_loaded_in_order(stub_libraries):
    assert [file.name for file in packages.load_cuda()] == list(packages.CUDA)


def test_a_library_that_cannot_be_loaded_is_named_with_its_folder(stub_libraries):
    package = "nvidia-nccl-cu11==2.21.5"
    packages._library(package, "libnccl.so.2").write_text("not a library")
    with pytest.raises(installing.InstallError, match=r"libnccl\.so\.2") as failure:
        packages.load_cuda()
    assert f"Delete the folder {packages.folder(package)} " in str(failure.value)
