"""Load MXNet's build for GPUs on a machine without one, with a stub of NVIDIA's driver.

    python -m environments.try_gpu

In the environment with Colab's packages, the first cell finds a T4 and installs the build with the
libraries of CUDA 11 (2.4 GB to download, 5 GB on the disk, in .cache/gpu). Each library is loaded,
and MXNet computes on the processor. This needs a C compiler. It does not show that MXNet computes
on a GPU.
"""

from __future__ import annotations

import os
import subprocess
import sys

from environments import stand_ins
from notebooks import ROOT
from utils.setup import remedies

BUILD = ROOT / "build" / "gpu"
STUB = stand_ins.FOLDER / "stub_driver.c"
LOAD = """
from utils.setup import gpu, packages
for file in packages.load_cuda():
    print(file.name, "from", file.parents[3].name)
import mxnet as mx
from mxnet import autograd, np, npx
from mxnet.gluon import nn
assert mx.runtime.Features().is_enabled("CUDA"), "this is not the build for GPUs"
npx.set_np()
layer = nn.Conv2D(8, kernel_size=3)
layer.initialize()
X = np.ones((2, 3, 8, 8))
with autograd.record():
    total = layer(X).sum()
total.backward()
assert layer.weight.grad().shape == (8, 3, 3, 3)
print(packages.MXNET[gpu.GPU_BUILD].requirement, "convolves, forward and backward: ok")
"""


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    driver = ["cc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", BUILD / "libcuda.so.1"]
    subprocess.run([*driver, STUB], check=True)
    colab = stand_ins.ENVIRONMENTS[0]
    python = stand_ins.find_python(colab.python)
    if not python:
        sys.exit(f"There is no Python {colab.python} on this machine: install one.")
    python = stand_ins.build(colab, python)
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(BUILD),
        "PYTHONPATH": str(ROOT),
        "XDG_CACHE_HOME": str(ROOT / ".cache" / "gpu"),
    }
    for command in (["-m", "utils.setup.bootstrap"], ["-c", LOAD]):
        done = subprocess.run([python, *command], env=environment, cwd=BUILD)
        if done.returncode:
            sys.exit(done.returncode)


if __name__ == "__main__":
    with remedies.explained():
        main()
