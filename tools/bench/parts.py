"""The parts of the benchmark.

Each measurement runs in a process of its own. Programs that are compared take turns, and the median
of each is kept.
"""

from __future__ import annotations

import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel
from tqdm import tqdm

from bench.report import SIZES
from notebooks import ROOT, code_cells, notebook_paths
from utils.setup import fetch

MEASURE = Path(__file__).parent / "measure"
BUILD = ROOT / "build" / "bench"
PYTORCH = "torch==2.13.0+cpu"
REPEATS = 3
BATCH = 128
TIMEOUT = 7200  # seconds for one measurement


def measure(script: str, *arguments: object, python: str = sys.executable, **environment) -> dict:
    """Run a measurement in a process of its own; return the JSON object that it prints last.

    Raises RuntimeError, with the end of its error, where it fails.
    """
    command = [python, MEASURE / script, *map(str, arguments)]
    process = subprocess.run(
        command,
        env={**plain_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    if process.returncode:
        raise RuntimeError(
            f"{script} {' '.join(map(str, arguments))} failed. It ends with:\n"
            f"{process.stderr[-1500:]}"
        )
    return json.loads(process.stdout.splitlines()[-1])


def plain_environment() -> dict[str, str]:
    """Return this process's variables without those for OpenMP: each program sets its own."""
    threads = ("OMP_", "GOMP_")
    return {name: value for name, value in os.environ.items() if not name.startswith(threads)}


def course(name: str, environment: dict[str, str] | None = None, /, **options: object) -> dict:
    """Run one measurement of this course."""
    arguments = [part for option, value in options.items() for part in (f"--{option}", value)]
    return measure("course.py", name, *arguments, **(environment or {}))


def pytorch() -> str | None:
    """Return the path of a Python with PyTorch; print why and return None where there is none."""
    python = BUILD / "pytorch" / "bin" / "python"
    if not (BUILD / "pytorch" / "installed").exists():
        subprocess.run(
            [sys.executable, "-m", "venv", "--clear", "--without-pip", python.parents[1]]
        )
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        done = subprocess.run([*pip, PYTORCH, "numpy"], capture_output=True, text=True)
        if done.returncode:
            print(
                f"PyTorch is left out: {PYTORCH} could not be installed "
                f"({done.stderr.strip().splitlines()[-1]}). Its builds for processors are on an "
                "index of their own: put the address that pytorch.org gives into "
                "PIP_EXTRA_INDEX_URL, and run the same command again."
            )
            return None
        (BUILD / "pytorch" / "installed").touch()
    return str(python)


@contextmanager
def data_for_others() -> Iterator[Path]:
    """Yield a folder with the data, where MXNet's own loader looks for it below MXNET_HOME."""
    _, contents = fetch.find()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "datasets", "fashion-mnist")
        folder.mkdir(parents=True)
        for name, unpacked in contents.items():
            (folder / f"{name}.gz").write_bytes(gzip.compress(unpacked, compresslevel=1))
        yield folder


def throughput() -> dict:
    """Images per second of three systems at two sizes, and the rate of a matrix product."""
    python = pytorch()
    rates: dict[str, list[float]] = {}
    with data_for_others() as folder:
        home = str(folder.parents[1])
        turns: dict[str, Callable[[int], dict]] = {
            "course": lambda size: course("step", size=size, batch=BATCH),
            "d2l": lambda size: measure("d2l_trainer.py", size, BATCH, 6, MXNET_HOME=home),
        }
        if python:
            turns["pytorch"] = lambda size: measure(
                "pytorch.py", size, BATCH, 6, folder, python=python
            )
        for _ in tqdm(range(REPEATS), desc="throughput", file=sys.stdout):
            for size in SIZES:
                for name, turn in turns.items():
                    rate = turn(size)["images_per_second"]
                    rates.setdefault(f"{name} {size}", []).append(rate)
                inputs = course("inputs", size=size, batch=BATCH, steps=100)
                rates.setdefault(f"inputs {size}", []).append(inputs["images_per_second"])
            rates.setdefault("matrix", []).append(course("matrix")["macs_per_second"])
    medians = {name: statistics.median(values) for name, values in rates.items()}
    macs = {size: course("costs", size=size, batch=BATCH)["macs"] / BATCH for size in SIZES}
    return {"medians": medians, "all": rates, "macs_per_image": macs}


def runs(recipe: str, seeds: Sequence[int]) -> list[dict]:
    """Train once per seed, one after another, from a cold start to the test images."""
    done = []
    for seed in tqdm(seeds, desc=recipe, file=sys.stdout):
        done.append(course("run", recipe=recipe, seed=seed, started=time.monotonic()))
        last = done[-1]
        tqdm.write(
            f"seed {seed}: test accuracy {last['test_accuracy']:.4f} after "
            f"{last['seconds'][-1]:.0f} s; {last['fingerprint'][:16]}",
            file=sys.stdout,
        )
    return done


def seeds() -> list[dict]:
    """The recipe of the course, five seeds."""
    return runs("SHORT", range(5))


def longer() -> list[dict]:
    """The longer recipe, one seed."""
    return runs("LONG", range(1))


def cells() -> dict:
    """Seconds until each notebook's kernel has started, and then until its imports are done."""
    return {path.stem: _first_cells(path) for path in tqdm(notebook_paths(), file=sys.stdout)}


def _first_cells(path: Path) -> dict[str, float]:
    started = time.perf_counter()
    manager, client = start_new_kernel(
        cwd=str(path.parent), extra_arguments=["--log-level=CRITICAL"]
    )
    try:
        ready = time.perf_counter()
        for cell in code_cells(nbformat.read(path, as_version=4)):
            client.execute_interactive(cell.source, timeout=600, output_hook=lambda _: None)
            if "npx.set_np()" in cell.source or "from utils" in cell.source:
                break
        return {"kernel": ready - started, "imports": time.perf_counter() - ready}
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def tools() -> dict:
    """Seconds that the shape table and two checks take."""
    return course("tools")


def growth() -> dict:
    """Seconds and peak memory of a step by batch, size and depth, and of an epoch by images."""
    changes = {
        "batch": [{"batch": batch} for batch in (32, 64, 128, 256)],
        "size": [{"size": size} for size in (28, 56, 96)],
        "depth": [{"depth": depth} for depth in (18, 34)],
    }
    measured = {
        name: [{**options, **course("step", **options)} for options in variants]
        for name, variants in tqdm(changes.items(), desc="growth", file=sys.stdout)
    }
    images = (6_000, 20_000, 60_000)
    measured["images"] = [{"images": n, **course("epoch", images=n)} for n in images]
    return measured


def load() -> dict:
    """Images per second of one notebook that trains, and of ten at once, all together.

    The ten also with threads that spin while they wait, for as long as OpenMP's default says.
    """
    spinning = {"GOMP_SPINCOUNT": "300000"}
    cases = {"1": (1, {}), "10": (10, {}), "10, spinning": (10, spinning)}
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in tqdm(range(REPEATS), desc="load", file=sys.stdout):
        for name, (count, environment) in cases.items():
            rates[name].append(_together(count, environment))
    return {name: statistics.median(measured) for name, measured in rates.items()}


def _together(count: int, environment: dict[str, str]) -> float:
    """Return the images per second of `count` processes that train at the same time."""
    with ThreadPoolExecutor(count) as pool:
        results = pool.map(lambda _: course("step", environment, steps=4), range(count))
        return sum(result["images_per_second"] for result in results)


PARTS: dict[str, Callable[[], object]] = {
    part.__name__: part for part in (throughput, seeds, longer, cells, tools, growth, load)
}
