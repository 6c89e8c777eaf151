"""nbgrader's settings, for formgrader too: it reads them where JupyterLab is started here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from grader import shell

c = get_config()  # noqa: F821  (traitlets puts it here)
c.merge(shell.config(Path(__file__).parent))
