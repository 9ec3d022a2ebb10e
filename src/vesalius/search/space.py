"""A search space: by path of the plan, the values that are tried, each with the reason why these."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import yaml

Only: TypeAlias = Mapping[str, tuple[Any, ...]]  # by path: the values of it for which a part is of any use


class Chooser(Protocol):
    """What chooses a value by its name: an Optuna trial, or whatever takes its place."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number."""


@dataclass(frozen=True)
class Choice:
    """Some values of one path of a plan. `only` says for which values of other paths it is of any use."""

    path: str
    values: tuple[Any, ...]
    why: str = ""
    only: Only = field(default_factory=dict)

    def holds(self, value: Any) -> bool:
        """Return whether the part can take a value."""
        return any(plain(v) == plain(value) for v in self.values)

    def chosen(self, chooser: Chooser) -> Any:
        """Return the value that is chosen."""
        told = {encoded(v): v for v in self.values}
        return told[chooser.suggest_categorical(self.path, list(told))]

    def encoded(self, value: Any) -> Any:
        """Return a value as the store keeps it."""
        return encoded(value)

    def to_json(self) -> dict[str, Any]:
        """Return it as a space's file holds it."""
        return {"values": plain(list(self.values)), **_only(self.only)}


@dataclass(frozen=True)
class Range:
    """Numbers of one path of a plan, `low` and `high` included; `log` where shares count and not differences."""

    path: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    why: str = ""
    only: Only = field(default_factory=dict)

    def holds(self, value: Any) -> bool:
        """Return whether the part can take a value."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high

    def chosen(self, chooser: Chooser) -> Any:
        """Return the value that is chosen."""
        if self.whole:
            return chooser.suggest_int(self.path, int(self.low), int(self.high), log=self.log)
        return chooser.suggest_float(self.path, self.low, self.high, log=self.log)

    def encoded(self, value: Any) -> Any:
        """Return a value as the store keeps it."""
        return int(value) if self.whole else float(value)

    def to_json(self) -> dict[str, Any]:
        """Return it as a space's file holds it."""
        low, high = (int(self.low), int(self.high)) if self.whole else (self.low, self.high)
        return {"low": low, "high": high, **({"log": True} if self.log else {}), **_only(self.only)}


Part: TypeAlias = Choice | Range


@dataclass(frozen=True)
class Space:
    """The parts of a search space, in the order in which they are chosen, and what the default plan has at each path.

    `weights` says that the default plan begins from weights: its net is then not named in a trial's settings, since the
    rules take a net that is named for one from nothing.
    """

    parts: tuple[Part, ...]
    planned: Mapping[str, Any] = field(default_factory=dict)
    weights: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the plan that are searched."""
        return tuple(part.path for part in self.parts)

    def chosen(self, chooser: Chooser) -> dict[str, Any]:
        """Return the settings of a new trial, by path: the value of every part that is of use beside the others."""
        found: dict[str, Any] = {}
        for part in self.parts:
            if self._of_use(part, found):
                found[part.path] = part.chosen(chooser)
        return self.settings(found)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is set in a plan for chosen values: all but a net that the default has with its weights."""
        same = plain(values.get("net.name")) == plain(self.planned.get("net.name"))
        return {k: v for k, v in values.items() if not (k == "net.name" and self.weights and same)}

    def of_default(self) -> dict[str, Any]:
        """Return the default plan's values where the space can take them, as the store keeps them."""
        found: dict[str, Any] = {}
        for part in self.parts:
            value = self.planned.get(part.path)
            if self._of_use(part, {}) and part.holds(value):
                found[part.path] = part.encoded(value)
        return found

    def default_parts(self) -> Iterator[Part]:
        """Yield the parts that can take what the default plan has."""
        held = self.of_default()
        yield from (part for part in self.parts if part.path in held)

    def to_json(self) -> dict[str, Any]:
        """Return it as a space's file holds it."""
        return {part.path: part.to_json() for part in self.parts}

    def __str__(self) -> str:
        """Return it as YAML with the reasons, to be edited and given back."""
        return as_yaml(self.to_json(), {part.path: part.why for part in self.parts})

    def _of_use(self, part: Part, chosen: Mapping[str, Any]) -> bool:
        told = {**self.planned, **chosen}
        return all(
            any(plain(told.get(path)) == plain(v) for v in values) for path, values in part.only.items()
        )


def as_yaml(space: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """Return a space as its file, a line a path, each with its reason."""
    lines = []
    for path, about in space.items():
        body = yaml.safe_dump(dict(about), default_flow_style=True, sort_keys=False, width=10_000)
        lines.append(f"{path}: {body.strip()}" + (f"  # {reasons[path]}" if reasons.get(path) else ""))
    return "\n".join(lines) + "\n"


def plain(value: Any) -> Any:
    """Return a value as JSON has it, so that a tuple is its list."""
    return json.loads(json.dumps(value))


def encoded(value: Any) -> Any:
    """Return one of several values as the store keeps it: lists and objects as their text."""
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(plain(value))


def _only(only: Only) -> dict[str, Any]:
    return {"only": {path: plain(list(values)) for path, values in only.items()}} if only else {}
