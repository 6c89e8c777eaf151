"""The layer-by-layer table of a network, and a check of its shapes: notebook 03."""

from __future__ import annotations

import difflib
import html
import math
import zlib
from collections import Counter
from dataclasses import dataclass

import numpy
import pandas
from mxnet import gluon, np
from mxnet.gluon import nn

from utils import _gluon, _guards

NETWORK = "network"  # the row of the whole network
COSTS = ("parameters", "macs", "memory")
BYTES_PER_NUMBER = 4  # float32


class ShapeError(ValueError):
    """A layer has another output shape than expected."""


@dataclass(frozen=True, order=True)
class Window:
    """The receptive field of one number of an array, in pixels of the input image.

    The windows of neighboring numbers are `size` pixels wide and `step` pixels apart. Source:
    Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", 2019,
    https://distill.pub/2019/computing-receptive-fields/
    """

    size: float = 1  # infinite for the whole image
    step: int = 1

    def through(self, layer: gluon.Block) -> Window:
        """Return the window of the layer's output, for a layer that has no parts of its own."""
        geometry = _gluon.geometry(layer)
        if isinstance(layer, nn.Dense) or geometry.get("global_pool"):
            return Window(math.inf, self.step)
        if "kernel" not in geometry:
            return self
        reach = (geometry["kernel"][0] - 1) * geometry.get("dilate", (1,))[0]
        return Window(self.size + reach * self.step, self.step * geometry["stride"][0])


def parts(net: gluon.Block, path: str = "") -> dict[str, gluon.Block]:
    """Return a network and every block inside it by name, the network itself first."""
    found = {path or NETWORK: net}
    for name, child in _gluon.children(net).items():
        if name.isdigit():
            name = f"{type(child).__name__}{name}"
        found |= parts(child, f"{path}.{name}" if path else name)
    return found


def layer_table(net: gluon.Block, input_shape: tuple[int, ...]) -> pandas.DataFrame:
    """Run zeros of `input_shape` (N, C, H, W) through the network and return a row for each layer.

    Rows follow the order of the computation, a block before its parts. They are named like
    "stage1.block1.conv1"; the second use of a layer is "stage1.block1.relu:2". The first row is
    the whole network. Columns:

    - kind, depth: the class, and the number of blocks around it
    - input, output: shapes
    - parameters: trainable numbers
    - macs: multiply-accumulates of convolutions and dense layers for the whole batch; biases,
      normalizations, activations and sums are not counted
    - memory: bytes of the layers' outputs for the whole batch, in float32
    - receptive_field: width in pixels of the input that one output number depends on, including
      what lies beyond the edges; the widest path counts; infinite behind global pooling

    The costs of a block are the sums over its layers. `net` may be a `Block` or a `HybridBlock`.
    Raises ValueError for an input shape that is not 4-D and for a network that is hybridized.
    """
    if len(input_shape) != 4 or min(input_shape) < 1:
        raise ValueError(
            "input_shape is {given}, but it must be 4 numbers of at least 1: (batch, channels, "
            "height, width), for example (1, 1, 96, 96).".format(given=input_shape)
        )
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    blocks = parts(net)
    _guards.check_not_compiled(*blocks.values())
    recorder = _Recorder(blocks)
    with _gluon.hooked(recorder.names, recorder.end, recorder.start):
        net(np.zeros(input_shape, ctx=device)).wait_to_read()
    return pandas.DataFrame.from_dict(recorder.rows, orient="index")


def verify_shapes(
    net: gluon.Block, input_shape: tuple[int, ...], expected: dict[str, tuple[int, ...]]
) -> int:
    """Compare output shapes with `expected` (a shape for each name); return how many agree.

    Raises ShapeError at the first layer, in the order of the network, whose shape deviates, and
    LookupError for a name that the network does not have.
    """
    table = layer_table(net, input_shape)
    for name in expected.keys() - set(table.index):
        near = difflib.get_close_matches(name, table.index) or list(table.index[:3])
        raise LookupError(
            "The network has no layer {name!r}. Some of its layers: {near}.".format(
                name=name, near=", ".join(near)
            )
        )
    for name, row in table[table.index.isin(expected)].iterrows():
        if row.output != tuple(expected[name]):
            raise ShapeError(
                "{name} ({kind}) turns {input} into {output}, but the expected output was "
                "{expected}. It is the first layer that deviates.".format(
                    name=name,
                    kind=row.kind,
                    input=row.input,
                    output=row.output,
                    expected=tuple(expected[name]),
                )
            )
    return len(expected)


@dataclass(frozen=True)
class Shown:
    """A table as Jupyter shows it, and as text for everything else."""

    html: str
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def overview(table: pandas.DataFrame) -> Shown:
    """Return the network and its parts, in millions and megabytes, for reading."""
    rows = table[table.depth <= 1]
    units = {
        "output": rows.output.map(_times),
        "parameters, millions": rows.parameters / 1e6,
        "MACs, millions": rows.macs / 1e6,
        "outputs, MB": rows.memory / 1e6,
        "receptive field, pixels": rows.receptive_field.map(_pixels),
    }
    units = pandas.DataFrame(units).rename(columns=lambda name: name.replace(", ", ",\u00a0"))
    return _shown(units, {}, bold=rows.depth == 0)


def every_layer(table: pandas.DataFrame) -> Shown:
    """Return the whole table, folded until a reader opens it, with exact numbers.

    Parts are indented below their block, and blocks are bold.
    """
    is_block = ~table.depth.shift(-1, fill_value=0).le(table.depth)
    columns = {
        "kind": table.kind,
        "output": table.output.map(_times),
        "parameters": table.parameters,
        "MACs": table.macs,
        "outputs, bytes": table.memory,
        "receptive field": table.receptive_field.map(_pixels),
    }
    shown = _shown(pandas.DataFrame(columns), dict(table.depth), bold=is_block)
    summary = "All {count} rows: every layer of the network, with exact numbers"
    fold = "<details><summary>{summary}</summary>{table}</details>".format(
        summary=html.escape(summary.format(count=len(table))), table=shown.html
    )
    return Shown(fold, shown.text)


def _shown(rows: pandas.DataFrame, indents: dict[str, int], bold: pandas.Series) -> Shown:
    style = rows.style.format(precision=3, thousands=",")
    style.format_index(lambda name: "\u2003" * indents.get(name, 0) + name)
    weights = numpy.where(bold, "font-weight: bold", "font-weight: normal")
    style.apply(lambda column: weights).apply_index(lambda names: weights)
    rules = {"th": "white-space: nowrap", "th.row_heading": "text-align: left"}
    rules["td"] = "white-space: nowrap; text-align: right"
    style.set_table_styles([{"selector": name, "props": rule} for name, rule in rules.items()])
    style.set_uuid(f"{zlib.crc32(rows.to_csv().encode()):x}")  # the same in every run
    return Shown(style.to_html(), rows.to_string(float_format="{:,.3f}".format))


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _pixels(width: float) -> str:
    return f"{width:.0f}" if math.isfinite(width) else "whole image"


def compare(guess: object, answer: object) -> str:
    """Return a sentence that compares a learner's guess with the answer.

    Without a guess, it does not give the answer away.
    """
    if guess is None:
        return "No guess yet: write yours in the cell above, then run both cells."
    if guess == answer or (isinstance(guess, list) and tuple(guess) == answer):
        return "Right: {answer}.".format(answer=answer)
    return "You guessed {guess}, but it is {answer}. Where did your reasoning differ?".format(
        guess=guess, answer=answer
    )


@dataclass
class _Running:
    """A block whose computation has started and not yet ended."""

    name: str
    widest: Window  # of everything that it has computed so far


class _Recorder:
    """Fills in a row for each call of a block, through Gluon's hooks."""

    def __init__(self, blocks: dict[str, gluon.Block]) -> None:
        self.names: dict[gluon.Block, str] = {}
        for name, block in blocks.items():
            self.names.setdefault(block, name)  # one block may be a part of several others
        self.rows: dict[str, dict] = {}
        self.calls: Counter[str] = Counter()
        self.running = [_Running("", Window())]
        self.windows: dict[int, Window] = {}  # by the id of the array
        self.arrays: list[np.ndarray] = []  # kept alive, so that no id is used twice

    def start(self, block: gluon.Block, inputs: tuple) -> None:
        """Open the row of a call."""
        X, name = inputs[0], self.names[block]
        self.calls[name] += 1
        if self.calls[name] > 1:
            name = f"{name}:{self.calls[name]}"
        self.rows[name] = {
            "kind": type(block).__name__,
            "depth": len(self.running) - 1,
            "input": X.shape,
            "output": None,
            **dict.fromkeys(COSTS, 0),
        }
        self.running.append(_Running(name, self.window(X)))

    def end(self, block: gluon.Block, inputs: tuple, output: np.ndarray) -> None:
        """Complete the row of a call, and add its costs to those of the blocks around it."""
        call = self.running[-1]
        first_call = ":" not in call.name
        for cost, amount in _own_costs(block, output, first_call).items():
            for around in self.running[1:]:
                self.rows[around.name][cost] += amount
        self.running.pop()
        if _gluon.children(block):
            window = self.windows.get(id(output), call.widest)
        else:
            window = self.window(inputs[0]).through(block)
        self.windows[id(output)] = window
        self.arrays.append(output)
        self.running[-1].widest = max(self.running[-1].widest, window)
        self.rows[call.name].update(output=output.shape, receptive_field=window.size)

    def window(self, X: np.ndarray) -> Window:
        """Return the window of an array. A sum of paths has the window of its widest path."""
        return self.windows.get(id(X), self.running[-1].widest)


def _own_costs(block: gluon.Block, output: np.ndarray, first_call: bool) -> dict[str, int]:
    """Return the costs of a block without its parts; parameters count in its first call only."""
    trainable = [p.shape for p in block.params.values() if p.grad_req != "null"]
    costs = {"parameters": sum(map(math.prod, trainable)) if first_call else 0}
    if isinstance(block, (nn.Conv2D, nn.Dense)):
        costs["macs"] = output.size * math.prod(block.weight.shape[1:])
    if not _gluon.children(block):
        costs["memory"] = output.size * BYTES_PER_NUMBER
    return costs
