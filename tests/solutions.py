"""The solutions of the exercises: collapsed cells of the notebooks, below each check."""

import ast
import contextlib
import re

import nbformat

import colab
from notebooks import NOTEBOOKS, code_cells, tags

MAGIC = re.compile(r"^[%!].*$", re.MULTILINE)  # a line for Jupyter, which is no Python
SUFFIX = re.compile(r"(_solution|Solution)\b")  # a learner's own answer keeps its name
DEFINITIONS = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)


def is_collapsed(cell):
    """Whether JupyterLab, Colab and exported pages show the code only when it is opened."""
    return (
        "hide-input" in tags(cell)
        and colab.HIDDEN.items() <= cell.metadata.items()
        and cell.source.startswith("# @title ")
    )


def exercises(notebook):
    """Return each exercise's cell with the code of its solution, under the exercise's own names.

    Below an exercise at the end of a lesson stands `double_solution`, for `double`. Below one in
    the lesson itself stands what the lesson goes on with: `Residual`, for `MyResidual`.
    """
    cells = code_cells(notebook)
    pairs = []
    for i, cell in enumerate(cells):
        if "exercise" in tags(cell):
            answer = next(c for c in cells[i + 1 :] if {"solution", "taught"} & set(tags(c)))
            source = SUFFIX.sub("", answer.source)
            if "taught" in tags(answer):
                source += "".join(
                    f"\n\n{name} = {re.sub('^(My|my_)', '', name)}" for name in defined(cell.source)
                )
            pairs.append((cell, source))
    return pairs


def defined(source):
    """Return the names of the functions, classes and variables that a cell defines."""
    names = []
    for node in ast.parse(MAGIC.sub("", source)).body:
        if isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, DEFINITIONS[2:]):
            names.append(node.name)
    return names


def solution(stem, name):
    """Return the solution of a notebook's exercise; around it is what the notebook defines."""
    notebook = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4)
    namespace = {}
    for cell in code_cells(notebook)[1:]:
        if not {"exercise", "check", "solution"} & set(tags(cell)):
            nodes = ast.parse(MAGIC.sub("", cell.source)).body
            for node in nodes:
                # A class that is derived from one of PyTorch's is left out where that is missing.
                if isinstance(node, DEFINITIONS):
                    with contextlib.suppress(NameError):
                        exec(compile(ast.Module([node], []), stem, "exec"), namespace)
    source = next(source for cell, source in exercises(notebook) if name in defined(cell.source))
    exec(compile(source, f"solution of {name}", "exec"), namespace)
    return namespace[name]
