"""The networks of utils.resnet: shapes, parameter counts, and d2l's network as a reference."""

import ast
import inspect
import math
from pathlib import Path

import mxnet as mx
import nbformat
import numpy
import pytest
from d2l import mxnet as d2l
from mxnet import autograd, init, np, npx
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from utils import _gluon
from utils.resnet import Residual, resnet18, resnet_block, stem

NOTEBOOK_04 = Path(__file__).resolve().parents[2] / "notebooks" / "04_resnet18.ipynb"

pytestmark = pytest.mark.usefixtures("numpy_module")


def ready(block, *, seed=0):
    mx.random.seed(seed)
    block.initialize(init.Xavier())
    return block


def images(*shape):
    rng = numpy.random.default_rng(0)
    return np.array(rng.normal(size=shape), dtype="float32")


def parameter_count(net):
    trainable = [p for p in net.collect_params().values() if p.grad_req != "null"]
    return sum(math.prod(p.shape) for p in trainable)


@pytest.fixture(scope="module")
def d2l_resnet18(numpy_module):
    net = nn.Sequential()
    net.add(nn.Conv2D(64, kernel_size=7, strides=2, padding=3), nn.BatchNorm())
    net.add(nn.Activation("relu"), nn.MaxPool2D(pool_size=3, strides=2, padding=1))
    for channels in (64, 128, 256, 512):
        first = {} if channels == 64 else {"use_1x1conv": True, "strides": 2}
        net.add(d2l.Residual(channels, **first), d2l.Residual(channels))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(10))
    return ready(net)


def test_a_block_keeps_the_shape():
    assert ready(Residual(3))(images(4, 3, 6, 6)).shape == (4, 3, 6, 6)


def test_a_block_with_a_1x1_convolution_and_stride_2_halves_the_maps():
    block = ready(Residual(6, use_1x1conv=True, strides=2))
    assert block(images(4, 3, 6, 6)).shape == (4, 6, 3, 3)
    assert block(images(1, 3, 7, 5)).shape == (1, 6, 4, 3), "rounded up"


def test_a_block_whose_last_scale_is_zero_is_relu():
    block, X = ready(Residual(3)), images(4, 3, 6, 6)
    block(X)
    block.bn2.gamma.set_data(np.zeros(3))
    numpy.testing.assert_array_equal(block(X).asnumpy(), npx.relu(X).asnumpy())


def test_the_gradient_passes_a_block_whose_convolutions_are_zero():
    block, X = Residual(3), images(4, 3, 6, 6)
    block.initialize(init.Zero())
    X.attach_grad()
    with autograd.record():
        total = block(X).sum()
    total.backward()
    numpy.testing.assert_array_equal(X.grad.asnumpy(), (X.asnumpy() > 0).astype("float32"))


@pytest.mark.parametrize("size", [96, 224, 28, 1])
def test_the_stem_divides_by_4_and_every_stage_but_the_first_by_2(size):
    X = ready(stem())(images(1, 1, size, size))
    assert X.shape == (1, 64, math.ceil(size / 4), math.ceil(size / 4))
    for channels, halved in ((64, 1), (128, 2), (256, 4), (512, 8)):
        X = ready(resnet_block(channels, 2, first_block=channels == 64))(X)
        side = math.ceil(math.ceil(size / 4) / halved)
        assert X.shape == (1, channels, side, side)


def test_resnet18_has_18_layers_with_weights_and_11178378_parameters():
    net = ready(resnet18())
    net(images(1, 1, 28, 28))
    weights = [p.shape for name, p in net.collect_params().items() if name.endswith("weight")]
    assert sum(len(shape) == 2 or shape[-1] > 1 for shape in weights) == 18
    assert parameter_count(net) == 11_178_378


def test_the_model_zoo_has_no_convolution_biases_and_normalized_shortcuts():
    ours, zoo = ready(resnet18()), ready(vision.resnet18_v1(classes=10))
    for net in (ours, zoo):
        net(images(1, 1, 32, 32))
    biases = sum(
        math.prod(p.shape) for n, p in ours.collect_params().items() if "conv" in n and "bias" in n
    )
    assert parameter_count(ours) - biases + 2 * (128 + 256 + 512) == parameter_count(zoo)
    assert parameter_count(zoo) == 11_175_370


@pytest.mark.parametrize("compiled", [False, True])
def test_with_the_same_weights_it_computes_what_d2l_computes(d2l_resnet18, compiled):
    net, X = ready(resnet18(), seed=1), images(4, 1, 64, 64)
    for network in (net, d2l_resnet18):
        network(X)  # now every shape is known
    _gluon.put(d2l_resnet18, _gluon.read(net))
    if compiled:
        net.hybridize(static_alloc=True, static_shape=True)
    numpy.testing.assert_allclose(net(X).asnumpy(), d2l_resnet18(X).asnumpy(), atol=1e-5)
    with autograd.record():
        Y, Z = net(X), d2l_resnet18(X)
    numpy.testing.assert_allclose(Y.asnumpy(), Z.asnumpy(), atol=1e-5)


def test_a_saved_network_is_loaded_exactly(tmp_path):
    net, X = ready(resnet18()), images(2, 1, 28, 28)
    net.hybridize(static_alloc=True, static_shape=True)
    scores = net(X).asnumpy()
    npx.waitall()
    net.save_parameters(str(tmp_path / "net.params"))
    again = resnet18()
    again.load_parameters(str(tmp_path / "net.params"))
    numpy.testing.assert_array_equal(again(X).asnumpy(), scores)


@pytest.mark.parametrize("arguments", [{"num_channels": 0}, {"num_channels": -3}])
@pytest.mark.parametrize("more", [{}, {"strides": 2}])
def test_channels_below_1_are_refused_at_once(arguments, more):
    with pytest.raises(ValueError, match=r"num_channels is (0|-3), but .* at least 1\. Pass"):
        Residual(**arguments, **more)


@pytest.mark.parametrize("strides", [0, -1, 1.5, "2", True])
def test_strides_that_are_not_a_positive_whole_number_are_refused(strides):
    with pytest.raises(ValueError, match=f"strides is {strides!r}, but"):
        Residual(3, strides=strides)


def test_a_stage_without_blocks_and_a_network_without_classes_are_refused():
    with pytest.raises(ValueError, match="num_residuals is 0"):
        resnet_block(64, 0)
    with pytest.raises(ValueError, match="num_classes is 0"):
        resnet18(0)


@pytest.mark.parametrize("compiled", [False, True])
def test_an_input_that_is_not_4_d_float32_is_refused(compiled):
    block = ready(Residual(3))
    block.hybridize(active=compiled)
    with pytest.raises(ValueError, match=r"shape \(3, 6, 6\), which has 3 axes.* X\[None\]"):
        block(images(3, 6, 6))
    with pytest.raises(TypeError, match=r"float64 numbers.* X\.astype\('float32'\)"):
        block(images(4, 3, 6, 6).astype("float64"))
    with pytest.raises(TypeError, match=r"uint8 numbers"):
        block(images(4, 3, 6, 6).astype("uint8"))
    with pytest.raises(TypeError, match=r"numpy\.ndarray.* mxnet\.np\.array\(X, dtype='float32'\)"):
        block(images(4, 3, 6, 6).asnumpy())
    assert block(images(4, 3, 6, 6)).shape == (4, 3, 6, 6), "and it still works"


@pytest.mark.parametrize(("num_channels", "strides", "channels"), [(6, 1, 3), (3, 2, 3), (6, 1, 1)])
def test_a_shortcut_that_cannot_be_added_is_refused_even_where_mxnet_would_repeat_it(
    num_channels, strides, channels
):
    block = ready(Residual(num_channels, strides=strides))
    with pytest.raises(ValueError, match=r"residual branch gives \(4.* use_1x1conv=True"):
        block(images(4, channels, 6, 6))


# What notebook 04 says about the class in the toolbox


class _Taught(ast.NodeTransformer):
    """Removes docstrings, types and calls of `_guards`, and notes which guard is called where."""

    def __init__(self):
        self.guards = {}

    def visit_FunctionDef(self, node):
        calls = [ast.unparse(line.value.func) for line in node.body if isinstance(line, ast.Expr)]
        self.guards[node.name] = [name for name in calls if name.startswith("_guards.")]
        node.body = [line for line in node.body if "_guards" not in ast.unparse(line)]
        node.returns = None
        return self.generic_visit(node)

    def visit_ClassDef(self, node):
        assert ast.get_docstring(node)
        node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_arg(self, node):
        assert node.annotation or node.arg in ("self", "F")
        node.annotation = None
        return node


def test_notebook_04_says_rightly_what_the_toolbox_adds_to_the_block():
    cells = nbformat.read(NOTEBOOK_04, as_version=4).cells
    (taught,) = [cell for cell in cells if cell.source.startswith("class Residual(")]
    (said,) = [cell for cell in cells if "`Residual` in `utils/resnet.py`" in cell.source]
    assert (
        "`Residual` in `utils/resnet.py`, without its docstrings, types and checks." in said.source
    )
    bare = _Taught()
    (toolbox,) = bare.visit(ast.parse(inspect.getsource(Residual))).body
    (forward,) = [part for part in toolbox.body if part.name == "forward"]
    assert ast.unparse(forward.body) == "return super().forward(X)"
    toolbox.body.remove(forward)
    assert ast.unparse(toolbox) == ast.unparse(ast.parse(taught.source))
    assert bare.guards == {
        "__init__": ["_guards.check_positive"],
        "forward": ["_guards.check_images"],
        "hybrid_forward": ["_guards.check_addable"],
    }


@pytest.mark.parametrize("method", ["hybrid_forward", "forward"])
def test_python_runs_a_compiled_block_once_but_one_that_overrides_forward_always(method):
    called = []

    class Compiled(Residual):
        def hybrid_forward(self, F, X):
            called.append(type(X).__name__)
            return super().hybrid_forward(F, X)

    class NotCompiled(Residual):
        def forward(self, X):
            called.append(type(X).__name__)
            return self.hybrid_forward(None, X)

    block = ready({"hybrid_forward": Compiled, "forward": NotCompiled}[method](3))
    X = images(4, 3, 6, 6)
    expected = block(X).asnumpy()
    called.clear()
    block.hybridize()
    for _ in range(3):
        numpy.testing.assert_array_equal(block(X).asnumpy(), expected)
    assert called == (["_Symbol"] if method == "hybrid_forward" else 3 * ["ndarray"])


# Parameters that never learn: notebook 04


def exact_zeros(net, size):
    """Return the shares of exact zeros in the gradients of the 3x3 kernels of stage 4."""
    X = images(32, 1, size, size)
    with autograd.record():
        loss = (net(X) ** 2).sum()
    loss.backward()
    blocks = net.stage4.block1, net.stage4.block2
    kernels = [conv.weight.grad() for block in blocks for conv in (block.conv1, block.conv2)]
    return [(kernel.asnumpy() == 0).all(axis=(0, 1)).sum() for kernel in kernels]


def test_at_28x28_five_and_eight_of_the_nine_positions_of_the_kernels_in_stage_4_get_no_gradient():
    net = ready(resnet18())
    assert exact_zeros(net, 28) == [5, 8, 8, 8]
    assert exact_zeros(net, 33) == [0, 0, 0, 0]
