"""The report on this machine that opens the course: what was found, and what to do about it."""

from __future__ import annotations

import html
import importlib
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from utils.setup import fetch, machine, pip

GIB = 2**30
ENVIRONMENT = "`make lab` installs the environment of this course and opens the notebooks in it."


@dataclass(frozen=True)
class Fact:
    """One line of the report; `fix` says what to do, and is empty where nothing is wrong."""

    name: str
    value: str
    fix: str = ""

    @property
    def mark(self) -> str:
        """A sign and a word, so that nothing hangs on a color."""
        return "✗ look" if self.fix else "✓ fine"


@dataclass(frozen=True, repr=False)
class Report:
    """What was found on this machine: a table in Jupyter, text anywhere else."""

    facts: tuple[Fact, ...]

    @property
    def verdict(self) -> str:
        """One sentence on the whole machine."""
        wrong = [fact.name for fact in self.facts if fact.fix]
        return f"To look at: {', '.join(wrong)}." if wrong else "Everything is in order."

    def __repr__(self) -> str:
        lines = [self.verdict]
        for fact in self.facts:
            lines.append(f"{fact.mark}  {fact.name:<10}  {fact.value}")
            lines += [f"{'':20}{fact.fix}"] if fact.fix else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The colors are the page's own, so that the table reads well in light and dark themes."""
        cell = "text-align:left;vertical-align:top;padding:0.4em 1.2em 0.4em 0;"
        rows = "".join(
            "<tr style='background:none;border-top:1px solid rgba(128,128,128,0.4)'>"
            f"<td style='{cell}white-space:nowrap'>{fact.mark}</td>"
            f"<th scope='row' style='{cell}'>{html.escape(fact.name)}</th>"
            f"<td style='{cell}'>{html.escape(fact.value)}"
            f"{f'<br><strong>{html.escape(fact.fix)}</strong>' if fact.fix else ''}</td></tr>"
            for fact in self.facts
        )
        heading = f"{cell}color:inherit;font-weight:bold;caption-side:top"
        return (
            "<table style='color:inherit;border-collapse:collapse;font-size:0.95em;margin:0'>"
            f"<caption style='{heading}'>{self.verdict}</caption><tbody>{rows}</tbody></table>"
        )


def report() -> Report:
    """Look at this machine, find or fetch the data, and return what was found.

    Where MXNet cannot be imported, the facts that need it are left out.
    """
    numpy, mxnet, d2l = (_import(name) for name in ("numpy", "mxnet", "d2l"))
    facts = [
        Fact("Python", platform.python_version()),
        platform_fact(platform.system(), platform.machine()),
        numpy_fact(numpy[0], machine.preparation.names),
        mxnet_fact(*mxnet),
        Fact("d2l", d2l[0]) if d2l[0] else Fact("d2l", "not installed", ENVIRONMENT),
    ]
    available, present = machine.available_cpus(), os.cpu_count()
    facts.append(Fact("Processors", f"{available} of the {present} in this machine"))
    if mxnet[0]:
        device, why = machine.best_device()
        facts += [
            threads_fact(machine.threads_used(), available, machine.preparation),
            Fact("Device", f"{device}. {why}"),
        ]
    cache = fetch.cache_folder()
    home = next(folder for folder in cache.parents if folder.exists())
    facts += [
        memory_fact(machine.available_memory()),
        disk_fact(cache, shutil.disk_usage(home).free),
        data_fact(),
    ]
    return Report(tuple(facts))


def _import(name: str) -> tuple[str, str]:
    """Return the version of a module and an empty error, or no version and the error."""
    try:
        return importlib.import_module(name).__version__, ""
    except Exception as error:  # a library that is missing or does not fit gives many kinds
        return "", f"{type(error).__name__}: {error}"


def platform_fact(system: str, processor: str) -> Fact:
    """Say whether MXNet 1.9.1 exists for this system and processor."""
    return Fact("Platform", f"{system} {processor}", pip.platform_problem(system, processor))


def numpy_fact(version: str, put_back: list[str]) -> Fact:
    """Say which numpy this is, and which names, removed from it since 1.23, utils has put back."""
    if not version:
        return Fact("numpy", "not installed", ENVIRONMENT)
    if not put_back:
        return Fact("numpy", version)
    names = ", ".join(put_back)
    return Fact("numpy", f"{version}; put back into it, since MXNet reads them: {names}")


def mxnet_fact(version: str, error: str = "") -> Fact:
    """Say whether MXNet is the release of this course, or why it could not be imported."""
    if version == "1.9.1":
        return Fact("MXNet", version)
    if version:
        return Fact("MXNet", version, f"The course is written for 1.9.1, the last. {ENVIRONMENT}")
    fix = f"{pip.remedy(error) or ENVIRONMENT} Then restart the kernel."
    return Fact("MXNet", f"cannot be imported ({error})", fix)


def threads_fact(used: int, available: int, preparation: machine.Preparation) -> Fact:
    """Say whether MXNet computes with as many threads as there are processors, and why."""
    wish = f"OMP_NUM_THREADS={preparation.asked_for}"
    if preparation.keeps_wish:
        origin = f"as {wish} asks"
    elif preparation.too_late:
        origin = "chosen by MXNet itself"
    elif preparation.asked_for is not None:
        origin = f"set by utils, in place of {wish}, which MXNet cannot read"
    else:
        origin = "set by utils"
    fix = ""
    if used != available and preparation.keeps_wish:
        loss = "leaves processors idle" if used < available else "makes threads wait in line"
        fix = f"{wish} {loss}. Unset it, or set it to {available}, and start Jupyter again."
    elif used != available:
        fix = (
            "mxnet was imported before utils, too late to set its threads. Restart the kernel and "
            "run the notebook from its first cell."
        )
    return Fact("Threads", f"{used} (processors available: {available}), {origin}", fix)


def memory_fact(size: int) -> Fact:
    """Say whether `size` bytes of memory are enough to train ResNet-18; 0 is not known."""
    if not size:
        return Fact("Memory", "not known")
    fix = ""
    if size < 2 * GIB:
        fix = (
            "The training in 05 takes about 1 GiB, beside Jupyter and the browser. Close other "
            "programs, or raise the limit of this container."
        )
    return Fact("Memory", f"{size / GIB:.1f} GiB", fix)


def disk_fact(folder: Path, free: int) -> Fact:
    """Say whether the disk that holds `folder` has room for the data and the trained networks."""
    fix = ""
    if free < GIB / 2:
        fix = f"Nearly full. The course needs half a GiB: delete something beside {folder}."
    return Fact("Disk", f"{free / GIB:.1f} GiB free", fix)


def data_fact() -> Fact:
    """Find or fetch the data, and say where it came from and how it was verified."""
    try:
        source, _ = fetch.find()
    except fetch.DataError as error:
        return Fact("Data", "cannot be used", str(error))
    fix = ""
    if source.folder == fetch.SAMPLE_FOLDER:
        fix = (
            "All of it could not be fetched. Connect to the internet and run this cell again, or "
            "set FASHION_MNIST_DIR to a folder that holds its four files."
        )
    return Fact("Data", f"{source.what}, {source.verified}", fix)
