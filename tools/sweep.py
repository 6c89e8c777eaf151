"""Run the large sweeps and store what they measured where the notebooks find it.

    python tools/sweep.py [depth] [rate] [loss_log]

A file in utils/results/ holds the command, the recipe and the seeds that made it, and one entry for
each run. Without a name all three are made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import utils  # noqa: F401  (before mxnet: it sets this machine up)
from run_course import write_whole
from utils import experiments, train

LOSS_LOG_RECIPE = train.Recipe(epochs=3, batch_size=64, learning_rate=0.05, flip=True)


def depth() -> list[experiments.Trial]:
    """Four depths of both families, five seeds each."""
    return experiments.depth_trials(depths=(8, 20, 32, 56), seeds=range(5))


def rate() -> list[experiments.Trial]:
    """The deepest plain network at learning rates around that of the sweep over depths."""
    return [
        trial
        for learning_rate in (0.01, 0.03, 0.3)
        for trial in experiments.depth_trials(
            depths=(56,),
            seeds=range(3),
            recipe=replace(experiments.DEPTH_RECIPE, learning_rate=learning_rate),
            families=("plain",),
        )
    ]


def loss_log() -> list[experiments.Trial]:
    """ResNet-18, from the plain network on, a change at a time."""
    return experiments.loss_log_trials(seeds=range(3), recipe=LOSS_LOG_RECIPE)


SWEEPS: dict[str, Callable[[], list[experiments.Trial]]] = {
    sweep.__name__: sweep for sweep in (depth, rate, loss_log)
}


def document(name: str, trials: Sequence[experiments.Trial], runs: list[dict]) -> str:
    """Return the text of a file of results: how they were made, then a line for each run."""
    made = {
        "command": f"make sweep SWEEPS={name}",
        "images": trials[0].images,
        "recipe": asdict(trials[-1].recipe),
        "seeds": sorted({trial.seed for trial in trials}),
    }
    head = json.dumps(made, indent=2, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n    ".join(json.dumps(run, ensure_ascii=False) for run in runs)
    return f'{head},\n  "runs": [\n    {lines}\n  ]\n}}\n'


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the large sweeps and store their results.")
    parser.add_argument("sweeps", nargs="*", metavar="SWEEP", help=f"{', '.join(SWEEPS)}; all")
    names = parser.parse_args().sweeps or list(SWEEPS)
    unknown = [name for name in names if name not in SWEEPS]
    if unknown:
        parser.error(f"there is no sweep {unknown[0]!r}; there are {', '.join(SWEEPS)}")
    for name in names:
        trials = SWEEPS[name]()
        print(f"{name}: {len(trials)} runs")
        write_whole(
            experiments.RESULTS / f"{name}.json",
            document(name, trials, experiments.run_all(trials)),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
