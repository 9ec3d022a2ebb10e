"""Options of what is registered: a file states them with their defaults, and a plan may set them.

A file of a kind holds two literals, which are read without importing it:

    OPTIONS = {"gamma": 2.0}             each option with its default, which also says of which type it is
    LIMITS = {"gamma": {"ge": 0}}        which values it takes: gt, ge, lt, le a number, or `in` a list
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vesalius.core import registry
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.fields import short

_TYPES = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}
_LIMITS = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}


def options_of(kind: str, name: str, given: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """Return all options of what is registered as `name`: those given over the defaults.

    `where` is the path in the plan, such as `loss.options`. Raises UnknownName for an option that does not exist,
    PlanError for a value that it does not take.
    """
    assert_options(kind, name)
    text = registry.literals(kind, registry.stem_of(kind, name))
    defaults: dict[str, Any] = text.get("OPTIONS", {})
    limits: dict[str, dict[str, Any]] = text.get("LIMITS", {})
    for option in given:
        if option not in defaults:
            raise UnknownName(f"option of {registry.singular(kind)} {name}", option, defaults)
    return defaults | {
        option: _fitting(value, defaults[option], limits.get(option, {}), path=f"{where}.{option}")
        for option, value in given.items()
    }


def assert_options(kind: str, name: str) -> None:
    """Raise PlanError where a file states options that are no numbers, texts, truth values or lists of these."""
    options = registry.literals(kind, registry.stem_of(kind, name)).get("OPTIONS", {})
    for option, default in options.items() if isinstance(options, Mapping) else ():
        if not isinstance(default, bool | int | float | str | list | tuple):
            raise PlanError(
                f"OPTIONS of {registry.singular(kind)} {name}: '{option}' has no default that says of which type it is",
                found=short(default),
                hint="a number, a text, true or false, or a list",
            )
    if not isinstance(options, Mapping):
        raise PlanError(
            f"OPTIONS of {registry.singular(kind)} {name} must be a dict of options with their defaults",
            found=type(options).__name__,
        )


def _fitting(value: Any, default: Any, limits: Mapping[str, Any], *, path: str) -> Any:
    """Return the value in the default's type. Raises PlanError."""
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    wrong = kind in _TYPES and (type(value) is not kind or (kind is float and not math.isfinite(value)))
    if wrong:
        usual = str(default).lower() if kind is bool else default
        raise PlanError(f"{path} must be {_TYPES[kind]}", found=short(value), hint=f"{path}={usual}")
    for word, limit in limits.items():
        if word == "in":
            if value not in limit:
                raise PlanError(f"{path} must be one of {', '.join(map(str, limit))}", found=short(value))
        elif not _HOLDS[word](value, limit):
            raise PlanError(f"{path} must be {_LIMITS[word]} {limit}", found=short(value))
    return value


_HOLDS = {
    "gt": lambda value, limit: value > limit,
    "ge": lambda value, limit: value >= limit,
    "lt": lambda value, limit: value < limit,
    "le": lambda value, limit: value <= limit,
}
