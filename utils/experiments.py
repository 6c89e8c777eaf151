"""Many training runs that differ in one thing, and what they say together.

Notebook 01 runs a small sweep over depths; `tools/sweep.py` runs the large ones, whose results are
stored in `utils/results/`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy
import pandas
from mxnet import gluon, npx
from tqdm import tqdm

from utils import data, train
from utils.families import (
    Bottleneck,
    NormalizedShortcut,
    Plain,
    PreActivation,
    deep_network,
    relative,
    without_biases,
)
from utils.recipes import Recipe
from utils.resnet import Residual, resnet18
from utils.runs import keeper
from utils.runs.team import toolbox_version
from utils.setup import machine, storage

RESULTS = Path(__file__).parent / "results"
MEASURED = ("train_loss", "train_accuracy", "valid_loss", "valid_accuracy")  # each epoch
FAMILIES = {"plain": Plain, "residual": Residual}
# Notebook 01: halved images and batches of 128 make even 56 layers a matter of half a minute.
DEPTH_RECIPE = Recipe(epochs=5, batch_size=128, learning_rate=0.1, size=14)
# Notebook 07: ResNet-18 and its relatives, at about the same cost for an image but for the last.
NARROW = (16, 32, 64, 128)
RELATIVES = {
    "ResNet-18": resnet18,
    "small stem": partial(relative, Residual, NARROW),
    "pre-activation": partial(relative, PreActivation, NARROW),
    "bottleneck": partial(relative, Bottleneck, tuple(4 * width for width in NARROW)),
    "34 layers": partial(relative, Residual, NARROW, (3, 4, 6, 3)),
}


@dataclass(frozen=True)
class Trial:
    """One training run on the first `images` training images, of the sample or (`budget`) of all.

    `build` returns the new network. `labels` say what distinguishes the trial: a column each in
    the table of results. `prepare` gets the initialized network, the data and the trial; it may
    change the network, and returns the data to learn from.
    """

    build: Callable[[], gluon.Block]
    recipe: Recipe
    seed: int
    images: int = 5500
    labels: dict = field(default_factory=dict)
    budget: str = "quick"
    prepare: Callable[..., data.FashionMNIST] | None = None


def run(trial: Trial) -> dict:
    """Train the trial's network; return its labels, its seed and what each epoch measured."""
    npx.set_np()
    device, _ = machine.best_device()
    fashion = data.load(trial.budget)
    chosen = fashion.train.first(trial.images)
    if len(chosen) < trial.images:
        raise ValueError(
            "The trial needs {wanted} training images, but there are only {found}: {source}. "
            "Results of the sample must not pass for those of all images.".format(
                wanted=trial.images, found=len(chosen), source=fashion.source.what
            )
        )
    net, fashion = trial.build(), replace(fashion, train=chosen)
    train.initialize(net, seed=trial.seed, device=device)
    with contextlib.redirect_stdout(io.StringIO()):  # one bar for all trials, not one for each
        if trial.prepare is not None:
            fashion = trial.prepare(net, fashion, trial)
        history = train.fit(net, fashion, trial.recipe, seed=trial.seed, device=device)
    epochs = {name: [round(value, 4) for value in getattr(history, name)] for name in MEASURED}
    return {**trial.labels, "seed": trial.seed, **epochs, "seconds": round(sum(history.seconds), 1)}


def run_all(trials: Sequence[Trial], kept: Path | None = None) -> list[dict]:
    """Run the trials, as many at a time as there are processors; return their results in order.

    Each has a process and a processor of its own. Small networks gain nothing from a second
    thread, and with one thread a seed gives the same numbers however many processors there are.

    In the file `kept` each result is stored as soon as it is there. The same call goes on after an
    interruption with the trials that are left, as long as the code of the course is the same.
    """
    done = _read_kept(kept)
    keys = [_key(trial) for trial in trials]
    results = [done.get(key, {}) for key in keys]
    left = [place for place, result in enumerate(results) if not result]
    processes = max(1, min(machine.available_cpus(), len(left)))
    with (
        threads(1),
        keeper.processes(processes) as pool,
        tqdm(total=len(left), unit="run", file=sys.stdout) as bar,
    ):
        running = {pool.submit(run, trials[place]): place for place in left}

        def keep(future: Future) -> None:
            place = running[future]
            results[place] = done[keys[place]] = future.result()
            if kept is not None:
                storage.write_whole(kept, json.dumps(done))

        try:
            for future in as_completed(running):
                keep(future)
                bar.update()
        except BaseException:
            pool.shutdown(cancel_futures=True)  # waits for the runs that have begun
            for future, place in running.items():
                if not (results[place] or future.cancelled() or future.exception()):
                    keep(future)
            raise
    return results


def _read_kept(kept: Path | None) -> dict[str, dict]:
    return json.loads(kept.read_text("utf-8")) if kept is not None and kept.exists() else {}


def _key(trial: Trial) -> str:
    """Return what tells a trial from others: its settings, its network, the code that runs it."""
    settings = {**vars(trial), "recipe": asdict(trial.recipe), "build": _name(trial.build)}
    settings["prepare"] = _name(trial.prepare)
    text = json.dumps({**settings, "code": toolbox_version()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(build: object) -> object:
    """Return the name of a function, class or `partial` of them, the same in each process."""
    if isinstance(build, partial):
        arguments = [*build.args, *build.keywords.items()]
        return [_name(build.func), [_name(argument) for argument in arguments]]
    return getattr(build, "__qualname__", build)


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let processes that start within the `with` statement compute with `count` threads each."""
    before = os.environ.get("OMP_NUM_THREADS")  # not set where MXNet was imported before utils
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def depth_trials(
    depths: Sequence[int],
    seeds: Sequence[int],
    recipe: Recipe = DEPTH_RECIPE,
    families: Sequence[str] = tuple(FAMILIES),
    images: int = 5500,
) -> list[Trial]:
    """Return a trial for each depth, family and seed, the longest first."""
    return [
        Trial(
            build=partial(deep_network, depth, FAMILIES[family]),
            recipe=recipe,
            seed=seed,
            images=images,
            labels={"family": family, "depth": depth, "learning_rate": recipe.learning_rate},
        )
        for depth in sorted(depths, reverse=True)
        for family in families
        for seed in seeds
    ]


def loss_log_trials(seeds: Sequence[int], recipe: Recipe, images: int = 5500) -> list[Trial]:
    """Return a trial for each row of notebook 06's loss log, and seed: one change after another.

    The networks have 20 layers.
    """
    normalized = partial(deep_network, 20, NormalizedShortcut)
    rows = {
        "plain": partial(deep_network, 20, Plain),
        "+ shortcut": partial(deep_network, 20, Residual),
        "+ normalized shortcut": normalized,
        "− convolution biases": partial(_without_biases, normalized),
    }
    return [
        Trial(build, recipe, seed, images, labels={"change": change})
        for change, build in rows.items()
        for seed in seeds
    ]


def _without_biases(build: Callable[[], gluon.Block]) -> gluon.Block:
    return without_biases(build())


def stored(name: str) -> dict:
    """Return the results of a large sweep: `command`, `recipe`, `seeds` and `runs`.

    Raises FileNotFoundError, with the names that there are.
    """
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(file.stem for file in RESULTS.glob("*.json")))
        raise FileNotFoundError(
            "There are no stored results named {given!r}. There are: {names}.".format(
                given=name, names=there
            )
        )
    return json.loads(path.read_text(encoding="utf-8"))


def final(runs: Sequence[dict]) -> pandas.DataFrame:
    """Return a row for each run, with what its last epoch measured."""
    table = pandas.DataFrame(runs)
    for name in MEASURED:
        table[name] = table[name].map(lambda epochs: epochs[-1])
    return table


def difference_counts(first: Sequence[float], second: Sequence[float]) -> bool:
    """Return whether the means of two kinds of runs differ by more than twice the spread.

    The spread is the standard deviation over the runs, the larger one of the two kinds.
    """
    spread = max(numpy.std(first, ddof=1), numpy.std(second, ddof=1))
    return bool(abs(numpy.mean(second) - numpy.mean(first)) > 2 * spread)


def effects_of_depth(table: pandas.DataFrame) -> pandas.DataFrame:
    """Compare the training losses of each pair of depths, in a table made by `final`.

    Returns a row for each family and pair of depths. Columns: the means over the seeds, their
    difference (positive: the deeper network is worse), the larger spread of both, how many times
    the spread the difference is, and whether it counts.

    Raises ValueError if there are fewer than two seeds: they would show no spread.
    """
    rows = {}
    for family, runs in table.groupby("family"):
        losses = {depth: some.train_loss for depth, some in runs.groupby("depth")}
        if min(map(len, losses.values())) < 2:
            raise ValueError(
                "There is one run for some depth of the {family} family, and one run has no "
                "spread. Pass at least two seeds.".format(family=family)
            )
        for (shallow, first), (deep, second) in itertools.combinations(losses.items(), 2):
            difference, spread = second.mean() - first.mean(), max(first.std(), second.std())
            rows[family, shallow, deep] = {
                "shallower": first.mean(),
                "deeper": second.mean(),
                "difference": difference,
                "spread": spread,
                "times": difference / spread,
                "counts": difference_counts(first, second),
            }
    effects = pandas.DataFrame.from_dict(rows, orient="index")
    return effects.rename_axis(["family", "from", "to"])


def about_depth(effects: pandas.DataFrame, family: str) -> str:
    """Return what a table made by `effects_of_depth` says about a family, pair by pair."""
    kinds = {
        "worse": "Deeper {family} networks have a higher training loss: {pairs}.",
        "better": "Deeper {family} networks have a lower training loss: {pairs}.",
        "open": "Of {family} networks, these differences do not count: {pairs}.",
    }
    found: dict[str, list[str]] = {kind: [] for kind in kinds}
    for (shallow, deep), row in effects.loc[family].iterrows():
        kind = "open" if not row.counts else "worse" if row.difference > 0 else "better"
        pair = "{shallow} to {deep} layers ({difference:+.3f}, {times:.1f} times the spread)"
        found[kind].append(
            pair.format(shallow=shallow, deep=deep, difference=row.difference, times=abs(row.times))
        )
    return "\n".join(
        kinds[kind].format(family=family, pairs="; ".join(pairs))
        for kind, pairs in found.items()
        if pairs
    )


def by_change(table: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """Return mean and spread (standard deviation) of a measure over the seeds, by change."""
    rows = table.groupby("change", sort=False)[measure].agg(["mean", "std"])
    return rows.set_axis(["mean", "spread"], axis=1)


def gains(table: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """Return what each change of the loss log did to a measure, against the row above.

    `table` comes from `final`. Columns: mean and spread (standard deviation) over the seeds, the
    gain, and whether it counts: whether it is more than twice the larger spread of both rows.
    """
    rows = by_change(table, measure)
    rows["gain"] = rows["mean"].diff()
    rows["counts"] = rows.gain.abs() > 2 * rows.spread.rolling(2).max()
    return rows


def effects(table: pandas.DataFrame, measure: str) -> pandas.DataFrame:
    """Return what each change did to a measure, against the first row, the recipe.

    `table` comes from `final`. Columns: mean and spread (standard deviation) over the
    seeds, the effect, and whether it counts: whether it is more than twice the larger spread.
    """
    rows = by_change(table, measure)
    recipe = rows.iloc[0]
    rows["effect"] = rows["mean"] - recipe["mean"]
    rows["counts"] = rows.effect.abs() > 2 * rows.spread.clip(lower=recipe.spread)
    return rows
