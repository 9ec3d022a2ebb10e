"""Pages: one dress for all that is read in a browser; each page is one file that fetches nothing and works from a disk.

A room's page is a template of its own that extends `base.html.j2` (see there for its blocks and macros). Its one script
is the one of all pages, named by its hash in the page's policy, so that no name in the data can become another.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vesalius.core.called import called_by
from vesalius.core.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_HERE = Path(__file__).parent / "templates"


def code(text: str) -> Markup:
    """Return a text for a page, with what stands between backticks as code."""
    from markupsafe import Markup, escape

    parts = [escape(part) for part in str(text).split("`")]
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(p) if k % 2 else p for k, p in enumerate(parts))


def policy() -> str:
    """Return what a page allows itself: its own style, pictures within it, and the one script of all pages."""
    script = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    )


def _script() -> str:
    return (_HERE / "page.js.txt").read_text(encoding="utf-8")


@cache
def _shelf(folder: Path) -> Environment:
    """Return what reads a folder's templates; it keeps them compiled, until their files change."""
    from jinja2 import ChoiceLoader, Environment, FileSystemLoader

    shelf = Environment(
        loader=ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(_HERE)]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shelf.filters["code"] = code
    shelf.filters["called"] = called_by
    return shelf


def render(template: Path, **shown: Any) -> str:
    """Return a page made from a template file of one's own room; of what is `shown`, nothing is read as markup."""
    about = {
        "page_style": (_HERE / "page.css").read_text(encoding="utf-8"),
        "page_script": _script(),
        "page_policy": policy(),
        "version": VERSION,
        "today": datetime.date.today().isoformat(),
    }
    return _shelf(template.parent).get_template(template.name).render({**about, **shown})
