"""Questions about a learner's passes over the data: an epoch, an evaluation, a whole training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import mxnet as mx
import numpy
from mxnet import gluon

from utils.checks import _training_path, _witness
from utils.checks._report import Mistake
from utils.checks._training_step import (
    check_forgets,
    check_reported,
    check_training_mode,
    softmax_twice,
    swapped,
    two_numbers,
)
from utils.checks._witness import (
    SeenBatch,
    Witness,
    check_as_given,
    check_normalized,
    check_one_scale,
)
from utils.recipes import Recipe

RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.1, weight_decay=0.05)
NO_DECAY = replace(RECIPE, weight_decay=0.0)
IMAGES, BATCHED = 50, 48  # training images; how many of them fill whole batches
STEPS = RECIPE.epochs * BATCHED // RECIPE.batch_size
VALID, TEST = 23, 30  # further images of `fit`; no share of 23 is one of 48, but for halves
JUDGED, RIGHT = 750, 600  # images to evaluate; the first ones have their own label
OTHERS = 400  # images of a second evaluation


# train_epoch(net, split, recipe, trainer, rng, device)


def every_image(train_epoch: Callable[..., Any]) -> None:
    """Every image is trained on once, and not mirrored."""
    net = _epoch(train_epoch)
    _check_mirrored(net)
    seen = net.seen(recorded=True)
    different = len(set(seen))
    again = len(seen) - different
    if not again and different in (BATCHED, IMAGES):
        return
    raise Mistake(
        "images seen again" if again else "images left out",
        "In batches of {batch_size}, an epoch should train once on each of {whole} images out of "
        "{images}. It trained on {different} different images; repetitions: {again}.".format(
            batch_size=RECIPE.batch_size,
            whole=BATCHED,
            images=IMAGES,
            different=different,
            again=again,
        ),
        "An image that is left out teaches the network nothing, and one that is repeated counts "
        "twice.",
        "How do you cut the batches? Look at the first and the last index of each.",
    )


def _check_mirrored(net: Witness) -> None:
    """Raise Mistake if the network saw mirrored images."""
    if net.mirrored:
        raise Mistake(
            "images mirrored",
            "Mirrored images came {count} times, although the recipe says flip={flip}.".format(
                count=net.mirrored, flip=RECIPE.flip
            ),
            "Two runs can be compared only if each does what its recipe says.",
            "Where are images mirrored, and does the recipe decide it?",
        )


def steps(train_epoch: Callable[..., Any]) -> None:
    """Each batch moves the weights as the trainer does, which goes on from epoch to epoch."""
    _check_labels(_epoch(train_epoch))
    net, _ = _epochs(train_epoch)
    check_training_mode(net)
    _training_path.check_path(net, RECIPE, STEPS)


def own_numbers(train_epoch: Callable[..., Any]) -> None:
    """What is returned about an epoch was measured in that epoch alone."""
    net, results = _epochs(train_epoch)
    training = [call for call in net.calls if call.recorded]
    check_reported(results, _by_epoch("training", training, _epoch_length(net)))


def _epochs(train_epoch: Callable[..., Any]) -> tuple[Witness, list[Any]]:
    """Return a network after several epochs with the same trainer, and the result of each."""
    net, rng = _witness.learning(), numpy.random.default_rng(0)
    trainer = RECIPE.trainer(net, STEPS)
    return net, [_call(train_epoch, net, trainer, rng, RECIPE) for _ in range(RECIPE.epochs)]


def _check_labels(net: Witness) -> None:
    """Raise Mistake if a network that classifies every image correctly learned other labels.

    Learning raises a score of each image as much as it lowers the others. A change of another form
    has another cause, such as an optimizer that takes long steps along the smallest gradient.
    """
    change = net.weight_now - net.weight_before
    largest = abs(change).max()
    if largest > 1e-2 and abs(change.sum(axis=1)).max() < 0.1 * largest:
        raise _shuffled_apart(
            "Images met the labels of other images: a network that classifies every image "
            "correctly still had to learn."
        )


def normalized(train_epoch: Callable[..., Any]) -> None:
    """The images are normalized."""
    check_normalized(_epoch(train_epoch))


def order(train_epoch: Callable[..., Any]) -> None:
    """Each epoch draws a new order of the images."""
    rng = numpy.random.default_rng(0)
    _check_order(*(_epoch(train_epoch, rng).seen(recorded=True) for _ in range(2)))


def _check_order(first: list[int], second: list[int]) -> None:
    """Raise Mistake unless two epochs saw the images in two orders, neither that of the file."""
    if first == sorted(first):
        raise _same_batches("not shuffled", "The images came in the order of the file.")
    if first == second:
        raise _same_batches(
            "the same order in every epoch", "In both epochs the images came in the same order."
        )


def _same_batches(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "Shuffling makes every batch a fresh sample of the images. In a fixed order, the network "
        "meets the same batches again and again.",
        "Where does the order come from, and is it drawn anew for each epoch?",
    )


def _epoch(train_epoch: Callable[..., Any], rng: numpy.random.Generator | None = None) -> Witness:
    """Return a network that recognizes every image, after an epoch."""
    net = _witness.knowing()
    trainer = NO_DECAY.trainer(net, STEPS)
    _call(train_epoch, net, trainer, rng or numpy.random.default_rng(0), NO_DECAY)
    return net


def _call(
    train_epoch: Callable[..., Any],
    net: Witness,
    trainer: gluon.Trainer,
    rng: numpy.random.Generator,
    recipe: Recipe,
) -> Any:
    return _whole(train_epoch(net, _witness.numbered(IMAGES), recipe, trainer, rng, mx.cpu()))


def _whole(result: Any) -> Any:
    """Return a result; of a generator, which works only while it is asked, the list."""
    return list(result) if isinstance(result, Iterator) else result


# evaluate(net, split, device)


def inference_mode(evaluate: Callable[..., Any]) -> None:
    """The network is evaluated in inference mode."""
    net, _ = _evaluation(evaluate)
    if any(call.training for call in net.calls):
        raise _in_training_mode()


def _in_training_mode() -> Mistake:
    return Mistake(
        "evaluation in training mode",
        "The network was evaluated in training mode.",
        "In training mode, batch normalization uses the statistics of the batch, so that the "
        "scores of an image depend on the other images, and dropout would set values to zero.",
        "Is there an `autograd.record` or a `train_mode` around the call?",
    )


def own_result(evaluate: Callable[..., Any]) -> None:
    """A call's numbers are those of its own network and split."""

    def another() -> tuple[float, float]:
        return two_numbers(evaluate(_witness.learning(), _witness.numbered(OTHERS), mx.cpu()))

    check_forgets(lambda: two_numbers(_evaluation(evaluate)[1]), another)


def scale(evaluate: Callable[..., Any]) -> None:
    """The network sees images like those that it was trained on."""
    net, _ = _evaluation(evaluate)
    check_as_given(net)


def loss_and_accuracy(evaluate: Callable[..., Any]) -> None:
    """Loss and accuracy are means over all images; of 750, the last 150 have a wrong label."""
    net, result = _evaluation(evaluate)
    loss, accuracy = two_numbers(result)
    if numpy.isclose(accuracy, 0.8) and numpy.isclose(loss, 4, rtol=1e-2):
        return
    if numpy.isclose(loss, 0.8) and numpy.isclose(accuracy, 4, rtol=1e-2):
        raise swapped(
            "Both numbers are right, but their order is not: the loss comes first, then the "
            "accuracy."
        )
    if numpy.isclose(loss, _loss_after_softmax(), rtol=1e-3):
        raise softmax_twice(loss, 4)
    name = _name_of(net, loss, accuracy)
    if name == "labels shuffled apart from images":
        raise _shuffled_apart(
            "Images met the labels of other images: the accuracy is {accuracy:.2f}, but it should "
            "be 0.80.".format(accuracy=accuracy)
        )
    raise Mistake(
        name,
        "The network classifies {right} of {images} images correctly, so that the loss should be "
        "4.00 and the accuracy 0.80. Your function returned {loss:.2f} and {accuracy:.2f}.".format(
            right=RIGHT, images=JUDGED, loss=loss, accuracy=accuracy
        ),
        "These numbers decide which network is better. Every image must count the same, although "
        "the last batch is smaller than the others.",
        "Over what do you average, and is every image included?",
    )


def _name_of(net: Witness, loss: float, accuracy: float) -> str:
    """Return the diagnosis of a wrong evaluation."""
    seen = [number for call in net.calls for number in call.numbers]
    if numpy.isclose(accuracy, 0.8 * JUDGED):
        return "count instead of a fraction"
    if numpy.isclose(accuracy, 80):
        return "percentage instead of a fraction"
    if numpy.isclose(loss, JUDGED * 4, rtol=1e-2):
        return "loss not averaged"
    if len(set(seen)) < JUDGED:
        return "images left out"
    wrong = numpy.mean([numpy.mean(numpy.array(call.numbers) >= RIGHT) for call in net.calls])
    is_right = numpy.isclose(loss, 4, rtol=1e-2)
    if numpy.isclose(loss, 20 * wrong, rtol=1e-2) or (
        is_right and numpy.isclose(accuracy, 1 - wrong)
    ):
        return "mean over the batches"
    if sorted(seen) == list(range(JUDGED)) and seen != sorted(seen):
        return "labels shuffled apart from images"
    return "wrong loss or accuracy"


def _loss_after_softmax() -> float:
    numbers = numpy.arange(JUDGED)
    labels = (numbers + (numbers >= RIGHT)) % 10
    scores = _witness.knowing().weight_before[numbers % 10]
    return float(_witness.losses(_witness.softmax(scores), labels).mean())


def _evaluation(evaluate: Callable[..., Any]) -> tuple[Witness, Any]:
    net = _witness.knowing()
    split = _witness.mislabeled(_witness.numbered(JUDGED), slice(RIGHT, JUDGED))
    return net, evaluate(net, split, mx.cpu())


def _shuffled_apart(seen: str) -> Mistake:
    return Mistake(
        "labels shuffled apart from images",
        seen,
        "A network can learn nothing from labels that belong to other images.",
        "Images and labels must be put in the same order. How many times do you draw an order?",
    )


# fit(net, fashion, recipe, *, seed, device)


class Runs:
    """What came of a learner's `fit` for each seed; several questions look at the same run."""

    def __init__(self, fit: Callable[..., Any]) -> None:
        self.fit = fit
        self._known: dict[int, tuple[Witness, Any]] = {}

    def run(self, net: Witness, seed: int = 0, recipe: Recipe = RECIPE) -> Any:
        """Train a network; return what the learner's function returned."""
        fashion = _witness.fashion(IMAGES, VALID, TEST)
        return _whole(self.fit(net, fashion, recipe, seed=seed, device=mx.cpu()))

    def of(self, seed: int) -> tuple[Witness, Any]:
        """Return a network that was trained with this seed, and what the function returned."""
        if seed not in self._known:
            net = _witness.learning()
            self._known[seed] = net, self.run(net, seed)
        return self._known[seed]

    def witness(self, seed: int = 0) -> Witness:
        """Return a network that was trained with this seed."""
        return self.of(seed)[0]


def no_test_images(runs: Runs) -> None:
    """The network sees no test image, neither to train on nor to be chosen by."""
    net = runs.witness()
    last_step = max((i for i, call in enumerate(net.calls) if call.recorded), default=0)
    before_last = [number for call in net.calls[:last_step] for number in call.numbers]
    trained = _among("test", net.seen(recorded=True))
    evaluated = _among("test", net.seen(recorded=False))
    if not trained and not evaluated:
        return
    if trained:
        name = "test data in training"
        seen = "The network trained on test images: {count} times."
    elif _among("test", before_last):
        name = "test data used during training"
        seen = "Before the last training step, the network saw test images: {count} times in all."
    else:
        name = "test data used by fit"
        seen = "After the last training step, the network saw test images: {count} times."
    raise Mistake(
        name,
        seen.format(count=trained or evaluated),
        "The test accuracy tells how good a network is on images that had no influence on it. You "
        "choose a recipe after many runs. If each of them looks at the test images, the choice "
        "depends on them.",
        "Which split does each loop go over? Leave the test images alone until you have chosen.",
    )


def validation(runs: Runs) -> None:
    """The validation images evaluate the network after each epoch, and never train it."""
    net = runs.witness()
    if _among("valid", net.seen(recorded=True)):
        raise _validation(
            "validation data in training", "The network trained on some of the validation images."
        )
    seen = _among("valid", net.seen(recorded=False))
    if not seen:
        raise _validation("no validation", "The network was never evaluated on them.")
    if any(call.training and _among("valid", call.numbers) for call in net.calls):
        raise _in_training_mode()
    if not _is_whole(net):
        return  # nobody can tell where an epoch ends
    after = [len(set(images)) for images in _validated(net)]
    if after[0] and not after[-1]:
        raise _validation(
            "validation before the training",
            "It was evaluated on them before the first step, and not after the last one.",
        )
    if any(images < VALID for images in after[1:]):
        raise _validation(
            "validation not after each epoch",
            "There are {images} of them. After each of {epochs} epochs it saw so many: "
            "{after}.".format(
                images=VALID, epochs=len(after) - 1, after=", ".join(map(str, after[1:]))
            ),
        )


def _validated(net: Witness) -> list[list[int]]:
    """Return the validation images that came before the first epoch, and after each of them."""
    after: list[list[int]] = [[]]
    trained, length = 0, _epoch_length(net)
    for call in net.calls:
        if call.recorded:
            trained += sum(number < IMAGES for number in call.numbers)
            if trained > length * (len(after) - 1):
                after.append([])
            after[-1] = []  # what came before the end of an epoch is not after it
        else:
            after[-1] += [number for number in call.numbers if _among("valid", [number])]
    return after


def _is_whole(net: Witness) -> bool:
    """Return whether the network was trained in as many whole epochs as the recipe says."""
    trained, epochs = _trained_on(net), RECIPE.epochs
    return len(trained) in (epochs * BATCHED, epochs * IMAGES) and _most_often(trained) <= epochs


def _epoch_length(net: Witness) -> int:
    """Return the number of images in each epoch."""
    return len(_trained_on(net)) // RECIPE.epochs


def _validation(name: str, seen: str) -> Mistake:
    expected = "The network should be evaluated on the validation images after each epoch."
    return Mistake(
        name,
        f"{expected} {seen}",
        "On images that it was trained on, a network looks better than it is. And without numbers "
        "for each epoch, you cannot see when more training stopped helping.",
        "Which split do you pass to the training, which to the evaluation, when, and how often?",
    )


def one_scale(runs: Runs) -> None:
    """The images are normalized, those for validation like those for training."""
    net = runs.witness()
    check_normalized(net)
    check_one_scale(net)


def carried_weights(runs: Runs) -> None:
    """Each step and each epoch goes on from the weights that the one before it left."""
    _training_path.check_carried(runs.witness(), RECIPE)


def recipe_steps(runs: Runs) -> None:
    """Each step moves the weights as the recipe says: gradient, momentum, decay, schedule."""
    knowing = _witness.knowing()
    runs.run(knowing, recipe=NO_DECAY)
    _check_labels(knowing)
    check_training_mode(runs.witness())
    _training_path.check_path(runs.witness(), RECIPE, STEPS)


def new_order(runs: Runs) -> None:
    """Each epoch draws a new order of the images."""
    first, second, *_ = numpy.array_split(_trained_on(runs.witness()), RECIPE.epochs)
    _check_order(first.tolist(), second.tolist())


def order_by_seed(runs: Runs) -> None:
    """A seed gives the same order of the images each time, and another seed another one."""
    one, other = (_trained_on(runs.witness(seed)) for seed in (0, 1))
    again = _witness.learning()
    runs.run(again)
    if one != _trained_on(again):
        raise _wrong_seed(
            "another order for the same seed",
            "Called twice with the same seed, your function trained on the images in two orders.",
        )
    if one == other:
        raise _wrong_seed(
            "the same order for every seed",
            "Called with two seeds, your function trained on the images in the same order.",
        )


def _wrong_seed(name: str, seen: str) -> Mistake:
    return Mistake(
        name,
        seen,
        "With the same seed a run can be repeated. Runs with several seeds show how much of a "
        "result is chance.",
        "Where does the order of the images come from, and what does it know of `seed`?",
    )


def reported(runs: Runs) -> None:
    """What is returned about an epoch was measured in that epoch alone."""
    net, result = runs.of(0)
    training = [call for call in net.calls if call.recorded]
    validation = [call for call in net.calls if not call.recorded and _among("valid", call.numbers)]
    check_reported(
        result,
        {
            **_by_epoch("training", training, _epoch_length(net)),
            **_by_epoch("validation", validation, VALID),
        },
    )


def _by_epoch(name: str, calls: Iterable[SeenBatch], length: int) -> dict[str, list[float]]:
    """Return the loss and the accuracy of each epoch, which has so many images."""
    measured = [_measured(part) for part in _cut(calls, length)]
    return {
        f"{name} loss": [loss for loss, _ in measured],
        f"{name} accuracy": [accuracy for _, accuracy in measured],
    }


def _cut(calls: Iterable[SeenBatch], length: int) -> list[list[SeenBatch]]:
    """Cut the calls into parts of so many images."""
    parts: list[list[SeenBatch]] = [[]]
    for call in calls:
        if sum(len(one.numbers) for one in parts[-1]) >= length:
            parts.append([])
        parts[-1].append(call)
    return parts


def _measured(calls: Iterable[SeenBatch]) -> tuple[float, float]:
    """Return the mean loss and the accuracy over the images of some calls."""
    losses, hits = [], []
    for call in calls:
        shown = numpy.array(call.numbers) % 10
        scores = call.weight[shown]
        losses += _witness.losses(scores, shown).tolist()
        hits += (scores.argmax(axis=1) == shown).tolist()
    return float(numpy.mean(losses)), float(numpy.mean(hits))


def epochs(runs: Runs) -> None:
    """Every training image is trained on once in each epoch."""
    net = runs.witness()
    _check_mirrored(net)
    if _is_whole(net):
        return
    seen = _trained_on(net)
    raise Mistake(
        "wrong number of epochs",
        "The recipe asks for {epochs} epochs, that is, {expected} training images in all. The "
        "network trained on {seen}, and on none of them more than {most} times.".format(
            epochs=RECIPE.epochs,
            expected=RECIPE.epochs * BATCHED,
            seen=len(seen),
            most=_most_often(seen),
        ),
        "The schedule of the learning rate counts on the number of steps.",
        "How often does the loop over the epochs run, and does each epoch go over all batches?",
    )


def _trained_on(net: Witness) -> list[int]:
    """Return the training images that the network was trained on, in order."""
    return [number for number in net.seen(recorded=True) if number < IMAGES]


def _most_often(seen: list[int]) -> int:
    """Return how often the most frequent image came."""
    return max(Counter(seen).values(), default=0)


def _among(split: str, numbers: Iterable[int]) -> int:
    """Return how many of the numbers belong to images of a split."""
    first, count = {"valid": (IMAGES, VALID), "test": (IMAGES + VALID, TEST)}[split]
    return sum(first <= number < first + count for number in numbers)
