"""Run the large sweeps and store their results where the notebooks read them.

    python tools/sweep.py [depth] [rate] [start] [longer] [loss_log] [ingredients]

A file in utils/results/ holds the command, the recipe and the seeds that made it, and one entry per
run. Without a name, all sweeps are run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import utils  # noqa: F401  (before mxnet: it sets this machine up)
from command_line import chosen
from notebooks import ROOT
from utils import experiments
from utils.recipes import SHORT, Recipe
from utils.runs import keeper
from utils.setup import remedies, storage

LOSS_LOG_RECIPE = Recipe(epochs=3, batch_size=64, learning_rate=0.05, flip=True)


def depth() -> list[experiments.Trial]:
    """Four depths of both families, five seeds each."""
    return experiments.depth_trials(depths=(8, 20, 32, 56), seeds=range(5))


def rate() -> list[experiments.Trial]:
    """The deepest plain network, at learning rates around the one of the depth sweep."""
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


def start() -> list[experiments.Trial]:
    """The deepest residual network, without warm-up."""
    recipe = replace(experiments.DEPTH_RECIPE, warm_up=0.0)
    return experiments.depth_trials((56,), range(3), recipe, families=("residual",))


def longer() -> list[experiments.Trial]:
    """Three depths of both families, with four times as many epochs."""
    recipe = replace(experiments.DEPTH_RECIPE, epochs=4 * experiments.DEPTH_RECIPE.epochs)
    return experiments.depth_trials((8, 20, 56), range(3), recipe)


def loss_log() -> list[experiments.Trial]:
    """From the plain network to ResNet-18, one change at a time."""
    return experiments.loss_log_trials(seeds=range(3), recipe=LOSS_LOG_RECIPE)


def ingredients() -> list[experiments.Trial]:
    """The recipe of notebook 05, each time with one ingredient changed."""
    return experiments.ingredient_trials(SHORT, seeds=range(3))


SWEEPS: dict[str, Callable[[], list[experiments.Trial]]] = {
    sweep.__name__: sweep for sweep in (depth, rate, start, longer, loss_log, ingredients)
}


def shared_recipe(trials: Sequence[experiments.Trial]) -> dict:
    """Return the settings that all trials share; each run records the others."""
    recipes = [asdict(trial.recipe) for trial in trials]
    return {
        name: value
        for name, value in recipes[0].items()
        if all(recipe[name] == value for recipe in recipes)
    }


def document(name: str, trials: Sequence[experiments.Trial], runs: list[dict]) -> str:
    """Return the text of a results file: how it was made, then one line per run."""
    made = {
        "command": f"make sweep SWEEPS={name}",
        "images": trials[0].images,
        "recipe": shared_recipe(trials),
        "seeds": sorted({trial.seed for trial in trials}),
    }
    head = json.dumps(made, indent=2, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n    ".join(json.dumps(run, ensure_ascii=False) for run in runs)
    return f'{head},\n  "runs": [\n    {lines}\n  ]\n}}\n'


def main() -> int:
    for name in chosen("Run the large sweeps and store their results.", "sweep", [*SWEEPS]):
        trials = SWEEPS[name]()
        kept = ROOT / "build" / "sweeps" / f"{name}.json"  # an interrupted sweep goes on from it
        print(f"{name}: {len(trials)} runs")
        storage.write_whole(
            experiments.RESULTS / f"{name}.json",
            document(name, trials, experiments.run_all(trials, kept)),
        )
        kept.unlink()
    return 0


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
