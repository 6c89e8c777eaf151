"""A trained network as the page "Where does it look?" reads it, made from its ONNX file.

The page gets a JSON file, which says which convolutions there are and how they follow one another,
and a file of float16 numbers. Each normalization is multiplied into the convolution before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy
import onnx
from onnx import numpy_helper

from utils import data


class Convolution(NamedTuple):
    """A convolution with the normalization behind it, if there is one."""

    weight: numpy.ndarray
    bias: numpy.ndarray
    stride: int
    padding: int


class Numbers:
    """Arrays one after the other, as float16, and where each begins."""

    def __init__(self) -> None:
        self.arrays: list[numpy.ndarray] = []

    def put(self, array: numpy.ndarray) -> int:
        """Add an array; return the place of its first number."""
        place = sum(known.size for known in self.arrays)
        self.arrays.append(array)
        return place

    def whole(self) -> numpy.ndarray:
        """Return all numbers. Raises ValueError for one that float16 cannot hold."""
        with numpy.errstate(over="ignore"):
            numbers = numpy.concatenate([array.ravel() for array in self.arrays]).astype("<f2")
        if not numpy.isfinite(numbers).all():
            raise ValueError(
                "A weight of the network is too large for float16 (above 65504). Train the "
                "network with another seed or a smaller learning rate."
            )
        return numbers


def rename(model: onnx.ModelProto, names: Mapping[str, str]) -> None:
    """Give new names to the weights of an ONNX file; a name that is not in `names` stays."""
    for array in model.graph.initializer:
        array.name = names.get(array.name, array.name)
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]


def describe(model: onnx.ModelProto, family: str) -> tuple[dict, numpy.ndarray]:
    """Return a network of `families.deep_network` as the page reads it: description and numbers.

    Weights must bear the names of their places, such as stage1.block1.conv1.weight. `family` is
    "residual" or "plain".
    """
    convolutions, numbers = read(model), Numbers()

    def described(name: str) -> dict:
        convolution = convolutions[name]
        return {
            "shape": convolution.weight.shape,
            "stride": convolution.stride,
            "padding": convolution.padding,
            "weight": numbers.put(convolution.weight),
            "bias": numbers.put(convolution.bias),
        }

    def shortcut(block: str) -> str | dict:
        if family == "plain":
            return "none"
        return described(f"{block}.conv3") if f"{block}.conv3" in convolutions else "identity"

    blocks = [name.removesuffix(".conv1") for name in convolutions if name.endswith(".conv1")]
    arrays = weights(model)
    description = {
        "family": family,
        "size": 28,
        "mean": data.MEAN,
        "deviation": data.STD,
        "first": described("conv"),
        "blocks": [
            {
                "name": block,
                "conv1": described(f"{block}.conv1"),
                "conv2": described(f"{block}.conv2"),
                "shortcut": shortcut(block),
            }
            for block in sorted(blocks)
        ],
        "dense": {
            "shape": arrays["dense.weight"].shape,
            "weight": numbers.put(arrays["dense.weight"]),
            "bias": numbers.put(arrays["dense.bias"]),
        },
    }
    return description, numbers.whole()


def read(model: onnx.ModelProto) -> dict[str, Convolution]:
    """Return the convolutions of a network by their places, each with its normalization."""
    arrays = weights(model)
    norms = {node.input[0]: node for node in _nodes(model, "BatchNormalization")}
    found = {}
    for node in _nodes(model, "Conv"):
        weight, bias = (arrays[name] for name in node.input[1:3])
        settings = _settings(node)
        if norm := norms.get(node.output[0]):
            gamma, beta, mean, variance = (arrays[name] for name in norm.input[1:5])
            factor = gamma / numpy.sqrt(variance + _settings(norm)["epsilon"])
            weight = weight * factor[:, None, None, None]
            bias = (bias - mean) * factor + beta
        place = node.input[1].removesuffix(".weight")
        found[place] = Convolution(weight, bias, settings["strides"][0], settings["pads"][0])
    return found


def weights(model: onnx.ModelProto) -> dict[str, numpy.ndarray]:
    """Return the arrays that an ONNX file holds, by their names."""
    return {array.name: numpy_helper.to_array(array) for array in model.graph.initializer}


def scores(description: dict, numbers: numpy.ndarray, images: numpy.ndarray) -> numpy.ndarray:
    """Return the scores (N, 10) that the page's numbers give for images: uint8 (N, 28, 28)."""
    numbers = numbers.astype("float32")
    x = numpy.maximum(_convolved(data.normalize(images), description["first"], numbers), 0)
    for block in description["blocks"]:
        inner = numpy.maximum(_convolved(x, block["conv1"], numbers), 0)
        branch = _convolved(inner, block["conv2"], numbers)
        x = numpy.maximum(branch + _shortcut(x, block["shortcut"], numbers), 0)
    weight, bias = _taken(description["dense"], numbers)
    return x.mean(axis=(2, 3)) @ weight.T + bias


def _shortcut(x: numpy.ndarray, kind: str | dict, numbers: numpy.ndarray) -> numpy.ndarray | int:
    if isinstance(kind, dict):
        return _convolved(x, kind, numbers)
    return 0 if kind == "none" else x


def _convolved(x: numpy.ndarray, layer: dict, numbers: numpy.ndarray) -> numpy.ndarray:
    weight, bias = _taken(layer, numbers)
    side = (layer["padding"],) * 2
    padded = numpy.pad(x, ((0, 0), (0, 0), side, side))
    windows = numpy.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], axis=(2, 3))
    windows = windows[:, :, :: layer["stride"], :: layer["stride"]]
    products = numpy.tensordot(windows, weight, axes=((1, 4, 5), (1, 2, 3)))
    return products.transpose(0, 3, 1, 2) + bias[:, None, None]


def _taken(layer: dict, numbers: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]:
    count = numpy.prod(layer["shape"])
    weight = numbers[layer["weight"] :][:count].reshape(layer["shape"])
    return weight, numbers[layer["bias"] :][: layer["shape"][0]]


def _nodes(model: onnx.ModelProto, operator: str) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == operator]


def _settings(node: onnx.NodeProto) -> dict:
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
