"""The script beside an export: files of `exports/script/` one after the other, as one that imports none of ours."""

from __future__ import annotations

import ast
from pathlib import Path

SCRIPT = "predict.py"
PARTS = ("images", "geometry", "intensities", "running", "answers", "cases", "main")
HEAD = '''"""Answers of an exported model without Vesalius: numpy and onnxruntime; pillow or nibabel to read files.

    python predict.py IMAGE [-o MASK.nii.gz]      the answer as JSON
    python predict.py --selftest                  whether it answers here as it did where it was made

What it does stands in preprocessing.json. It knows nothing of what an image shows: it does not refuse one of another
kind than the model learned from. Made by Vesalius, Apache-2.0.
"""
'''
OURS = "vesalius"


def script(*, parts: tuple[str, ...] = PARTS, head: str = HEAD, run: bool = True) -> str:
    """Return the script: all imports of other packages first, each once, then what the parts define, in their order."""
    folder = Path(__file__).parent / "script"
    imports: dict[str, None] = {}
    bodies = []
    for part in parts:
        text = (folder / f"{part}.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        lines = text.splitlines()
        for node in tree.body:
            if isinstance(node, ast.Import | ast.ImportFrom) and not _is_ours(node):
                imports[ast.unparse(node)] = None
        first = min(_first_line(node) for node in tree.body if not _is_head(node))
        bodies.append("\n".join(lines[first - 1 :]).strip())
    future = "from __future__ import annotations"
    others = sorted(
        (i for i in imports if i != future), key=lambda i: ("numpy" in i, i.startswith("from"), i)
    )
    end = '\n\nif __name__ == "__main__":\n    raise SystemExit(main())\n' if run else "\n"
    return f"{head}\n{future}\n\n" + "\n".join(others) + "\n\n" + "\n\n\n".join(bodies) + "\n" + end


def _is_head(node: ast.stmt) -> bool:
    """Return whether a statement is a file's own docstring or an import."""
    return isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _first_line(node: ast.stmt) -> int:
    """Return the line on which a statement begins, its decorators included."""
    lines: list[int] = [node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]
    return min(lines)


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
    return any(name.split(".")[0] == OURS for name in names)
