"""The package's source files, read once a process, and a quick walk through what they say."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import vesalius

SOURCE = Path(vesalius.__file__).parent


@cache
def texts() -> dict[str, str]:
    """Each Python file below `src/vesalius`, by its path from there."""
    paths = sorted(SOURCE.rglob("*.py"))
    return {p.relative_to(SOURCE).as_posix(): p.read_text(encoding="utf-8") for p in paths}


def walk(tree: ast.AST) -> list[ast.AST]:
    """Return every node of a tree, as `ast.walk` yields them, in half its time."""
    found = [tree]
    for node in found:  # which grows
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [one for one in value if isinstance(one, ast.AST)]
    return found


def quoted(names: frozenset[str] | set[str], source: str) -> bool:
    """Whether a text holds one of the names as a string of its own."""
    return any(f'"{name}"' in source or f"'{name}'" in source for name in names)
