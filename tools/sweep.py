"""Run the large sweeps and store their results where the notebooks read them.

    python tools/sweep.py [depth] [rate] [start] [longer] [loss_log] [ingredients]
                          [relatives] [preactivation] [few_labels]

A file in utils/results/ holds the command, the recipe and the seeds that made it, and one entry per
run. Without a name, all sweeps are run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cache, partial

import numpy
from mxnet import gluon

import utils  # noqa: F401  (before mxnet: it sets this machine up)
from command_line import chosen
from notebooks import ROOT
from utils import data, experiments, throughput, train
from utils.families import WIDTHS, PreActivation, freeze, relative, take_over
from utils.recipes import SHORT, Recipe
from utils.resnet import Residual, resnet18
from utils.runs import keeper
from utils.setup import machine, remedies, storage

# A small network learns the first five classes, then few images of the others.
FIRST_FIVE, OTHER_FIVE = range(5), range(5, 10)
small_network = partial(relative, Residual, WIDTHS, (3, 3, 3))
BASE_RECIPE = Recipe(epochs=4, batch_size=128, learning_rate=0.1, size=14)
SHOWN = 2000  # images in an epoch, however few of them are different
RELATIVES_RECIPE = Recipe(epochs=1, batch_size=32, learning_rate=0.05, flip=True)
# How many training images each network sees, each image once: as many as one budget of
# multiply-accumulates allows, and one of time (by the seconds of a step that `relatives` stores).
SEEN = {
    "ResNet-18": {"MACs": 5536, "time": 3584},
    "small stem": {"MACs": 6400, "time": 6400},
    "pre-activation": {"MACs": 6400, "time": 6400},
    "bottleneck": {"MACs": 4896, "time": 2912},
    "34 layers": {"MACs": 3136, "time": 3872},
}


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
    """From a plain network to a residual one without biases, one change at a time."""
    return experiments.loss_log_trials(seeds=range(8), recipe=experiments.DEPTH_RECIPE)


def ingredients(recipe: Recipe = SHORT) -> list[experiments.Trial]:
    """The recipe of notebook 05, each time with one ingredient changed; 10,000 images."""
    variants = {
        "the recipe": {},
        "no flips" if recipe.flip else "flips": {"flip": not recipe.flip},
        "twice the learning rate": {"learning_rate": 2 * recipe.learning_rate},
        "constant learning rate": {"one_cycle": False},
        "no momentum": {"momentum": 0.0},
    }
    varied = sorted({name for changes in variants.values() for name in changes})
    return [
        experiments.Trial(
            resnet18,
            changed,
            seed,
            images=10_000,
            labels={"change": change, **{name: getattr(changed, name) for name in varied}},
            budget="full",
        )
        for change, changes in variants.items()
        for changed in [replace(recipe, **changes)]
        for seed in range(3)
    ]


def relatives() -> list[experiments.Trial]:
    """ResNet-18 and its relatives, under one budget of multiply-accumulates and one of time."""
    return [
        experiments.Trial(
            build=experiments.RELATIVES[network],
            recipe=RELATIVES_RECIPE,
            seed=seed,
            images=allowed[budget],
            labels={"network": network, "images": allowed[budget]},
            budget="full",
            prepare=judged_on_every_second_image,
        )
        for budget in ("MACs", "time")
        for seed in range(3)
        for network, allowed in SEEN.items()
        if budget == "MACs" or allowed[budget] != allowed["MACs"]  # one run for both budgets
    ]


def judged_on_every_second_image(
    net: gluon.Block, fashion: data.FashionMNIST, trial: experiments.Trial
) -> data.FashionMNIST:
    """Return the data with half of the validation images: in a short run, judging costs much."""
    valid = data.Split(fashion.valid.images[::2], fashion.valid.labels[::2])
    return replace(fashion, valid=valid)


def preactivation() -> list[experiments.Trial]:
    """Networks of basic and of pre-activated blocks, at three depths, for a single epoch."""
    recipe = replace(experiments.DEPTH_RECIPE, epochs=1, batch_size=32, learning_rate=0.05)
    return [
        experiments.Trial(
            build=partial(relative, block, WIDTHS, 3 * ((depth - 2) // 6,)),
            recipe=recipe,
            seed=seed,
            images=2752,
            labels={"family": family, "depth": depth},
        )
        for depth in (20, 56, 110)
        for seed in range(3)
        for family, block in {"residual": Residual, "pre-activation": PreActivation}.items()
    ]


def few_labels() -> list[experiments.Trial]:
    """Few images of five classes, from scratch and after five others; a few rates for each."""
    recipe = Recipe(epochs=2, batch_size=25, size=14)
    return [
        experiments.Trial(
            build=small_network,
            recipe=replace(recipe, learning_rate=learning_rate),
            seed=seed,
            images=10_000,
            labels={"start": start, "count": count, "learning_rate": learning_rate},
            budget="full",
            prepare=partial(after_five_classes, start, count),
        )
        for seed in range(3)
        for start, rates in {
            "from scratch": (0.03, 0.1),
            "frozen": (0.1, 0.3, 1.0),
            "fine-tuned": (0.03, 0.1),
        }.items()
        for count in (10, 50, 200)
        for learning_rate in rates
    ]


def after_five_classes(
    start: str, count: int, net: gluon.Block, fashion: data.FashionMNIST, trial: experiments.Trial
) -> data.FashionMNIST:
    """Give a network the start of its trial; return `count` images of each of the other classes.

    They are repeated, so that each epoch has as many steps, however few images are different.
    """
    if start != "from scratch":
        take_over(net, base(trial.seed, trial.budget, trial.images))
    if start == "frozen":
        freeze(net)
    few = few_of_each(of_classes(fashion.train, OTHER_FIVE), count, trial.seed)
    times = SHOWN // len(few)
    few = data.Split(numpy.tile(few.images, (times, 1, 1)), numpy.tile(few.labels, times))
    return replace(fashion, train=few, valid=of_classes(fashion.valid, OTHER_FIVE))


@cache  # in each process: the trials with one seed begin with the same network
def base(seed: int, budget: str, images: int) -> gluon.Block:
    """Return a network that has learned the first five classes."""
    device, _ = machine.best_device()
    fashion, net = data.load(budget), small_network()
    first = replace(
        fashion,
        train=of_classes(fashion.train.first(images), FIRST_FIVE),
        valid=of_classes(fashion.valid, FIRST_FIVE),
    )
    train.initialize(net, seed=seed, device=device)
    train.fit(net, first, BASE_RECIPE, seed=seed, device=device)
    return net


def of_classes(split: data.Split, classes: Sequence[int]) -> data.Split:
    """Return the images of these classes, as notebook 07 does."""
    chosen = numpy.isin(split.labels, classes)
    return data.Split(split.images[chosen], split.labels[chosen])


def few_of_each(split: data.Split, count: int, seed: int) -> data.Split:
    """Return `count` images of each class, chosen by the seed, as notebook 07 does."""
    rng = numpy.random.default_rng(seed)
    places = [numpy.flatnonzero(split.labels == label) for label in numpy.unique(split.labels)]
    chosen = numpy.concatenate([rng.choice(of_class, count, replace=False) for of_class in places])
    return data.Split(split.images[chosen], split.labels[chosen])


SWEEPS: dict[str, Callable[[], list[experiments.Trial]]] = {
    sweep.__name__: sweep
    for sweep in (
        depth,
        rate,
        start,
        longer,
        loss_log,
        ingredients,
        relatives,
        preactivation,
        few_labels,
    )
}


def shared_recipe(trials: Sequence[experiments.Trial]) -> dict:
    """Return the settings that all trials share; each run records the others."""
    recipes = [asdict(trial.recipe) for trial in trials]
    return {
        name: value
        for name, value in recipes[0].items()
        if all(recipe[name] == value for recipe in recipes)
    }


def document(
    name: str, trials: Sequence[experiments.Trial], runs: list[dict], **measured: object
) -> str:
    """Return the text of a results file: how it was made, what else was measured, and the runs."""
    made = {
        "command": f"make sweep SWEEPS={name}",
        "images": trials[0].images,
        "recipe": shared_recipe(trials),
        "seeds": sorted({trial.seed for trial in trials}),
        **measured,
    }
    head = json.dumps(made, indent=2, ensure_ascii=False).removesuffix("\n}")
    lines = ",\n    ".join(json.dumps(run, ensure_ascii=False) for run in runs)
    return f'{head},\n  "runs": [\n    {lines}\n  ]\n}}\n'


def main() -> int:
    for name in chosen("Run the large sweeps and store their results.", "sweep", [*SWEEPS]):
        trials = SWEEPS[name]()
        kept = ROOT / "build" / "sweeps" / f"{name}.json"  # an interrupted sweep goes on from it
        print(f"{name}: {len(trials)} runs")
        runs, measured = experiments.run_all(trials, kept), {}
        if name == "relatives":
            seconds = throughput.by_network(experiments.RELATIVES, RELATIVES_RECIPE.batch_size)
            measured |= {"seen": SEEN, "seconds_per_step": seconds.round(4).to_dict()}
        storage.write_whole(
            experiments.RESULTS / f"{name}.json", document(name, trials, runs, **measured)
        )
        kept.unlink()
    return 0


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
