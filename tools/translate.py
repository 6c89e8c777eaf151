"""Bring the Chinese edition up to date: its catalogues, notebooks and pages.

    python tools/translate.py [--check]

The English notebooks and pages are the only source. Each is cut into pieces, such as a paragraph or
a comment in code. Its catalogue, translations/zh_CN/*.po, holds the Chinese of each piece, beside
the id of the cell or the heading above it. A piece without a translation, or whose English has
changed, stays English in what is built, and this command names it. --check writes nothing, and
fails where a piece is named or a file is not as it would be written.
"""

from __future__ import annotations

import argparse
import difflib
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
import polib
from nbformat import NotebookNode

from notebooks import NOTEBOOKS, ROOT, notebook_paths

CATALOGUES = ROOT / "translations" / "zh_CN"
SAME = ("code", "name")  # comments of a translator: what reads the same in Chinese, and why

# The blocks of a page, as this course writes pages.
STARTS = r"```|\||<!--|#+ | *[-*] | *\d+\. "  # a line that begins a block of its own
BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<code>(?:.*\n)*?)```$"
    r"|^(?P<row>\|.*)$"
    r"|^<!--.*-->$"
    r"|^(?P<heading>#+ )?(?: *[-*] | *\d+\. )?"
    r"(?P<text>\S.*(?:\n(?!\s*$|" + STARTS + r").*)*)",
    re.MULTILINE,
)
# What says the same in every language: code, badges, the targets of links.
NO_WORDS = re.compile(r"`[^`]*`|\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)|\]\([^)]*\)")


class Piece(NamedTuple):
    """A part of a notebook or page; all its pieces in a row are the whole.

    `context` is the id of the cell, or the heading above. `message` is what a translator gets, ""
    where there is nothing to translate.
    """

    context: str
    text: str
    message: str = ""


def cell_pieces(cell: NotebookNode) -> Iterator[Piece]:
    """Cut a cell into its paragraphs, or the comments of its code and what lies in between."""
    if cell.cell_type == "markdown":
        for text in re.split(r"(\n{2,}|</?details>|</?summary>)", cell.source):
            words = not re.fullmatch(r"[\W\d_]*|</?\w+>", text)
            yield Piece(cell.id, text, text if words else "")
    elif cell.cell_type == "code" and not re.search(r"^[%!]", cell.source, re.MULTILINE):
        yield from cut(cell.source, comments(cell.source), cell.id)
    else:
        yield Piece(cell.id, cell.source)


def comments(code: str) -> Iterator[tuple[int, int]]:
    """Return where the words of each comment of a cell's code begin and end."""
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and "noqa" not in token.string:
            row, column = token.start
            start = starts[row - 1] + column
            yield start + len("# "), start + len(token.string)


def cut(text: str, spans: Iterable[tuple[int, int]], context: str) -> Iterator[Piece]:
    """Cut a text into what lies in the spans, for translators, and what lies between them."""
    end = 0
    for span_start, span_end in spans:
        yield Piece(context, text[end:span_start])
        words = text[span_start:span_end]
        yield Piece(context, words, words)
        end = span_end
    yield Piece(context, text[end:])


def page_pieces(page: str) -> Iterator[Piece]:
    """Cut a page into headings, paragraphs, items of lists, cells of tables, comments in code."""
    heading, end = "", 0
    for block in BLOCK.finditer(page):
        if block["heading"]:
            heading = block["text"]
        for start, stop in block_spans(page, block):
            message = " ".join(page[start:stop].split())  # however its lines are broken
            if re.search(r"[A-Za-z]", NO_WORDS.sub("", message)):
                yield Piece(heading, page[end:start])
                yield Piece(heading, page[start:stop], message)
                end = stop
    yield Piece(heading, page[end:])


def block_spans(page: str, block: re.Match[str]) -> list[tuple[int, int]]:
    """Return where the texts in a block of a page begin and end."""
    if block["row"]:
        found = re.finditer(r"[^|\s](?:(?:\\\||[^|])*[^|\s])?", block["row"])
        return [(block.start() + cell.start(), block.start() + cell.end()) for cell in found]
    if block["code"] and block["language"] != "text":
        found = re.finditer(r"(?:(?<=\s)|^)# (.+)$", block["code"], re.MULTILINE)
        start = block.start("code")
        return [(start + comment.start(1), start + comment.end(1)) for comment in found]
    return [block.span("text")] if block["text"] else []


def notebook_pieces(notebook: NotebookNode) -> Iterator[Piece]:
    """Cut all cells of a notebook."""
    for cell in notebook.cells:
        yield from cell_pieces(cell)


def updated(pieces: Iterable[Piece], old: polib.POFile) -> polib.POFile:
    """Return the catalogue for these pieces, with the translations of an older one.

    A piece that only moved keeps its translation. One whose English changed gets the translation of
    the nearest old piece of the same context, marked as stale.
    """
    known = {(entry.msgctxt, entry.msgid): entry for entry in old if not entry.obsolete}
    moved = {entry.msgid: entry for entry in known.values()}
    messages = dict.fromkeys((piece.context, piece.message) for piece in pieces if piece.message)
    left = {key: entry for key, entry in known.items() if key not in messages and entry.msgstr}
    new = polib.POFile(wrapwidth=100)
    new.metadata = {"Language": "zh_CN", "Content-Type": "text/plain; charset=UTF-8"}
    for context, message in messages:
        entry = polib.POEntry(msgctxt=context, msgid=message)
        source = known.get((context, message)) or moved.get(message)
        if source:
            entry.msgstr, entry.tcomment = source.msgstr, source.tcomment
            entry.flags, entry.previous_msgid = source.flags, source.previous_msgid
        else:
            near = [was for where, was in left if where == context]
            for was in difflib.get_close_matches(message, near, 1, 0.6):
                entry.msgstr, entry.previous_msgid = left[context, was].msgstr, was
                entry.flags = ["fuzzy"]
        new.append(entry)
    return new


def state(entry: polib.POEntry) -> str:
    """Return "translated", "stale" or "missing"."""
    if entry.fuzzy:
        return "stale"
    copied = entry.msgstr == entry.msgid and entry.tcomment not in SAME
    return "missing" if copied or not entry.msgstr.strip() else "translated"


def pages() -> list[Path]:
    """Return the pages that have a Chinese edition."""
    return [ROOT / "README.md", NOTEBOOKS / "errors.md", *sorted((ROOT / "docs").glob("*.md"))]


def catalogue(source: Path) -> polib.POFile:
    """Return the catalogue of a notebook or page; an empty one where there is none yet."""
    path = catalogue_path(source)
    return polib.pofile(str(path), wrapwidth=100) if path.exists() else polib.POFile(wrapwidth=100)


def catalogue_path(source: Path) -> Path:
    """Return where the catalogue of a notebook or page lies."""
    return CATALOGUES / f"{source.stem}.po"
