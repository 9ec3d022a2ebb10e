"""The one registry: a folder is a kind, a file in it is an entry; to add a thing, add a file.

A file's module-level literals describe it and are read without importing it:

    NAMES = {"resnet-18": "ResNet with 18 layers", …}   # or absent: the file's stem and its first docstring line
    SUFFIXES = (".nii", ".nii.gz")                       # formats

The part of a registered name before its first hyphen is the stem of its file. Files that begin with an
underscore are the room's own and are not entries; `contract.py` says what all entries keep, and is none either.
Another package joins through an entry point in the group `vesalius.<kind>` whose name is the stem and whose value
is the module.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from vesalius.core.errors import MissingExtra, UnknownName

CONTRACT = "contract"
KINDS = (
    "tasks",
    "nets",
    "formats",
    "cohorts",
    "cohorts.targets",
    "losses",
    "optimisers",
    "schedules",
    "metrics",
    "answers",
    "phantom",
    "prepare.transforms",
    "infer.runs",
    "learn.recipes",
    "explain",
    "compress",
)
_PLURAL = {"cohorts": "layouts", "phantom": "phantoms", "explain": "explainers", "compress": "compressors"}
_SINGULAR = {"cohorts": "layout", "metrics": "answer kind", "losses": "loss", "explain": "explainer"}
_SINGULAR |= {
    "compress": "compressor",
    "infer.runs": "way of running a case",
    "prepare.transforms": "transform",
    "learn.recipes": "recipe",
    "answers": "kind of answer",
    "core.answers": "kind of answer",
    "cohorts.targets": "kind of target",
}


@functools.cache
def stems(kind: str) -> dict[str, str]:
    """Module path by file stem, for one kind. Nothing is imported but the kind's own package."""
    found: dict[str, str] = {}
    package = f"vesalius.{kind}"
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.py")):
            if not path.stem.startswith("_") and path.stem != CONTRACT:
                found[path.stem] = f"{package}.{path.stem}"
    for point in metadata.entry_points(group=package):
        found.setdefault(point.name, point.value)
    return found


@functools.cache
def literals(kind: str, stem: str) -> dict[str, Any]:
    """Return the module-level literals of one entry's file, and `__doc__`, read as text."""
    module = stems(kind).get(stem)
    if module is None:
        raise UnknownName(singular(kind), stem, stems(kind))
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return {"__doc__": ""}
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    values: dict[str, Any] = {"__doc__": ast.get_docstring(tree) or ""}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name) and target.id.isupper():
            try:
                values[target.id] = ast.literal_eval(value)
            except ValueError:
                continue
    return values


@functools.cache
def names(kind: str) -> dict[str, str]:
    """Return one-line description by registered name. Imports no entry."""
    listed: dict[str, str] = {}
    for stem in stems(kind):
        text = literals(kind, stem)
        summary = (text["__doc__"].splitlines() or [""])[0].rstrip(".")
        listed |= text.get("NAMES") or {stem: summary}
    return listed


def lookup(kind: str, name: str) -> ModuleType:
    """Import and return the one file that holds `name`."""
    stem = stem_of(kind, name)
    module = stems(kind)[stem]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "vesalius"):
            raise
        raise MissingExtra(missing, literals(kind, stem).get("EXTRA", missing)) from error


def stem_of(kind: str, name: str) -> str:
    """Return the stem of the file that holds a registered name. Raises UnknownName."""
    if name not in names(kind):
        raise UnknownName(singular(kind), name, names(kind))
    return name.partition("-")[0]


def singular(kind: str) -> str:
    """Return what one entry of a kind is called in messages."""
    return _SINGULAR.get(kind, kind.rstrip("s"))


def plural(kind: str) -> str:
    """Return what the entries of a kind are called, which is the command that lists them: `losses`, `layouts`."""
    return _PLURAL.get(kind, kind.rpartition(".")[2])


def exists(kind: str) -> bool:
    """Return whether a kind has a room of ours; nothing is imported."""
    return (Path(__file__).parent.parent / kind.replace(".", "/")).is_dir()
