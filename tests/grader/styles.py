"""Right answers in other styles, answers with one mistake, and answers copied from the lessons.

Each mistake comes with the points its answer must get and the name that the feedback must give it.
"""

from __future__ import annotations

import inspect

import nbformat
import right_shortcuts
from hostile import POOL, RIGHT, SUM

from notebooks import NOTEBOOKS, code_cells, tags

IMPORTS = "from mxnet import np, npx\nfrom mxnet.gluon import nn\n"


def _named(version: type) -> str:
    """The source of a block in right_shortcuts and of its parents, under the answer's name."""
    own = [part for part in version.__mro__[::-1] if part.__module__ == version.__module__]
    parts = [inspect.getsource(part).removeprefix("@right\n") for part in own]
    return IMPORTS + "\n".join(parts) + f"\nMyResidual = {version.__name__}\n"


RIGHT_BLOCKS = {version.__name__: _named(version) for version in right_shortcuts.RIGHT_SHORTCUTS}

SHAPES = """
def part_shapes(height, width, stem=((7, 2, 3), (3, 2, 1)), first_width=64, num_classes=10):
    sides = [height, width]
    for kernel, stride, padding in stem:
        sides = [(side + 2 * padding - kernel) // stride + 1 for side in sides]
    found = {"stem": (1, first_width, *sides), "stage1": (1, first_width, *sides)}
    for stage in (2, 3, 4):
        sides = [(side + 1) // 2 for side in sides]
        found[f"stage{stage}"] = (1, first_width * 2 ** (stage - 1), *sides)
    return {**found, "pool": (1, 8 * first_width, 1, 1), "dense": (1, num_classes)}
"""
PARAMETERS = """
def part_parameters(first_width=64, num_classes=10, kernel=7, shortcut_weights=True):
    w = first_width
    found = {"stem": kernel**2 * w + w + 2 * w, "stage1": 4 * (9 * w * w + w) + 4 * 2 * w}
    for stage in (2, 3, 4):
        v = 2 * w
        narrow = w * v + v if shortcut_weights else 0
        found[f"stage{stage}"] = 9 * w * v + v + 3 * (9 * v * v + v) + narrow + 4 * 2 * v
        w = v
    return {**found, "dense": w * num_classes + num_classes}
"""
LAYERS = "self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))"


def changed(source: str, old: str, new: str) -> str:
    """Return a right answer with one change."""
    assert old in source
    return source.replace(old, new)


# By what is wrong: the answer, its text, the points it must get, the name of the mistake.
MISTAKES = {
    "no shortcut": ("block", changed(RIGHT, SUM, "npx.relu(Y)"), 1, "no shortcut"),
    "no last ReLU": ("block", changed(RIGHT, SUM, "Y + X"), 1, "no ReLU at the end"),
    "pixels skipped": (
        "block",
        changed(RIGHT, POOL, "nn.MaxPool2D(1, strides)"),
        4,
        "pixels skipped, not pooled",
    ),
    "mean": (
        "block",
        changed(RIGHT, POOL, POOL.replace("Max", "Avg")),
        4,
        "mean in place of the maximum",
    ),
    "channels repeated": (
        "block",
        changed(RIGHT, "np.zeros_like(Y[:, X.shape[1] :])", "X[:, : Y.shape[1] - X.shape[1]]"),
        3,
        "new channels are not zero",
    ),
    "1x1 convolution": (
        "block",
        changed(
            changed(RIGHT, POOL, "nn.Conv2D(num_channels, 1, strides)"),
            "X = self.pool(X)",
            "X = self.pool(X) if Y.shape != X.shape else X",
        ),
        2,
        "weights on the shortcut",
    ),
    "one normalization": (
        "block",
        changed(RIGHT, "self.bn2(", "self.bn1("),
        6,
        "normalization or bias made but not used",
    ),
    "no second normalization": (
        "block",
        changed(RIGHT, LAYERS, LAYERS.removeprefix("self.bn2(").removesuffix(")")),
        3,
        "second normalization missing",
    ),
    "no ReLU between": (
        "block",
        changed(RIGHT, "npx.relu(self.bn1(self.conv1(X)))", "self.bn1(self.conv1(X))"),
        1,
        "no ReLU between the convolutions",
    ),
    "stride in the second": (
        "block",
        changed(
            changed(RIGHT, "padding=1, strides=strides)", "padding=1)"),
            "self.conv2 = nn.Conv2D(num_channels, 3, ",
            "self.conv2 = nn.Conv2D(num_channels, 3, strides=strides, ",
        ),
        4,
        "stride on the second convolution",
    ),
    "halving rounded down": (
        "shapes",
        changed(SHAPES, "(side + 1) // 2", "side // 2"),
        0,
        "wrong height or width",
    ),
    "always the same stem": (
        "shapes",
        changed(SHAPES, "in stem:", "in ((7, 2, 3), (3, 2, 1)):"),
        1,
        "",
    ),
    "classes fixed": ("shapes", changed(SHAPES, "(1, num_classes)", "(1, 10)"), 2, ""),
    "biases forgotten": (
        "parameters",
        changed(PARAMETERS, "w * num_classes + num_classes", "w * num_classes"),
        2,
        "biases forgotten",
    ),
    "1x1 forgotten": (
        "parameters",
        changed(PARAMETERS, "w * v + v if shortcut_weights else 0", "0"),
        2,
        "1x1 convolutions forgotten",
    ),
    "1x1 always": ("parameters", changed(PARAMETERS, " if shortcut_weights else 0", ""), 2, ""),
}


def _taught(*lessons: str) -> str:
    """Our versions of what the lessons teach, all that a learner can copy."""
    sources = []
    for lesson in lessons:
        (path,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
        for cell in code_cells(nbformat.read(path, as_version=4)):
            if "taught" in tags(cell) or FORMULAS.intersection(cell.source.splitlines()):
                sources.append(cell.source)
    return "\n\n\n".join(sources)


FORMULAS = {
    "def pixels_out(n, kernel, stride, padding):",
    "def convolution(c_in, c_out, kernel):",
    "def stage(c_in, c):",
}
# Problem set by problem set: what somebody hands in who copies, and writes no more than the names.
COPIED = {
    "ps1": {
        "block": _taught("02") + "\n\nMyResidual = Residual\n",
        "repair": _taught("02", "03")
        + """
class MyBottleneck(Residual):
    pass

def my_stage(num_channels, num_blocks, strides=1):
    return resnet_block(num_channels, num_blocks, first_block=strides == 1)

def my_head(num_classes=10):
    return named(pool=nn.GlobalAvgPool2D(), dense=nn.Dense(num_classes))
""",
        "shapes": _taught("03")
        + """
def part_shapes(height, width, stem=None, first_width=64, num_classes=10):
    after = lambda sides, kernel, padding: [pixels_out(n, kernel, 2, padding) for n in sides]
    sides = after(after((height, width), 7, 3), 3, 1)
    found = {"stem": (1, first_width, *sides), "stage1": (1, first_width, *sides)}
    for number in (2, 3, 4):
        sides = after(sides, 3, 1)
        found[f"stage{number}"] = (1, first_width * 2 ** (number - 1), *sides)
    return {**found, "pool": (1, 8 * first_width, 1, 1), "dense": (1, num_classes)}
""",
        "own-shapes": """
def my_shapes():
    return part_shapes(my.height, my.width, None, my.first_width, my.num_classes)
""",
        "parameters": _taught("04")
        + """
def part_parameters(first_width=64, num_classes=10, kernel=7, shortcut_weights=True):
    w = first_width
    found = {"stem": convolution(1, w, 7) + normalization(w), "stage1": stage(w, w)}
    for number in (2, 3, 4):
        w, found[f"stage{number}"] = 2 * w, stage(w, 2 * w)
    return {**found, "dense": w * num_classes + num_classes}
""",
        "own-total": """
def my_total():
    return sum(part_parameters(my.first_width, my.num_classes).values())
""",
    },
    "ps2": {
        "block": _taught("04") + "\n\nMyResidual = Residual\n",
        "network": _taught("03", "04")
        + """
def my_resnet18(first_width=64, num_classes=10):
    return resnet18(num_classes)
""",
        "step": _taught("05")
        + """
loss_function = gluon.loss.SoftmaxCrossEntropyLoss()

def my_train_step(net, X, y, trainer, parts=1):
    return train_step(net, X, y, trainer)
""",
        "fit": """
def my_fit(net, fashion, recipe, *, seed, device):
    steps = recipe.steps_per_epoch(fashion.train)
    trainer = recipe.trainer(net, steps * recipe.epochs)
    history = []
    for epoch in range(recipe.epochs):
        rng = numpy.random.default_rng([seed, epoch])
        losses = [
            my_train_step(net, X, y, trainer)[0]
            for X, y in recipe.batches(fashion.train, device, rng)
        ]
        history.append((sum(losses) / steps, train.evaluate(net, fashion.valid, device)[1]))
    return history
""",
    },
}
