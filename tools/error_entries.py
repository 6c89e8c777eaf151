"""What the page of errors tells: each example, its cause and its cure. tools/error_page.py runs it.

The examples are written as in a notebook, below the lines of `IMPORTS`. A `wrong` one must fail as
its entry says, and must run when it is mended.
"""

from __future__ import annotations

from dataclasses import dataclass

IMPORTS = """
import os
import time
from pathlib import Path

import utils  # before mxnet
import mxnet as mx
from d2l import mxnet as d2l
from mxnet import autograd, gluon, np, npx
from mxnet.gluon import nn
from utils import data, families, recipes, resnet, shapes, train
from utils.runs import checkpoint

npx.set_np()
"""


@dataclass(frozen=True)
class Mistake:
    """A mistake that is reported, under the words of the message that a reader would look for."""

    words: str
    wrong: str
    cause: str
    cure: str
    mend: tuple[str, str] | None = None  # a part of `wrong`, and what makes it run in its place
    until: str = ""  # where the page cuts a long message
    also: tuple[str, ...] = ()  # other mistakes with the same words, named in `cause`
    alone: bool = False  # run in a Python that does not know the course, without the imports


@dataclass(frozen=True)
class Silence:
    """A mistake that nobody reports, and what its example prints instead."""

    title: str
    wrong: str
    meaning: str


SHAPES = [
    Mistake(
        words="operands could not be broadcast together with shapes",
        wrong="""
            block = d2l.Residual(6, strides=2)
            block.initialize()
            block(np.zeros((4, 3, 6, 6)))
        """,
        cause="The two sides of a plus sign have different shapes. The first shape is what the "
        "convolutions made, the second is the shortcut, which still has the shape of the input.",
        cure="Let a 1×1 convolution with the same stride give the shortcut the other shape.",
        mend=(
            "block = d2l.Residual(6, strides=2)",
            "block = d2l.Residual(6, use_1x1conv=True, strides=2)",
        ),
    ),
    Mistake(
        words="The residual branch gives",
        wrong="""
            block = resnet.Residual(6)
            block.initialize()
            block(np.zeros((4, 1, 6, 6)))
        """,
        cause="The same mistake, found by the `Residual` of this course. It also refuses shapes "
        "that MXNet adds silently, as here: see the last section.",
        cure="Again a 1×1 convolution on the shortcut.",
        mend=("block = resnet.Residual(6)", "block = resnet.Residual(6, use_1x1conv=True)"),
    ),
    Mistake(
        words="Input data should be 4D in batch-num_filter-y-x",
        wrong="""
            net = resnet.resnet18()
            train.initialize(net, seed=0, device=mx.cpu())
            X = np.zeros((8, 28, 28))
            net(X)
        """,
        cause="A convolution needs four axes: (batch, channels, height, width). Here the axis of "
        "the channels is missing. In the message, `3 vs. 4` means: 3 axes, not 4.",
        cure="Add the axis. For many gray images, (N, H, W), it is the second one; for a single "
        "image (C, H, W) the batch is missing instead: `X[None]`.",
        mend=("net(X)", "net(X[:, None])"),
    ),
    Mistake(
        words="Shape inconsistent, Provided =",
        wrong="""
            net = resnet.resnet18()
            train.initialize(net, seed=0, device=mx.cpu())
            net(np.zeros((1, 3, 28, 28)))
        """,
        cause="At its first call a network gives its weights the shapes that suit the first "
        "input, and keeps them. `train.initialize` makes that call with one channel. *Provided* "
        "is the shape of the weights, *inferred* the shape that this input would need: the "
        "second number is the number of input channels. From the loss the message means that "
        "there are more or fewer labels than images.",
        also=("train.loss_function(np.ones((3, 10)), np.array([1, 2]))",),
        cure="Give the network inputs with the channels it was made for. For images with three "
        "channels, make a new one, and let them be its first input.",
        mend=(
            "train.initialize(net, seed=0, device=mx.cpu())",
            "net.initialize()  # the next call is the first",
        ),
    ),
    Mistake(
        words="but the expected output was",
        wrong="""
            net = resnet.resnet18()
            net.initialize()
            expected = {"stem": (1, 64, 24, 24), "stage2": (1, 128, 24, 24)}
            shapes.verify_shapes(net, (1, 1, 96, 96), expected)
        """,
        cause="`verify_shapes` compares your prediction with what the network does. The layer it "
        "names is the first that deviates, so all listed layers before it agree.",
        cure="Decide which of the two is wrong. Here it is the prediction: the first block of "
        "stage 2 halves height and width.",
        mend=(
            'expected = {"stem": (1, 64, 24, 24), "stage2": (1, 128, 24, 24)}',
            'expected = {"stem": (1, 64, 24, 24), "stage2": (1, 128, 12, 12)}',
        ),
    ),
]

PARAMETERS = [
    Mistake(
        words="has not been initialized. Note that",
        wrong="""
            net = resnet.resnet18()
            net(np.zeros((1, 1, 28, 28)))
        """,
        cause="The network has no weights yet. The advice about `collect_params` in the message "
        "seldom helps.",
        cure="Initialize it. If you did, a layer is hidden in a Python list: see the next entry.",
        mend=("net = resnet.resnet18()", "net = resnet.resnet18()\nnet.initialize()"),
    ),
    Mistake(
        words="is an unregistered container with Blocks",
        wrong="""
            class Stage(nn.HybridBlock):
                def __init__(self):
                    super().__init__()
                    self.blocks = [resnet.Residual(3), resnet.Residual(3)]


            stage = Stage()
            stage.initialize()
        """,
        cause="Gluon does not look into Python lists. It gives the layers in them no weights and "
        "does not train them. This is a warning; the error, *has not been initialized*, follows "
        "at the first call.",
        cure="Use `nn.HybridSequential` in place of the list.",
        mend=(
            "        self.blocks = [resnet.Residual(3), resnet.Residual(3)]",
            "        self.blocks = nn.HybridSequential()\n"
            "        self.blocks.add(resnet.Residual(3), resnet.Residual(3))",
        ),
    ),
    Mistake(
        words="has not been initialized yet because initialization was deferred",
        wrong="""
            net = resnet.resnet18()
            net.initialize()
            net.dense.weight.data()
        """,
        until="Actual initialization happens during the first forward pass.",
        cause="A layer learns the number of its inputs from the first input; until then its "
        "weights do not exist. If the message comes from `trainer.step`, the network has a layer "
        "that its forward pass never uses.",
        also=(
            """
            net = nn.Dense(10)
            net.initialize()
            gluon.Trainer(net.collect_params(), "sgd").step(1)
            """,
        ),
        cure="Call the network once. Remove layers that are not used.",
        mend=("net.initialize()", "net.initialize()\nnet(np.zeros((1, 1, 28, 28)))"),
    ),
    Mistake(
        words="is missing in file",
        wrong="""
            net = d2l.resnet18(10)
            train.initialize(net, seed=0, device=mx.cpu())
            net.save_parameters("resnet18.params")

            net = resnet.resnet18()
            net.load_parameters("resnet18.params")
        """,
        until="which contains parameters:",
        cause="In the file each parameter has a name that says where in the network it stands. "
        "The network that loads the file has other names, so it is built in another way, even if "
        "it computes the same.",
        cure="Build the network with the same code that built the saved one. Do not set "
        "`allow_missing=True`: the missing parameters would stay without their values.",
        mend=("net = resnet.resnet18()", "net = d2l.resnet18(10)  # as it was saved"),
    ),
    Mistake(
        words="belongs to another run",
        wrong="""
            net, fashion = families.deep_network(8, families.Plain), data.load("quick")
            kept = checkpoint.Checkpoint("run.zip", resume=True)
            settings = {"seed": 0, "device": mx.cpu(), "callbacks": [kept]}
            train.initialize(net, seed=0, device=mx.cpu())
            train.fit(net, fashion, recipes.Recipe(epochs=1), **settings)
            train.fit(net, fashion, recipes.Recipe(epochs=2), **settings)
        """,
        until="(this call says 2)",
        cause="With `resume=True` the training goes on to the curve of the first call, and that "
        "is possible only with the same recipe, seed and images. The message says what differs. "
        "*Belongs to another network* means that the shapes of the weights differ.",
        cure="Repeat the call that was interrupted as it was, or give the new run a file of its "
        "own: another name, or delete the old one if you need it no more.",
        mend=(
            "train.fit(net, fashion, recipes.Recipe(epochs=2), **settings)",
            "train.fit(net, fashion, recipes.Recipe(epochs=1), **settings)",
        ),
    ),
]

ARRAYS = [
    Mistake(
        words="This is a legacy operator which can only accept legacy ndarrays",
        wrong="""
            npx.reset_np()  # as in a notebook that never calls npx.set_np()
            net = resnet.resnet18()
            net.initialize()
            net(np.zeros((1, 1, 28, 28)))
        """,
        until="while received an MXNet numpy ndarray.",
        cause="MXNet has two kinds of arrays: the older `mx.nd` and `mx.np`. Without "
        "`npx.set_np()` its layers expect the older kind. A sum such as `mx.nd.ones(3) + "
        "np.ones(3)` gives the same message, and so does Gluon's own `zero_grad`.",
        also=(
            "mx.nd.ones(3) + np.ones(3)",
            """
            layer = nn.Dense(1, in_units=1)
            layer.initialize()
            layer.weight.zero_grad()
            """,
        ),
        cure="Call `npx.set_np()` once, right after the imports and before any layer is made. Do "
        "not convert arrays, as the message advises; use `mx.np` alone. In place of `zero_grad`, "
        "write `parameter.grad()[:] = 0`.",
        mend=("npx.reset_np()  # as in a notebook that never calls npx.set_np()", "npx.set_np()"),
    ),
    Mistake(
        words="In HybridBlock, there must be one NDArray or one Symbol in the input",
        wrong="""
            net = resnet.resnet18()
            net.initialize()
            images = data.load("quick").train.images[:8]
            net(images)
        """,
        cause="The input is an array of numpy. A network computes with arrays of MXNet alone.",
        cure="Convert the numbers to float32, then to an array of MXNet with its `np.array`. "
        "`data.normalize` does the first, and adds the axis of the channels.",
        mend=("net(images)", "net(np.array(data.normalize(images)))"),
    ),
    Mistake(
        words="This layer requires uniform type",
        wrong="""
            net = resnet.resnet18()
            train.initialize(net, seed=0, device=mx.cpu())
            X = np.zeros((8, 1, 28, 28), dtype="uint8")
            net(X)
        """,
        cause="The images are whole numbers from 0 to 255 (`uint8`), or `float64`; the weights are "
        "`float32`, and MXNet does not convert. It says so the wrong way round: it *expects* "
        "weights of the type that the images have.",
        also=(
            """
            net = resnet.resnet18()
            train.initialize(net, seed=0, device=mx.cpu())
            net(np.zeros((8, 1, 28, 28), dtype="float64"))
            """,
        ),
        cure="Convert the input; better, take it from `data.batches`, which normalizes it.",
        mend=("net(X)", 'net(X.astype("float32"))'),
    ),
    Mistake(
        words="is not implemented for Symbol and only available in NDArray",
        wrong="""
            class Loud(resnet.Residual):
                def hybrid_forward(self, F, X):
                    print(X.asnumpy().max())
                    return super().hybrid_forward(F, X)


            block = Loud(3)
            block.initialize()
            block.hybridize()
            block(np.zeros((4, 3, 6, 6)))
        """,
        cause="After `hybridize()` MXNet runs `hybrid_forward` once with symbols, which stand for "
        "arrays and have no numbers. So `asnumpy()` fails, and an `if` that depends on the "
        "numbers fails with the same words.",
        also=(
            """
            class Sign(nn.HybridBlock):
                def hybrid_forward(self, F, X):
                    return X if X.mean() > 0 else -X

            block = Sign()
            block.hybridize()
            block(np.zeros((1, 2)))
            """,
        ),
        cure="To look inside, run the network without `hybridize()`, or after "
        "`hybridize(False)`. To choose between numbers, use an operation such as `F.np.where`.",
        mend=("block.hybridize()", "block.hybridize(False)"),
    ),
    Mistake(
        words="Argument data must have NDArray type, but got <_Symbol data>",
        wrong="""
            class Relu(nn.HybridBlock):
                def hybrid_forward(self, F, X):
                    return npx.relu(X)


            block = Relu()
            block.hybridize()
            block(np.zeros((1, 2)))
        """,
        cause="After `hybridize()`, `X` is a symbol, and the function `npx.relu` accepts arrays "
        "alone. Without `hybridize()` the block works.",
        cure="Write `F` in front: it stands for the functions that suit the input. Or use a layer: "
        '`nn.Activation("relu")`.',
        mend=("return npx.relu(X)", "return F.npx.relu(X)"),
    ),
]

TRAINING = [
    Mistake(
        words="Cannot differentiate node because it is not in a computational graph",
        wrong="""
            net = nn.Dense(10)
            net.initialize()
            loss = net(np.ones((2, 784))).mean()
            loss.backward()
        """,
        until="use autograd.record() to save computational graphs for backward.",
        cause="MXNet did not record how the loss was computed. A second `backward()` of the same "
        "loss gives this message too.",
        also=(
            """
            net = nn.Dense(10)
            net.initialize()
            with autograd.record():
                loss = net(np.ones((2, 784))).mean()
            loss.backward()
            loss.backward()
            """,
        ),
        cure="Compute scores and loss inside `with autograd.record():`, and call `backward()` "
        "once for each recording.",
        mend=(
            "loss = net(np.ones((2, 784))).mean()",
            "with autograd.record():\n    loss = net(np.ones((2, 784))).mean()",
        ),
    ),
    Mistake(
        words="has not been updated by backward since last",
        wrong="""
            net, X = resnet.resnet18(), np.ones((2, 1, 28, 28))
            train.initialize(net, seed=0, device=mx.cpu())
            trainer = gluon.Trainer(net.collect_params(), "sgd")
            with autograd.record():
                loss = net.stem(X).mean()
            loss.backward()
            trainer.step(2)
        """,
        until="This could mean a bug in your model",
        cause="The trainer holds parameters that got no gradient: the loss does not depend on "
        "them (here it is computed from the stem alone), or `step` was called twice after one "
        "`backward`. It is called a warning, and yet it stops the program.",
        also=(
            """
            net = nn.Dense(10)
            net.initialize()
            with autograd.record():
                loss = net(np.ones((2, 784))).mean()
            loss.backward()
            trainer = gluon.Trainer(net.collect_params(), "sgd")
            trainer.step(2)
            trainer.step(2)
            """,
        ),
        cure="Compute the loss from the whole network. To train a part, give the trainer only the "
        "parameters of that part: `net.stem.collect_params()`.",
        mend=("loss = net.stem(X).mean()", "loss = net(X).mean()"),
    ),
    Mistake(
        words="Type inconsistent, Provided =",
        wrong="""
            net = resnet.resnet18()
            train.initialize(net, seed=0, device=mx.cpu())
            trainer = recipes.Recipe().trainer(net, steps=1)
            X = np.zeros((2, 1, 28, 28))
            y = np.array([3, 9])
            train.train_step(net, X, y, trainer)
        """,
        cause="The labels are compared with the predicted classes, and MXNet compares only numbers "
        "of one type. `np.array([3, 9])` of MXNet is float32, unlike numpy's.",
        cure="Name the type: labels are `int32` in this course.",
        mend=("y = np.array([3, 9])", 'y = np.array([3, 9], dtype="int32")'),
    ),
    Mistake(
        words="The loss became nan",
        wrong="""
            net = families.deep_network(8, resnet.Residual)
            train.initialize(net, seed=0, device=mx.cpu())
            recipe = recipes.Recipe(epochs=1, learning_rate=1e30)
            train.fit(net, data.load("quick"), recipe, seed=0, device=mx.cpu())
        """,
        cause="The steps are too long: the weights grew until their products were too large for "
        "float32. (The rate of this example is absurd, so that it fails at once.)",
        cure="Divide the learning rate by ten until the loss falls.",
        mend=(
            "recipe = recipes.Recipe(epochs=1, learning_rate=1e30)",
            "recipe = recipes.Recipe(epochs=1, learning_rate=0.1)",
        ),
    ),
]

MACHINE = [
    Mistake(
        words="No module named 'utils'",
        wrong="""
            import sys

            sys.path.insert(0, "..")
            import utils
        """,
        alone=True,
        cause="Python looks for `utils` in the folder above the notebook. The notebook was moved "
        "or copied to another place, or it runs in a Python other than the course's.",
        cure="Keep the notebook in `notebooks/`, and start JupyterLab with `make lab`.",
    ),
    Mistake(
        words="has the wrong contents",
        wrong="""
            Path("train-images-idx3-ubyte.gz").write_text("<html>404 Not Found</html>")
            os.environ["FASHION_MNIST_DIR"] = "."
            data.load()
        """,
        cause="The file has the right name, but not the right contents. Often it is an error page "
        "that a server sent in place of the file.",
        cure="Download the file again, or remove the variable `FASHION_MNIST_DIR`: then the course "
        "looks for the data by itself. Meanwhile, work with the sample that comes with it.",
    ),
]

SILENCES = [
    Silence(
        title="One channel is repeated",
        wrong="""
            block = d2l.Residual(6)
            block.initialize()
            print(block(np.zeros((4, 1, 6, 6))).shape)
        """,
        meaning="The 1×1 convolution is missing, but an axis of length 1 is *broadcast*: MXNet "
        "adds the one channel to all six. `resnet.Residual` refuses it.",
    ),
    Silence(
        title="A label that no class has",
        wrong="""
            scores = np.array([[0.1, 0.2, 0.7]])  # one image, classes 0, 1 and 2
            for label in (2, 7):
                print(train.loss_function(scores, np.array([label])))
        """,
        meaning="The loss takes label 7 for the last class. Check the labels yourself; "
        "`data.Split` does.",
    ),
    Silence(
        title="A network that is never compiled",
        wrong="""
            class Relu(nn.HybridBlock):
                def forward(self, X):
                    print("Python runs")
                    return npx.relu(X)


            block = Relu()
            block.hybridize()
            for call in range(3):
                block(np.zeros((1, 2)))
        """,
        meaning="Compiled, the block would run in Python once and print one line. MXNet compiles "
        "what stands in `hybrid_forward(self, F, X)`; a method named `forward` runs in Python at "
        "each call, as if `hybridize()` were not there.",
    ),
    Silence(
        title="A clock that does not wait",
        wrong="""
            X = np.ones((3000, 3000))
            start = time.perf_counter()
            Y = X @ X
            asked = time.perf_counter() - start
            Y.wait_to_read()
            done = time.perf_counter() - start
            print("more than ten times as long:", done > 10 * asked)
        """,
        meaning="MXNet computes in the background. The line with the product returns before there "
        "is a result, and `asked` is the time of the asking alone. Call `wait_to_read()`, "
        "`npx.waitall()` or `asnumpy()` before you read the clock.",
    ),
]

SECTIONS = {
    "Shapes": SHAPES,
    "Parameters": PARAMETERS,
    "Arrays and compiling": ARRAYS,
    "Training": TRAINING,
    "The machine": MACHINE,
}
