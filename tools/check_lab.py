"""Open a notebook in JupyterLab as a learner does, run all its cells, and report the errors.

    python tools/check_lab.py [--budget full] [NOTEBOOK]

It runs `make lab` on a copy of the notebooks and drives a headless Chromium. A screenshot goes to
build/lab.png. The exit status is 1 where a cell failed without the tag `raises-exception`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import requests
from nbformat import NotebookNode
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import element_to_be_clickable
from selenium.webdriver.support.ui import WebDriverWait

from notebooks import NOTEBOOKS, ROOT, code_cells, read, save, tags
from utils.runs import keeper
from utils.setup import remedies

SCREENSHOT = ROOT / "build" / "lab.png"
PATIENCE = 60  # seconds for JupyterLab to start, and for its page to show a notebook
CHROMIUM_OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
)


class LabError(Exception):
    """JupyterLab or Chromium failed to do what a learner needs; the message says what."""


def missing_programs() -> list[str]:
    """Return the programs that this check needs and this machine lacks."""
    return [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]


@contextlib.contextmanager
def jupyterlab(folder: Path, settings: Path) -> Iterator[str]:
    """Serve a folder with `make lab`; yield the address, with {} in place of the notebook's name.

    `settings` is an empty folder, used instead of the user's own Jupyter settings.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    arguments = (
        f"--port={port} --ServerApp.port_retries=0 --no-browser --IdentityProvider.token={token}"
    )
    log = settings / "jupyterlab.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            ["make", "lab", f"LAB_DIR={folder}", f"LAB_ARGS={arguments}"],
            cwd=ROOT,
            env={**os.environ, "JUPYTER_CONFIG_DIR": str(settings)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_server(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={token}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def wait_for_server(address: str, server: subprocess.Popen, log: Path) -> None:
    """Wait until JupyterLab answers; raise LabError with its log if it never does."""
    end = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(address, timeout=PATIENCE).raise_for_status()
            return
        time.sleep(0.2)
    raise LabError(f"`make lab` does not serve JupyterLab. It printed:\n{log.read_text()}")


@contextlib.contextmanager
def chromium(profile: Path, *more: str) -> Iterator[webdriver.Chrome]:
    """Start a headless Chromium with a new profile in this folder, and with more options.

    It keeps two logs: `browser`, what pages say on the console, and `performance`, each request.
    """
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for option in (*CHROMIUM_OPTIONS, f"--user-data-dir={profile}", *more):
        options.add_argument(option)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def run_all_cells(browser: webdriver.Chrome) -> None:
    """Choose Run > Run All Cells in the menu as soon as the kernel is idle."""
    wait = WebDriverWait(browser, PATIENCE)
    try:
        wait.until(kernel_is_idle, "JupyterLab shows no idle kernel.")
        for item in (
            "//li[contains(@class, 'lm-MenuBar-item')]/div[.='Run']",
            "//li[@data-command='runmenu:run-all']",
        ):
            wait.until(element_to_be_clickable((By.XPATH, item)), f"No {item}.").click()
    except TimeoutException as error:
        dialogs = browser.find_elements(By.CSS_SELECTOR, ".jp-Dialog-content")
        asked = "".join(f" It asks: {dialog.text!r}." for dialog in dialogs)
        raise LabError(f"{error.msg}{asked}") from error


def kernel_is_idle(browser: webdriver.Chrome) -> bool:
    """Return whether the page shows a kernel that is idle."""
    names = browser.find_elements(By.CSS_SELECTOR, ".jp-Toolbar-kernelName")
    idle = ".jp-Notebook-ExecutionIndicator[data-status=idle]"
    return bool(
        names and names[0].text != "No Kernel" and browser.find_elements(By.CSS_SELECTOR, idle)
    )


def unexpected_errors(notebook: NotebookNode) -> list[str]:
    """Return the errors of the cells without the tag `raises-exception`, one line each."""
    return [
        f"code cell {number}: {output.ename}: {output.evalue}"
        for number, cell in enumerate(code_cells(notebook), start=1)
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in tags(cell)
    ]


def wait_for_cells(browser: webdriver.Chrome, path: Path, timeout: float) -> NotebookNode:
    """Save the open notebook again and again until all its cells have run or one has failed.

    Returns the saved notebook: JupyterLab itself only draws the cells that are in view. Raises
    LabError after `timeout` seconds.
    """
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        ActionChains(browser).key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()
        time.sleep(1)
        notebook = nbformat.read(path, as_version=4)
        complete = all(cell.execution_count for cell in code_cells(notebook))
        if (complete and kernel_is_idle(browser)) or unexpected_errors(notebook):
            return notebook
    ran = sum(bool(cell.execution_count) for cell in code_cells(notebook))
    raise LabError(f"{path.name}: after {timeout:.0f} s only {ran} code cells have run.")


def run_in_lab(
    path: Path, budget: str = "quick", screenshot: Path = SCREENSHOT, timeout: float = 600
) -> NotebookNode:
    """Run all cells of a notebook in JupyterLab and return it as JupyterLab saved it.

    It works on a copy of the notebook's folder. `screenshot` shows the page at the end. Raises
    LabError where JupyterLab does not start, or the cells have not run after `timeout` seconds.
    """
    screenshot.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        settings = Path(temporary) / "settings"
        settings.mkdir()
        folder = Path(temporary) / "notebooks"
        (Path(temporary) / "utils").symlink_to(ROOT / "utils")
        shutil.copytree(path.parent, folder, ignore=shutil.ignore_patterns("checkpoints"))
        notebook = read(folder / path.name, budget)
        for cell in code_cells(notebook):
            cell.update(outputs=[], execution_count=None)
        save(notebook, folder / path.name)
        profile = Path(temporary) / "profile"
        with jupyterlab(folder, settings) as address, chromium(profile) as browser:
            browser.get(address.format(path.name))
            try:
                run_all_cells(browser)
                return wait_for_cells(browser, folder / path.name, timeout)
            finally:
                browser.save_screenshot(str(screenshot))


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a notebook in JupyterLab, with Chromium.")
    default = NOTEBOOKS / "02_residual_block.ipynb"
    parser.add_argument("notebook", nargs="?", type=Path, default=default, metavar="NOTEBOOK")
    parser.add_argument("--budget", choices=["full", "quick"], default="quick")
    arguments = parser.parse_args()
    if missing_programs():
        sys.exit(
            f"This check needs {' and '.join(missing_programs())}. Install the packages that "
            "bring them: `apt-get install chromium chromium-driver` on Debian."
        )
    try:
        notebook = run_in_lab(arguments.notebook.resolve(), arguments.budget)
    except LabError as error:
        sys.exit(str(error))
    errors = unexpected_errors(notebook)
    cells = code_cells(notebook)
    ran = sum(bool(cell.execution_count) for cell in cells)
    print(f"{arguments.notebook.name}: {ran} of {len(cells)} code cells have run in JupyterLab.")
    print("\n".join(errors) or "No errors.")
    return int(bool(errors))


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
