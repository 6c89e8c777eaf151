"""The pieces of a notebook or page that are translated one by one.

A notebook falls into its paragraphs and the comments of its code; a page into headings, paragraphs,
items of lists, cells of tables, and comments in code. All pieces in a row are the whole again.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

import published

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


def of(source: Path, text: str) -> Iterator[Piece]:
    """Cut a notebook or a page, given the text of its file."""
    if source.suffix == ".md":
        yield from of_page(text)
    else:
        for cell in nbformat.reads(text, as_version=4).cells:
            yield from of_cell(cell)


def of_cell(cell: NotebookNode) -> Iterator[Piece]:
    """Cut a cell into its paragraphs, or the comments of its code and what lies in between."""
    if cell.id == published.BADGES:
        yield Piece(cell.id, cell.source)
    elif cell.cell_type == "markdown":
        for text in re.split(r"(\n{2,}|</?details>|</?summary>)", cell.source):
            words = not re.fullmatch(r"[\W\d_]*|</?\w+>", text)
            yield Piece(cell.id, text, text if words else "")
    elif cell.cell_type == "code" and not cell.source.startswith("%%"):
        yield from cut(cell.source, comments(cell.source), cell.id)
    else:
        yield Piece(cell.id, cell.source)


def comments(code: str) -> Iterator[tuple[int, int]]:
    """Return where the words of each comment of a cell's code begin and end."""
    starts = [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for token in tokenize.generate_tokens(io.StringIO(python(code)).readline):
        if token.type == tokenize.COMMENT and "noqa" not in token.string:
            row, column = token.start
            start = starts[row - 1] + column
            yield start + len("# "), start + len(token.string)


def python(code: str) -> str:
    """Return a cell's code with the lines blank that are for IPython."""
    return re.sub(r"^[%!].*$", lambda line: " " * len(line[0]), code, flags=re.MULTILINE)


def cut(text: str, spans: Iterable[tuple[int, int]], context: str) -> Iterator[Piece]:
    """Cut a text into what lies in the spans, for translators, and what lies between them."""
    end = 0
    for span_start, span_end in spans:
        yield Piece(context, text[end:span_start])
        words = text[span_start:span_end]
        yield Piece(context, words, words)
        end = span_end
    yield Piece(context, text[end:])


def of_page(page: str) -> Iterator[Piece]:
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


def headings(page: str) -> list[str]:
    """Return the headings of a page."""
    return [block["text"] for block in BLOCK.finditer(page) if block["heading"]]
