"""Which GPUs are there, and which build of MXNet fits them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from utils.setup import gpu
from utils.setup.gpu import GPU, DriverError

STUB = Path(__file__).parents[2] / "tools" / "environments" / "stub_driver.c"


@pytest.fixture
def driver(tmp_path):
    """A function that builds a driver with `count` GPUs, or one that answers with an error."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine to build a stand-in for the driver")

    def build(count=0, init=0):
        library = tmp_path / f"driver{count}{init}.so"
        options = [f"-DCOUNT={count}", f"-DINIT={init}", "-shared", "-fPIC", "-o", library]
        subprocess.run(["cc", *options, STUB], check=True)
        return str(library)

    return build


def test_the_driver_is_asked_for_names_and_capabilities(driver):
    assert gpu.gpus(driver(count=2)) == [GPU("Tesla T4", (7, 5)), GPU("NVIDIA A100", (8, 0))]


def test_a_driver_without_a_gpu_lists_none(driver):
    assert gpu.gpus(driver(count=0)) == []
    assert gpu.gpus(driver(init=100)) == []  # CUDA_ERROR_NO_DEVICE


def test_a_driver_that_does_not_work_is_told_with_its_code(driver):
    with pytest.raises(DriverError, match=r"does not answer \(cuInit returned 999\)"):
        gpu.gpus(driver(init=999))


def test_a_machine_without_a_driver_is_told_so(tmp_path):
    with pytest.raises(DriverError, match="no driver"):
        gpu.gpus(str(tmp_path / "libcuda.so.1"))


@pytest.mark.parametrize(
    ("name", "capability", "build", "part"),
    [
        ("GeForce GTX 980", (5, 2), gpu.GPU_BUILD, "has code for the GeForce GTX 980"),
        ("Tesla P100", (6, 0), gpu.GPU_BUILD, "capability 6.0"),
        ("Tesla V100", (7, 0), gpu.GPU_BUILD, "capability 7.0"),
        ("Tesla T4", (7, 5), gpu.GPU_BUILD, "capability 7.5"),
        ("NVIDIA A100", (8, 0), gpu.GPU_BUILD, "capability 8.0"),
        ("NVIDIA L4", (8, 9), gpu.GPU_BUILD, "capability 8.9"),
        ("NVIDIA H100", (9, 0), gpu.CPU_BUILD, "newer than"),
        ("NVIDIA GeForce RTX 5090", (12, 0), gpu.CPU_BUILD, "newer than"),
        ("Tesla K80", (3, 7), gpu.CPU_BUILD, "older than"),
    ],
)
def test_the_build_follows_from_the_capability(name, capability, build, part):
    chosen, sentence = gpu.choose_build([GPU(name, capability)])
    assert chosen == build
    assert part in sentence
    assert name in sentence


def test_without_a_gpu_the_processor_computes():
    build, sentence = gpu.choose_build([])
    assert build == gpu.CPU_BUILD
    assert "MXNet computes on the processor" in sentence


def test_a_broken_driver_leaves_the_processor(driver, monkeypatch):
    library = driver(init=999)
    monkeypatch.setattr(gpu, "gpus", lambda ask=gpu.gpus: ask(library))
    build, sentence = gpu.fitting_build()
    assert build == gpu.CPU_BUILD
    assert "does not answer (cuInit returned 999). MXNet computes on the processor" in sentence


def test_one_gpu_too_new_among_others_is_enough_for_the_processor():
    """MXNet opens all of them when it starts."""
    found = [GPU("Tesla T4", (7, 5)), GPU("NVIDIA H100", (9, 0))]
    assert gpu.choose_build(found)[0] == gpu.CPU_BUILD
