"""A model card: one page that says what to know about a network before using its ONNX file.

Notebook 09 writes one. Its sections follow Mitchell et al., "Model Cards for Model Reporting",
2019, https://arxiv.org/abs/1810.03993. Its head is the YAML that model hubs read:
https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import mxnet as mx
import numpy
from mxnet import gluon
from mxnet.gluon import nn

from utils import _gluon, data, shapes
from utils.export import INPUT, OPSET, OUTPUT
from utils.recipes import Recipe
from utils.setup import storage

STATISTICS = ("running_mean", "running_var")  # how Gluon's names of running statistics end
USES = {
    "train": "training",
    "valid": "evaluation after each epoch",
    "test": "evaluation below",
}


def write(
    onnx_file: str | os.PathLike,
    net: gluon.Block,
    fashion: data.FashionMNIST,
    scores: numpy.ndarray,
    *,
    recipe: Recipe,
    seed: int,
) -> Path:
    """Write the card of a network beside its ONNX file, such as resnet18.md, and return the path.

    `fashion`, `recipe` and `seed` are those of the training run. `scores` (N, 10) are the scores of
    all test images in order, computed by the file itself or by `train.predict`.

    Raises ValueError unless there are ten finite scores for each test image, and OSError if the
    file does not exist or the card cannot be written.
    """
    onnx_file = Path(onnx_file)
    confusions = _confusions(scores, fashion.test.labels)
    digest = hashlib.sha256(onnx_file.read_bytes()).hexdigest()
    sections = [
        _head(onnx_file, confusions),
        _network(onnx_file, net, recipe.size, digest),
        _data(fashion),
        _training(recipe, seed),
        _accuracy(confusions),
        _limits(confusions),
    ]
    card = onnx_file.with_suffix(".md")
    with storage.appearing_whole(card.parent) as part:
        (part / card.name).write_text("\n".join(sections), encoding="utf-8")
    return card


def _confusions(scores: numpy.ndarray, labels: numpy.ndarray) -> numpy.ndarray:
    """Return how often each class (row) was taken for each other (column): (10, 10)."""
    expected = (len(labels), len(data.CLASSES))
    not_finite = numpy.count_nonzero(~numpy.isfinite(scores))
    if scores.shape != expected or not_finite:
        raise ValueError(
            "The scores have the shape {given}, and {not_finite} of them are not finite. Needed "
            "are finite numbers of the shape {expected}: a row for each test image, a column for "
            "each class. Pass what train.predict(net, fashion.test, device) returns.".format(
                given=scores.shape, not_finite=not_finite, expected=expected
            )
        )
    confusions = numpy.zeros((len(data.CLASSES),) * 2, dtype=int)
    numpy.add.at(confusions, (labels, scores.argmax(axis=1)), 1)
    return confusions


def _head(onnx_file: Path, confusions: numpy.ndarray) -> str:
    accuracy = confusions.trace() / confusions.sum()
    return f"""---
license: mit
library_name: onnx
pipeline_tag: image-classification
tags: [image-classification, onnx, resnet]
datasets: [zalando-datasets/fashion_mnist]
metrics: [accuracy]
model-index:
- name: {json.dumps(onnx_file.stem)}
  results:
  - task: {{type: image-classification}}
    dataset: {{name: Fashion-MNIST, type: zalando-datasets/fashion_mnist, split: test}}
    metrics:
    - {{type: accuracy, value: {accuracy:.4f}}}
---
"""


def _network(onnx_file: Path, net: gluon.Block, size: int, digest: str) -> str:
    kinds = Counter(
        type(part).__name__
        for part in shapes.parts(net).values()
        if not isinstance(part, (nn.Sequential, nn.HybridSequential))
    )
    learned = _count(_gluon.learned(net))
    every = net.collect_params().values()
    statistics = _count(parameter for parameter in every if parameter.name.endswith(STATISTICS))
    scaled = "" if size == 28 else ", scaled from 28×28, bilinear, corner pixels on corner pixels"
    return f"""# {onnx_file.stem}

A network that sorts grayscale photos of clothes into ten classes. It was trained in a course on
residual networks, for learning and comparison. It is not meant for decisions that affect people.

- Layers and blocks: {", ".join(f"{count} {kind}" for kind, count in kinds.items())}
- Parameters: {learned:,} learned; {statistics:,} running means and variances
- Input: `{INPUT}`, float32 (N, 1, {size}, {size}), any N{scaled}; a pixel p, from 0 (black)
  to 255, is normalized to (p / 255 − {data.MEAN}) / {data.STD}
- Output: `{OUTPUT}`, float32 (N, {len(data.CLASSES)}), before softmax; the largest is the answer
- Classes, in this order: {", ".join(data.CLASSES)}
- File: `{onnx_file.name}`, ONNX, operator set {OPSET}
- SHA-256 of the file: `{digest}`
- License: MIT, as for the course
"""


def _count(counted: Iterable[gluon.Parameter]) -> int:
    return sum(math.prod(parameter.shape) for parameter in counted)


def _data(fashion: data.FashionMNIST) -> str:
    rows = [(name, f"{len(getattr(fashion, name)):,}", use) for name, use in USES.items()]
    total = sum(len(getattr(fashion, name)) for name in USES)
    return f"""## Data

[Fashion-MNIST](https://github.com/zalandoresearch/fashion-mnist): photos of articles sold by
Zalando, 28×28 pixels (Xiao, Rasul and Vollgraf, 2017, https://arxiv.org/abs/1708.07747). MIT
license, © 2017 Zalando SE. {total:,} of its 70,000 images were used:

{_table(("split", "images", "use"), rows)}
"""


def _training(recipe: Recipe, seed: int) -> str:
    rows = [(f"`{name}`", value) for name, value in {**asdict(recipe), "seed": seed}.items()]
    return f"""## Training

With MXNet {mx.__version__}, by gradient descent with Nesterov momentum. The docstring of the
course's `utils.recipes.Recipe` explains the settings:

{_table(("setting", "value"), rows)}
"""


def _accuracy(confusions: numpy.ndarray) -> str:
    images, recognized = confusions.sum(axis=1), confusions.diagonal()
    rows = [
        (name, f"{n:,}", f"{hits:,}", f"{hits / n:.3f}")
        for name, n, hits in zip(data.CLASSES, images, recognized)
        if n
    ]
    n, hits = images.sum(), recognized.sum()
    return f"""## Accuracy on the test images

{_table(("class", "images", "recognized", "accuracy"), rows)}

It recognizes {hits:,} of all {n:,} images: accuracy {hits / n:.4f}.
"""


def _limits(confusions: numpy.ndarray) -> str:
    errors = confusions - numpy.diag(confusions.diagonal())
    row, column = numpy.unravel_index(errors.argmax(), errors.shape)
    confused = (
        f"Its most common mistake: {data.CLASSES[row]} taken for {data.CLASSES[column]}, "
        f"{errors[row, column]:,} of {confusions[row].sum():,} images."
    )
    return f"""## Limits

- It was trained on small grayscale photos of one article on black. Photos in color, on other
  backgrounds or of people were not tested.
- It assigns one of the ten classes to every image, even to one that shows something else.
- {confused if errors.any() else "It made no mistake on these images."}
"""


def _table(header: tuple[str, ...], rows: list[tuple]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
