"""Export of a trained network as ONNX (https://onnx.ai), for other libraries: notebook 09.

It is read for example by ONNX Runtime (https://onnxruntime.ai).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import mxnet as mx
import numpy
import onnx
from mxnet import gluon, np

from utils import _gluon, _guards
from utils.setup import storage

INPUT, OUTPUT = "images", "scores"  # their names in the ONNX file
# MXNet's exporter knows the operators of the older mx.nd arrays. Operators of mx.np arrays that
# compute the same have other names, for which it has no rule.
RENAMED = {
    "_npi_add": "broadcast_add",
    "_npi_multiply": "broadcast_mul",
    "_npx_relu": "relu",
    "_npx_sigmoid": "sigmoid",
}
# The operator set that MXNet writes, and the version of the file format that goes with it. By
# default a file claims the newest version, which runtimes older than the package onnx reject.
OPSET, IR_VERSION = 13, 7
# The types of MXNet's arrays, and ONNX's numbers for them.
TYPES = {
    "float16": onnx.TensorProto.FLOAT16,
    "float32": onnx.TensorProto.FLOAT,
    "float64": onnx.TensorProto.DOUBLE,
    "uint8": onnx.TensorProto.UINT8,
    "int8": onnx.TensorProto.INT8,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
    "bool": onnx.TensorProto.BOOL,
}


def put_back_mapping() -> None:
    """Restore `onnx.mapping`, which MXNet's exporter reads and which onnx 1.19 removed."""
    if not hasattr(onnx, "mapping"):
        onnx.mapping = SimpleNamespace(  # pyright: ignore[reportAttributeAccessIssue]  (removed)
            NP_TYPE_TO_TENSOR_TYPE={numpy.dtype(name): number for name, number in TYPES.items()},
            TENSOR_TYPE_TO_NP_TYPE={number: numpy.dtype(name) for name, number in TYPES.items()},
        )


def to_onnx(net: gluon.Block, path: str | os.PathLike, size: int = 28) -> Path:
    """Write a network as an ONNX file, and return the path.

    The input is "images", float32 (N, 1, size, size); the output is "scores", float32 (N, classes).
    N may differ from call to call. The network is left as it was.

    Raises ValueError for a network that has not seen an image yet, cannot be written as a graph,
    has an operator that cannot be written in ONNX, or takes images of another shape; and OSError
    (full disk, no permission). No new file is left then.
    """
    _guards.check_positive(size=size)
    put_back_mapping()
    path = Path(path)
    image = (1, size, size)
    graph = mx.sym.load_json(_renamed(_graph(net).tojson()))
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
                "The network does not take images of the shape {shape}: {reason}. Pass the size "
                "that it was trained with, and a network for images with one channel.".format(
                    shape=image, reason=error
                )
            ) from error
        onnx.save(_portable(onnx.load(file)), file)
    return path


def _graph(net: gluon.Block) -> mx.sym.Symbol:
    """Return the graph of the network, traced by a symbol that takes the place of images."""
    try:
        return net(mx.sym.var(INPUT).as_np_ndarray())
    except (AssertionError, AttributeError, TypeError, mx.MXNetError) as error:
        raise ValueError(
            "The network cannot be written as a graph ({reason}). A block that computes in "
            "forward(self, X), as d2l's blocks do, works only on arrays. Make it a HybridBlock "
            "with hybrid_forward(self, F, X), and use F.npx instead of npx.".format(reason=error)
        ) from error


def _arrays(net: gluon.Block) -> dict[str, np.ndarray]:
    """Return the parameters of the network on the CPU, by their names in the graph."""
    try:
        values = _gluon.read(net)
    except RuntimeError as error:
        raise ValueError(
            "The network has not seen an image yet, so it has no weights to export. Train it, or "
            "call train.initialize on it first."
        ) from error
    return {name: np.array(v, ctx=mx.cpu()) for name, v in zip(net.collect_params(), values)}


def _renamed(graph: str) -> str:
    """Return the JSON of a graph with operators that MXNet's exporter knows, ending in OUTPUT."""
    described = json.loads(graph)
    nodes, known = described["nodes"], {"null", *mx.onnx.get_operator_support()}
    for node in nodes:
        node["op"] = RENAMED.get(node["op"], node["op"])
    unknown = {node["op"]: node["name"] for node in nodes if node["op"] not in known}
    if unknown:
        found = ", ".join(f"{operator} (in {name})" for operator, name in unknown.items())
        raise ValueError(
            "MXNet has no rule to write these operators in ONNX: {found}. Compute the same with "
            "layers of gluon.nn. Or, if mx.onnx.get_operator_support() lists the same operator "
            "under another name, add it to export.RENAMED.".format(found=found)
        )
    nodes[described["heads"][0][0]]["name"] = OUTPUT
    return json.dumps(described)


def _portable(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with its versions, all shapes, and the weights as constants.

    MXNet also lists the weights among the inputs. A runtime then has to expect them to change and
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
