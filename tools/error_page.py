"""Make notebooks/errors.md, the page of errors, out of real ones.

    python tools/error_page.py [FILE]

Each example of tools/error_entries.py is run. The page shows what it says, so a message that
changes also changes the page; an example that says nothing stops the script.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import mxnet as mx
from mxnet import npx

from error_entries import IMPORTS, SECTIONS, SILENCES, Mistake, Silence
from notebooks import NOTEBOOKS
from utils.setup import storage

PAGE = NOTEBOOKS / "errors.md"
WIDTH = 100
# "[12:59:59] ../src/operator/nn/convolution.cc:151: " differs from run to run.
PLACE = re.compile(r"\[\d\d:\d\d:\d\d\] \S+:\d+: ")
HEAD = """
# Errors you will meet

*Made by `tools/error_page.py`; do not edit. The script runs each example and shows the message that
really comes; `make refresh` runs it.*

Search this page for some words of your message. The messages of MXNet are long: read the last line
first. Only the telling lines are shown here, and " ..." stands for the rest of a long one. In a
name such as `conv0_weight` the number is a counter; yours may differ.

If your message is not here, run the notebook again from its beginning (Kernel → Restart Kernel and
Run All Cells), and look at the report of [00 Start here](00_start_here.ipynb).

Each example begins with these lines:
"""
SILENT_HEAD = """
These cells run without a message, but do not do what they seem to. Below each is what it prints.
"""


class EntryError(Exception):
    """An example does not show what its entry says."""


def message(mistake: Mistake) -> str:
    """Run the wrong example and return the type and the telling lines of what it raises.

    A warning counts where no error follows. Raises EntryError if there is neither, or if the
    message has other words than the entry announces.
    """
    run = _said_alone if mistake.alone else _said
    for wrong in (*mistake.also, mistake.wrong):
        said = run(wrong)
        if not said:
            raise EntryError(f"This example of {mistake.words!r} raises nothing:\n{wrong}")
        if mistake.words not in said:
            raise EntryError(f"This example of {mistake.words!r} raises {said}\n{wrong}")
    if mistake.until not in said:
        raise EntryError(f"The message cannot end with {mistake.until!r}: {said}")
    if mistake.until:
        said = said[: said.index(mistake.until) + len(mistake.until)] + " ..."
    return said


def mended(mistake: Mistake) -> str:
    """Return the wrong example with one part replaced, which is all that its cure needs."""
    wrong, right = mistake.mend
    code = _dedented(mistake.wrong)
    if code.count(wrong) != 1:
        raise EntryError(f"The example of {mistake.words!r} must hold {wrong!r} once.")
    return code.replace(wrong, right)


def printed(code: str) -> str:
    """Run an example and return what it prints; raise EntryError if it raises or warns."""
    output = io.StringIO()
    said = _said(code, output)
    if said:
        raise EntryError(f"This example should run, but raises {said}\n{code}")
    return output.getvalue().strip()


def page() -> str:
    """Run all examples and return the page, in Markdown."""
    blocks = [_filled(HEAD), _fenced(IMPORTS, "python")]
    for title, mistakes in SECTIONS.items():
        blocks.append(f"## {title}")
        for mistake in mistakes:
            blocks += _reported(mistake)
    blocks += ["## Mistakes that nobody reports", _filled(SILENT_HEAD)]
    for silence in SILENCES:
        blocks += _silent(silence)
    return "\n\n".join(blocks) + "\n"


def _reported(mistake: Mistake) -> Iterator[str]:
    yield f"### `{mistake.words}`"
    yield _fenced(mistake.wrong, "python")
    yield _fenced(_filled(message(mistake)), "text")
    yield _filled(f"**Cause.** {mistake.cause}")
    yield _filled(f"**Cure.** {mistake.cure}")
    if mistake.mend:
        printed(mended(mistake))  # or an EntryError
        yield _fenced(mistake.mend[1], "python")


def _silent(silence: Silence) -> Iterator[str]:
    yield f"### {silence.title}"
    yield _fenced(silence.wrong, "python")
    yield _fenced(printed(silence.wrong), "text")
    yield _filled(silence.meaning)


def _said(code: str, output: io.StringIO | None = None) -> str:
    """Run code and return what it raised, or else the first warning, or "" where all went well."""
    with (
        _fresh_notebook() as namespace,
        contextlib.redirect_stdout(output or io.StringIO()),
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("ignore")  # MXNet's own, about its own code
        warnings.simplefilter("always", UserWarning)
        try:
            exec(_dedented(code), namespace)
            npx.waitall()  # MXNet computes in the background, and may raise late
        except Exception as error:
            return _telling(error)
    return _telling(caught[0].message) if caught else ""


@contextlib.contextmanager
def _fresh_notebook() -> Iterator[dict]:
    """Give the namespace of a notebook that has just started, in an empty folder of its own.

    Gluon counts the names of layers from zero again, and numpy's arrays are on.
    """
    folder, environment = os.getcwd(), dict(os.environ)
    with tempfile.TemporaryDirectory() as empty, mx.name.NameManager():
        os.chdir(empty)
        try:
            namespace: dict = {}
            exec(IMPORTS, namespace)
            yield namespace
        finally:
            npx.reset_np()
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)


def _telling(error: Exception | Warning) -> str:
    """Return the type and the message, without MXNet's stack trace and the place in its source."""
    text = str(error).strip().split("\nMXNetError: ")[-1].removeprefix("MXNetError: ")
    return f"{type(error).__name__}: {PLACE.sub('', text)}"


def _said_alone(code: str) -> str:
    """Return the last line of an error in a Python that knows nothing but its standard library."""
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-I", "-S", "-c", _dedented(code)]
        done = subprocess.run(command, cwd=empty, capture_output=True, text=True)
    return done.stderr.strip().rpartition("\n")[-1]


def _dedented(code: str) -> str:
    return textwrap.dedent(code).strip()


def _fenced(text: str, language: str) -> str:
    return f"```{language}\n{_dedented(text)}\n```"


def _filled(text: str) -> str:
    """Return the paragraphs broken into lines."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(textwrap.fill(part, WIDTH, break_on_hyphens=False) for part in paragraphs)


def main(file: Path = PAGE) -> None:
    try:
        text = page()
    except EntryError as error:
        sys.exit(str(error))
    storage.write_whole(file, text)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
    os._exit(0)  # after so many errors, MXNet now and then crashes while Python ends
