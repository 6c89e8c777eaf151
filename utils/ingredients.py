"""What each ingredient of a recipe is worth: the recipe again and again, one thing changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas

from utils.experiments import Trial, by_change
from utils.recipes import Recipe
from utils.resnet import resnet18


def trials(recipe: Recipe, seeds: Sequence[int]) -> list[Trial]:
    """Return a trial of ResNet-18 for each seed, of the recipe and of its variants.

    Each variant differs from the recipe in one ingredient. The first 10,000 training images keep
    the time for all of them below half an hour.
    """
    variants = {
        "the recipe": {},
        "no flips" if recipe.flip else "flips": {"flip": not recipe.flip},
        "twice the learning rate": {"learning_rate": 2 * recipe.learning_rate},
        "constant learning rate": {"one_cycle": False},
        "no momentum": {"momentum": 0.0},
    }
    varied = sorted({name for changes in variants.values() for name in changes})
    return [
        Trial(
            resnet18,
            changed,
            seed,
            images=10_000,
            labels={"change": change, **{name: getattr(changed, name) for name in varied}},
            budget="full",
        )
        for change, changes in variants.items()
        for changed in [replace(recipe, **changes)]
        for seed in seeds
    ]


def effects(table: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """Return what each change did to a measure, against the first row, the recipe.

    `table` comes from `experiments.final`. Columns: mean and spread (standard deviation) over the
    seeds, the effect, and whether it counts: whether it is more than twice the larger spread.
    """
    rows = by_change(table, measure)
    recipe = rows.iloc[0]
    rows["effect"] = rows["mean"] - recipe["mean"]
    rows["counts"] = rows.effect.abs() > 2 * rows.spread.clip(lower=recipe.spread)
    return rows
