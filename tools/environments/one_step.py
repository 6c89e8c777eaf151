"""Compute what two processors are compared by, and write it into a file.

python tools/environments/one_step.py FILE

It holds numbers from MXNet's generator, some linear algebra, and ResNet-18 on images of the sample:
its predictions, its gradients, and its weights after one step.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
import utils  # noqa: F401  (before mxnet)

# isort: split
import mxnet as mx
import numpy
from mxnet import autograd, gluon, init, np, npx

from utils import data, resnet
from utils.setup import remedies


def main(file: str) -> None:
    """Compute, and write arrays by their names."""
    npx.set_np()
    mx.random.seed(0)
    found = {"generator": np.random.normal(size=1000)}
    square = np.random.normal(size=(32, 32))
    left, singular, right = np.linalg.svd(square)
    found["linear algebra: inverse"] = np.linalg.inv(square)
    found["linear algebra: singular values"] = singular
    found["linear algebra: product"] = np.dot(left * singular, right)
    net = resnet.resnet18()
    net.initialize(init.Xavier())
    X, y = next(data.batches(data.load("quick").train, 16, mx.cpu()))
    net(X)
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.05, "momentum": 0.9})
    with autograd.record():
        scores = net(X)
        loss = gluon.loss.SoftmaxCrossEntropyLoss()(scores, y)
    loss.backward()
    npx.waitall()
    found |= {"predictions": scores, "loss": loss}
    learned = {name: p for name, p in net.collect_params().items() if p.grad_req != "null"}
    found |= {f"gradients: {name}": p.grad().copy() for name, p in learned.items()}
    trainer.step(len(X))
    npx.waitall()
    found |= {f"weights: {name}": p.data() for name, p in learned.items()}
    numpy.savez(file, **{name.replace("/", "."): each.asnumpy() for name, each in found.items()})
    print(f"{mx.libinfo.__file__} computed {len(found)} arrays.")


if __name__ == "__main__":
    with remedies.explained():
        main(sys.argv[1])
