"""Export: the same scores outside MXNet, complete files, and errors that give the reason."""

import contextlib
import json
import resource
import subprocess
import sys

import mxnet as mx
import numpy
import onnx
import onnxruntime
import pytest
from d2l import mxnet as d2l
from mxnet import autograd, gluon
from mxnet.gluon import nn
from small_runs import equal, parameters, small_net

from utils import _gluon, data, export, train
from utils.recipes import Recipe
from utils.resnet import named, resnet18

pytestmark = [pytest.mark.xdist_group("export"), pytest.mark.usefixtures("numpy_module")]

CPU = mx.cpu()
LIMIT = 1e-5  # what another order of additions can change, see `apart`
# A program that knows nothing of the course or of MXNet.
ELSEWHERE = """
import sys, numpy, onnxruntime
model, images, answers = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
scores, = session.run(["scores"], {"images": numpy.load(images)})
numpy.save(answers, scores.argmax(axis=1))
print("mxnet" in sys.modules, "utils" in sys.modules)
"""


class Gated(nn.HybridBlock):
    """A gate that broadcasts, as in SE-Net: it uses every operator that needs another name."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2D(8, kernel_size=3, padding=1), nn.Dense(8)

    def hybrid_forward(self, F, X):
        Y = F.npx.relu(self.conv(X))
        gate = F.npx.sigmoid(self.gate(Y))
        return X + Y * F.np.expand_dims(F.np.expand_dims(gate, 2), 3)


class StatisticsFirst(nn.HybridBlock):
    """A layer whose running statistics are read first: reading a weight would await the step."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm(center=False, scale=False)
        self.conv = nn.Conv2D(64, kernel_size=3)

    def hybrid_forward(self, F, X):
        return self.norm(self.conv(X))


@pytest.fixture(scope="module")
def net(numpy_module, sample):
    """ResNet-18 after an epoch on half of the sample, compiled as `fit` leaves it."""
    net = resnet18()
    train.initialize(net, seed=0, device=CPU)
    few = data.FashionMNIST(
        data.Split(sample.train.images[::2], sample.train.labels[::2]),
        *(sample.valid, sample.test, sample.source),
    )
    recipe = Recipe(epochs=1, batch_size=32, learning_rate=0.005)
    train.fit(net, few, recipe, seed=0, device=CPU)
    return net


@pytest.fixture(scope="module")
def file(net, tmp_path_factory):
    return export.to_onnx(net, tmp_path_factory.mktemp("onnx") / "resnet18.onnx")


@pytest.fixture(scope="module")
def images(real_data):
    return data.normalize(real_data.test.images)


@pytest.fixture(scope="module")
def scores(net, real_data):
    return train.predict(net, real_data.test, CPU)


def scores_elsewhere(file, images, batch_size=256):
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    batches = numpy.split(images, range(batch_size, len(images), batch_size))
    return numpy.concatenate([session.run(["scores"], {"images": X})[0] for X in batches])


def apart(some, others):
    """Return the largest difference between scores, relative to the largest score of the image.

    Float32 has seven digits. MXNet and ONNX Runtime differ equally from the same network in
    float64, in different directions.
    """
    return (abs(some - others).max(axis=1) / abs(some).max(axis=1)).max()


@pytest.mark.parametrize("batch_size", [1, 7, 256])
@pytest.mark.slow
@pytest.mark.network
def test_onnx_runtime_gives_the_scores_of_mxnet_for_all_test_images(
    file, images, scores, batch_size
):
    assert len(images) == 10_000
    elsewhere = scores_elsewhere(file, images, batch_size)
    assert apart(scores, elsewhere) < LIMIT
    numpy.testing.assert_array_equal(elsewhere.argmax(axis=1), scores.argmax(axis=1))


@pytest.mark.slow
def test_the_file_is_valid_and_says_what_goes_in_and_out(file):
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"images": ["N", 1, 28, 28], "scores": ["N", 10]}
    assert model.producer_name == f"MXNet {mx.__version__}"
    assert (model.ir_version, model.opset_import[0].version) == (7, 13), "older runtimes read it"


@pytest.mark.slow
@pytest.mark.network
def test_a_process_without_mxnet_gives_the_same_answers(file, images, scores, tmp_path):
    inputs, answers = tmp_path / "images.npy", tmp_path / "answers.npy"
    numpy.save(inputs, images[:1000])
    command = [sys.executable, "-I", "-c", ELSEWHERE, *map(str, (file, inputs, answers))]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert printed.stdout.split() == ["False", "False"]
    numpy.testing.assert_array_equal(numpy.load(answers), scores[:1000].argmax(axis=1))


@pytest.mark.parametrize("hybridized", [False, True])
def test_a_network_is_exported_and_left_as_it_was(few, tmp_path, hybridized):
    """This one takes larger images and has dropout."""
    net = small_net()
    net.hybridize(hybridized)
    X, _ = next(data.batches(few.test, 5, CPU, size=40))
    before, numbers = net(X).asnumpy(), parameters(net)
    file = export.to_onnx(net, tmp_path / "new folder" / "small.onnx", size=40)
    assert apart(before, scores_elsewhere(file, X.asnumpy())) < LIMIT
    assert _gluon.is_compiled(net) == hybridized
    assert equal(parameters(net), numbers)
    numpy.testing.assert_array_equal(net(X).asnumpy(), before)


def test_operators_of_np_arrays_are_renamed(few, tmp_path):
    net = named(conv=nn.Conv2D(8, kernel_size=3), gated=Gated(), dense=nn.Dense(10))
    train.initialize(net, seed=0, device=CPU)
    graph = json.loads(net(mx.sym.var("data").as_np_ndarray()).tojson())
    assert {node["op"] for node in graph["nodes"]} >= export.RENAMED.keys()
    X, _ = next(data.batches(few.test, 5, CPU))
    file = export.to_onnx(net, tmp_path / "gated.onnx")
    assert apart(net(X).asnumpy(), scores_elsewhere(file, X.asnumpy())) < LIMIT


@pytest.mark.slow
def test_mxnets_own_exporter_stops_at_an_operator_of_np_arrays(net, tmp_path):
    """This is why operators are renamed. Without the tables of types it would fail even earlier."""
    export.put_back_mapping()
    net.export(f"{tmp_path}/net")
    graph, numbers = f"{tmp_path}/net-symbol.json", f"{tmp_path}/net-0000.params"
    with pytest.raises(AttributeError, match=r"No conversion function registered .* _npi_add"):
        mx.onnx.export_model(graph, numbers, [(1, 1, 28, 28)], onnx_file_path=f"{tmp_path}/x")


def test_the_tables_of_types_are_put_back_only_where_they_are_missing(monkeypatch):
    monkeypatch.setattr(onnx, "mapping", "onnx's own", raising=False)
    export.put_back_mapping()
    assert onnx.mapping == "onnx's own"
    monkeypatch.delattr(onnx, "mapping")
    export.put_back_mapping()
    types = onnx.mapping.NP_TYPE_TO_TENSOR_TYPE
    assert types[numpy.dtype("float32")] == onnx.TensorProto.FLOAT
    assert onnx.mapping.TENSOR_TYPE_TO_NP_TYPE[onnx.TensorProto.INT64] == numpy.dtype("int64")


@pytest.mark.slow
def test_what_the_last_step_has_learned_is_exported(few, tmp_path):
    """Right after a step of a compiled network, MXNet may return outdated running statistics."""
    net = named(first=StatisticsFirst(), pool=nn.GlobalAvgPool2D(), dense=nn.Dense(10))
    train.initialize(net, seed=0, device=CPU)
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    for X, y in data.batches(few.train, 64, CPU, numpy.random.default_rng(0)):
        with autograd.record():
            losses = train.loss_function(net(X), y)
        losses.backward()
        trainer.step(len(y))
        graph = onnx.load(export.to_onnx(net, tmp_path / "net.onnx")).graph
        stored = {weight.name: onnx.numpy_helper.to_array(weight) for weight in graph.initializer}
        assert equal([stored[name] for name in net.collect_params()], parameters(net))


@contextlib.contextmanager
def room_for(size):
    """Limit the size of files, in bytes, within the `with` statement.

    The limit must not last, since pytest may write its report to a file.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


class TestNothingHalfWrittenIsLeft:
    @pytest.mark.parametrize("room", [0.5, 0.9999])
    def test_on_a_full_disk(self, tmp_path, room):
        path = export.to_onnx(small_net(seed=1), tmp_path / "small.onnx")
        kept = path.read_bytes()
        with room_for(int(room * len(kept))), pytest.raises(OSError, match="File too large"):
            export.to_onnx(small_net(seed=2), path)
        assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {path.name: kept}

    def test_in_a_folder_that_is_a_file(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match="file"):
            export.to_onnx(small_net(), tmp_path / "file" / "small.onnx")


def refused(net, tmp_path, match, **options):
    with pytest.raises(ValueError, match=match):
        export.to_onnx(net, tmp_path / "net.onnx", **options)
    assert not list(tmp_path.iterdir())


class TestANetworkIsRefused:
    @pytest.mark.parametrize("initialized", [False, True])
    def test_when_it_has_seen_no_image_yet(self, tmp_path, initialized):
        net = resnet18()
        if initialized:
            net.initialize()
        refused(net, tmp_path, "has not seen an image yet.* call train.initialize")

    def test_when_it_computes_with_arrays_alone(self, tmp_path):
        """The blocks of d2l do."""
        net = nn.Sequential()
        net.add(nn.Conv2D(8, kernel_size=3), d2l.Residual(8), nn.Dense(10))
        train.initialize(net, seed=0, device=CPU)
        refused(net, tmp_path, r"cannot be written as a graph .* hybrid_forward\(self, F, X\)")

    def test_when_mxnet_has_no_rule_for_an_operator(self, tmp_path):
        net = named(
            conv=nn.Conv2D(8, kernel_size=3), tanh=nn.HybridLambda(lambda F, X: F.np.tanh(X))
        )
        train.initialize(net, seed=0, device=CPU)
        refused(net, tmp_path, r"no rule .* _npi_tanh \(in .*\)\. Compute the same with layers of")

    def test_when_it_takes_images_of_another_size(self, tmp_path):
        net = named(conv=nn.Conv2D(8, kernel_size=3), dense=nn.Dense(10))
        train.initialize(net, seed=0, device=CPU)
        refused(net, tmp_path, r"does not take images of the shape \(1, 29, 29\).* Pass", size=29)
        refused(net, tmp_path, "size is 0, but it must be a whole number", size=0)
