"""nbgrader's settings, for formgrader too: it reads them where JupyterLab is started here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from grader import gradebook

c = get_config()  # noqa: F821  (traitlets puts it here)
c.merge(gradebook.config(Path(__file__).parent))
