"""Write the course as a class gets it: without solutions, and without anything about grading.

make release

Solutions of exercises are removed, and so are the answers to the questions to recall. Where a
lesson goes on with our version of what learners write, the version still runs, but it cannot be
read at a glance. (The toolbox holds most of these versions in plain text. Learners are invited to
read it, and the problem sets do not ask for what stands there.)
"""

from __future__ import annotations

import ast
import base64
import re
import shutil
import textwrap
import zlib
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from notebooks import ROOT, code_cells, save, tags
from utils.setup import remedies

# What a class gets. All else stays: coursework, tests, what authors and teachers read.
KEPT = (
    *(
        "README.md",
        "README.zh-CN.md",
        "LICENSE",
        "LICENSE-TEXT",
        "CITATION.cff",
        ".gitignore",
        ".devcontainer",
    ),
    *("Makefile", "environment.yml", "pyproject.toml", "requirements.txt"),
    *("docs", "docs_zh", "notebooks", "notebooks_zh", "tools", "utils"),
)
LEFT_OUT = ("docs/teaching.md", "docs_zh/teaching.md")
MADE = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "checkpoints")
END_OF_MAKEFILE = "# For authors and teachers; `make release` leaves out what follows.\n"

SEALED = """\
# @title Ours runs here, but it is not shown: write yours first
import base64
import linecache
import zlib

_ours = zlib.decompress(
    base64.b64decode("""
# In the cache of lines, the code is found by lessons that compare it with other code.
UNSEALED = """\
    )
).decode()
linecache.cache["{name}"] = len(_ours), None, _ours.splitlines(True), "{name}"
exec(compile(_ours, "{name}", "exec"))"""
RECALLED = re.compile(r"(<details><summary>\d+\. .*?</summary>)(.*?)(</details>)", re.DOTALL)
WHERE = re.compile(r"(?:\(See .*?\)|（见.*?）)\s*$", re.DOTALL)
ANNOUNCED = re.compile(
    r" ?Below each check,? (?:there is )?a solution[^.]*\.|每个检查下面都有一份参考答案[^。]*。"
)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
COMMAND_RULE = re.compile(r"^([a-z-]+):", re.MULTILINE)
COMMAND = re.compile(r"^make ([a-z-]+)\b.*\n", re.MULTILINE)
LIST_ITEM = re.compile(r"^- (?:\n(?!- |\n)|.)*\n", re.MULTILINE)


def hand_out(course: Path, output: Path) -> list[Path]:
    """Write a copy for a class to `output`, which is emptied first; return its notebooks."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for name in KEPT:
        source = course / name
        if source.is_dir():
            shutil.copytree(source, output / name, ignore=MADE)
        elif source.exists():
            shutil.copy2(source, output / name)
    for name in LEFT_OUT:
        (output / name).unlink()
    makefile = output / "Makefile"
    makefile.write_text(makefile.read_text("utf-8").partition(END_OF_MAKEFILE)[0], "utf-8")
    for page in output.rglob("*.md"):
        page.write_text(_linked(page.read_text("utf-8"), page.parent, output), "utf-8")
    lessons = sorted(output.glob("notebooks*/[0-9]*.ipynb"))
    for lesson in lessons:
        notebook = nbformat.read(lesson, as_version=4)
        without_solutions(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                cell.source = _linked(cell.source, lesson.parent, output)
        save(notebook, lesson)
    return lessons


def without_solutions(notebook: NotebookNode) -> None:
    """Remove or seal the solutions in a lesson, and remove the answers to its questions."""
    cells = code_cells(notebook)
    removed = set()
    for i, cell in enumerate(cells):
        if "hide-input" in tags(cell):
            if "solution" in tags(cell) and not _is_used(cell.source, cells[i + 1 :]):
                removed.add(cell.id)
            else:
                cell.source = sealed(cell.source)
    notebook.cells = [cell for cell in notebook.cells if cell.id not in removed]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = RECALLED.sub(_pointed, cell.source)
            if removed:
                cell.source = ANNOUNCED.sub("", cell.source)


def sealed(source: str) -> str:
    """Return code that runs what `source` holds, and does not show it."""
    packed = base64.b64encode(zlib.compress(source.encode(), 9)).decode()
    lines = "\n".join(f'        "{line}"' for line in textwrap.wrap(packed, 84))
    return f"{SEALED}\n{lines}\n{UNSEALED.format(name=f'<ours {zlib.crc32(source.encode())}>')}"


def _is_used(source: str, later: list[NotebookNode]) -> bool:
    """Whether a later cell uses what a cell defines."""
    definitions = (ast.FunctionDef, ast.ClassDef)
    names = [node.name for node in ast.parse(source).body if isinstance(node, definitions)]
    names += re.findall(r"^(\w+) = ", source, re.MULTILINE)
    return any(re.search(rf"\b{name}\b", cell.source) for name in names for cell in later)


def _pointed(match: re.Match[str]) -> str:
    """A question to recall with the place of its answer, in place of the answer."""
    question, answer, end = match.groups()
    where = WHERE.search(answer.rstrip())
    return f"{question}\n\n{where[0].strip() if where else ''}\n\n{end}"


def _linked(text: str, folder: Path, output: Path) -> str:
    """A page without what is left out: links to it, entries of lists, commands in examples."""
    commands = COMMAND_RULE.findall((output / "Makefile").read_text("utf-8"))

    def is_dead(target: str) -> bool:
        path = target.partition("#")[0]
        return bool(path) and "://" not in path and not (folder / path).exists()

    def shortened(item: re.Match[str]) -> str:
        links = LINK.findall(item[0])
        return "" if links and all(is_dead(target) for _, target in links) else item[0]

    text = LIST_ITEM.sub(shortened, text)
    text = COMMAND.sub(lambda line: line[0] if line[1] in commands else "", text)
    return LINK.sub(lambda link: link[1] if is_dead(link[2]) else link[0], text)


def main() -> None:
    output = ROOT / "build" / "release"
    lessons = hand_out(ROOT, output)
    print(f"{output.relative_to(ROOT)}  the course for a class: {len(lessons)} lessons")
    print("Problem sets are handed out one by one: `make assignment ASSIGNMENT=ps1`.")


if __name__ == "__main__":
    with remedies.explained():
        main()
