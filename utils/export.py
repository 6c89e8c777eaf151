"""The way out of MXNet: a trained network as its symbol files, and as ONNX, which others read.

ONNX: https://onnx.ai, run for example by ONNX Runtime, https://onnxruntime.ai.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import mxnet as mx
import numpy
import onnx
from mxnet import gluon, np, npx

from utils import _gluon, _guards
from utils.setup import storage

INPUT, OUTPUT = "images", "scores"  # their names in ONNX
# MXNet's exporter knows the operators of its older arrays. Those of np arrays that compute the same
# have names of their own, for which it has no rule.
RENAMED = {
    "_npi_add": "broadcast_add",
    "_npi_multiply": "broadcast_mul",
    "_npx_relu": "relu",
    "_npx_sigmoid": "sigmoid",
}
# The version of ONNX's operators that MXNet writes, and of the format that came with it. Left
# open, a file claims the newest, which runtimes older than the package onnx refuse.
OPSET, IR_VERSION = 13, 7
# The types of MXNet's arrays.
TYPES = ("float16", "float32", "float64", "uint8", "int8", "int32", "int64", "bool")


def put_back_mapping() -> None:
    """Add to onnx the tables of types that MXNet's exporter reads and onnx 1.19 has removed."""
    if not hasattr(onnx, "mapping"):
        types = {
            numpy.dtype(name): onnx.helper.np_dtype_to_tensor_dtype(numpy.dtype(name))
            for name in TYPES
        }
        onnx.mapping = SimpleNamespace(
            NP_TYPE_TO_TENSOR_TYPE=types,
            TENSOR_TYPE_TO_NP_TYPE={number: dtype for dtype, number in types.items()},
        )


def to_symbol(
    net: gluon.Block, folder: str | os.PathLike, name: str = "resnet18"
) -> tuple[Path, Path]:
    """Write the two files of `net.export`, and return their paths.

    `name`-symbol.json holds the graph, whose input is "data", and `name`-0000.params the numbers.
    `SymbolBlock.imports` reads them back. Unlike `net.export` it takes networks that are not
    hybridized, too, and leaves them so.

    Raises ValueError for a network that has not seen an image yet or cannot be written as a graph,
    OSError (full disk, no permission); there are then no new files.
    """
    graph, arrays = _graph(net, "data"), _arrays(net)
    stored = {f"arg:{key}": arrays[key] for key in graph.list_arguments() if key != "data"}
    stored |= {f"aux:{key}": arrays[key] for key in graph.list_auxiliary_states()}
    names = f"{name}-symbol.json", f"{name}-0000.params"
    with storage.appearing_whole(Path(folder)) as part:
        (part / names[0]).write_text(graph.tojson(), encoding="utf-8")
        _save(part / names[1], stored)
    return Path(folder, names[0]), Path(folder, names[1])


def to_onnx(net: gluon.Block, path: str | os.PathLike, size: int = 28) -> Path:
    """Write a network as ONNX, and return the path.

    Its input is "images", float32 (N, 1, size, size), its output "scores", float32 (N, classes);
    N may change from call to call. The network is left as it was.

    Raises ValueError for a network that has not seen an image yet, cannot be written as a graph,
    has an operator without a form in ONNX, or takes other images; OSError (full disk, no
    permission). There is then no new file.
    """
    _guards.check_positive(size=size)
    put_back_mapping()
    path = Path(path)
    image = (1, size, size)
    graph = mx.sym.load_json(_renamed(_graph(net, INPUT).tojson()))
    arrays = _arrays(net)
    with storage.appearing_whole(path.parent) as part:
        file = part / path.name
        try:
            mx.onnx.export_model(
                graph,
                arrays,
                in_shapes=[(1, *image)],
                onnx_file_path=str(file),
                dynamic=True,
                dynamic_input_shapes=[("N", *image)],
            )
        except mx.MXNetError as error:
            raise ValueError(
                f"The network does not take images of the shape {image}: {error}. Pass the size "
                "that it was trained with, and a network for images with one channel."
            ) from error
        onnx.save(_portable(onnx.load(file)), file)
    return path


def _graph(net: gluon.Block, name: str) -> mx.sym.Symbol:
    """Send a symbol through the network in place of images; it notes every operator."""
    try:
        return net(mx.sym.var(name).as_np_ndarray())
    except (AssertionError, AttributeError, TypeError, mx.MXNetError) as error:
        raise ValueError(
            f"The network cannot be written as a graph ({error}). A block that computes in "
            "forward(self, X), as those of d2l do, works on arrays alone. Make it a HybridBlock "
            "with hybrid_forward(self, F, X), and use F.npx in the place of npx."
        ) from error


def _arrays(net: gluon.Block) -> dict[str, np.ndarray]:
    """Return the numbers of the network by their names in the graph, on the processor."""
    try:
        values = _gluon.read(net)
    except RuntimeError as error:
        raise ValueError(
            "The network has not seen an image yet, so that it has no weights to export. Train it, "
            "or call train.initialize on it first."
        ) from error
    return {name: np.array(v, ctx=mx.cpu()) for name, v in zip(net.collect_params(), values)}


def _save(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays, and read them again: MXNet does not notice it if the end finds no room.

    Nor does its `Symbol.save`, so Python writes the graph.
    """
    try:
        npx.save(str(file), arrays)
        npx.load(str(file))
    except mx.MXNetError as error:
        raise OSError(
            f"{file.name} could not be written to its end. Free some space, or choose a folder on "
            "another disk."
        ) from error


def _renamed(graph: str) -> str:
    """Return the JSON of a graph with the names that MXNet's exporter knows, and with OUTPUT."""
    described = json.loads(graph)
    nodes, known = described["nodes"], {"null", *mx.onnx.get_operator_support()}
    for node in nodes:
        node["op"] = RENAMED.get(node["op"], node["op"])
    unknown = {node["op"]: node["name"] for node in nodes if node["op"] not in known}
    if unknown:
        found = ", ".join(f"{operator} (in {name})" for operator, name in unknown.items())
        raise ValueError(
            f"MXNet has no rule to write these operators in ONNX: {found}. Compute the same with "
            "layers of gluon.nn, or, where one of mx.onnx.get_operator_support() is the same "
            "operator under another name, add it to export.RENAMED."
        )
    nodes[described["heads"][0][0]]["name"] = OUTPUT
    return json.dumps(described)


def _portable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with the versions it needs, all shapes, and its weights as constants.

    MXNet lists the weights among the inputs, too. A runtime must then expect them to change, and
    cannot merge the normalizations into the convolutions.
    """
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)
    model = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=f"MXNet {mx.__version__}",
    )
    return onnx.shape_inference.infer_shapes(model)
