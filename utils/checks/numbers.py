"""Check the numbers that a learner calculates or predicts: shapes, parameters, pixels, seconds.

Exercises of notebooks 00, 01, 03, 04 and 07 to 09.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy
import pandas
from mxnet import gluon

from utils import data, resnet
from utils.checks._ask import Question, ask_all, check_function, contained, short
from utils.checks._report import Mistake, Report
from utils.shapes import NETWORK, layer_table, parts

PARTS = ("stem", "stage1", "stage2", "stage3", "stage4", "pool", "dense")
WITH_WEIGHTS = tuple(part for part in PARTS if part != "pool")
WHY_PARAMETERS = "Parameters decide how much memory a network takes, and how much it can learn."
# By the type of the right result: which types are accepted, and what to say about any other.
KINDS = {
    bool: (
        (bool, numpy.bool_),
        "`{call}` should return True or False, but it returned {result}.",
    ),
    int: (
        (int, numpy.integer),
        "`{call}` should return a whole number, but it returned {result}.",
    ),
    float: (
        (int, float, numpy.integer, numpy.floating),
        "`{call}` should return a number, but it returned {result}.",
    ),
    str: (
        (str,),
        "`{call}` should return a text, but it returned {result}.",
    ),
}


# Functions that calculate: each is called with a few arguments whose right result is known


class Case(NamedTuple):
    """A call with its right result, and the diagnoses of wrong results that have a known cause."""

    topic: str
    arguments: tuple
    expected: Any
    diagnoses: Mapping[Any, str]


def difference_counts(function: Callable[..., Any]) -> Report:
    """Check a function `difference_counts(first, second)` of the results of two kinds of runs.

    It says whether their means differ by more than twice the spread: the standard deviation over
    the runs, the larger one of the two kinds. Whether that divides by n or by n - 1 does not
    matter here.
    """
    close, wide, far = [0.33, 0.34, 0.35], [0.20, 0.40, 0.60], [0.50, 0.52, 0.54]
    low, narrow = [0.30, 0.31, 0.32], ([0.30, 0.35, 0.40], [0.37, 0.42, 0.47])
    cases = (
        Case("far apart", (low, far), True, {False: "direction taken for size"}),
        Case("lower", (far, close), True, {False: "direction taken for size"}),
        Case("twice", narrow, False, {True: "once the spread is not enough"}),
        Case("wide second", (close, wide), False, {True: "spread of the first alone"}),
        Case("wide first", (wide, close), False, {True: "spread of the second alone"}),
    )
    return _compare_results(
        "When a difference counts",
        function,
        "difference_counts",
        cases,
        why="Runs that differ only in their seed differ, too. Only a difference that is clearly "
        "larger can be told from chance.",
        look="Draw the two lists on paper. Which part of your rule gives the wrong answer?",
    )


def layers_to_grow(function: Callable[..., Any]) -> Report:
    """Check a function `layers_to_grow(factor, growth)`: after how many layers it has grown so."""
    growing = {512.0: "growth divided by the factor", math.log(1024): "only one logarithm taken"}
    cases = (
        Case("growing", (2.0, 1024.0), 10.0, growing),
        Case("shrinking", (0.1, 0.001), 3.0, {0.0: "growth alone expected"}),
    )
    return _compare_results(
        "Layers to grow",
        function,
        "layers_to_grow",
        cases,
        why="A factor close to 1 looks harmless, until dozens of layers multiply by it.",
        look="Test your result: multiply by the factor, as many times as there are layers. Do you "
        "get the growth?",
    )


def receptive_field(function: Callable[..., Any]) -> Report:
    """Check a function `receptive_field(layers)` of (kernel, stride) pairs, first layer first.

    It returns the width, in pixels, of the window that one number after the last layer sees.
    """
    kernels = {15: "kernels added up", 16: "kernels added up", 12: "starts with no pixel"}
    strides = {
        7: "strides forgotten",
        11: "only the last stride counted",
        29: "a layer's own stride counted for itself",
    }
    cases = (
        Case("kernels", ([(7, 1), (5, 1), (3, 1)],), 13, kernels),
        Case("strides", ([(3, 2), (3, 2), (3, 2)],), 15, strides),
    )
    return _compare_results(
        "Receptive field",
        function,
        "receptive_field",
        cases,
        why="What one number can see decides which shapes a network can recognize.",
        look="Go through the layers by hand. How wide is the window so far? How many pixels of the "
        "image lie between two neighboring numbers in the input of this layer?",
    )


def stage_macs(function: Callable[..., Any]) -> Report:
    """Check a function `stage_macs(channels_in, channels, pixels)` of a stage with two blocks.

    It returns the multiply-accumulates for one image. The maps that go in are `pixels` wide and
    high; the first block halves them, rounded up.
    """
    cases = []
    for topic, arguments in (("even size", (32, 64, 8)), ("odd size", (16, 48, 9))):
        before, channels, pixels = arguments
        out = math.ceil(pixels / 2) ** 2
        first, other, shortcut = 9 * before * channels, 9 * channels**2, before * channels
        weights = first + 3 * other + shortcut
        cases.append(
            Case(
                topic,
                arguments,
                out * weights,
                {
                    out * (weights - shortcut): "1x1 convolution forgotten",
                    out * (first + other + shortcut): "one block only",
                    out * (2 * first + 2 * other + shortcut): "channels of the second block",
                    out * (4 * other + shortcut): "channels of the first convolution",
                    pixels**2 * weights: "positions of the input",
                    weights: "positions forgotten",
                    (pixels // 2) ** 2 * weights: "half rounded down",
                    (pixels // 2 + 1) ** 2 * weights: "one position too many",
                    math.ceil(pixels / 2) * weights: "positions of one row",
                    out * (weights + 5 * channels): "biases counted",
                    2 * out * weights: "additions counted on their own",
                },
            )
        )
    return _compare_results(
        "Multiply-accumulates of a stage",
        function,
        "stage_macs",
        tuple(cases),
        why="The multiply-accumulates decide how long a network computes.",
        look="List the five convolutions of the stage. For each: how many numbers are in its "
        "output, and how many weights lead to one of them?",
    )


def bottleneck_macs(function: Callable[..., Any]) -> Report:
    """Check a function `bottleneck_macs(channels, pixels)` of a block that keeps the shape.

    It returns the multiply-accumulates for one image, on maps of `pixels` rows and columns.
    """
    channels, pixels = 64, 14
    narrow, positions = channels // 4, pixels**2
    ends, middle = 2 * channels * narrow, 9 * narrow**2
    diagnoses = {
        ends + middle: "positions forgotten",
        pixels * (ends + middle): "positions of one row",
        positions * (ends // 2 + middle): "one 1x1 convolution only",
        positions * (ends + 9 * channels**2): "3x3 convolution on all channels",
        positions * 18 * channels**2: "a basic block",
        2 * positions * (ends + middle): "additions counted on their own",
    }
    return _compare_results(
        "Multiply-accumulates of a bottleneck",
        function,
        "bottleneck_macs",
        (Case("costs", (channels, pixels), positions * (ends + middle), diagnoses),),
        why="What a block costs decides how many channels or blocks you can afford.",
        look="List the three convolutions. How many weights lead to one number of the output of "
        "each, and how many such numbers are there?",
    )


def resnet18_parameters(function: Callable[..., Any]) -> Report:
    """Check a function `resnet18_parameters(channels, classes)`, with biases as in this course.

    It returns the number of parameters of a network for images with `channels` channels.
    """
    with contained():
        gray, color, hundred = (
            _parameters_of_resnet18(*kind) for kind in ((1, 10), (3, 10), (1, 100))
        )
    of_classes = {gray: "classes not counted", gray + 90 * 512: "bias of the dense layer forgotten"}
    cases = (
        Case("color", (3, 10), color, {gray: "channels of the image not counted"}),
        Case("classes", (1, 100), hundred, of_classes),
    )
    return _compare_results(
        "Parameters of ResNet-18",
        function,
        "resnet18_parameters",
        cases,
        why=WHY_PARAMETERS,
        look="Which layer sees the channels of the image, and which one gives the scores? Write "
        "down the number of their weights and biases.",
    )


def seconds_per_step(function: Callable[..., Any]) -> Report:
    """Check a function `seconds_per_step` with the arguments of `throughput.seconds_per_step`.

    It returns the seconds of a synchronous step in which nothing overlaps: computing, sending the
    gradients to the servers, receiving their sum. `servers` is 1 if it is not given.
    """
    compute, gradient, rate = 0.3, 45_000_000, 125_000_000  # as for `ring_step_seconds`
    whole = gradient / rate  # seconds to send the gradient once

    def of_several(ways: float) -> dict[float, str]:
        """Return wrong results where the gradient takes `ways` times as long as on a free line."""
        return {
            compute + ways * whole: "one way only",
            2 * ways * whole: "computing forgotten",
            compute: "sending forgotten",
            compute + 16 * ways * whole: "bits taken for bytes",
            compute + ways * whole / 4: "bits taken for bytes",
        }

    one_server = {
        **of_several(5),
        compute + 2 * whole: "one gradient arrives",
        5 * compute + 10 * whole: "computing multiplied by the workers",
        compute / 5 + 10 * whole: "computing divided by the workers",
    }
    cases = (
        Case(
            "one worker",
            (compute, gradient, rate, 1),
            compute,
            {compute + 2 * whole: "one worker sends to a server"},
        ),
        Case("one server", (compute, gradient, rate, 5), compute + 10 * whole, one_server),
        Case(
            "several servers",
            (compute, gradient, rate, 6, 3),
            compute + 4 * whole,
            {
                **of_several(2),
                compute + 12 * whole: "servers left out",
                compute + 36 * whole: "multiplied by the servers",
            },
        ),
        Case(
            "more servers than workers",
            (compute, gradient, rate, 2, 8),
            compute + 2 * whole,
            {compute + whole / 2: "a worker's own line left out"},
        ),
    )
    return _compare_results(
        "Step with servers",
        function,
        "seconds_per_step",
        cases,
        why="The time of a step tells how many workers are worth having.",
        look="Draw the workers, the servers and their lines. How many bytes go through the line of "
        "a worker, and how many through the line of a server? Which of them is done last?",
    )


def ring_step_seconds(function: Callable[..., Any]) -> Report:
    """Check `ring_step_seconds(compute_seconds, gradient_bytes, bytes_per_second, workers)`.

    It returns the seconds of a step whose gradients are added up by a ring all-reduce, in as many
    pieces as there are workers (Patarasuk and Yuan, 2009,
    https://doi.org/10.1016/j.jpdc.2008.09.002).
    """
    # ResNet-18 on a line of one gigabit per second.
    compute, gradient, rate, workers = 0.3, 45_000_000, 125_000_000, 5
    whole = gradient / rate  # seconds to send the gradient once
    sending = 2 * (workers - 1) * whole / workers
    of_several = {
        compute + sending / 2: "one trip only",
        compute + sending * workers: "whole gradient in every round",
        compute + sending * workers / 2: "whole gradient in every round",
        compute + 2 * whole: "n rounds instead of n - 1",
        compute: "sending forgotten",
        sending: "compute forgotten",
        compute * workers + sending: "compute multiplied by the workers",
        compute / workers + sending: "compute divided by the workers",
        compute + 8 * sending: "bits taken for bytes",
        compute + sending / 8: "bits taken for bytes",
    }
    of_one = dict.fromkeys((compute + whole, compute + 2 * whole), "one worker sends to itself")
    cases = (
        Case("several workers", (compute, gradient, rate, workers), compute + sending, of_several),
        Case("one worker", (compute, gradient, rate, 1), compute, of_one),
    )
    return _compare_results(
        "Step in a ring",
        function,
        "ring_step_seconds",
        cases,
        why="The time of a step tells how many workers are worth having.",
        look="Draw three workers in a ring, and their gradients in three pieces. After how many "
        "rounds is the sum of a piece complete, and after how many more does every worker have all "
        "sums? How many bytes does a worker send in one round?",
    )


def torch_name(function: Callable[..., Any]) -> Report:
    """Check a function `torch_name(name)` that turns a Gluon parameter's name into PyTorch's."""
    kept = {"stem.norm.weight": "not renamed at all", "stem.norm.gamma": "scale not renamed"}
    cases = (
        Case("scale", ("stem.norm.gamma",), "stem.norm.weight", kept),
        Case(
            "shift",
            ("stage1.block2.bn1.beta",),
            "stage1.block2.bn1.bias",
            {"stage1.block2.bn1.beta": "shift not renamed"},
        ),
        Case(
            "no normalization",
            ("dense.bias",),
            "dense.bias",
            {"dense.beta": "translated the other way"},
        ),
        Case("statistics", ("stem.norm.running_var",), "stem.norm.running_var", {}),
        Case(
            "other parts",
            ("gamma.betas.gamma",),
            "gamma.betas.weight",
            dict.fromkeys(
                ("weight.biass.weight", "weight.betas.weight", "gamma.biass.weight"),
                "renamed in the whole name",
            ),
        ),
    )
    return _compare_results(
        "Names in PyTorch",
        function,
        "torch_name",
        cases,
        why="An array under a wrong name does not reach its layer, which keeps its random weights.",
        look="Which of the parts between the dots did your function change?",
    )


def running_variance(function: Callable[..., Any]) -> Report:
    """Check a function `running_variance(old, numbers, correction)`: the new running variance.

    It keeps 0.9 of the old one. The variance of the n numbers divides by n - correction.
    """
    old, numbers = 2.0, numpy.array([1.0, 3.0, 5.0, 7.0])
    squares = float(((numbers - numbers.mean()) ** 2).sum())
    cases = []
    for correction, other in ((0, "divided by n - 1"), (1, "divided by n")):
        new = squares / (len(numbers) - correction)
        wrong = {
            0.9 * old + 0.1 * squares / (len(numbers) - 1 + correction): other,
            0.1 * old + 0.9 * new: "old and new have changed places",
            0.9 * old + 0.1 * math.sqrt(new): "standard deviation in place of the variance",
            0.9 * old + 0.1 * squares: "sum not divided",
            new: "old one forgotten",
        }
        topic = f"correction {correction}"
        arguments = (old, numbers, correction)
        cases.append(Case(topic, arguments, 0.9 * old + 0.1 * new, wrong))
    return _compare_results(
        "Running variance",
        function,
        "running_variance",
        tuple(cases),
        why="In inference, a normalization divides by the square root of its running variance.",
        look="Calculate by hand: the mean is 4. What are the squared distances from it, and by "
        "what is their sum divided?",
    )


def _parameters_of_resnet18(channels: int, classes: int) -> int:
    net = resnet.resnet18(classes)
    net.initialize()
    return int(layer_table(net, (1, channels, 32, 32)).parameters[NETWORK])


def _compare_results(
    title: str,
    function: Callable[..., Any],
    name: str,
    cases: tuple[Case, ...],
    *,
    why: str,
    look: str,
) -> Report:
    """Ask for the result of each case; `name` is what the function is called in the exercise."""
    questions = []
    for case in cases:
        given = (repr(a) if isinstance(a, str) else str(a) for a in case.arguments)
        call = f"{name}({', '.join(given)})"
        ask = partial(_compare_result, call, case, why, look)
        questions.append(Question(case.topic, "What is {call}?".format(call=call), ask))
    return ask_all(title, questions, function)


def _compare_result(
    call: str, case: Case, why: str, look: str, function: Callable[..., Any]
) -> None:
    check_function(function)
    result = function(*copy.deepcopy(case.arguments))
    types, other_type = KINDS[type(case.expected)]
    if not isinstance(result, types):
        raise Mistake(
            "returns something else",
            other_type.format(call=call, result=short(result)),
            "The result is compared with the right one.",
            "Read the last line of your function. What does it return?",
        )
    if _is(result, case.expected):
        return
    matching = [name for wrong, name in case.diagnoses.items() if _is(result, wrong)]
    raise Mistake(
        matching[0] if matching else "wrong result",
        "`{call}` should return {expected}, but it returned {result}.".format(
            call=call, expected=_said(case.expected), result=_said(result)
        ),
        why,
        look,
    )


def _is(result: Any, value: Any) -> bool:
    return result == value if isinstance(value, str) else math.isclose(result, value)


def _said(result: Any) -> str:
    return f"{result:.6g}" if isinstance(result, (float, numpy.floating)) else str(result)


# Functions that return an image


def negative(function: Callable[..., Any]) -> Report:
    """Check a function `negative(image)` of a gray image, with numbers from 0 to 255.

    It returns a new image, in which light and dark have changed places.
    """
    image = numpy.array([[0, 100, 200], [55, 254, 255]], dtype="uint8")
    numbers = image.astype(int)
    wrong = []
    for name, values in (
        ("nothing changed", numbers),
        ("256 taken for white", 256 - numbers),
        ("the wrong way round", numbers - 255),
    ):
        wrong += [(name, values), (name, values.astype("uint8"))]  # a byte goes on from 255 to 0
    compare = partial(
        _compare_image,
        "negative(image)",
        (image,),
        255 - numbers,
        wrong,
        why="A network sees only numbers, so to change an image is to calculate with them.",
        look="Which number is black, and which is white? Write down what 0, 100 and 255 should "
        "become, then find the rule.",
    )
    questions = [
        Question("light and dark", "Is what was dark now light, and the reverse?", compare),
        Question("original", "Is the image that was passed still the same?", _keeps_its_image),
    ]
    return ask_all("Negative", questions, function)


def average_image(function: Callable[..., Any]) -> Report:
    """Check a function `average_image(images, labels, label)`, the mean of all images of a class.

    `images` is (N, height, width), `labels` (N,); the mean is taken pixel by pixel.
    """
    images = numpy.array([[[0, 10, 20], [30, 40, 50]], [[9, 9, 9], [8, 8, 8]]], dtype="uint8")
    images = numpy.concatenate([images, images[:, ::-1] * 2])
    labels = numpy.array([3, 5, 3, 5], dtype="int32")
    chosen = images[labels == 3]
    compare = partial(
        _compare_image,
        "average_image(images, labels, 3)",
        (images, labels, 3),
        chosen.mean(axis=0),
        [
            ("all classes averaged", images.mean(axis=0)),
            ("a sum", chosen.sum(axis=0)),
            ("one image only", chosen[0]),
        ],
        why="The average shows what the images of a class have in common.",
        look="Which images have this label? How many numbers are averaged for one pixel of the "
        "result?",
    )
    questions = [Question("average", "Is each pixel the average over the class?", compare)]
    return ask_all("Average image", questions, function)


def _compare_image(
    call: str,
    arguments: tuple,
    expected: numpy.ndarray,
    wrong: Sequence[tuple[str, numpy.ndarray]],
    function: Callable[..., Any],
    *,
    why: str,
    look: str,
) -> None:
    check_function(function)
    result = function(*copy.deepcopy(arguments))
    if not isinstance(result, numpy.ndarray) or result.shape != expected.shape:
        raise Mistake(
            "returns something else",
            "`{call}` should return an array with the shape {shape}, but it returned "
            "{result}.".format(call=call, shape=expected.shape, result=short(result)),
            "An image has one number for each pixel: the result is one image.",
            "Read the last line of your function. What does it return?",
        )
    if numpy.allclose(result, expected):
        return
    matching = [name for name, image in wrong if numpy.array_equal(result, image)]
    place = tuple(numpy.argwhere(~numpy.isclose(result, expected))[0].tolist())
    raise Mistake(
        matching[0] if matching else "wrong numbers",
        "The pixel in row {row} and column {column} should be {expected}, but it is "
        "{result}.".format(
            row=place[0],
            column=place[1],
            expected=_said(expected[place]),
            result=_said(result[place]),
        ),
        why,
        look,
    )


def _keeps_its_image(function: Callable[..., Any]) -> None:
    check_function(function)
    image = numpy.full((2, 3), 100, dtype="uint8")
    function(image)
    if (image != 100).any():
        raise Mistake(
            "the image itself changed",
            "The image that was passed had the number 100 everywhere. Now it has {number}.".format(
                number=_said(image.flat[0])
            ),
            "A changed image stays changed in every cell below.",
            "Which line writes into `image`? Let the function calculate a new array.",
        )


# What goes into an exported network


def network_input(function: Callable[..., Any]) -> Report:
    """Check a function `network_input(images)` of bytes (N, 28, 28), as a model card describes it.

    It returns float32 (N, 1, 28, 28), normalized.
    """
    questions = [
        Question("shape", "Does it return (N, 1, 28, 28)?", _has_channel_axis),
        Question("type", "Are its numbers float32?", _is_float32),
        Question("numbers", "Are they normalized as the card says?", _is_normalized),
    ]
    return ask_all("Input of the network", questions, function)


def _input(function: Callable[..., Any]) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return images and what the function makes of them; raise Mistake unless it is an array."""
    check_function(function)
    images = numpy.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype="uint8")
    result = function(images.copy())
    if isinstance(result, numpy.ndarray):
        return images, result
    raise Mistake(
        "no array of numpy",
        "The function should return an array of numpy, but it returned {result}.".format(
            result=short(result)
        ),
        "The program that uses the file need not have MXNet.",
        "What does the last line of your function return?",
    )


def _has_channel_axis(function: Callable[..., Any]) -> None:
    images, result = _input(function)
    wanted = (len(images), 1, 28, 28)
    if result.shape == wanted:
        return
    names = {
        images.shape: "axis of the channels forgotten",
        (*images.shape, 1): "channels last",
        (1, *images.shape): "images taken for channels",
    }
    raise Mistake(
        names.get(result.shape, "another shape"),
        "Of {count} images, the function should make an array of the shape {wanted}, but it has "
        "the shape {shape}.".format(count=len(images), wanted=wanted, shape=result.shape),
        "A convolution needs to know which axis holds the channels.",
        "The card names the four axes in their order. Which of them do the images not have yet?",
    )


def _is_float32(function: Callable[..., Any]) -> None:
    _, result = _input(function)
    if result.dtype != numpy.float32:
        raise Mistake(
            "another type of numbers",
            "The numbers should be float32, but they are {given}.".format(given=result.dtype),
            "ONNX Runtime refuses any other type.",
            "Which type do the images have, and which one comes out of each line of your function?",
        )


def _is_normalized(function: Callable[..., Any]) -> None:
    images, result = _input(function)
    pixels = images / 255
    expected = (pixels - data.MEAN) / data.STD
    if numpy.allclose(result.ravel(), expected.ravel(), atol=1e-5):
        return
    wrong = {
        "not divided by 255": (images - data.MEAN) / data.STD,
        "not normalized": pixels,
        "mean and deviation have changed places": (pixels - data.STD) / data.MEAN,
        "not divided by the deviation": pixels - data.MEAN,
        "order of the operations": pixels - data.MEAN / data.STD,
    }
    matching = [
        name
        for name, values in wrong.items()
        if numpy.allclose(result.ravel(), values.ravel(), atol=1e-5)
    ]
    raise Mistake(
        matching[0] if matching else "other numbers",
        "The pixel {pixel} should become {expected}, but it became {result}.".format(
            pixel=images.flat[0], expected=_said(expected.flat[0]), result=_said(result.flat[0])
        ),
        "The network has learned from numbers with mean 0 and standard deviation 1.",
        "Calculate what the card says for this one pixel, by hand.",
    )


# Predictions about ResNet-18, by the names of its layers


def shapes(
    predicted: Mapping[str, tuple[int, ...]], input_shape: tuple[int, ...] = (1, 1, 96, 96)
) -> Report:
    """Compare predicted output shapes of the parts of ResNet-18 with the real ones.

    All of "stem", "stage1" to "stage4", "pool" and "dense" are asked for, and every other layer
    named in `predicted`. Shapes are (N, C, H, W), or (N, classes) for the dense layer.
    """
    answers = _network(input_shape)[1].output
    questions = [
        Question(
            name,
            "What is the output shape of `{name}`?".format(name=name),
            partial(_compare_shape, name, answers),
        )
        for name in _asked(predicted, PARTS)
    ]
    title = "Output shapes for the input {shape}".format(shape=input_shape)
    return ask_all(title, questions, predicted)


def parameter_count(predicted: Mapping[str, int] | int) -> Report:
    """Compare predicted numbers of parameters of ResNet-18 with the real ones.

    `predicted` is the number of the whole network, for images with one channel and ten classes, or
    a number for each of "stem", "stage1" to "stage4" and "dense", or for other layers by name.
    """
    net, table = _network((1, 1, 32, 32))
    names = _asked(predicted, WITH_WEIGHTS) if isinstance(predicted, Mapping) else [NETWORK]
    questions = [
        Question(
            name,
            "How many parameters does `{name}` have?".format(name=name),
            partial(_compare_count, name, net, table),
        )
        for name in names
    ]
    return ask_all("Parameters", questions, predicted)


def _network(input_shape: tuple[int, ...]) -> tuple[gluon.Block, pandas.DataFrame]:
    with contained():
        net = resnet.resnet18()
        net.initialize()
        return net, layer_table(net, input_shape)


def _asked(predicted: Any, names: tuple[str, ...]) -> list[str]:
    """Return the names that are always asked for, then the others that the learner chose."""
    if not isinstance(predicted, Mapping):
        return list(names)
    return [*names, *(name for name in map(str, predicted) if name not in names)]


def _prediction(name: str, predicted: Any) -> Any:
    if not isinstance(predicted, Mapping):
        raise Mistake(
            "no dictionary",
            "The check expects a dictionary from names to predictions, but it was given "
            "{given}.".format(given=short(predicted)),
            "Each prediction is compared with the part of the network that has its name.",
            'Write {"stem": ..., "stage1": ...}.',
        )
    if predicted.get(name) is None:
        raise Mistake(
            "no prediction yet",
            "There is no prediction for `{name}`.".format(name=name),
            "A prediction takes a minute, and shows what you have understood.",
            "Write one for `{name}`, even if you are not sure.".format(name=name),
        )
    return predicted[name]


def _answer(name: str, answers: pandas.Series) -> Any:
    if name not in answers.index:
        raise Mistake(
            "unknown layer",
            "The network has no layer `{name}`.".format(name=name),
            "Each prediction is compared with the layer that has its name.",
            "These are some of its names: {names}.".format(names=", ".join(answers.index[1:5])),
        )
    return answers[name]


def _compare_shape(name: str, answers: pandas.Series, predicted: Any) -> None:
    guess = _prediction(name, predicted)
    answer = _answer(name, answers)
    shape = _as_shape(guess)
    if shape == answer:
        return
    raise Mistake(
        _shape_diagnosis(shape, answer),
        "You predicted {guess} for `{name}`, but its output has the shape {answer}.".format(
            guess=short(guess), name=name, answer=answer
        ),
        "The layers after it compute with this shape.",
        "Apply the rule, pixels out = (n + 2p - k) // s + 1, from layer to layer. An array of "
        "images is (batch, channels, height, width).",
    )


def _as_shape(guess: Any) -> tuple[int, ...] | None:
    """Return a shape as a tuple of whole numbers; None for anything else."""
    if not isinstance(guess, (tuple, list)) or len(guess) > 8:
        return None
    is_whole = all(isinstance(n, (int, numpy.integer)) for n in guess)
    return tuple(int(n) for n in guess) if is_whole else None


def _shape_diagnosis(shape: tuple[int, ...] | None, answer: tuple[int, ...]) -> str:
    if shape is None:
        return "no shape"
    if len(shape) == len(answer) - 1:
        return "batch axis forgotten"
    if len(shape) != len(answer):
        return "wrong number of axes"
    if sorted(shape) == sorted(answer):
        return "axes in another order"
    if shape[1] != answer[1]:
        return "wrong channels"
    if shape[2:] == tuple(2 * side for side in answer[2:]):
        return "one halving too few"
    if shape[2:] == tuple(math.ceil(side / 2) for side in answer[2:]):
        return "one halving too many"
    return "wrong height or width"


def _compare_count(name: str, net: gluon.Block, table: pandas.DataFrame, predicted: Any) -> None:
    guess = predicted if name == NETWORK else _prediction(name, predicted)
    answer = int(_answer(name, table.parameters))
    if not isinstance(guess, (int, numpy.integer)) or isinstance(guess, bool):
        raise Mistake(
            "no number",
            "The check expects a whole number for `{name}`, but it was given {given}.".format(
                name=name, given=short(guess)
            ),
            "Parameters are counted, so their number has no fraction.",
            "Does your function end with `return`, and does it return a number?",
        )
    if guess == answer:
        return
    causes = {count: cause for cause, count in _wrong_counts(name, net, answer).items()}
    raise Mistake(
        causes.get(int(guess), "wrong count"),
        "You counted {guess:,} parameters for `{name}`, but there are {answer:,}.".format(
            guess=guess, name=name, answer=answer
        ),
        WHY_PARAMETERS,
        "The difference is {difference:,}. Which layer has that many? Think of biases, of scale "
        "and shift, and of the 1x1 convolutions.".format(difference=abs(answer - guess)),
    )


def _wrong_counts(name: str, net: gluon.Block, answer: int) -> dict[str, int]:
    """Return the counts that leave out one kind of parameters, or include one too many."""
    parameters = parts(net)[name].collect_params().values()

    def total(is_meant: Callable[[gluon.Parameter], bool]) -> int:
        return sum(math.prod(p.shape) for p in parameters if is_meant(p))

    kernels_1x1 = [p.name for p in parameters if len(p.shape) == 4 and p.shape[-1] == 1]
    of_1x1 = {*kernels_1x1, *(f"{kernel.removesuffix('weight')}bias" for kernel in kernels_1x1)}
    return {
        "biases forgotten": answer - total(lambda p: p.name.endswith("bias")),
        "biases of convolutions forgotten": answer
        - total(lambda p: p.name.endswith("bias") and "conv" in p.name),
        "normalizations forgotten": answer - total(lambda p: p.name.endswith(("gamma", "beta"))),
        "1x1 convolutions forgotten": answer - total(lambda p: p.name in of_1x1),
        "running statistics counted": answer + total(lambda p: p.grad_req == "null"),
    }
