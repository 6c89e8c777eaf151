"""What the benchmark reports: the machine, the table, the goals and the figure."""

from __future__ import annotations

import platform
import re
import statistics
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from matplotlib.axes import Axes

from notebooks import NOTEBOOKS, ROOT
from utils.plots._style import BLUE, GRAY, GREEN, ORANGE, Figure
from utils.setup import machine

RESULTS = Path(__file__).parent / "results.json"
PAGE = ROOT / "docs" / "benchmark.md"
FIGURE = NOTEBOOKS / "images" / "bench.png"
SYSTEMS = {"course": "this course", "pytorch": "PyTorch, eager", "d2l": "d2l, as it is"}
STYLES = {"course": (BLUE, ""), "pytorch": (ORANGE, "//"), "d2l": (GRAY, "..")}
SIZES = (96, 28)  # pixels
D2L_EPOCHS, D2L_IMAGES = 10, 60_000  # its chapter on residual networks
D2L_MEDIAN = (
    0.918  # test accuracy of 79 builds of the book: https://github.com/d2l-ai/d2l-en/issues/2108
)


def this_machine() -> str:
    """Return a description of the processor, as far as it affects speed, and of the versions."""
    cpuinfo = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    flags = re.search(r"flags\s*: (.*)", cpuinfo)
    known = flags[1].split() if flags else []
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in known), "no AVX known")
    return (
        f"{model[1] if model else platform.processor()} ({widest}), "
        f"{machine.available_cpus()} processors, "
        f"{machine.available_memory() / 2**30:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, MXNet {version('mxnet')}, d2l {version('d2l')}"
    )


def seconds_to(run: dict, accuracy: float) -> float | None:
    """Return the seconds to the end of the first epoch that reaches this validation accuracy.

    Returns None where no epoch does.
    """
    reached = zip(run["seconds"], run["valid_accuracy"])
    return next((seconds for seconds, valid in reached if valid >= accuracy), None)


def same_run(results: dict, *parts: str) -> bool:
    """Return whether these parts were measured in one run: only then do their ratios say anything.

    One machine is twice as fast as the next, and the same one is not as fast every day.
    """
    runs = {results[part]["run"] if part in results else None for part in parts}
    return len(runs) == 1 and None not in runs


def d2l_seconds(results: dict) -> float:
    """Return the seconds of d2l's own epochs at 96x96, extrapolated from its measured rate."""
    return D2L_EPOCHS * D2L_IMAGES / results["throughput"]["is"]["medians"]["d2l 96"]


def matrix_share(results: dict) -> float:
    """Return the rate of training at 96x96 relative to a matrix product, in MACs."""
    measured = results["throughput"]["is"]
    rate = measured["medians"]["course 96"] * measured["macs_per_image"]["96"]
    return rate / measured["medians"]["matrix"]


def rows(results: dict) -> Iterator[tuple[str, str]]:
    """Yield the rows of the table: what was measured, and the number with its unit."""
    if "throughput" in results:
        medians = results["throughput"]["is"]["medians"]
        for size in SIZES:
            for name, label in SYSTEMS.items():
                if f"{name} {size}" in medians:
                    rate = medians[f"{name} {size}"]
                    yield f"training at {size}×{size}, {label}", f"{rate:.0f} images/s"
            rate = medians[f"inputs {size}"]
            yield f"input alone at {size}×{size}, this course", f"{rate:,.0f} images/s"
        yield "a product of float32 matrices", f"{2 * medians['matrix'] / 1e9:.0f} GFLOP/s"
        yield "of it, training at 96×96 reaches", f"{matrix_share(results):.0%}"
        yield (
            f"d2l's {D2L_EPOCHS} epochs at 96×96, extrapolated from its rate",
            f"{d2l_seconds(results) / 60:.0f} min",
        )
    for part, name in (("seeds", "the recipe"), ("longer", "the longer recipe")):
        if part in results:
            yield from _runs(results[part]["is"], name)
    if "cells" in results:
        for notebook, parts in results["cells"]["is"].items():
            label = f"{notebook[:2]}: kernel, then imports"
            yield label, f"{parts['kernel']:.1f} s, {parts['imports']:.1f} s"
    if "tools" in results:
        for name, seconds in results["tools"]["is"].items():
            if name != "peak_mib":
                yield name, f"{seconds:.2f} s"
    if "growth" in results:
        for name, measured in results["growth"]["is"].items():
            values = "; ".join(
                f"{each[name]:,}: {each['seconds']:.2f} s, {each['peak_mib']:,} MiB"
                for each in measured
            )
            what = "an epoch" if name == "images" else "a step"
            yield f"{what} and peak memory, by {name}", values
    if "load" in results:
        rates = results["load"]["is"]
        for name, label in (("10", ""), ("10, spinning", ", were their threads to spin")):
            share = rates[name] / rates["1"]
            yield f"ten notebooks training at once, together{label}", f"{share:.0%} of one alone"


def _runs(runs: list[dict], name: str) -> Iterator[tuple[str, str]]:
    count = f"{len(runs)} seed{'s' if len(runs) > 1 else ''}"
    for accuracy in (0.9, D2L_MEDIAN, 0.93):
        reached = [seconds_to(run, accuracy) for run in runs]
        there = [seconds for seconds in reached if seconds is not None]
        if there:
            label = f"{name}: cold start to {accuracy} on validation images"
            yield label, f"{statistics.median(there):.0f} s (reached by {len(there)} of {count})"
    tests = [run["test_accuracy"] for run in runs]
    yield f"{name}: test accuracy, {count}", ", ".join(f"{value:.4f}" for value in tests)
    if len(tests) > 1:
        yield f"{name}: test accuracy, max − min", f"{max(tests) - min(tests):.4f}"


def verdicts(results: dict) -> list[str]:
    """Return a line per goal: whether it is reached, and the ratio of the measured value to it."""
    lines = [_verdict(*goal) for goal in _goals(results)]
    if {"throughput", "seeds"} <= results.keys() and not same_run(results, "throughput", "seeds"):
        lines.append(
            "NOT shown    how much sooner than d2l's ten epochs: throughput and seeds come from "
            'two runs. Measure them in one: make bench PARTS="throughput seeds"'
        )
    return lines


def _goals(results: dict) -> Iterator[tuple[str, float, float, bool]]:
    """Yield the goal, the measured value, the target, and whether more is better."""
    if "throughput" in results:
        medians = results["throughput"]["is"]["medians"]
        if "pytorch 96" in medians:
            ratio = medians["course 96"] / medians["pytorch 96"]
            yield "at 96×96, times PyTorch's throughput", ratio, 1.25, True
        ratio = medians["course 96"] / medians["d2l 96"]
        yield "at 96×96, times d2l's throughput", ratio, 2.3, True
        yield "at 96×96, share of the matrix rate", matrix_share(results), 0.90, True
    if "seeds" in results:
        runs = results["seeds"]["is"]
        to_median = _median_to(runs, D2L_MEDIAN)
        yield f"minutes to {D2L_MEDIAN} on validation images", to_median / 60, 5, False
        if same_run(results, "throughput", "seeds"):
            times = d2l_seconds(results) / to_median
            yield "times sooner there than d2l's ten epochs", times, 30, True
        tests = [run["test_accuracy"] for run in runs]
        yield "spread of the test accuracy, max − min", max(tests) - min(tests), 0.006, False
    if "longer" in results:
        yield (
            "minutes to 0.93 on validation images",
            _median_to(results["longer"]["is"], 0.93) / 60,
            15,
            False,
        )


def _median_to(runs: list[dict], accuracy: float) -> float:
    """Return the median seconds to an accuracy; a run that never reaches it counts as infinite."""
    reached = (seconds_to(run, accuracy) for run in runs)
    return statistics.median(float("inf") if value is None else value for value in reached)


def _verdict(goal: str, measured: float, wanted: float, more: bool) -> str:
    ratio = measured / wanted if more else wanted / measured if measured else float("inf")
    said = "reached" if ratio >= 1 else "NOT reached"
    bound = "at least" if more else "at most"
    return f"{said:<11}  {goal}: {measured:.4g} ({bound} {wanted}; ratio {ratio:.2f})"


def figure(results: dict) -> Figure:
    """Draw throughput side by side, and accuracy against minutes from a cold start."""
    drawing = Figure(10, 3.8)
    left, right = drawing.subplots(1, 2)
    _draw_rates(left, results["throughput"]["is"])
    lines = {"seeds": ("o-", BLUE, "the recipe"), "longer": ("s-", GREEN, "the longer recipe")}
    for part, line in lines.items():
        if part in results:
            _draw_runs(right, results[part]["is"], *line)
    right.axhline(D2L_MEDIAN, color=GRAY, ls="--", label="median of d2l's builds (test images)")
    right.set_title("Accuracy on validation images, from a cold start", fontsize=10)
    right.set(xlabel="minutes", ylabel="accuracy, share of images")
    right.set_ylim(0.86, None)
    right.grid(alpha=0.3)
    right.legend()
    drawing.alt = " ".join(_in_words(results))
    return drawing


def _in_words(results: dict) -> Iterator[str]:
    """Yield what the figure shows, as sentences."""
    yield "Two plots. Left: images per second in training, the median of several repeats."
    medians = results["throughput"]["is"]["medians"]
    for size in SIZES:
        rates = "; ".join(
            f"{label}: {medians[f'{name} {size}']:.0f}"
            for name, label in SYSTEMS.items()
            if f"{name} {size}" in medians
        )
        yield f"At {size}×{size} pixels, {rates}."
    yield "Right: accuracy on validation images against minutes from a cold start."
    for part, name in (("seeds", "The recipe"), ("longer", "The longer recipe")):
        if part in results:
            yield _runs_in_words(results[part]["is"], name)
    yield f"A dashed line marks {D2L_MEDIAN}, the median of d2l's builds on the test images."


def _runs_in_words(runs: list[dict], name: str) -> str:
    first, best = (
        [sort(run["valid_accuracy"]) for run in runs] for sort in (lambda run: run[0], max)
    )
    minutes = [run["seconds"][-1] / 60 for run in runs]
    return (
        "{name}, {count}: {first} after the first epoch, {best} at best; it ends after {minutes} "
        "minutes.".format(
            name=name,
            count="one run" if len(runs) == 1 else f"{len(runs)} runs",
            first=_range(first, ".3f"),
            best=_range(best, ".3f"),
            minutes=_range(minutes, ".1f"),
        )
    )


def _range(values: list[float], form: str) -> str:
    ends = [format(end, form) for end in (min(values), max(values))]
    return " to ".join(dict.fromkeys(ends))


def _draw_rates(axes: Axes, measured: dict) -> None:
    """Draw a bar for the median of each system and size, and a dash for each repeat."""
    medians = measured["medians"]
    systems = {name: label for name, label in SYSTEMS.items() if f"{name} 96" in medians}
    for place, (name, label) in enumerate(systems.items()):
        color, hatch = STYLES[name]
        x = [group + (place - 1) * 0.27 for group in range(len(SIZES))]
        heights = [medians[f"{name} {size}"] for size in SIZES]
        axes.bar(x, heights, 0.25, color=color, hatch=hatch, edgecolor="white", label=label)
        for middle, height, size in zip(x, heights, SIZES):
            rates = measured["all"][f"{name} {size}"]
            axes.plot([middle] * len(rates), rates, "_", color="black", ms=7)
            above = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center"}
            axes.annotate(f"{height:.0f}", (middle, max(rates)), fontsize=8, **above)
    times = [
        f"{medians['course 96'] / medians[f'{name} 96']:.1f} times {label.split(',')[0]}"
        for name, label in systems.items()
        if name != "course"
    ]
    axes.set_title(f"Training, batch 128, float32; at 96×96: {', '.join(times)}", fontsize=10)
    axes.set_ylabel("images per second")
    axes.set_xticks(range(len(SIZES)), [f"{size}×{size} pixels" for size in SIZES])
    axes.margins(y=0.12)
    axes.legend()


def _draw_runs(axes: Axes, runs: list[dict], style: str, color: str, label: str) -> None:
    """Draw a line for each run, with a marker at the end of each epoch."""
    for run in runs:
        minutes = [seconds / 60 for seconds in run["seconds"]]
        axes.plot(minutes, run["valid_accuracy"], style, color=color, ms=4, label=label)
        label = ""  # one entry in the legend is enough


def table(results: dict) -> str:
    """Return the table of all results, and on which machine each run measured what, in Markdown."""
    lines = ["| measured | |", "|:--|--:|"]
    lines += [f"| {what} | {number} |" for what, number in rows(results)]
    machines: dict[str, list[str]] = {}
    for name, part in results.items():
        machines.setdefault(part["machine"], []).append(f"{name} in the run of {part['run']}")
    for name, measured in machines.items():
        lines += ["", f"On {name}: {'; '.join(measured)}."]
    return "\n".join(lines)
