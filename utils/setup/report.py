"""The report on this machine that opens the course: what was found, and what to do about it.

Notebook 00 shows it.
"""

from __future__ import annotations

import html
import importlib
import os
import platform
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.setup import fetch, gpu, machine, packages, remedies

GIB = 2**30
ENVIRONMENT = "`make lab` installs the environment of the course and opens the notebooks in it."


@dataclass(frozen=True)
class Fact:
    """One line of the report. `fix` says what to do, and is empty if nothing is wrong."""

    name: str
    value: str
    fix: str = ""

    @property
    def mark(self) -> str:
        """A sign and a word, so that nothing depends on color."""
        return "✗ look" if self.fix else "✓ fine"


@dataclass(frozen=True, repr=False)
class Findings:
    """What was found on this machine: a table in Jupyter, text anywhere else.

    Where nothing is wrong, one line is enough, unless it is asked for `in_full`.
    """

    facts: tuple[Fact, ...]
    in_full: bool = False

    @property
    def verdict(self) -> str:
        """One sentence about the whole machine."""
        wrong = ", ".join(fact.name for fact in self.facts if fact.fix)
        return "To look at: {names}.".format(names=wrong) if wrong else "Everything is in order."

    @property
    def _shown(self) -> tuple[Fact, ...]:
        wrong = any(fact.fix for fact in self.facts)
        return self.facts if wrong or self.in_full else ()

    def __repr__(self) -> str:
        lines = [self.verdict]
        for fact in self._shown:
            lines.append(f"{fact.mark}  {fact.name:<10}  {fact.value}")
            lines += [f"{'':20}{fact.fix}"] if fact.fix else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (fact.mark, fact.name, [fact.value, fact.fix] if fact.fix else [fact.value])
            for fact in self._shown
        ]
        return html_table(self.verdict, rows)


def this_machine(in_full: bool = False) -> Findings:
    """Look at this machine, find or fetch the data, and return what was found.

    It is shown in one line, or in full where something is wrong or `in_full` is True. If MXNet
    cannot be imported, the facts that need it are left out.
    """
    preparation = machine.preparation()
    numpy, mxnet, d2l = (_import(name) for name in ("numpy", "mxnet", "d2l"))
    facts = [
        Fact("Python", platform.python_version()),
        platform_fact(*machine.this_platform()),
        numpy_fact(numpy[0], preparation.restored),
        mxnet_fact(*mxnet, build=arm_build() if mxnet[0] else ""),
        Fact("d2l", d2l[0]) if d2l[0] else Fact("d2l", "not installed", ENVIRONMENT),
    ]
    available, present = machine.available_cpus(), os.cpu_count()
    processors = "{available} of the {present} in this machine"
    facts.append(Fact("Processors", processors.format(available=available, present=present)))
    if mxnet[0]:
        device, why = machine.best_device()
        facts += [
            threads_fact(machine.threads_used(), available, preparation),
            Fact("Device", f"{device}. {why}"),
        ]
    cache = fetch.cache_folder()
    home = next(folder for folder in cache.parents if folder.exists())
    facts += [
        memory_fact(machine.available_memory()),
        disk_fact(cache, shutil.disk_usage(home).free),
        data_fact(),
    ]
    return Findings(tuple(facts), in_full)


def _import(name: str) -> tuple[str, str]:
    """Return the version of a module and "", or "" and the error that importing it raised."""
    try:
        return importlib.import_module(name).__version__, ""
    except Exception as error:  # a library that is missing or does not fit raises many kinds
        return "", f"{type(error).__name__}: {error}"


def platform_fact(system: str, processor: str, libc: str = "glibc", bits: int = 64) -> Fact:
    """Say whether MXNet 1.9.1 exists for this system and processor."""
    problem = machine.platform_problem(system, processor, libc, bits)
    return Fact("Platform", f"{system} {processor}", problem)


def numpy_fact(version: str, restored: Sequence[str]) -> Fact:
    """Say which numpy this is, and which names, removed from it since 1.23, utils has restored."""
    if not version:
        return Fact("numpy", "not installed", ENVIRONMENT)
    if not restored:
        return Fact("numpy", version)
    value = "{version}, with names that MXNet reads and numpy has removed: {names}"
    return Fact("numpy", value.format(version=version, names=", ".join(restored)))


def arm_build() -> str:
    """Return what is special about the build of MXNet on ARM, "" on other processors."""
    mxnet = packages.MXNET[gpu.CPU_BUILD]
    if not isinstance(mxnet, packages.Mended) or not mxnet.is_installed():
        return ""
    return "the build for ARM, {library}".format(library=mxnet.library())


def mxnet_fact(version: str, error: str = "", build: str = "") -> Fact:
    """Say whether MXNet is the release of this course, or why it could not be imported."""
    if version == "1.9.1":
        return Fact("MXNet", ", ".join(filter(None, [version, build])))
    if version:
        fix = "The course is written for MXNet 1.9.1, the last release. {remedy}"
        return Fact("MXNet", version, fix.format(remedy=ENVIRONMENT))
    fix = "{remedy} Then restart the kernel."
    return Fact(
        "MXNet",
        "cannot be imported ({error})".format(error=error),
        fix.format(remedy=remedies.remedy(error) or ENVIRONMENT),
    )


def threads_fact(used: int, available: int, preparation: machine.Preparation) -> Fact:
    """Say whether MXNet computes with as many threads as there are processors, and why."""
    if preparation.keeps_wish:
        value = "{used} (processors available: {available}), as OMP_NUM_THREADS={wish} asks"
    elif preparation.too_late:
        value = "{used} (processors available: {available}), chosen by MXNet itself"
    elif preparation.asked_for is not None:
        value = (
            "{used} (processors available: {available}), set by utils in place of "
            "OMP_NUM_THREADS={wish}, which MXNet cannot read"
        )
    else:
        value = "{used} (processors available: {available}), set by utils"
    fix = ""
    if used != available and not preparation.keeps_wish:
        fix = (
            "mxnet was imported before utils, too late to set its threads. Restart the kernel and "
            "run the notebook from its first cell."
        )
    elif used < available:
        fix = (
            "OMP_NUM_THREADS={wish} leaves processors idle. Unset it, or set it to {available}, "
            "and start Jupyter again."
        )
    elif used > available:
        fix = (
            "OMP_NUM_THREADS={wish} makes threads wait for a processor. Unset it, or set it to "
            "{available}, and start Jupyter again."
        )
    places = {"used": used, "available": available, "wish": preparation.asked_for}
    return Fact("Threads", value.format(**places), fix.format(**places))


def memory_fact(size: int) -> Fact:
    """Say whether `size` bytes of memory are enough to train ResNet-18. 0 stands for not known."""
    if not size:
        return Fact("Memory", "not known")
    fix = ""
    if size < 2 * GIB:
        fix = (
            "The training in 05 takes about 1 GiB, besides Jupyter and the browser. Close other "
            "programs, or raise the limit of this container."
        )
    return Fact("Memory", "{size:.1f} GiB".format(size=size / GIB), fix)


def disk_fact(folder: Path, free: int) -> Fact:
    """Say whether the disk of `folder` has room for the data and the trained networks."""
    fix = ""
    if free < GIB / 2:
        fix = (
            "The disk is nearly full, and the course needs half a GiB. Make room on the disk that "
            "holds {folder}."
        ).format(folder=folder)
    return Fact("Disk", "{free:.1f} GiB free".format(free=free / GIB), fix)


def data_fact() -> Fact:
    """Find or fetch the data, and say where it came from and how it was verified."""
    try:
        source, _ = fetch.find()
    except fetch.DataError as error:
        return Fact("Data", "cannot be used", str(error))
    fix = ""
    if source.folder == fetch.SAMPLE_FOLDER:
        fix = (
            "The whole of Fashion-MNIST could not be fetched. Connect to the internet and run this "
            "cell again, or set FASHION_MNIST_DIR to a folder that holds its four files."
        )
    return Fact("Data", f"{source.what}, {source.verified}", fix)


CELL = "text-align:left;vertical-align:top;padding:0.3em 1.2em 0.3em 0;line-height:1.45;"


def html_table(caption: str, rows: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    """Return an HTML table in the colors of the page around it, for light and dark themes.

    Each row has a mark, a name and lines of text; the second line, which says what is wrong, is
    bold. Without rows, the caption alone is left, as one line.
    """
    rows = list(rows)
    if not rows:
        return f"<p style='font-weight:bold;margin:0'>{html.escape(caption)}</p>"
    return (
        "<table style='color:inherit;border-collapse:collapse;font-size:0.95em;margin:0'>"
        f"<caption style='{CELL}color:inherit;font-weight:bold;caption-side:top'>"
        f"{html.escape(caption)}</caption><tbody>"
        f"{''.join(_row(mark, name, lines) for mark, name, lines in rows)}</tbody></table>"
    )


def _row(mark: str, name: str, lines: Sequence[str]) -> str:
    text = [html.escape(line) for line in lines]
    text[1:2] = [f"<strong>{line}</strong>" for line in text[1:2]]
    return (
        "<tr style='background:none;border-top:1px solid rgba(128,128,128,0.4)'>"
        f"<td style='{CELL}white-space:nowrap'>{html.escape(mark)}</td>"
        f"<th scope='row' style='{CELL}white-space:nowrap'>{html.escape(name)}</th>"
        f"<td style='{CELL}'>{'<br>'.join(text)}</td></tr>"
    )
