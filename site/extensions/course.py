"""Sphinx extension: the course's notebooks and Markdown files, as they read on a web page.

Sphinx reads the files as they are committed. Before it parses one, `adapt` changes the text: links
to what is no page lead to the repository, a collapsed solution is folded under its own title, and
a figure's alternative text goes where Sphinx looks for it.
"""

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path

import nbformat
from docutils import nodes
from latex2mathml import converter
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

import editions
import published

LINK = re.compile(r"(?<![!`])\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|#)[^)\s]+)\)")
BADGES = re.compile(r"<!-- badges, by make publish -->\n.*?<!-- end of badges -->\n", re.DOTALL)
# What leads to another page of README's kind; on the pages, the navigation does.
BACK = re.compile(r"^(?:\[←.*|.*\[(?:English|中文)\]\(README.*)\n", re.MULTILINE)
NAMES = re.compile(r'^<a id="([^"]*)"></a>\n\n', re.MULTILINE)  # of headings, for English links
CAPTION = re.compile(r"(?<=^:caption: ).*$", re.MULTILINE)
TITLE = re.compile(r"# @title (.*)\n+")
FIGURE = re.compile(r'<img alt="(?P<alt>[^"]*)" width="(?P<width>\d+)"')
STYLE = re.compile(r"<style scoped>.*?</style>\n?", re.DOTALL)
ENTITY = re.compile(r"&(?!(?:lt|gt|amp|quot);)[A-Za-z]+;")  # a book, which is XML, knows no others


def adapt(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change a page before it is parsed; called by Sphinx with the text in a list of one."""
    path = Path(app.env.doc2path(docname))
    if path.suffix == ".ipynb":
        notebook = nbformat.reads(source[0], as_version=4)
        adapt_notebook(notebook, app, docname)
        source[0] = nbformat.writes(notebook)
    elif not docname.startswith("pages/"):
        text = NAMES.sub(r"(\1)=\n", BADGES.sub("", BACK.sub("", source[0])))
        captions = app.config.html_context["words"]["captions"]
        text = CAPTION.sub(lambda caption: captions.get(caption[0], caption[0]), text)
        source[0] = linked(text, app, docname)


def adapt_notebook(notebook: NotebookNode, app: Sphinx, docname: str) -> None:
    """Change the cells of a notebook: badges go, since their pictures are on other hosts."""
    notebook.metadata.language_info["pygments_lexer"] = "ipython3"  # which knows lines with % and !
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") != published.BADGES]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, app, docname)
        elif cell.cell_type == "code":
            fold(cell)
            for output in cell.outputs:
                adapt_output(output, cell)


def fold(cell: NotebookNode) -> None:
    """Fold a collapsed cell under the title with which its code begins."""
    if "hide-input" in cell.metadata.get("tags", []):
        title = TITLE.match(cell.source)
        if not title:
            raise ValueError(
                "The cell {id} is tagged hide-input, but does not begin with a line `# @title "
                "...`, under which it could be folded.".format(id=cell.id)
            )
        cell.source = cell.source[title.end() :]
        prompts = {"code_prompt_show": title[1], "code_prompt_hide": title[1]}
        cell.metadata.setdefault("mystnb", {}).update(prompts)


def adapt_output(output: NotebookNode, cell: NotebookNode) -> None:
    """Give a figure its alternative text, and a table the style of the page."""
    data = output.get("data", {})
    figure = FIGURE.match(data.get("text/html", ""))
    if figure:
        del data["text/html"]
        image = {"alt": html.unescape(figure["alt"]), "width": figure["width"] + "px"}
        cell.metadata.setdefault("mystnb", {})["image"] = image
    elif "text/html" in data:
        text = STYLE.sub("", data["text/html"])
        data["text/html"] = ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


def linked(text: str, app: Sphinx, docname: str) -> str:
    """Return a page with links that fit the pages.

    A link to a file that is no page leads to the repository, if the course is published; if not,
    only the words of the link are left. Sphinx reports a link to a file that does not exist.
    """
    address = published.address()
    edition = editions.FILES[app.config.html_context["edition"]]
    page = f"{docname}.md"  # or .ipynb: the folder is the same
    folder = posixpath.dirname(editions.moved(page, editions.PAGES, edition))

    def replaced(link: re.Match[str]) -> str:
        name, hash_sign, anchor = link["target"].partition("#")
        path = posixpath.normpath(posixpath.join(folder, name))
        own = editions.moved(path, edition, editions.PAGES)
        if (Path(app.srcdir) / own).is_file():
            own = posixpath.relpath(own, posixpath.dirname(page) or ".")
            return f"[{link['text']}]({own}{hash_sign}{anchor})"
        if not (published.ROOT / path).exists():
            return link[0]
        if not address:
            return link["text"]
        return f"[{link['text']}]({address}/tree/main/{path}{hash_sign}{anchor})"

    return LINK.sub(replaced, text)


def name_folds(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    """Let a fold be called by its title; myst-nb calls each of them "Toggle hidden content"."""
    if "body" in context:
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")


def open_own_notebook(
    app: Sphinx, pagename: str, template: str, context: dict, doctree: object
) -> None:
    """Let the buttons above a notebook open it as it lies in this edition."""
    edition = app.config.html_context["edition"]
    for group in context.get("header_buttons", []):
        for button in group.get("buttons", []):
            if "url" in button:
                button["url"] = editions.opening(button["url"], edition)


def without_sphinx_search(app: Sphinx) -> None:
    """Leave Sphinx's own search out: Pagefind takes its place."""
    app.builder.search = False  # type: ignore[attr-defined]


def visit_math(self, node: nodes.math) -> None:
    """Write a formula of a line as MathML, which browsers show without a script."""
    self.body.append(converter.convert(node.astext()))
    raise nodes.SkipNode


def visit_math_block(self, node: nodes.math_block) -> None:
    """Write a displayed formula as MathML."""
    self.body.append(converter.convert(node.astext(), display="block"))
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register what this extension does; called by Sphinx."""
    app.connect("builder-inited", without_sphinx_search)
    app.connect("source-read", adapt)
    app.connect("html-page-context", name_folds)
    app.connect("html-page-context", open_own_notebook, priority=502)  # after the theme, with 501
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
