"""Index the finished pages for Pagefind, the search in the browser.

    python site/search_index.py build/site

Pagefind links to headings that bear a name. Sphinx gives the name to the section around a heading,
so the pages are indexed with the names moved; the pages themselves stay as they are.

Chinese has no spaces between words. Pagefind cuts a page into words by one dictionary, and the
browser cuts what is searched for by another, so that much is never found. Here each character is a
word, in both: static/search.js looks for them one after the other.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from pagefind.index import IndexConfig, PagefindIndex

SECTION = re.compile(
    r'<section([^>]*?) id="([^"]*)"([^>]*)>\s*(?:<span id="[^"]*"></span>\s*)*<h(\d)'
)
CHINESE = re.compile(r"(?<=[\u4e00-\u9fff])(?=\S)|(?<=\S)(?=[\u4e00-\u9fff])")
GAP = "\u200a"  # a hair space, which stands nowhere else; static/search.js takes it out again
# What is no prose of the page itself.
NOT_INDEXED = [".prev-next-footer", ".headerlink", ".header-article", "#pst-page-toc-nav"]


def with_named_headings(page: str) -> str:
    """Return a page whose headings bear the names of their sections."""
    return SECTION.sub(r'<section\1\3><h\4 id="\2"', page)


def with_characters_apart(page: str) -> str:
    """Return a page with a gap around each Chinese character."""
    return CHINESE.sub(GAP, page)


async def index(site: Path) -> int:
    """Write the index to the folder `pagefind` of the pages; return how many pages are in it."""
    config = IndexConfig(
        root_selector="article",
        exclude_selectors=NOT_INDEXED,
        keep_index_url=True,
        output_path=str(site / "pagefind"),
    )
    pages = sorted(site.glob("*/**/*.html"))
    async with PagefindIndex(config=config) as search:
        for page in pages:
            await search.add_html_file(
                content=with_characters_apart(with_named_headings(page.read_text("utf-8"))),
                source_path=page.relative_to(site).as_posix(),
            )
    return len(pages)


if __name__ == "__main__":
    asyncio.run(index(Path(sys.argv[1])))
