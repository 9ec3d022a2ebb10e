"""Covariates as a network's input: numbers standardised, categories one-hot, and beside each that may be missing a bit.

What is learned of them is plain data, for a task's State:

    {"age": {"mean": 61.2, "sd": 11.8, "low": 30.0, "high": 88.0, "missing": 0},
     "sex": {"values": ["F", "M"], "missing": 2}}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.moments import Moments
from vesalius.core.words import counted, listed

CODES = 10  # whole numbers of at most so many different values may be codes of categories
WORDS = 50  # words of more different values are no category
FEW = 5  # of so few numbers nobody can say that another lies far from them
NO_VALUES = (99.0, 999.0, 9999.0, 99999.0, 999999.0)  # with either sign: how tables say that nothing is known

Learned = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Covariate:
    """What training cases have of one covariate: how many different `values`, and how many cases lack it.

    `category` says that it is words, or few whole numbers, which may be codes. `named` says that a person named it.
    """

    category: bool
    values: int
    missing: int
    named: bool


def look_at(cases: Sequence[Case], *, named: Sequence[str]) -> dict[str, Covariate]:
    """Return what some cases have of each of their covariates, in order of appearance."""
    found: dict[str, Covariate] = {}
    for name in dict.fromkeys(n for c in cases for n in c.covariates):
        held = [v for c in cases if (v := c.covariates.get(name)) is not None]
        if held:
            category = any(isinstance(v, str) for v in held) or _are_codes(held)
            found[name] = Covariate(category, len(set(held)), len(cases) - len(held), name in named)
    return found


def _are_codes(numbers: Sequence[Any]) -> bool:
    few = len(set(numbers)) <= min(CODES, len(numbers) // 3)
    return few and all(math.isfinite(v) and v == round(v) for v in numbers)


def learn(
    cases: Sequence[Case], names: Sequence[str], categories: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return what training cases say of covariates: mean, deviation and ends of numbers, the values of categories.

    Raises UnknownName for a covariate that no case has, DataError where one cannot be learned from.
    """
    return {name: _learned(cases, name, category=name in categories) for name in names}


def _learned(cases: Sequence[Case], name: str, *, category: bool) -> dict[str, Any]:
    held = [(c, v) for c in cases if (v := c.covariates.get(name)) is not None]
    if not held:
        raise UnknownName("covariate", name, sorted({n for c in cases for n in c.covariates}))
    missing = len(cases) - len(held)
    if not category:
        each = [number_of(c, name) for c, _ in held]
        if (code := no_value(each)) is not None:
            raise DataError(
                f"the covariate '{name}' lies far from all other values where it is {code:g}",
                found=counted(each.count(code), "training case"),
                hint="empty cells where it is not known",
            )
        numbers = Moments.of(each)
        return {
            "mean": numbers.mean,
            "sd": numbers.sd or 1.0,
            "low": numbers.low,
            "high": numbers.high,
            "missing": missing,
        }
    values = sorted({_word(v) for _, v in held})
    if len(values) > min(WORDS, max(2, len(held) // 2)):
        raise DataError(
            f"the covariate '{name}' has too many different values for a category",
            found=f"{len(values)} in {counted(len(held), 'training case')}",
            hint="another column, or leave it out",
        )
    return {"values": values, "missing": missing}


def number_of(case: Case, name: str) -> float:
    """Return a covariate that must be a number. Raises DataError, naming the case."""
    value = case.covariates.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"case {case.id}: the covariate '{name}' is not a finite number", found=repr(value))
    return float(value)


def no_value(numbers: Sequence[float]) -> float | None:
    """Return a number such as 999 that stands for an empty cell; None where there is none.

    It lies more than twice as far from all others as these lie apart.
    """
    for code in sorted({n for n in numbers if abs(n) in NO_VALUES}, key=abs, reverse=True):
        others = [n for n in numbers if n != code]
        if len(others) >= FEW:
            low, high = min(others), max(others)
            if max(low - code, code - high) > 2 * (high - low):
                return code
    return None


def needed(learned: Learned) -> tuple[str, ...]:
    """Return the covariates that no training case lacked, which therefore every case must have."""
    return tuple(name for name, about in learned.items() if not about["missing"])


def width(learned: Learned) -> int:
    """Return how many inputs a case's covariates are."""
    return sum(len(about.get("values", (0,))) + bool(about["missing"]) for about in learned.values())


def features(learned: Learned) -> tuple[str, ...]:
    """Return which covariate each of the encoded numbers stands for."""
    return tuple(name for name, about in learned.items() for _ in range(width({name: about})))


def encode(case: Case, learned: Learned) -> Array:
    """Return a case's covariates, `(width,)` float32; zeros and the bit 0 of what it lacks and some training cases did.

    Raises DataError, naming the case, for a covariate that it must have and lacks, for one that is no number, and for a
    category that no training case had.
    """
    found: list[float] = []
    for name, about in learned.items():
        found += _encoded(case, name, about)
    return np.array(found, dtype=np.float32)


def _encoded(case: Case, name: str, about: Mapping[str, Any]) -> list[float]:
    value, values = case.covariates.get(name), about.get("values")
    present = [float(value is not None)] if about["missing"] else []
    if value is None:
        if not present:
            raise DataError(
                f"case {case.id}: there is no covariate '{name}'", hint="all training cases had it"
            )
        return [0.0] * len(values or (0,)) + present
    if values is None:
        return [(number_of(case, name) - about["mean"]) / about["sd"], *present]
    if _word(value) not in values:
        raise DataError(
            f"case {case.id}: nothing was learned about '{name}' {_word(value)}",
            hint=f"one of {listed(values)}",
        )
    return [float(_word(value) == v) for v in values] + present


def outside(case: Case, learned: Learned) -> tuple[str, ...]:
    """Return which of a case's numbers lie outside of those learned from, a sentence each."""
    found = []
    for name, about in learned.items():
        value = case.covariates.get(name)
        if "low" in about and value is not None:
            x = number_of(case, name)
            if not about["low"] <= x <= about["high"]:
                found.append(f"{name} {x:.4g}, learned from {about['low']:.4g} to {about['high']:.4g}")
    return tuple(found)


def _word(value: float | str) -> str:
    """Return a category as text: a code is the same whether it was read as a number or as a word."""
    return value if isinstance(value, str) else f"{value:.15g}"
