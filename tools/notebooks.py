"""Run the notebooks of docs/notebooks and keep what their cells show, for the site and for whoever opens them.

python tools/notebooks.py [NAME …]
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BOOKS = Path(__file__).resolve().parent.parent / "docs" / "notebooks"
_MACHINE = re.compile(r"/(?:tmp|work|home|root|Users)/[^\s'\"<>)]*/")  # of a path, all but its name


def run(path: Path) -> None:
    """Run a notebook in an empty folder and write it back with its outputs, without paths of this machine."""
    import nbclient
    import nbformat

    book: Any = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        nbclient.NotebookClient(book, timeout=600, kernel_name="python3", resources=place).execute()
    for cell in book.cells:
        cell.metadata.clear()
        if cell.cell_type == "code":
            cell.outputs = [clean(output) for output in cell.outputs if output.get("name") != "stderr"]
            cell.outputs = joined(output for output in cell.outputs if not bar(output))
    book.metadata.pop("widgets", None)
    book.metadata.language_info = {"name": "python"}
    path.write_text(nbformat.writes(book, version=4) + "\n", encoding="utf-8")


def bar(output: Any) -> bool:
    """Return whether an output is a bar of progress that nobody watches any more, or a note beside one."""
    data = output.get("data", {})
    noted = output["output_type"] == "display_data" and "<img" not in data.get("text/html", "<img")
    return "application/vnd.jupyter.widget-view+json" in data or noted


def joined(outputs: Iterable[Any]) -> list[Any]:
    """Return outputs with what was printed piece by piece as one."""
    kept: list[Any] = []
    for output in outputs:
        if kept and output["output_type"] == kept[-1]["output_type"] == "stream":
            kept[-1]["text"] += output["text"]
        else:
            kept.append(output)
    return kept


def clean(output: Any) -> Any:
    """Return an output whose texts name no folder of this machine."""
    if "text" in output:
        output["text"] = _MACHINE.sub("", output["text"])
    for kind, text in output.get("data", {}).items():
        if kind.startswith("text/"):
            output["data"][kind] = _MACHINE.sub("", text)
    return output


def main() -> int:
    """Run those that are named, or all."""
    for path in sorted(BOOKS.glob("*.ipynb")):
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            sys.stderr.write(f"{path.stem} …\n")
            run(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
