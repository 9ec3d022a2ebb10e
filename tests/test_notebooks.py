"""The notebooks of the documentation run from top to bottom in a kernel of their own, and name nothing of a machine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parent.parent
BOOKS = sorted((REPO / "docs" / "notebooks").glob("*.ipynb"))
CELL_S = 600  # on a machine that does much else
QUICK = f"""
import sys
sys.path.insert(0, {str(REPO)!r})
import torch
from tests._quick import quick
_quick = quick()
_quick.__enter__()
"""  # before the first cell: fits are as short as in other tests


def ids(path: Path) -> str:
    return path.stem


@pytest.mark.programs
@pytest.mark.parametrize("path", BOOKS, ids=ids)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: make install")
    import nbformat

    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book: Any = nbformat.read(path, as_version=4)
    book.cells.insert(0, nbformat.v4.new_code_cell(QUICK))
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(book, timeout=CELL_S, kernel_name="python3", resources=place).execute()
    shown = [cell for cell in book.cells if cell.cell_type == "code" and cell.outputs]
    assert len(shown) >= 3, "a notebook shows something"


@pytest.mark.parametrize("path", BOOKS, ids=ids)
def test_a_notebook_is_sound(path: Path) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    assert book["nbformat"] == 4 and book["cells"][0]["cell_type"] == "markdown"
    assert "".join(book["cells"][0]["source"]).startswith("# "), "its title is what the site calls it"
    text = json.dumps([cell.get("outputs", []) for cell in book["cells"]])
    assert not re.search(r"/(tmp|work|home|root|Users)/", text), "no path of a machine"
    assert path.stat().st_size < 1_500_000
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]), f"{path.name}:{cell['id']}", "exec")
            assert not any(output["output_type"] == "error" for output in cell["outputs"])


def test_the_four_notebooks_are_there_and_in_the_site() -> None:
    assert {path.stem for path in BOOKS} >= {"first-model", "own-parts", "compare", "bundle-to-pacs"}
    pages = (BOOKS[0].parent.parent.parent / "mkdocs.yml").read_text(encoding="utf-8")
    assert [path.stem for path in BOOKS if f"notebooks/{path.stem}.md" not in pages] == []


@pytest.mark.parametrize("path", BOOKS, ids=ids)
def test_what_a_notebook_shows_is_kept_with_it(path: Path) -> None:
    """`make notebooks` was run after the last change: each cell that shows something has its output."""
    cells = [c for c in json.loads(path.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert sum(bool(cell["outputs"]) for cell in cells) >= 3
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kept = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell["outputs"]]
    assert not any("<progress" in "".join(html) for html in kept), "no bar that nobody watches any more"
