"""Terms: the findings that a kind of report speaks of, by what names, with codes and places; from a YAML file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, get_args

import yaml

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.finding import Side, Status
from vesalius.texts._phrases import Phrase, phrase

_FOLDER = Path(__file__).parent / "terms"
_TERM = {"name", "says", "codes", "actionable", "sided", "sized", "vague"}
_PLACE = {"name", "says", "side"}
_SHOWN = {"of", "is", "present", "absent", "uncertain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One finding: its name, what reports call it, its codes (`SCHEME:VALUE`, the first of them goes into findings).

    `actionable` are the statuses under which somebody has to be told. `sided` is whether it has a side, `sized` whether
    a length beside it is its size, and `vague` whether it names what is seen and not what it is (an opacity).
    """

    name: str
    says: tuple[str, ...]
    codes: tuple[str, ...] = ()
    actionable: tuple[Status, ...] = ()
    sided: bool = True
    sized: bool = True
    vague: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place in the body: its name, what reports call it, and the side that it has by itself, if any."""

    name: str
    says: tuple[str, ...]
    side: Side | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is said of a finding without its name: `of` a thing that it `is` so, and thereby findings have a status."""

    of: tuple[str, ...]
    says: tuple[str, ...]
    status: Status
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The findings that reports of one kind speak of.

    `digest` is the SHA-256 of the file that they come from, so that a label can say by which terms it was read.
    """

    name: str
    version: int
    terms: tuple[Term, ...]
    shown: tuple[Shown, ...] = ()
    places: tuple[Place, ...] = ()
    digest: str = field(default="", compare=False)

    @staticmethod
    def named(name: str) -> Terms:
        """Return the terms of ours called `name`: `chest`, `ct` or `breast`. Raises UnknownName."""
        if name not in listed():
            raise UnknownName("terms", name, listed(), hint="name a YAML file of your own")
        return Terms.read(_FOLDER / f"{name}.yaml")

    @staticmethod
    def read(path: Path | str) -> Terms:
        """Return the terms of a YAML file. Raises DataError where it is not one, or contradicts itself."""
        return _read(Path(path))

    @staticmethod
    def asked(words: str) -> Terms:
        """Return the terms that a person asked for: by a name of ours, or by the path of a file. Raises as both do."""
        return Terms.read(words) if Path(words).suffix in {".yaml", ".yml"} else Terms.named(words)

    @cached_property
    def by_name(self) -> Mapping[str, Term]:
        """The terms, by their names."""
        return {term.name: term for term in self.terms}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the findings, in the file's order."""
        return tuple(term.name for term in self.terms)

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """All phrases by which a report speaks of these terms, of their places, and of what shows them."""
        found = [phrase(says, "term", term.name) for term in self.terms for says in term.says]
        found += [phrase(says, "place", str(k)) for k, place in enumerate(self.places) for says in place.says]
        for k, shown in enumerate(self.shown):
            found += [phrase(says, "subject", str(k)) for says in shown.of]
            found += [phrase(says, "predicate", str(k)) for says in shown.says]
        return tuple(found)


def listed() -> tuple[str, ...]:
    """Return the names of the terms that come with Vesalius."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@lru_cache(maxsize=16)
def _read_once(path: Path, changed: float) -> Terms:
    try:
        data = path.read_bytes()
        told = yaml.safe_load(data.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as e:
        raise DataError(f"Cannot read the terms of {path.name}", found=str(e)) from e
    if not isinstance(told, dict) or not isinstance(told.get("terms"), list) or not told["terms"]:
        raise DataError(
            f"{path.name} holds no terms",
            hint="a list `terms:` of name and says, as docs/label-reports.md shows",
        )
    terms = tuple(_term(one, path) for one in told["terms"])
    names = [term.name for term in terms]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path.name} names a finding twice", found=", ".join(twice))
    version = told.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int):
        raise DataError(f"The version of {path.name} is not a whole number", found=repr(version))
    return Terms(
        name=path.stem,
        version=version,
        terms=terms,
        shown=tuple(s for one in _list(told, "shown", path) for s in _shown(one, set(names), path)),
        places=tuple(_place(one, path) for one in _list(told, "places", path)),
        digest=hashlib.sha256(data).hexdigest(),
    )


def _read(path: Path) -> Terms:
    try:
        changed = path.stat().st_mtime
    except OSError as e:
        raise DataError(f"Cannot read the terms of {path.name}", found=e.strerror or str(e)) from e
    return _read_once(path, changed)


def _list(told: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    found = told.get(key) or []
    if not isinstance(found, list):
        raise DataError(f"`{key}` of {path.name} is not a list", found=type(found).__name__)
    return found


def _fields(one: Any, known: set[str], path: Path) -> Mapping[str, Any]:
    if not isinstance(one, dict):
        raise DataError(f"An entry of {path.name} is not name and says", found=repr(one)[:60])
    if strange := sorted(str(key) for key in one if key not in known):
        raise DataError(
            f"An entry of {path.name} has a field that is not known",
            found=", ".join(strange),
            hint=", ".join(sorted(known)),
        )
    return one


def _texts(one: Mapping[str, Any], key: str, path: Path) -> tuple[str, ...]:
    found = one.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(x, str) and x.strip() for x in found):
        raise DataError(f"`{key}` of an entry of {path.name} is not a list of words", found=repr(found)[:60])
    return tuple(found)


def _named(one: Mapping[str, Any], path: Path) -> str:
    name = one.get("name")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"An entry of {path.name} has no name", found=repr(one)[:60])
    return name


def _flag(one: Mapping[str, Any], key: str, otherwise: bool, path: Path) -> bool:
    value = one.get(key, otherwise)
    if not isinstance(value, bool):
        raise DataError(f"`{key}` of an entry of {path.name} is neither true nor false", found=repr(value))
    return value


def _term(one: Any, path: Path) -> Term:
    one = _fields(one, _TERM, path)
    actionable = tuple(one.get("actionable") or ())
    if strange := [s for s in actionable if s not in get_args(Status)]:
        raise DataError(
            f"{path.name} asks to act on a status that is not known",
            found=str(strange[0]),
            hint=", ".join(get_args(Status)),
        )
    codes = _texts(one, "codes", path) if one.get("codes") else ()
    if bad := [code for code in codes if ":" not in code]:
        raise DataError(f"A code of {path.name} is not SCHEME:VALUE", found=bad[0])
    return Term(
        name=_named(one, path),
        says=_texts(one, "says", path),
        codes=codes,
        actionable=actionable,
        sided=_flag(one, "sided", True, path),
        sized=_flag(one, "sized", True, path),
        vague=_flag(one, "vague", False, path),
    )


def _place(one: Any, path: Path) -> Place:
    one = _fields(one, _PLACE, path)
    side = one.get("side")
    if side is not None and side not in get_args(Side):
        raise DataError(
            f"A place of {path.name} has a side that is not known",
            found=repr(side),
            hint=", ".join(get_args(Side)),
        )
    return Place(name=_named(one, path), says=_texts(one, "says", path), side=side)


def _shown(one: Any, names: set[str], path: Path) -> list[Shown]:
    one = _fields(one, _SHOWN, path)
    of, says = _texts(one, "of", path), _texts(one, "is", path)
    found: list[Shown] = []
    statuses: tuple[Status, ...] = ("present", "absent", "uncertain")
    for status in statuses:
        if status in one:
            told = _texts(one, status, path)
            if strange := [name for name in told if name not in names]:
                raise DataError(
                    f"`shown` of {path.name} speaks of a finding that is not among its terms",
                    found=strange[0],
                )
            found.append(Shown(of=of, says=says, status=status, names=told))
    return found
