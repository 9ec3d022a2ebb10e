"""What a script or a notebook registers, as an entry of its kind: its parts, its literals, and a hash of its source."""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
import tokenize
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

from vesalius.core.errors import RegisterError
from vesalius.core.registry import Joined, singular

Parts = dict[str, Any]
_PLAIN = (bool, int, float, str, type(None), tuple, list, dict)


def entry_of(kind: str, name: str, thing: Any, parts: Parts, *, must: Iterable[str] = ()) -> Joined:
    """Return an entry that holds `parts`, as the file of a kind would; `must` are those that every entry has.

    Raises RegisterError, naming what is missing.
    """
    parts = {"NAMES": {name: first_line(thing) or name}, **parts}
    missing = [part for part in must if part not in parts]
    if missing:
        raise RegisterError(
            f"the {singular(kind)} '{name}' lacks {', '.join(missing)}",
            found=", ".join(k for k in parts if not k.startswith("_")),
            hint="attributes of those names, as in the files of that kind",
        )
    odd = [n for n in parts["NAMES"] if n.partition("-")[0] != name.partition("-")[0]]
    if odd:
        raise RegisterError(
            f"names of one {singular(kind)} share the part before the first hyphen", found=f"{odd[0]}, {name}"
        )
    module = ModuleType(f"registered_{kind.replace('.', '_')}_{name.partition('-')[0]}", first_line(thing))
    vars(module).update(parts)
    literals = {k: v for k, v in parts.items() if k.isupper() and isinstance(v, _PLAIN)}
    return Joined(module, {"__doc__": first_line(thing), **literals}, origin_of(thing), digest_of(thing))


def namespace(thing: Any) -> Parts:
    """Return what a module, or a class used as one, holds by name; functions of a class are those without `self`."""
    found: Parts = {}
    held = (
        [vars(thing)] if isinstance(thing, ModuleType) else [vars(c) for c in reversed(inspect.getmro(thing))]
    )
    for names in held:
        found |= {n: getattr(thing, n) for n in names if not n.startswith("__")}
    return found


def literals_in(thing: Any) -> Parts:
    """Return the upper-case attributes of a class, a function or an instance: what a file would say as literals."""
    return {n: getattr(thing, n) for n in dir(thing) if n.isupper() and not n.startswith("_")}


def options_in(function: Callable[..., Any], known: Iterable[str]) -> dict[str, Any]:
    """Return the keyword arguments of a class or function that are none of `known`, with their plain defaults.

    Raises RegisterError for an argument without a default, which nobody would give.
    """
    found, given = {}, set(known)
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in given or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is parameter.empty:
            called = getattr(function, "__name__", function)
            raise RegisterError(
                f"'{called}' needs the argument '{parameter.name}', which nobody gives",
                found=f"given are {', '.join(given)}",
                hint=f"a default for '{parameter.name}': it is then an option that plans may set",
            )
        if isinstance(parameter.default, bool | int | float | str):
            found[parameter.name] = parameter.default
    return found


def accepted(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the given arguments that a class or a function takes."""
    takes = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in takes.values()):
        return dict(given)
    return {name: value for name, value in given.items() if name in takes}


def takes(function: Callable[..., Any], name: str) -> bool:
    """Return whether a class or a function takes an argument of that name."""
    return name in accepted(function, {name: None})


def name_of(thing: Any) -> str:
    """Return what a thing is registered as where no name is told: its own, in lower case."""
    own = getattr(thing, "name", None)
    if isinstance(own, str):
        return own
    own = getattr(thing, "__name__", None) or type(thing).__name__
    return str(own).rpartition(".")[2].lower().strip("_")


def first_line(thing: Any) -> str:
    """Return the first line of a thing's docstring, without its full stop; empty where it has none."""
    lines = (inspect.getdoc(thing) or "").strip().splitlines()
    return lines[0].rstrip(".") if lines else ""


def origin_of(thing: Any) -> str:
    """Return where a thing is defined: its module and its name there."""
    if isinstance(thing, ModuleType):
        return thing.__name__
    made = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{made.__module__}.{made.__qualname__}"


def digest_of(thing: Any) -> str:
    """Return a hash of a thing's source without its comments and docstrings; empty where the source cannot be read."""
    made = thing if isinstance(thing, ModuleType) or hasattr(thing, "__qualname__") else type(thing)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(made)))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):  # a block of a page is no file of Python
        return ""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined, index]
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            node.decorator_list = []  # registering is one
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()[:16]
