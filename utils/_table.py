"""The table that a report shows in Jupyter: the one on this machine, and those of the checks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

CELL = "text-align:left;vertical-align:top;padding:0.3em 1.2em 0.3em 0;line-height:1.45;"


def html_table(caption: str, rows: Iterable[tuple[str, str, Sequence[str]]]) -> str:
    """Return an HTML table in the colors of the page around it, for light and dark themes.

    Each row has a mark, a name and lines of text; the second line, which says what is wrong, is
    bold.
    """
    return (
        "<table style='color:inherit;border-collapse:collapse;font-size:0.95em;margin:0'>"
        f"<caption style='{CELL}color:inherit;font-weight:bold;caption-side:top'>"
        f"{html.escape(caption)}</caption><tbody>"
        f"{''.join(_row(mark, name, lines) for mark, name, lines in rows)}</tbody></table>"
    )


def _row(mark: str, name: str, lines: Sequence[str]) -> str:
    text = [html.escape(line) for line in lines]
    text[1:2] = [f"<strong>{line}</strong>" for line in text[1:2]]
    return (
        "<tr style='background:none;border-top:1px solid rgba(128,128,128,0.4)'>"
        f"<td style='{CELL}white-space:nowrap'>{html.escape(mark)}</td>"
        f"<th scope='row' style='{CELL}white-space:nowrap'>{html.escape(name)}</th>"
        f"<td style='{CELL}'>{'<br>'.join(text)}</td></tr>"
    )
