"""Checks of experiments: does one thing change, and nothing else?

Notebooks 01 and 06 ask for trials that differ from others in one setting. Notebook 06 also asks for
functions that look inside a network: without some of its blocks, at its layers, at its last maps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon, np

from utils import data, probes, train
from utils.checks._ask import Question, ask_all, check_function, short
from utils.checks._report import Mistake, Report
from utils.checks._specimen import agree, images
from utils.checks._training_step import check_forgets
from utils.experiments import Trial
from utils.families import deep_network
from utils.resnet import Residual

Pairs = dict[str, tuple[numpy.ndarray, numpy.ndarray]]
NAMES = ("stage1.block1", "stage2.block1")
OTHERS = 60  # images whose labels are not those of the network without both blocks


def experiment(function: Any, like: Sequence[Trial], **changed: Any) -> Report:
    """Check a function that gets the trials `like` and returns those of an experiment.

    The experiment should keep networks, images and seeds, give each recipe the settings in
    `changed`, and change nothing else. Nothing is trained.
    """
    settings = ", ".join(f"{name}={value}" for name, value in changed.items())
    questions = (
        Question(
            "change",
            "Does every recipe have {settings}?".format(settings=settings),
            partial(_change, changed, like),
            2,
        ),
        Question("rest", "Is the rest of the recipe unchanged?", partial(_rest, changed, like)),
        Question("networks", "Are the networks the same as before?", partial(_networks, like)),
        Question("images", "Is the number of images the same?", partial(_images, like)),
        Question("seeds", "Does each seed come once?", partial(_seeds, like)),
    )
    return ask_all("Experiment", questions, function)


def _trials(like: Sequence[Trial], function: Callable[..., Any]) -> list[Trial]:
    check_function(function)
    made = function(list(like))
    trials = list(made) if isinstance(made, Iterable) else []
    if not trials or not all(isinstance(trial, Trial) for trial in trials):
        raise Mistake(
            "no trials",
            "The function should return a list of trials, but it returned {made}.".format(
                made=short(made)
            ),
            "A trial says what to train: network, recipe, seed and images. It has not run yet.",
            "Does your function end with `return`? Does it return trials, or their results?",
        )
    return trials


def _change(changed: dict[str, Any], like: Sequence[Trial], function: Callable[..., Any]) -> None:
    for name, value in changed.items():
        found = {getattr(trial.recipe, name) for trial in _trials(like, function)}
        if found != {value}:
            raise Mistake(
                "change not made",
                "In every recipe, `{name}` should be {value}, but these values were found: "
                "{found}.".format(name=name, value=value, found=_listed(found)),
                "An experiment asks what one change does, so every trial must make it.",
                "Where does the recipe of your trials come from?",
            )


def _rest(changed: dict[str, Any], like: Sequence[Trial], function: Callable[..., Any]) -> None:
    names = [field.name for field in fields(like[0].recipe) if field.name not in changed]
    for trial in _trials(like, function):
        others = [
            name for name in names if getattr(trial.recipe, name) != getattr(like[0].recipe, name)
        ]
        if others:
            raise _also_changed(
                "something else changed, too",
                "In the recipe, these settings changed as well: {names}.".format(
                    names=", ".join(others)
                ),
                "Does your recipe start from the old one?",
            )


def _networks(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    wanted = _layers(like[0])
    if any(_layers(trial) != wanted for trial in _trials(like, function)):
        raise _also_changed(
            "another network",
            "The layers of a network are different.",
            "Look at `build` in your trials.",
        )


def _layers(trial: Trial) -> list[tuple]:
    """Return the shape of each parameter, and whether training moves it, in order of the layers."""
    return [(p.shape, p.grad_req) for p in trial.build().collect_params().values()]


def _images(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    found = {trial.images for trial in _trials(like, function)}
    if found != {like[0].images}:
        raise _also_changed(
            "another number of images",
            "The earlier trials train on {expected} images, the new ones on {found}.".format(
                expected=like[0].images, found=_listed(found)
            ),
            "How many images did the earlier trials get?",
        )


def _seeds(like: Sequence[Trial], function: Callable[..., Any]) -> None:
    wanted = sorted(trial.seed for trial in like)
    found = sorted(trial.seed for trial in _trials(like, function))
    if found == wanted:
        return
    name = "other seeds"
    if len(set(found)) < len(found):
        name = "a seed used twice"
    elif set(found) < set(wanted):
        name = "seeds left out"
    raise _also_changed(
        name,
        "The seeds are {found}, but they should be {wanted}.".format(found=found, wanted=wanted),
        "With the same seeds, each new run has an earlier one to be compared with. Where do your "
        "seeds come from?",
    )


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, sorted(values)))


def _also_changed(name: str, seen: str, look: str) -> Mistake:
    expected = "The old and the new trials should differ in one thing only."
    return Mistake(
        name,
        f"{expected} {seen}",
        "If two things change, nobody can say which of them had the effect.",
        look,
    )


# accuracy_without(net, names, split, device)


def accuracy_without(function: Any) -> Report:
    """Check a function `accuracy_without(net, names, split, device)` that removes blocks.

    It returns the accuracy with the named blocks removed, all of them at the same time, and then
    puts them back.
    """
    return ask_all("Accuracy without some blocks", ACCURACY_WITHOUT, function)


def own_result(function: Callable[..., Any]) -> None:
    """The result of a call depends on no earlier call."""
    check_function(function)

    def call() -> tuple[float]:
        net, split = _network_and_images()
        return (_found(function, net, NAMES, split),)

    def another() -> tuple[float]:
        net, split = _network_and_images()
        return (_found(function, net, NAMES, split.first(OTHERS)),)

    check_forgets(call, another)


def none_removed(function: Callable[..., Any]) -> None:
    """Without a name, the whole network is evaluated."""
    _compare(function, ())


def both_removed(function: Callable[..., Any]) -> None:
    """With two names, both blocks are removed at the same time."""
    _compare(function, NAMES)


def put_back(function: Callable[..., Any]) -> None:
    """After the call, the network computes what it computed before."""
    net, split = _network_and_images()
    before = train.predict(net, split, mx.cpu())
    function(net, list(NAMES), split, mx.cpu())
    if not agree(train.predict(net, split, mx.cpu()), before):
        raise _wrong(
            "blocks not put back", "After the call, the network gives other scores than before."
        )


def _compare(function: Callable[..., Any], names: Sequence[str]) -> None:
    check_function(function)
    net, split = _network_and_images()
    possible = dict.fromkeys([(), tuple(names), *((name,) for name in names)])
    expected = {removed: _accuracy(net, split, removed) for removed in possible}
    found = _found(function, net, names, split)
    if numpy.isclose(found, expected[tuple(names)], atol=1e-6):
        return
    diagnoses = {
        (): "no block removed",
        NAMES[:1]: "only the first block removed",
        NAMES[1:]: "only the last block removed",
    }
    same = [removed for removed, accuracy in expected.items() if numpy.isclose(found, accuracy)]
    raise _wrong(
        diagnoses.get(same[0], "wrong accuracy") if same else "wrong accuracy",
        "For the names {names} the accuracy should be {expected:.3f}, but {found:.3f} came.".format(
            names=list(names), expected=expected[tuple(names)], found=found
        ),
    )


def _found(
    function: Callable[..., Any], net: gluon.Block, names: Sequence[str], split: data.Split
) -> float:
    """Return the accuracy that the learner's function returns; raise Mistake for anything else."""
    found = function(net, list(names), split, mx.cpu())
    if not isinstance(found, (float, numpy.floating)) and not hasattr(found, "item"):
        raise _wrong(
            "no accuracy",
            "The function should return a number, but it returned {found}.".format(
                found=short(found)
            ),
        )
    return float(found)


def _accuracy(net: gluon.Block, split: data.Split, names: Sequence[str]) -> float:
    with _removed(net, names):
        return train.evaluate(net, split, mx.cpu())[1]


def _network_and_images() -> tuple[gluon.Block, data.Split]:
    """Return a residual network with random weights, and images that it classifies in part.

    The label of each image is what the network predicts with some of the blocks removed, so that
    the accuracy tells which blocks those were.
    """
    net = deep_network(8, Residual)
    train.initialize(net, seed=0, device=mx.cpu())
    brightness = numpy.random.default_rng(0).integers(0, 256, size=(100, 4, 4))
    pictures = numpy.kron(brightness, numpy.ones((7, 7))).astype("uint8")
    labels = numpy.zeros(100, "int32")
    unlabeled = data.Split(pictures, labels)
    scores = train.predict(net, unlabeled, mx.cpu())
    net.dense.bias.set_data(np.array(-scores.mean(axis=0)))  # otherwise it predicts one class alone
    for start, names in ((0, ()), (10, NAMES[:1]), (30, NAMES[1:]), (60, NAMES)):
        with _removed(net, names):
            labels[start:] = train.predict(net, unlabeled, mx.cpu()).argmax(axis=1)[start:]
    return net, data.Split(pictures, labels)


@contextlib.contextmanager
def _removed(net: gluon.Block, names: Sequence[str]) -> Iterator[None]:
    removed = [probes.blocks(net)[name] for name in names]
    for block in removed:
        block.forward = partial(probes.around, block)
    yield
    for block in removed:
        del block.forward


def _wrong(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "A difference in accuracy is due to the blocks only if the network is otherwise the same.",
        "When is each block removed, and when is it put back? Is the accuracy computed in between?",
    )


ACCURACY_WITHOUT = (
    Question("memory", "Does the result belong to this call alone?", own_result),
    Question("no names", "Without names, is it the accuracy of the whole network?", none_removed),
    Question("two names", "Are two blocks removed at the same time?", both_removed, 2),
    Question("put back", "Is the network unchanged after the call?", put_back),
)


# watch(net, layers, X)


def watch(function: Any) -> Report:
    """Check a function `watch(net, layers, X)` that runs X through a network.

    `layers` holds some of its layers by name. For each of these names, the function returns the
    pair of arrays that the layer was given and that it returned.
    """
    return ask_all("Watching layers", WATCH, function)


def arrays_seen(function: Callable[..., Any]) -> None:
    """Each name has the layer's input and output."""
    net, layers, X, expected = _layers_to_watch()
    found = _pairs(function, net, layers, X)
    if all(_equal(found[name], expected[name]) for name in layers):
        return
    last = expected[list(layers)[-1]]
    name = "other arrays"
    if all(_equal(found[name], expected[name][::-1]) for name in layers):
        name = "input and output exchanged"
    elif all(_equal(pair, last) for pair in found.values()):
        name = "one layer under every name"
    raise _watched(name, "Some of the arrays are not those of the layer with that name.")


def not_watched_later(function: Callable[..., Any]) -> None:
    """What was returned stays as it was when the network runs again."""
    net, layers, X, _ = _layers_to_watch()
    returned = function(net, layers, X)
    before = _as_pairs(returned, layers)
    net(X + 1)
    after = _as_pairs(returned, layers)
    if not all(_equal(after[name], before[name]) for name in layers):
        raise _watched(
            "hooks left behind",
            "When the network ran again, after the call, the arrays that your function had "
            "returned changed.",
        )


def _layers_to_watch() -> tuple[gluon.Block, dict[str, gluon.Block], np.ndarray, Pairs]:
    """Return a network, three of its layers, an input, and what these layers get and return."""
    net = deep_network(8, Residual)
    train.initialize(net, seed=0, device=mx.cpu())
    X = np.array(images(2, 1, 12, 12))
    layers = {"early": net.relu, "stage": net.stage2, "late": net.pool}
    seen, Y = {}, X
    for layer in net:
        before, Y = Y, layer(Y)
        seen[layer] = before.asnumpy(), Y.asnumpy()
    return net, layers, X, {name: seen[layer] for name, layer in layers.items()}


def _pairs(
    function: Callable[..., Any], net: gluon.Block, layers: dict[str, gluon.Block], X: np.ndarray
) -> Pairs:
    check_function(function)
    return _as_pairs(function(net, layers, X), layers)


def _as_pairs(returned: Any, layers: dict[str, gluon.Block]) -> Pairs:
    """Return the arrays under each name; raise Mistake unless there are two of them."""
    try:
        return {name: tuple(a.asnumpy() for a in _two(returned[name])) for name in layers}
    except (TypeError, KeyError, IndexError, AttributeError, ValueError):
        raise _watched(
            "no pairs of arrays",
            "The function should return a dictionary with two arrays for each of the names "
            "{names}: what the layer was given, and what it returned. It returned "
            "{returned}.".format(names=", ".join(layers), returned=short(returned)),
        ) from None


def _two(pair: Any) -> tuple[Any, Any]:
    given, returned = pair
    return given, returned


def _equal(pair: Sequence[numpy.ndarray], other: Sequence[numpy.ndarray]) -> bool:
    return all(Y.shape == Z.shape and agree(Y, Z) for Y, Z in zip(pair, other))


def _watched(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "What you conclude about a layer is only as good as the arrays that you look at.",
        "When does Gluon call the hook, and with what? `inputs` is a tuple, even for one input. "
        "How does the hook know its layer's name, and when is it detached?",
    )


WATCH = (
    Question("arrays", "Are they the input and the output of each layer?", arrays_seen, 2),
    Question("afterwards", "Do they stay when the network runs again?", not_watched_later),
)


# class_activation(maps, weights)


def class_activation(function: Any) -> Report:
    """Check a function `class_activation(maps, weights)` of maps (N, C, h, w) and weights (C,).

    It returns for each image and pixel the sum over the channels, each multiplied by its weight.
    """
    return ask_all("Class activation map", CLASS_ACTIVATION, function)


def weighted_sum(function: Callable[..., Any]) -> None:
    """Each pixel is the weighted sum over the channels."""
    check_function(function)
    maps, weights = images(2, 3, 4, 5), numpy.array([0.5, -2, 1], "float32")
    returned = function(np.array(maps), np.array(weights))
    found = returned.asnumpy() if isinstance(returned, np.ndarray) else numpy.asarray(returned)
    weighted = maps * weights[:, None, None]
    if found.shape == (2, 4, 5) and agree(found, weighted.sum(axis=1)):
        return
    wrong = {
        "channels not weighted": maps.sum(axis=1),
        "channels not added up": weighted,
        "a mean of the channels": weighted.mean(axis=1),
        "a score instead of a map": weighted.sum(axis=1).mean(axis=(1, 2)),
    }
    same = [n for n, w in wrong.items() if found.shape == w.shape and agree(found, w)]
    raise Mistake(
        same[0] if same else "another map",
        "For two images with 3 maps of 4x5 pixels, the function should return an array of the "
        "shape (2, 4, 5), each number the sum of 3 products, but it returned {returned}.".format(
            returned=short(returned)
        ),
        "Only this sum has a mean that is, with the bias, the score of the class.",
        "Write down the score of one image, with all its sums. Which of them stays undone?",
    )


CLASS_ACTIVATION = (
    Question("map", "Is each pixel the weighted sum over the channels?", weighted_sum),
)
