"""Remove ready-made residual networks and trainings from what a submission can import.

Their names stay, so that notebooks that import them run; using one raises.
"""

from __future__ import annotations

import ast
from pathlib import Path

# What using one raises; the jail's frames carry the name.
ERROR = "ReadyMadeError"
# What is removed from each module, given as a path inside the jail; None for everything.
MODULES: dict[str, set[str] | None] = {
    "/course/utils/resnet.py": {"Residual", "resnet18", "resnet_block", "stem"},
    "/course/utils/families.py": None,
    "/course/utils/train.py": {"train_step", "train_epoch", "fit"},
    "/packages/d2l/mxnet.py": {"Residual", "ResNeXtBlock", "resnet18"},
    "/packages/mxnet/gluon/model_zoo/vision/resnet.py": None,
}

# The notebook's own checks do nothing while items are answered. Importing them takes a second.
CHECKS = "/course/utils/checks/__init__.py"
NO_CHECKS = "def __getattr__(name):\n    return lambda *_, **__: None\n"


def without(source: str, names: set[str] | None) -> str:
    """Return a module in which these classes and functions, or all of them, only raise.

    Raises ValueError where the module does not define one of the names.
    """
    tree = ast.parse(source)
    found = [node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    if missing := (names or set()) - {node.name for node in found}:
        raise ValueError(f"The module does not define {', '.join(sorted(missing))}.")
    for node in found:
        if names is None or node.name in names:
            _empty(node)
    return ast.unparse(tree)


def binds(course: Path, packages: Path, folder: Path) -> dict[str, Path]:
    """Write the stripped modules to `folder`; return them by the path where the jail shows them.

    `course` holds utils/, `packages` is a site-packages folder. Raises ValueError where a module
    does not define what is to be removed from it.
    """
    shown = {}
    empty = folder / "empty"
    empty.mkdir()
    for number, (path, names) in enumerate(MODULES.items()):
        _, root, *rest = Path(path).parts
        original = {"course": course, "packages": packages}[root].joinpath(*rest)
        stripped = folder / f"{number}.py"
        stripped.write_text(without(original.read_text("utf-8"), names), "utf-8")
        shown[path] = stripped
        if (original.parent / "__pycache__").exists():  # it holds the original, compiled
            shown[str(Path(path).parent / "__pycache__")] = empty
    shown[CHECKS] = folder / "checks.py"
    shown[CHECKS].write_text(NO_CHECKS)
    for path in folder.glob("*.py"):
        path.chmod(0o644)
    return shown


def _empty(node: ast.ClassDef | ast.FunctionDef) -> None:
    message = f"{node.name} is removed while answers are graded. Write your own."
    failure = f"raise type({ERROR!r}, (Exception,), {{}})({message!r})"
    node.decorator_list = []
    if isinstance(node, ast.FunctionDef):
        node.body = ast.parse(failure).body
    else:
        node.body = ast.parse(f"def __init__(self, *_, **__):\n    {failure}").body
