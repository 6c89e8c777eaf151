"""Run the course's notebooks in order, and show what came out.

    python tools/run_course.py [--budget quick] [--in-place] [NOTEBOOK ...]

Executed copies and HTML pages go to build/run/; with --in-place the outputs inside the notebooks
are rewritten instead, of those that succeed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from tqdm import tqdm

from utils.setup import storage

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
OUTPUT = ROOT / "build" / "run"
TRAINING = "05_train_fashion_mnist"
CHECKPOINTS = NOTEBOOKS / "checkpoints"
CELL_TIMEOUT = 3600  # seconds: several times the longest training, on a slow machine
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
TERMINAL_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(Exception):
    """A notebook stopped at a cell.

    `notebook` is the partly executed notebook; the message names the cell and ends with the last
    lines of its error.
    """

    def __init__(self, message: str, notebook: NotebookNode) -> None:
        super().__init__(message)
        self.notebook = notebook


class Client(NotebookClient):
    """Executes one notebook in a kernel of its own, and tells what the running cell prints."""

    def __init__(self, notebook: NotebookNode, on_line: Callable[[str], None], **options) -> None:
        super().__init__(notebook, kernel_name="python3", **options)
        self.on_line = on_line

    async def async_start_new_kernel(self, **options) -> None:
        """Leave signals to Python: by nbclient's handlers Ctrl-C looks like a kernel that died."""
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signal_number)
        await super().async_start_new_kernel(**options)

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream":
            self.on_line(last_line(msg["content"]["text"].replace("\r", "\n")))
        return super().process_message(msg, cell, cell_index)


@dataclass
class Result:
    """What became of one notebook: its headline figure, or the error that stopped it."""

    name: str
    seconds: float
    headline: str = ""
    error: str = ""


def notebook_paths() -> list[Path]:
    """The course's notebooks, in the order of reading."""
    return sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell; most have none."""
    return cell.metadata.get("tags", [])


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    """The notebook's first cell with this tag, or None."""
    return next((cell for cell in notebook.cells if tag in tags(cell)), None)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that a kernel executes."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def headline(notebook: NotebookNode) -> str:
    """The last line that the cell tagged `headline` printed, or ""."""
    cell = tagged(notebook, "headline")
    outputs = cell.outputs if cell else []
    text = "".join(out.text for out in outputs if out.get("name") == "stdout")
    return last_line(text)


def last_line(text: str) -> str:
    """The last line of a text, without the white space around it."""
    return text.strip().rpartition("\n")[2].strip()


def read(path: Path, budget: str) -> NotebookNode:
    """Read a notebook; its `parameters` cell, where it has one, sets this budget."""
    notebook = nbformat.read(path, as_version=4)
    set_budget(notebook, budget)
    return notebook


def set_budget(notebook: NotebookNode, budget: str) -> None:
    """Let a notebook's `parameters` cell, where it has one, set this budget."""
    parameters = tagged(notebook, "parameters")
    if parameters:
        parameters.source = f'budget = "{budget}"'


def run_notebook(
    path: Path,
    budget: str = "full",
    cwd: Path | None = None,
    on_cell: Callable[[], object] = lambda: None,
    on_line: Callable[[str], object] = lambda _: None,
) -> NotebookNode:
    """Execute a notebook from top to bottom in a fresh kernel, and return it with its outputs.

    Its `parameters` cell, where it has one, is replaced by this budget, "full" or "quick". The
    kernel works in `cwd`, by default the notebook's own folder. `on_cell` is called after each
    code cell, `on_line` with what a cell has just printed. Raises NotebookError at the first cell
    that fails and is not tagged `raises-exception`.
    """
    notebook = read(path, budget)
    client = Client(
        notebook,
        on_line,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(cwd or path.parent)}},
        extra_arguments=["--log-level=CRITICAL"],  # not that it uses TCP, or is interrupted
        on_cell_executed=lambda **_: on_cell(),
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        number = client.code_cells_executed
        lines = TERMINAL_COLOR.sub("", str(error)).strip().splitlines()[-6:]
        message = "\n    ".join([f"{path.name} stopped at its code cell {number}:", *lines])
        raise NotebookError(message, notebook) from error
    notebook.metadata.kernelspec = KERNELSPEC
    notebook.metadata.language_info = {"name": "python"}  # the exact version is this machine's
    return notebook


def asked_for(description: str, noun: str, names: Sequence[str]) -> list[str]:
    """The names on the command line, or all of them where it has none; an unknown one ends it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "asked", nargs="*", metavar=noun.upper(), help=f"{', '.join(names)}; default: all"
    )
    asked = parser.parse_args().asked or list(names)
    unknown = [name for name in asked if name not in names]
    if unknown:
        parser.error(f"there is no {noun} {unknown[0]!r}; there are {', '.join(names)}")
    return asked


def save(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as JupyterLab does."""
    storage.write_whole(path, nbformat.writes(notebook) + "\n")


def save_page(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as one HTML page, its figures inside it."""
    # Not embed_images: it closes every <details> at once, and what is folded lies open.
    resources = {"metadata": {"name": path.stem}}
    storage.write_whole(path, HTMLExporter().from_notebook_node(notebook, resources=resources)[0])


def run_course(
    paths: Sequence[Path], budget: str = "full", in_place: bool = False, output: Path = OUTPUT
) -> list[Result]:
    """Run notebooks one after the other; a failing one does not stop those after it.

    Executed copies and pages go to `output`. With `in_place` the notebooks themselves are
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
            if in_place and path.stem == TRAINING:  # it would go on where an earlier run ended
                shutil.rmtree(CHECKPOINTS, ignore_errors=True)
            try:
                notebook = run_notebook(
                    path, budget, on_cell=bar.update, on_line=status.set_description_str
                )
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
            bar.update(sum(cells[: index + 1]) - bar.n)  # what a failing notebook left out
    return results


def status_line() -> tqdm:
    """A line under the progress bar, on a terminal, for what the running cell prints."""
    hidden = not sys.stderr.isatty()
    return tqdm(bar_format="  {desc}", position=1, leave=False, dynamic_ncols=True, disable=hidden)


def table(results: Sequence[Result]) -> str:
    """The closing table: notebook, seconds, headline figure."""
    rows = [("notebook", "seconds", "headline")]
    rows += [
        (r.name, f"{r.seconds:.1f}", f"FAILED: {last_line(r.error)}" if r.error else r.headline)
        for r in results
    ]
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:{width}}  {seconds:>7}  {line}" for name, seconds, line in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the course's notebooks in order.")
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all")
    parser.add_argument("--budget", choices=["full", "quick"], default="full")
    parser.add_argument(
        "--in-place", action="store_true", help="rewrite the outputs inside the notebooks"
    )
    arguments = parser.parse_args()
    if arguments.in_place and arguments.budget == "quick":
        parser.error("--in-place goes with --budget full: committed outputs come from full runs")
    paths = arguments.notebooks or notebook_paths()
    try:
        results = run_course(paths, arguments.budget, arguments.in_place)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Run the same command to start again; the training of 05 goes on where "
            "it was saved last.",
            file=sys.stderr,
        )
        return 130
    print(table(results))
    return int(any(result.error for result in results))


if __name__ == "__main__":
    sys.exit(main())
