"""The course's notebooks: where they are, what their tags mean, how to read and run them."""

from __future__ import annotations

import asyncio
import re
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import nbformat
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from utils.setup import remedies, storage

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT = 3600  # seconds: several times the longest training, on a slow machine
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
TERMINAL_COLOR = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(Exception):
    """A notebook stopped at a cell.

    `notebook` is the partly executed notebook. The message names the cell and ends with the last
    lines of its error.
    """

    def __init__(self, message: str, notebook: NotebookNode) -> None:
        super().__init__(message)
        self.notebook = notebook


class Client(NotebookClient):
    """Executes one notebook in its own kernel and reports what the running cell prints."""

    def __init__(self, notebook: NotebookNode, on_line: Callable[[str], object], **options) -> None:
        super().__init__(notebook, kernel_name="python3", **options)
        self.on_line = on_line

    def create_kernel_manager(self) -> KernelManager:
        """Take this Python's own kernel, whatever other kernels of its name the machine has."""
        self.manager = super().create_kernel_manager()
        self.manager.kernel_spec_manager.kernel_dirs = []
        return self.manager

    def why_dead(self) -> str:
        """Return what the exit status of a kernel that has died means, or ""."""
        process = getattr(self.manager.provisioner, "process", None)
        return remedies.ending(process.returncode or 0) if process else ""

    async def execute_and_end(self) -> None:
        """Execute the notebook; after Ctrl-C, end the kernel without a word about its death."""
        try:
            await self.async_execute()
        except DeadKernelError:
            if not asyncio.current_task().cancelling():
                raise

    async def async_start_new_kernel(self, **options) -> None:
        """Leave signals to Python: nbclient's handlers make Ctrl-C look like a dead kernel."""
        loop = asyncio.get_running_loop()
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signal_number)
        await super().async_start_new_kernel(**options)

    def process_message(
        self, msg: dict, cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        if msg["msg_type"] == "stream":
            self.on_line(last_line(msg["content"]["text"].replace("\r", "\n")))
        return super().process_message(msg, cell, cell_index)


def notebook_paths(folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the course's notebooks in reading order."""
    return sorted(folder.glob("[0-9]*.ipynb"))


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell; most have none."""
    return cell.metadata.get("tags", [])


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode | None:
    """Return the first cell with this tag, or None."""
    return next((cell for cell in notebook.cells if tag in tags(cell)), None)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Return the cells that a kernel executes."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def headline(notebook: NotebookNode) -> str:
    """Return the last line that the cell tagged `headline` printed, or ""."""
    cell = tagged(notebook, "headline")
    outputs = cell.outputs if cell else []
    text = "".join(out.text for out in outputs if out.get("name") == "stdout")
    return last_line(text)


def last_line(text: str) -> str:
    """Return the last line of a text, stripped."""
    return text.strip().rpartition("\n")[2].strip()


def read(path: Path, budget: str) -> NotebookNode:
    """Read a notebook and set its budget, "full" or "quick"."""
    notebook = nbformat.read(path, as_version=4)
    set_budget(notebook, budget)
    return notebook


def set_budget(notebook: NotebookNode, budget: str) -> None:
    """Set the budget in the cell tagged `parameters`; a notebook without one is left alone."""
    parameters = tagged(notebook, "parameters")
    if parameters:
        parameters.source = f'budget = "{budget}"'


def run_notebook(
    path: Path,
    budget: str = "full",
    cwd: Path | None = None,
    on_cell: Callable[[], object] = lambda: None,
    on_line: Callable[[str], object] = lambda _: None,
    packages: Path | None = None,
) -> NotebookNode:
    """Execute a notebook from top to bottom in a fresh kernel and return it with its outputs.

    The kernel works in `cwd`, by default the notebook's own folder. It also finds what is in the
    folder `packages`, but prefers the packages of this environment. `on_cell` is called after each
    code cell, `on_line` with each line that a cell prints. Raises NotebookError at the first cell
    that fails without the tag `raises-exception`.
    """
    notebook = read(path, budget)
    client = Client(
        notebook,
        on_line,
        timeout=CELL_TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(cwd or path.parent)}},
        on_cell_executed=lambda **_: on_cell(),
    )
    try:
        with tempfile.TemporaryDirectory() as empty:
            client.extra_arguments = [
                "--log-level=CRITICAL",  # silences notes on TCP and interrupts
                f"--ipython-dir={empty}",  # without the reader's own settings and start-up files
            ]
            if packages:
                line = f"import sys; sys.path.append({str(packages)!r})"
                client.extra_arguments.append(f"--IPKernelApp.exec_lines={line}")
            asyncio.run(client.execute_and_end())
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        number = client.code_cells_executed
        lines = TERMINAL_COLOR.sub("", str(error)).strip().splitlines()[-6:]
        if isinstance(error, DeadKernelError):
            lines.append(client.why_dead())
        message = "\n    ".join([f"{path.name} stopped at its code cell {number}:", *lines])
        raise NotebookError(message, notebook) from error
    notebook.metadata.kernelspec = KERNELSPEC
    notebook.metadata.language_info = {"name": "python"}  # leaves out this machine's exact version
    return notebook


def save(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as JupyterLab does."""
    storage.write_whole(path, nbformat.writes(notebook) + "\n")


def save_page(notebook: NotebookNode, path: Path) -> None:
    """Write a notebook as one HTML page with its figures embedded."""
    # Without embed_images, which closes each <details> early, so that folded text lies open.
    resources = {"metadata": {"name": path.stem}}
    storage.write_whole(path, HTMLExporter().from_notebook_node(notebook, resources=resources)[0])
