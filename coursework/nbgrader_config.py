"""nbgrader's settings, read by formgrader where JupyterLab is started in this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from grader import gradebook

c = get_config()  # noqa: F821  # pyright: ignore[reportUndefinedVariable]  (traitlets defines it)
c.merge(gradebook.config(Path(__file__).parent))
