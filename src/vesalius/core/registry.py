"""The one registry: a folder is a kind, a file in it is an entry; to add a thing, add a file.

A file's module-level literals describe it and are read without importing it:

    NAMES = {"resnet-18": "ResNet with 18 layers", …}   # or absent: the file's stem and its first docstring line
    SUFFIXES = (".nii", ".nii.gz")                       # formats

The part of a registered name before its first hyphen is the stem of its file. Files that begin with an
underscore are the room's own and are not entries; `contract.py` says what all entries keep, and is none either.
Another package joins through an entry point in the group `vesalius.<kind>` whose name is the stem and whose value
is the module. What a script or a notebook defines joins for the running process alone, by `join` (see `vs.register`).
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from vesalius.core.errors import MissingExtra, RegisterError, UnknownName

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
    "plan.presets",
    "explain",
    "compress",
    "shown",
)
_PLURAL = {
    "shown": "views",
    "cohorts": "layouts",
    "phantom": "phantoms",
    "explain": "explainers",
    "compress": "compressors",
}
_SINGULAR = {"cohorts": "layout", "metrics": "answer kind", "losses": "loss", "explain": "explainer"}
_SINGULAR |= {
    "compress": "compressor",
    "infer.runs": "way of running a case",
    "prepare.transforms": "transform",
    "learn.recipes": "recipe",
    "plan.presets": "preset",
    "answers": "kind of answer",
    "core.answers": "kind of answer",
    "cohorts.targets": "kind of target",
    "shown": "view",
}


REGISTERED = "vs.register"  # where an entry of the running process is from


@dataclass(frozen=True, eq=False)
class Joined:
    """An entry of the running process: what stands for its file, its literals, and what it was made from.

    `origin` says where it is defined, `digest` is a hash of its source, empty where that cannot be read.
    """

    module: ModuleType
    literals: Mapping[str, Any]
    origin: str
    digest: str = ""


_joined: dict[tuple[str, str], Joined] = {}


def join(kind: str, stem: str, entry: Joined) -> None:
    """Add an entry to a kind for the running process. One that is defined in the same place is replaced.

    Raises UnknownName for a kind that does not exist, RegisterError where the name is taken.
    """
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    before = _joined.get((kind, stem))
    if before is not None and before.origin != entry.origin:
        raise RegisterError(
            f"the {singular(kind)} '{stem}' is registered already", found=before.origin, hint="another name"
        )
    if before is None and stem in stems(kind):
        raise RegisterError(
            f"there is a {singular(kind)} '{stem}' already", found=stems(kind)[stem], hint="another name"
        )
    _joined[kind, stem] = entry
    _forget()


def leave(kind: str, stem: str) -> None:
    """Take an entry of the running process away again; nothing happens where there is none."""
    if _joined.pop((kind, stem), None) is not None:
        _forget()


def _forget() -> None:
    for cached in (stems, literals, names):
        cached.cache_clear()


def provenance(kind: str, name: str) -> dict[str, str] | None:
    """Return where a registered name is from, where it is not our own: a package, or the running process.

    `from` is the package with its version or `vs.register`, `digest` a hash of the source of the latter. Raises
    UnknownName.
    """
    stem = stem_of(kind, name)
    if (entry := _joined.get((kind, stem))) is not None:
        return {"from": REGISTERED, "digest": entry.digest}
    for point in metadata.entry_points(group=f"vesalius.{kind}"):
        if point.name == stem and stems(kind)[stem] == point.value:
            package = getattr(point, "dist", None)
            return {"from": f"{package.name} {package.version}" if package else point.value.partition(".")[0]}
    return None


@functools.cache
def stems(kind: str) -> dict[str, str]:
    """Return the module path by file stem, for one kind. Nothing is imported but the kind's own package."""
    found: dict[str, str] = {}
    package = f"vesalius.{kind}"
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("*.py")):
            if not path.stem.startswith("_") and path.stem != CONTRACT:
                found[path.stem] = f"{package}.{path.stem}"
    for point in metadata.entry_points(group=package):
        found.setdefault(point.name, point.value)
    for (other, stem), entry in _joined.items():
        if other == kind:
            found.setdefault(stem, entry.origin)
    return found


@functools.cache
def literals(kind: str, stem: str) -> dict[str, Any]:
    """Return the module-level literals of one entry's file, and `__doc__`, read as text."""
    if (entry := _joined.get((kind, stem))) is not None:
        return dict(entry.literals)
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
    if (entry := _joined.get((kind, stem))) is not None:
        return entry.module
    module = stems(kind)[stem]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in ("", "vesalius"):
            raise
        raise MissingExtra(missing, literals(kind, stem).get("EXTRA", missing)) from error


def room(path: str) -> ModuleType:
    """Import and return a file of a room above (`infer.module`), for what a noun gives when it is asked.

    Raises ModuleNotFoundError.
    """
    return importlib.import_module(f"vesalius.{path}")


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
