"""Bring the Chinese edition up to date: its catalogues, notebooks and pages.

    python tools/translate.py [--check]

The English notebooks and pages are the only source. The catalogue of each, in translations/zh_CN/,
holds the Chinese of its pieces, each beside the id of its cell or the heading above it. A piece
that has no translation, or whose English has changed since, stays English in what is built, and
this command names it. --check writes nothing: it fails where a piece is named, or where a file is
not as it would be written.

A translation that reads like the English counts as missing, unless the translator has written the
comment "name" or "code" above it in the catalogue.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import nbformat
import polib

import editions
import first_cell
import pieces
from notebooks import ROOT, code_cells
from pieces import Piece
from utils.runs import keeper
from utils.setup import remedies, storage

CATALOGUES = Path("translations", "zh_CN")
LANGUAGE = "zh"
SAME = ("code", "name")  # a translator's comments: why a piece reads the same in Chinese
TARGET = re.compile(r"\]\((?P<path>[^)\s:#]+)(?P<anchor>#[^)\s]*)?\)")

Words = Mapping[tuple[str, str], str]  # the Chinese of a message, by its context and the message


class CodeError(Exception):
    """A translation changes what a cell does; the message names the cell."""


def sources(root: Path) -> list[Path]:
    """Return the notebooks and pages that have a Chinese edition, by their paths below `root`."""
    found = [root / "README.md", *root.glob("docs/*.md"), root / "notebooks" / "errors.md"]
    found += root.glob("notebooks/[0-9]*.ipynb")
    return sorted(path.relative_to(root) for path in found)


def target(path: Path) -> Path:
    """Return where the Chinese edition of a notebook or page lies; anything else has no other."""
    if path.suffix not in (".ipynb", ".md"):
        return path
    return Path(editions.moved(path.as_posix(), editions.FILES["en"], editions.FILES[LANGUAGE]))


def catalogue_of(source: Path) -> Path:
    """Return where the catalogue of a notebook or page lies."""
    return CATALOGUES / f"{source.stem}.po"


# Catalogues


def loaded(path: Path) -> polib.POFile:
    """Return a catalogue; an empty one where there is none yet."""
    return polib.pofile(str(path), encoding="utf-8") if path.exists() else polib.POFile()


def updated(cut: Iterable[Piece], old: polib.POFile) -> polib.POFile:
    """Return the catalogue for these pieces, with the translations of an older one.

    A piece that only moved keeps its translation. One whose English has changed gets that of the
    piece nearest to it in the same cell, or below the same heading, marked as stale.
    """
    done = {(entry.msgctxt, entry.msgid): entry for entry in old if entry.msgstr}
    moved = {message: entry for (_, message), entry in done.items()}
    messages = dict.fromkeys((piece.context, piece.message) for piece in cut if piece.message)
    left = [key for key in done if key not in messages]
    new = polib.POFile(wrapwidth=100)
    new.metadata = {"Language": "zh_CN", "Content-Type": "text/plain; charset=UTF-8"}
    for context, message in messages:
        entry = polib.POEntry(msgctxt=context, msgid=message)
        if source := done.get((context, message), moved.get(message)):
            entry.msgstr, entry.tcomment = source.msgstr, source.tcomment
            entry.flags, entry.previous_msgid = source.flags, source.previous_msgid
        else:
            here = [was for where, was in left if where == context]
            for was in difflib.get_close_matches(message, here, 1, 0.6):
                entry.msgstr, entry.previous_msgid = done[context, was].msgstr, was
                entry.flags = ["fuzzy"]
        new.append(entry)
    return new


def state(entry: polib.POEntry) -> str:
    """Return "translated", "stale" or "missing"."""
    if entry.fuzzy:
        return "stale"
    copied = entry.msgstr == entry.msgid and entry.tcomment not in SAME
    return "missing" if copied or not entry.msgstr.strip() else "translated"


def words(catalogue: polib.POFile) -> Words:
    """Return the translations that count."""
    return {
        (entry.msgctxt, entry.msgid): entry.msgstr
        for entry in catalogue
        if state(entry) == "translated"
    }


# The Chinese edition


def built_page(source: Path, text: str, known: Words) -> str:
    """Return a page in Chinese. Its headings keep the names to which English links lead."""
    page = "".join(translated(piece, source, known) for piece in pieces.of_page(text))
    made = f"<!-- made from {source} and {catalogue_of(source)}, by make translate -->"
    return f"{made}\n{anchored(page, text)}"


def built_notebook(source: Path, text: str, known: Words) -> str:
    """Return a notebook in Chinese, with its outputs. One line of its code says the language.

    Raises CodeError where a translated comment is more than a comment.
    """
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        english = cell.source
        cell.source = "".join(translated(piece, source, known) for piece in pieces.of_cell(cell))
        if cell.cell_type == "code" and cell.source != english and not same(cell.source, english):
            raise CodeError(
                "In {source}, the translation of cell {id} changes its code. A comment has one "
                "line.".format(source=source, id=cell.id)
            )
    code_cells(notebook)[0].source += first_cell.LANGUAGE.format(language=LANGUAGE)
    notebook.metadata["made"] = f"from {source} and {catalogue_of(source)}, by make translate"
    return nbformat.writes(notebook) + "\n"


def same(code: str, other: str) -> bool:
    """Return whether two codes do the same."""
    try:
        trees = [ast.dump(ast.parse(pieces.python(cell))) for cell in (code, other)]
    except SyntaxError:
        return False
    return trees[0] == trees[1]


def translated(piece: Piece, source: Path, known: Words) -> str:
    """Return a piece in Chinese, if it has words; its links lead to Chinese pages."""
    text = editions.opening(known.get((piece.context, piece.message), piece.text), LANGUAGE)
    for link in TARGET.finditer(piece.text):
        path = Path(os.path.normpath(source.parent / link["path"]))
        if target(path) != path:
            moved = os.path.relpath(target(path), target(source).parent)
            text = text.replace(link[0], f"]({moved}{link['anchor'] or ''})")
    return text


def anchored(page: str, english: str) -> str:
    """Return a translated page whose headings have the names of the English ones, too."""
    names = map(name, pieces.headings(english))

    def with_name(block: re.Match[str]) -> str:
        if not block["heading"]:
            return block[0]
        wanted = next(names)
        if block["heading"] == "# " or name(block["text"]) == wanted:
            return block[0]
        return f'<a id="{wanted}"></a>\n\n{block[0]}'

    return pieces.BLOCK.sub(with_name, page)


def name(heading: str) -> str:
    """Return the name that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# All of it


def edition(root: Path) -> tuple[dict[Path, str], list[str]]:
    """Return what each file of the Chinese edition should hold, and a line for each missing piece.

    Raises CodeError, as built_notebook does.
    """
    files, faults = {}, []
    for source in sources(root):
        text = (root / source).read_text("utf-8")
        path = catalogue_of(source)
        catalogue = updated(pieces.of(source, text), loaded(root / path))
        build = built_page if source.suffix == ".md" else built_notebook
        files |= {path: str(catalogue), target(source): build(source, text, words(catalogue))}
        faults += [
            "{path}, below {context!r}, {state}: {piece}".format(
                path=path,
                context=entry.msgctxt,
                state=state(entry),
                piece=entry.msgid.strip(),
            )
            for entry in catalogue
            if state(entry) != "translated"
        ]
    return files, faults


def outdated(root: Path, files: Mapping[Path, str]) -> list[Path]:
    """Return the files that are not as they should be."""
    return [
        path
        for path, text in files.items()
        if not (root / path).exists() or (root / path).read_text("utf-8") != text
    ]


def write(root: Path) -> list[str]:
    """Write the Chinese edition; return a line for each piece that lacks a translation."""
    files, faults = edition(root)
    for path in outdated(root, files):
        storage.write_whole(root / path, files[path])
    return faults


def check(root: Path) -> list[str]:
    """Return what `write` would, with a line for each file that it would change."""
    files, faults = edition(root)
    late = [f"{path} is not up to date: type `make translate`." for path in outdated(root, files)]
    return faults + late


def main() -> None:
    parser = argparse.ArgumentParser(description="Bring the Chinese edition up to date.")
    parser.add_argument("--check", action="store_true", help="write nothing, fail at any fault")
    checks = parser.parse_args().check
    try:
        faults = check(ROOT) if checks else write(ROOT)
    except CodeError as error:
        sys.exit(str(error))
    print(*faults, f"The Chinese edition: {len(faults)} faults.", sep="\n")
    sys.exit(bool(checks and faults))


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        main()
