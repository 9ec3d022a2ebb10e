"""The little HTML that all views share: a title, a table, a picture in itself, a page around them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from vesalius.answers.drawing.lines import Line

MOST = 40  # lines of a table; how many more there are is said
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.15rem .8rem .15rem 0;vertical-align:top}}</style></head>
<body>{body}</body></html>
"""


def page(title: str, body: str) -> str:
    """Return a whole page, light or dark as its reader's screen is."""
    return PAGE.format(title=escape(title), body=body)


def titled(kind: str, name: str) -> str:
    """Return a heading: what it is, and what it is called."""
    return f'<div style="margin-bottom:.4em"><b>{escape(kind)}</b> {escape(name)}</div>'


def as_image(png: bytes, title: str, *, width: int = 420) -> str:
    """Return a PNG as an image that stands in the text itself."""
    data = base64.b64encode(png).decode()
    return (
        f'<img alt="{escape(title)}" src="data:image/png;base64,{data}" '
        f'style="display:block;max-width:min({width}px,100%);margin:.3em 0;border-radius:4px">'
    )


def sheet(pictures: Sequence[tuple[str, str]], *, height: int = 140) -> str:
    """Return pictures side by side, each a data address with its caption."""
    figures = "".join(
        f'<figure style="margin:0"><img alt="{escape(text)}" src="{src}" '
        f'style="height:{height}px;border-radius:4px;background:#000">'
        f'<figcaption style="font-size:80%;max-width:{height * 1.4:.0f}px;overflow-wrap:anywhere">'
        f"{escape(text)}</figcaption></figure>"
        for src, text in pictures
    )
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:8px;margin:.4em 0">{figures}</div>' if figures else ""
    )


def table(lines: Sequence[Line]) -> str:
    """Return lines as a table; where they are many, the first of them and how many more there are."""
    if not lines:
        return ""
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{_chip(line.colour)}{escape(line.name)}</th>'
        f'<td style="text-align:left">{_bar(line.share)}{escape(line.text)}</td></tr>'
        for line in lines[:MOST]
    )
    more = f"<tr><td colspan=2>and {len(lines) - MOST} more</td></tr>" if len(lines) > MOST else ""
    return f'<table style="margin:.3em 0">{rows}{more}</table>'


def grid(names: Sequence[str], rows: Iterable[Sequence[str]], count: int) -> str:
    """Return a table with a heading, of the first of `count` rows, and how many more there are."""
    left, first = 'style="text-align:left"', 'style="text-align:left;white-space:nowrap"'
    head = "".join(f"<th {left}>{escape(n)}</th>" for n in names)
    body, shown = "", 0
    for row in rows:
        if shown == MOST:
            break
        shown += 1
        cells = (f"<td {left if len(c) > 40 else first}>{escape(c)}</td>" for c in row)
        body += f"<tr>{''.join(cells)}</tr>"
    more = f"<tr><td colspan={len(names)}>and {count - shown} more</td></tr>" if count > shown else ""
    table = f'<table style="margin:.3em 0"><tr>{head}</tr>{body}{more}</table>'
    return f'<div style="overflow-x:auto">{table}</div>'


def warned(kind: str, text: str) -> str:
    """Return a sentence that must be read before the figures."""
    return (
        '<div style="border-left:4px solid #b54708;padding:.2em .6em;margin:.3em 0">'
        f"<b>{escape(kind)}</b>: {escape(text)}</div>"
    )


def _chip(colour: str | None) -> str:
    if colour is None:
        return ""
    look = "display:inline-block;width:.8em;height:.8em;margin-right:.5em"
    return f'<span style="{look};background:{escape(colour)}"></span>'


def _bar(share: float | None) -> str:
    if share is None or not 0 <= share <= 1:
        return ""
    return (
        '<span style="display:inline-block;width:8em;height:.7em;margin-right:.6em;border-radius:.2em;'
        f'background:linear-gradient(90deg,#2f6f8f {share:.1%},rgba(128,128,128,.25) {share:.1%})"></span>'
    )
