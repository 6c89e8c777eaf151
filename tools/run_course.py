"""Run the course's notebooks in order and print a table of their headline figures.

    python tools/run_course.py [--budget quick] [--in-place] [NOTEBOOK ...]

Executed copies and HTML pages go to build/run/. With --in-place, the outputs inside the notebooks
are rewritten instead; a notebook that fails is left as it was.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.v4 import new_notebook
from tqdm import tqdm

from notebooks import (
    NOTEBOOKS,
    ROOT,
    NotebookError,
    code_cells,
    headline,
    last_line,
    notebook_paths,
    run_notebook,
    save,
    save_page,
)
from utils.runs import keeper
from utils.setup import remedies

OUTPUT = ROOT / "build" / "run"
TRAINING = "05_train_fashion_mnist"
PORT = "09_leave_mxnet"  # it compares with PyTorch, which is not in the course's environment
CHECKPOINTS = NOTEBOOKS / "checkpoints"


@dataclass
class Result:
    """The outcome of one notebook: its headline figure, or the error that stopped it."""

    name: str
    seconds: float
    headline: str = ""
    error: str = ""


def run_course(
    paths: Sequence[Path], budget: str = "full", in_place: bool = False, output: Path = OUTPUT
) -> list[Result]:
    """Run notebooks one after another; a failing one does not stop those after it.

    Executed copies and pages go to `output`. With `in_place`, the notebooks themselves are
    rewritten instead, except those that fail.
    """
    output.mkdir(parents=True, exist_ok=True)
    results = []
    cells = [len(code_cells(nbformat.read(path, as_version=4))) for path in paths]
    with tqdm(total=sum(cells), unit="cell", dynamic_ncols=True) as bar, status_line() as status:
        for index, path in enumerate(paths):
            bar.set_description(path.stem)
            start = time.monotonic()
            error = ""
            if in_place and path.stem == TRAINING:  # or it would resume an earlier run
                for checkpoint in CHECKPOINTS.glob("[!.]*"):
                    shutil.rmtree(checkpoint) if checkpoint.is_dir() else checkpoint.unlink()
            watch = {"on_cell": bar.update, "on_line": status.set_description_str}
            try:
                packages = pytorch() if in_place and path.stem == PORT else None
                notebook = run_notebook(path, budget, packages=packages, **watch)
            except NotebookError as stopped:
                notebook, error = stopped.notebook, str(stopped)
                bar.write(error, file=sys.stderr)
            seconds = time.monotonic() - start
            if in_place and not error:
                save(notebook, path)
            else:
                save(notebook, output / path.name)
                save_page(notebook, output / f"{path.stem}.html")
            results.append(Result(path.stem, seconds, headline(notebook), error))
            bar.update(sum(cells[: index + 1]) - bar.n)  # cells that a failing notebook skipped
    return results


def pytorch() -> Path:
    """Return the folder with PyTorch, installed if need be; raise NotebookError if it cannot be."""
    from bench import parts  # only here: it takes seconds to import what draws the benchmark

    python = parts.pytorch()
    if python is None:
        raise NotebookError(f"{PORT} stays as it was: its outputs need PyTorch.", new_notebook())
    return next(Path(python).parents[1].glob("lib/python*/site-packages"))


def status_line() -> tqdm:
    """Return a line below the progress bar for what the running cell prints; only on a terminal."""
    hidden = not sys.stderr.isatty()
    return tqdm(bar_format="  {desc}", position=1, leave=False, dynamic_ncols=True, disable=hidden)


def table(results: Sequence[Result]) -> str:
    """Return the closing table: notebook, seconds, headline figure."""
    rows = [("notebook", "seconds", "headline")]
    rows += [
        (r.name, f"{r.seconds:.1f}", f"FAILED: {last_line(r.error)}" if r.error else r.headline)
        for r in results
    ]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:{width}}  {seconds:>7}  {line}" for name, seconds, line in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the course's notebooks in order.")
    parser.add_argument(
        "notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all of them"
    )
    parser.add_argument("--budget", choices=["full", "quick"], default="full")
    parser.add_argument(
        "--in-place", action="store_true", help="rewrite the outputs inside the notebooks"
    )
    arguments = parser.parse_args()
    if arguments.in_place and arguments.budget == "quick":
        parser.error("--in-place needs --budget full: committed outputs come from full runs")
    paths = arguments.notebooks or notebook_paths()
    try:
        results = run_course(paths, arguments.budget, arguments.in_place)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. The same command starts again; the training of notebook 05 resumes at "
            "its last checkpoint.",
            file=sys.stderr,
        )
        return 130
    print(table(results))
    return int(any(result.error for result in results))


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
