"""A hook of mkdocs: each notebook of docs/notebooks is a page of the site, with what its cells showed when last run."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

_LINK = re.compile(r"(\]\((?:[\w./-]+/)?[\w-]+)\.ipynb(#[\w-]+)?\)")


def on_files(files: Files, *, config: Any) -> Files:
    """Add a page for each notebook."""
    for file in [f for f in files if f.src_uri.endswith(".ipynb")]:
        book = json.loads(Path(str(file.abs_src_path)).read_text(encoding="utf-8"))
        files.append(File.generated(config, f"{file.src_uri.removesuffix('.ipynb')}.md", content=page(book)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Lead links to a notebook to its page."""
    return _LINK.sub(r"\1.md\2)", markdown)


def page(book: dict[str, Any]) -> str:
    """Return a notebook as Markdown: its texts, its code, and what each cell showed."""
    parts = []
    for cell in book["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(text)
            continue
        parts.append(f"```python\n{text}\n```")
        parts += [shown(output) for output in cell.get("outputs", ())]
    return "\n\n".join(part for part in parts if part)


def shown(output: dict[str, Any]) -> str:
    """Return one output of a cell: a picture, a table, or text."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join("".join(data["image/png"]).split())
        base64.b64decode(picture, validate=True)
        return f'<img alt="what the cell shows" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        return f'<div class="shown" markdown="0">{"".join(data["text/html"])}</div>'
    text = "".join(output.get("text", data.get("text/plain", "")))
    return (
        f'<pre class="shown" style="overflow-x:auto">{html.escape(text.rstrip())}</pre>'
        if text.strip()
        else ""
    )
