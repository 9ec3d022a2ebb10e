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
import difflib
import functools
import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from vesalius.core.errors import CodeError, MissingExtra, RegisterError, UnknownName, VesaliusError

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
    "phantom.faults",
    "prepare.transforms",
    "reliability.looks",
    "prepare.aligning",
    "prepare.harmonise",
    "prepare.degradations",
    "language.tokenizers",
    "benefit.learners",
    "anomalies",
    "infer.runs",
    "infer.opinions",
    "infer.novelty",
    "infer.handover",
    "infer.runtimes",
    "learn.recipes",
    "run.strategies",
    "plan.presets",
    "explain.methods",
    "evaluate.calibrations",
    "evaluate.checklists",
    "radiomics.families",
    "shapes.rules",
    "compress.ways",
    "imports.origins",
    "exports",
    "shown",
)
_PLURAL = {
    "shown": "views",
    "cohorts": "layouts",
    "phantom": "phantoms",
    "phantom.faults": "faults",
    "reliability.looks": "looks",
    "explain.methods": "explainers",
    "infer.opinions": "opinions",
    "compress.ways": "compressors",
    "evaluate.calibrations": "refits",
    "infer.novelty": "detectors",
    "infer.handover": "handovers",
    "infer.runtimes": "runtimes",
    "prepare.aligning": "registrations",
    "prepare.harmonise": "harmonisers",
    "prepare.degradations": "degradations",
    "language.tokenizers": "tokenizers",
    "benefit.learners": "learners",
    "radiomics.families": "families",
    "shapes.rules": "rules",
}
_SINGULAR = {"cohorts": "layout", "metrics": "answer kind", "losses": "loss", "explain.methods": "explainer"}
_SINGULAR |= {
    "compress.ways": "compressor",
    "imports.origins": "origin of models",
    "exports": "form of export",
    "infer.runs": "way of running a case",
    "infer.opinions": "way of having several opinions",
    "evaluate.calibrations": "refit",
    "infer.novelty": "detector",
    "infer.handover": "handover",
    "infer.runtimes": "runtime",
    "phantom.faults": "planted fault",
    "reliability.looks": "look",
    "prepare.transforms": "transform",
    "prepare.aligning": "registration",
    "prepare.harmonise": "harmoniser",
    "prepare.degradations": "degradation",
    "language.tokenizers": "tokenizer",
    "benefit.learners": "learner of benefit",
    "anomalies": "way to learn what is normal",
    "radiomics.families": "family of radiomics",
    "shapes.rules": "design rule",
    "learn.recipes": "recipe",
    "run.strategies": "strategy",
    "plan.presets": "preset",
    "evaluate.checklists": "checklist",
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


def join(kind: str, stem: str, entry: Joined, *, replace: bool = False) -> None:
    """Add an entry to a kind for the running process. One that is defined in the same place is replaced.

    So is, by one of a notebook or a script that runs, one of the same; and with `replace` any that was registered.

    Raises UnknownName for a kind that does not exist, RegisterError where the name is taken.
    """
    if kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    before = _joined.get((kind, stem))
    running = all(e is not None and e.origin.startswith("__main__.") for e in (before, entry))
    if before is not None and before.origin != entry.origin and not running and not replace:
        raise RegisterError(
            f"the {singular(kind)} '{stem}' is registered already",
            found=before.origin,
            hint="another name, or replace=True",
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
    if stems(kind)[stem] == f"vesalius.{kind}.{stem}":
        return None
    for point in metadata.entry_points(group=f"vesalius.{kind}"):
        if point.name == stem and stems(kind)[stem] == point.value:
            package = getattr(point, "dist", None)
            return {"from": f"{package.name} {package.version}" if package else point.value.partition(".")[0]}
    return None


@functools.cache
def stems(kind: str) -> dict[str, str]:
    """Return the module path by file stem, for one kind. Nothing is imported but the kind's own package.

    A stem of Vesalius itself stays what it is where another package brings the same; `problems` says so.
    """
    found = dict(_own(kind))
    for stem, modules in _foreign(kind).items():
        found.setdefault(stem, modules[0])
    for (other, stem), entry in _joined.items():
        if other == kind:
            found.setdefault(stem, entry.origin)
    return found


def _own(kind: str) -> dict[str, str]:
    """Return the module path by stem of what comes with Vesalius."""
    package = f"vesalius.{kind}"
    spec = importlib.util.find_spec(package)
    return {
        path.stem: f"{package}.{path.stem}"
        for folder in ((spec.submodule_search_locations or ()) if spec else ())
        for path in sorted(Path(folder).glob("*.py"))
        if not path.stem.startswith("_") and path.stem != CONTRACT
    }


def _foreign(kind: str) -> dict[str, list[str]]:
    """Return the modules that other packages bring, by stem; each once."""
    found: dict[str, list[str]] = {}
    for point in metadata.entry_points(group=f"vesalius.{kind}"):
        modules = found.setdefault(point.name, [])
        modules += [point.value] if point.value not in modules else []
    return found


def problems(kind: str) -> tuple[str, ...]:
    """Return what other packages bring that cannot be used: of one kind, and in groups of no kind; a sentence each."""
    found = []
    for stem, modules in _foreign(kind).items():
        if stem in _own(kind):
            found.append(
                f"{modules[0]} is not used: Vesalius has a {singular(kind)} '{stem}' of its own; rename it"
            )
        elif len(modules) > 1:
            found.append(
                f"several packages bring a {singular(kind)} '{stem}': {', '.join(modules)}; rename one"
            )
        else:
            wrong = [n for n in literals(kind, stem).get("NAMES") or () if n.partition("-")[0] != stem]
            found += [
                f"{modules[0]} names a {singular(kind)} '{name}', which is not found: names begin with '{stem}'"
                for name in wrong
            ]
    for group in sorted(metadata.entry_points().groups):
        name = group.removeprefix("vesalius.")
        if group.startswith("vesalius.") and name not in (*KINDS, "core.answers"):
            close = difflib.get_close_matches(name, KINDS, n=1, cutoff=0.4) or [k for k in KINDS if name in k]
            hint = f"; did it mean vesalius.{close[0]}?" if close else ""
            brought = ", ".join(sorted(p.value for p in metadata.entry_points(group=group)))
            found.append(f"{brought}: there is no group '{group}' of entry points{hint}")
    return tuple(found)


@functools.cache
def literals(kind: str, stem: str) -> dict[str, Any]:
    """Return the module-level literals of one entry's file, and `__doc__`, read as text.

    Of another package's file that cannot be read `__doc__` says why, so that it breaks nothing but itself.
    """
    if (entry := _joined.get((kind, stem))) is not None:
        return dict(entry.literals)
    module = stems(kind).get(stem)
    if module is None:
        raise UnknownName(singular(kind), stem, stems(kind))
    if module != f"vesalius.{kind}.{stem}":
        try:
            return _read(module)
        except Exception as error:  # noqa: BLE001 - what another package raises must not end a listing
            where = (
                f" ({Path(error.filename or '').name}:{error.lineno})"
                if isinstance(error, SyntaxError)
                else ""
            )
            why = error.msg if isinstance(error, SyntaxError) else error
            return {"__doc__": f"cannot be read: {type(error).__name__}: {why}{where}"}
    return _read(module)


def _read(module: str) -> dict[str, Any]:
    """Return the literals of a module. Raises ModuleNotFoundError where there is none."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"there is no module '{module}'", name=module)
    if spec.origin is None:
        return {"__doc__": ""}
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"), filename=spec.origin)
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
    for stem, module in stems(kind).items():
        text = literals(kind, stem)
        summary = (text["__doc__"].splitlines() or [""])[0].rstrip(".")
        named = text.get("NAMES")
        if not isinstance(named, dict) or not named:
            named = {stem: summary}
        if module != f"vesalius.{kind}.{stem}":
            named = {n: str(words) for n, words in named.items() if str(n).partition("-")[0] == stem}
        listed |= named
    return listed


def lookup(kind: str, name: str) -> ModuleType:
    """Import and return the one file that holds `name`.

    Raises UnknownName; CodeError where another package's file cannot be imported, or several bring that name;
    MissingExtra where a file of Vesalius needs a library that is not installed.
    """
    stem = name.partition("-")[0]
    module = stems(kind).get(stem, "")
    if (entry := _joined.get((kind, stem))) is not None:
        stem_of(kind, name)
        return entry.module
    if module != f"vesalius.{kind}.{stem}" and len(brought := _foreign(kind).get(stem, [])) > 1:
        raise CodeError(
            f"several packages bring a {singular(kind)} '{stem}'",
            found=", ".join(brought),
            hint="another name for one, or uninstall one",
        )
    stem_of(kind, name)
    if module == f"vesalius.{kind}.{stem}":
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in ("", "vesalius"):
                raise
            raise MissingExtra(missing, literals(kind, stem).get("EXTRA", missing)) from error
    return _imported(module, f"{singular(kind)} {name}")


def _imported(module: str, what: str) -> ModuleType:
    """Import another package's file. Raises CodeError, in one line."""
    try:
        return importlib.import_module(module)
    except VesaliusError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module == missing or module.startswith(f"{missing}."):
            raise CodeError(
                f"{what}: there is no module '{module}'", hint="the entry point of its package"
            ) from error
        hint = (
            "mend its import"
            if missing.startswith("vesalius")
            else f"pip install {missing.partition('.')[0]}"
        )
        raise CodeError(f"{what}: {module} needs '{missing}', which is not there", hint=hint) from error
    except Exception as error:
        raise CodeError(
            f"{what}: {module} cannot be imported",
            found=f"{type(error).__name__}: {error}",
            hint="mend its file",
        ) from error


def held(kind: str, name: str, word: str) -> Any:
    """Return what the file of a registered name holds as `word` (`TASK`, `HANDLING`). Raises as `lookup`, CodeError."""
    module = lookup(kind, name)
    if not hasattr(module, word):
        raise CodeError(
            f"the file of {singular(kind)} {name} has no {word}",
            found=module.__name__,
            hint=f"{word} = … at its end",
        )
    return getattr(module, word)


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
