"""Start JupyterLab for `make lab` and `make formgrader`; it ends with the make that started it.

python tools/open_lab.py [OPTION OF JUPYTERLAB ...]
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial

BEFORE = os.environ.copy()

from jupyterlab.labapp import main  # noqa: E402

from utils.runs import keeper  # noqa: E402
from utils.setup import remedies  # noqa: E402

if __name__ == "__main__":
    with remedies.explained():
        # `import utils` has set this process up for MXNet. Kernels do that themselves.
        os.environ.clear()
        os.environ.update(BEFORE)
        keeper.end_with_starter(partial(os.kill, os.getpid(), signal.SIGTERM))  # kernels, too
        sys.exit(main())
