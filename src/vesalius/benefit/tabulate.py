"""What was known of patients before treatment, as numbers in their own units: numbers, and words as columns of bits."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.known import absent, word
from vesalius.core.words import listed

Known = Mapping[str, float | str | None]
About = Mapping[str, Mapping[str, Any]]


def learn(
    rows: Sequence[Known], names: Sequence[str], categories: Collection[str]
) -> dict[str, dict[str, Any]]:
    """Return of each name what `encode` needs, as JSON takes it: the mean of numbers, of words all and the usual one.

    A name is taken as words where it is a category, or where any value is no number. One that nobody has is left out.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        held = [row.get(name) for row in rows]
        there = [v for v in held if not absent(v)]
        if not there:
            continue
        lacking = len(there) < len(held)
        if name in categories or any(isinstance(v, str) for v in there):
            words = [word(v) for v in there]
            values = sorted(set(words))
            found[name] = {"values": values, "usual": max(values, key=words.count), "missing": lacking}
        else:
            found[name] = {
                "mean": float(np.mean([float(v) for v in there if v is not None])),
                "missing": lacking,
            }
    return found


def columns(about: About) -> tuple[str, ...]:
    """Return the names of the columns of `encode`: `age`, `sex M`, and `age known` where some lack it."""
    found: list[str] = []
    for name, one in about.items():
        found += [f"{name} {v}" for v in one["values"][1:]] if "values" in one else [name]
        found += [f"{name} known"] if one["missing"] else []
    return tuple(found)


def encode(row: Known, about: About) -> Array:
    """Return what was known of a patient, `(F,)` float64, finite.

    Of words there is a bit for each value but the first. Where others lacked it, too, a bit says whether it is known,
    and a missing word has no other; else it counts as the usual one. A missing number counts as the mean. Raises
    DataError for a word where there are numbers, an infinite number, and a word that nobody had.
    """
    found: list[float] = []
    for name, one in about.items():
        value = row.get(name)
        lacking = absent(value)
        if "values" in one:
            found += _bits(value, name, one)
        else:
            found.append(float(one["mean"]) if lacking else _finite(value, name))
        found += [float(not lacking)] if one["missing"] else []
    return np.array(found, np.float64)


def _bits(value: Any, name: str, one: Mapping[str, Any]) -> list[float]:
    """Return the bits of a word; where it is missing none, or those of the usual one where nobody lacked it."""
    if absent(value):
        if one["missing"]:
            return [0.0] * (len(one["values"]) - 1)
        value = one["usual"]
    said = word(value)
    if said not in one["values"]:
        raise DataError(f"nothing was learned about '{name}' {said}", hint=f"one of {listed(one['values'])}")
    return [float(said == v) for v in one["values"][1:]]


def _finite(value: Any, name: str) -> float:
    if isinstance(value, str) or not math.isfinite(value):
        raise DataError(f"'{name}' is a number of those who are known", found=repr(value))
    return float(value)
