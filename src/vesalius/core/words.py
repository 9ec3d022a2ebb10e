"""Words in messages: a number with its noun, and names in a list that no comma in a name can break."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_BREAKS = re.compile(r"[,;|]|\s(and|or)\s|^\s|\s$|^$")


def counted(n: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 case`, `3 cases`. `many` is for what does not take an s (`1 is`, `2 are`)."""
    return f"{n} {one}" if n == 1 else f"{n} {many if many is not None else one + 's'}"


def quoted(name: str) -> str:
    """Return a name as it stands in a list: in quotes where it would read as several (`'normal, benign'`)."""
    return f"'{name}'" if _BREAKS.search(name) else name


def named_things(what: str, names: Sequence[str]) -> str:
    """Return one or several things with their names in a sentence: `the covariates 'age' and 'sex'`."""
    together = " and ".join(f"'{name}'" for name in names)
    return f"the {what}{'s' if len(names) > 1 else ''} {together}"


def one_of_kind(kind: str) -> str:
    """Return the name of a kind in a sentence: `a mask`, and `spots` of a name in the plural."""
    return kind if kind.endswith("s") and not kind.endswith("ss") else f"a {kind}"


def listed(names: Iterable[str], most: int | None = None) -> str:
    """Return names joined by commas, the first `most` of them and how many there are in all."""
    every = [quoted(n) for n in names]
    if most is None or len(every) <= most:
        return ", ".join(every)
    return f"{', '.join(every[:most])} … ({len(every)} in all)"


def in_unit(unit: str | None) -> str:
    """Return what stands behind a number in that unit: nothing for a pure number, whose unit is None or "1"."""
    return f" {unit}" if unit and unit != "1" else ""
