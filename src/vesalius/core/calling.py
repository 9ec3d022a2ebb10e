"""Calling what another package brings: what goes wrong there is one line that names the function and the place."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vesalius.core.errors import CodeError, VesaliusError

OURS = "vesalius."


def is_ours(thing: object) -> bool:
    """Return whether a module, a class or an instance comes from Vesalius itself."""
    name = getattr(thing, "__module__", None) or getattr(thing, "__name__", "")
    return f"{name}.".startswith(OURS)


def file_of(thing: object) -> str:
    """Return the name of the file that holds a module, or the class of an instance; '' where there is none."""
    name = getattr(thing, "__module__", None) or getattr(thing, "__name__", "")
    path = getattr(sys.modules.get(str(name)), "__file__", None)
    return Path(path).name if path else ""


@contextmanager
def calling(what: str, thing: object, function: str, *, case: str = "") -> Iterator[None]:
    """Raise CodeError in place of an error of a third party's own code inside this block.

    It says what is called (`task age`), which function of `thing`, about which case, and the line of that package that
    failed. Errors of Vesalius itself, and a memory that is full, pass as they are; so do those of our own files.
    """
    try:
        yield
    except (VesaliusError, MemoryError):
        raise
    except Exception as error:
        if is_ours(thing) or (isinstance(error, RuntimeError) and "memory" in str(error)):
            raise
        about = f" about case {case}" if case else ""
        at = _line(error, thing)
        raise CodeError(
            f"{what}: `{function}` failed{about}",
            found=f"{type(error).__name__}: {error}" + (f" ({at})" if at else ""),
            hint=f"mend {at or function}; called from Python, Vesalius shows the whole traceback",
        ) from error


def assert_takes(what: str, thing: object, name: str, like: Callable[..., Any]) -> None:
    """Raise CodeError where the function `name` of `thing` is missing, or cannot be called as `like` is called.

    Positional parameters may have other names; those that are given by name may not.
    """
    function = getattr(thing, name, None)
    where = file_of(thing)
    if not callable(function):
        raise CodeError(
            f"{what}: there is no function `{name}`",
            found=where,
            hint=f"def {name}{_called(like)} in its file",
        )
    try:
        inspect.signature(function).bind(*_positional(like), **_named(like))
    except ValueError:  # a built-in function that does not tell
        return
    except TypeError as error:
        raise CodeError(
            f"{what}: `{name}` cannot be called as it will be",
            found=f"{name}{inspect.signature(function)}: {error}" + (f", in {where}" if where else ""),
            hint=f"{name}{_called(like)}",
        ) from error


def _parameters(like: Callable[..., Any]) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(like).parameters.values() if p.name != "self"]


def _positional(like: Callable[..., Any]) -> list[None]:
    return [None for p in _parameters(like) if p.kind is not inspect.Parameter.KEYWORD_ONLY]


def _named(like: Callable[..., Any]) -> dict[str, None]:
    return {p.name: None for p in _parameters(like) if p.kind is inspect.Parameter.KEYWORD_ONLY}


def _called(like: Callable[..., Any]) -> str:
    """Return how it is called, in words: `(raw, state, *, undo)`."""
    positional = [p.name for p in _parameters(like) if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    named = list(_named(like))
    return f"({', '.join([*positional, *(['*'] if named else []), *named])})"


def _line(error: BaseException, thing: object) -> str:
    """Return `age.py:75`: the innermost line that failed in the file of `thing`, else in the package that has it."""
    name = str(getattr(thing, "__module__", None) or getattr(thing, "__name__", ""))
    own = getattr(sys.modules.get(name), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if own is not None and f.filename == own] or [
        f for f in frames if own is not None and Path(f.filename).parent == Path(own).parent
    ]
    return f"{Path(inside[-1].filename).name}:{inside[-1].lineno}" if inside else ""
