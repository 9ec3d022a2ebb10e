"""Covariates as a network's input: numbers standardised, categories one-hot, and beside each that may be missing a bit.

What is learned of them is plain data, for a task's State:

    {"age": {"mean": 61.2, "sd": 11.8, "low": 30.0, "high": 88.0, "missing": 0},
     "sex": {"values": ["F", "M"], "missing": 2}}
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.distinct import Distinct
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.histogram import Histogram
from vesalius.core.image import Array
from vesalius.core.known import absent, word
from vesalius.core.moments import Moments
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.core.words import counted, listed
from vesalius.prepare.made_up import Draw

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


def overview(cases: Sequence[Case]) -> Statistics:
    """Return statistics of all covariates of some cases, for `look_at`; values leave only under a key."""
    held: dict[str, list[float | str]] = {}
    for case in cases:
        for name, value in case.covariates.items():
            if value is not None and not absent(value):
                held.setdefault(name, []).append(value)
    return Statistics(
        {
            "named": Tally.of_each(c.covariates for c in cases),
            "held": Tally(len(cases), {name: len(values) for name, values in held.items()}),
            "not_codes": Tally(len(cases), {name: sum(map(_is_no_code, v)) for name, v in held.items()}),
            "words": Tally(
                len(cases), {name: sum(isinstance(x, str) for x in v) for name, v in held.items()}
            ),
            "values": Statistics({name: Distinct.of(values) for name, values in held.items()}),
        }
    )


def look_at(found: Statistics, *, named: Collection[str]) -> dict[str, Covariate]:
    """Return what cases have of each of their covariates, in order of appearance; `found` is their `overview`."""
    held, words = found.part("held", Tally), found.part("words", Tally)
    not_codes, values = found.part("not_codes", Tally), found.part("values", Statistics)
    made: dict[str, Covariate] = {}
    for name in map(str, found.part("named", Tally)):
        if held[name]:
            different = len(values.part(name, Distinct))
            codes = not not_codes[name] and different <= min(CODES, held[name] // 3)
            made[name] = Covariate(bool(words[name]) or codes, different, held.n - held[name], name in named)
    return made


def _is_no_code(value: float | str) -> bool:
    return isinstance(value, str) or not float(value).is_integer()


def summary(cases: Sequence[Case], names: Sequence[str], categories: Collection[str]) -> Statistics:
    """Return statistics of some covariates, for `learn`. Raises DataError, naming the case, where one is no number."""
    held = {name: [c for c in cases if not absent(c.covariates.get(name))] for name in names}
    numbers = {n: [number_of(c, n) for c in some] for n, some in held.items() if n not in categories}
    sorts = {n: [word(c.covariates[n]) for c in some] for n, some in held.items() if n in categories}
    return Statistics(
        {
            "named": Tally.of_each(c.covariates for c in cases),
            "numbers": Statistics({name: Moments.of(each) for name, each in numbers.items()}),
            "spread": Statistics({name: Histogram.of(each) for name, each in numbers.items()}),
            "words": Statistics({name: Tally.of(each) for name, each in sorts.items()}),
        }
    )


def learn(found: Statistics, names: Sequence[str], categories: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what training cases say of covariates: mean, deviation and ends of numbers, the values of categories.

    `found` is their `summary`. Raises UnknownName for a covariate that no case has, DataError where one cannot
    be learned from.
    """
    there = [str(n) for n in found.part("named", Tally)]
    for name in (*categories, *names):
        if name not in there:
            raise UnknownName("covariate", name, there)
    return {name: (_category if name in categories else _number)(found, name) for name in names}


def _number(found: Statistics, name: str) -> dict[str, Any]:
    numbers = found.part("numbers", Statistics).part(name, Moments)
    each = found.part("spread", Statistics).part(name, Histogram)
    if (code := no_value(each)) is not None:
        raise DataError(
            f"the covariate '{name}' lies far from all other values where it is {code:g}",
            found=counted(each.count(code), "training case"),
            hint="empty cells where it is not known",
        )
    return {
        "mean": numbers.mean,
        "sd": numbers.sd or 1.0,
        "low": numbers.low,
        "high": numbers.high,
        "missing": _missing(found, name, numbers.n),
    }


def _category(found: Statistics, name: str) -> dict[str, Any]:
    words = words_of(found, name)
    values = sorted(map(str, words))
    if len(values) > min(WORDS, max(2, words.n // 2)):
        odd = _odd_ones(values)
        raise DataError(
            f"the covariate '{name}' has too many different values for a category",
            found=f"{len(values)} in {counted(words.n, 'training case')}" + (f", {odd}" if odd else ""),
            hint="write them as numbers, or leave these cells empty"
            if odd
            else "another column, or leave it out",
        )
    return {"values": values, "missing": _missing(found, name, words.n)}


def _odd_ones(values: Sequence[str]) -> str:
    """Return which values keep a column from being one of numbers, such as `<0.1`; empty where most are words."""
    odd = [value for value in values if not _is_number(value)]
    return f"all numbers but {listed([repr(x) for x in odd], 3)}" if 0 < len(odd) < len(values) / 2 else ""


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def words_of(found: Statistics, name: str) -> Tally:
    """Return how many cases have each word of a category, of a `summary`."""
    return found.part("words", Statistics).part(name, Tally)


def _missing(found: Statistics, name: str, held: int) -> int:
    """Return how many cases lack a covariate. Raises UnknownName where all do."""
    named = found.part("named", Tally)
    if not held:
        raise UnknownName("covariate", name, [str(n) for n in named])
    return named.n - held


def number_of(case: Case, name: str) -> float:
    """Return a covariate that must be a number. Raises DataError, naming the case."""
    value = case.covariates.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"case {case.id}: the covariate '{name}' is not a finite number", found=repr(value))
    return float(value)


def no_value(numbers: Histogram) -> float | None:
    """Return a number such as 999 that stands for an empty cell; None where there is none.

    It lies more than twice as far from all others as these lie apart.
    """
    for code in sorted((sign * n for n in NO_VALUES for sign in (1, -1)), key=abs, reverse=True):
        others = numbers.without(code)
        if FEW <= others.n < numbers.n:
            low, high = others.low, others.high
            if max(low - code, code - high) > 2 * (high - low):
                return code
    return None


def needed(learned: Learned) -> tuple[str, ...]:
    """Return the covariates that no training case lacked, which therefore every case must have."""
    return tuple(name for name, about in learned.items() if not about.get("missing"))


def width(learned: Learned) -> int:
    """Return how many inputs a case's covariates are."""
    return sum(len(about.get("values", (0,))) + bool(about.get("missing")) for about in learned.values())


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
    present = [float(not absent(value))] if about.get("missing") else []
    if value is None or absent(value):
        if not present:
            raise DataError(
                f"case {case.id}: there is no covariate '{name}'", hint="all training cases had it"
            )
        return [0.0] * len(values or (0,)) + present
    if values is None:
        return [(number_of(case, name) - about["mean"]) / about["sd"], *present]
    if word(value) not in values:
        raise DataError(
            f"case {case.id}: nothing was learned about '{name}' {word(value)}",
            hint=f"one of {listed(values)}",
        )
    return [float(word(value) == v) for v in values] + present


def made_up(learned: Learned, name: str, draw: Draw) -> float | str:
    """Return a value that a covariate may have: a category, or a number among those learned from.

    Raises DataError where what was learned says neither.
    """
    about = learned.get(name, {})
    if not isinstance(about, Mapping):
        about = {}
    if about.get("values"):
        return str(draw.one(about["values"]))
    if "low" in about and "high" in about:
        return draw.between(float(about["low"]), float(about["high"]))
    if "mean" in about and "sd" in about:
        return draw.between(float(about["mean"] - about["sd"]), float(about["mean"] + about["sd"]))
    raise DataError(
        f"nobody knows which values the covariate '{name}' may have", hint="`made_up` of the task"
    )


def outside(case: Case, learned: Learned) -> tuple[str, ...]:
    """Return which of a case's numbers lie outside of those learned from, a sentence each."""
    found = []
    for name, about in learned.items():
        value = case.covariates.get(name)
        if "low" in about and not absent(value):
            x = number_of(case, name)
            if not about["low"] <= x <= about["high"]:
                found.append(f"{name} {x:.4g}, learned from {about['low']:.4g} to {about['high']:.4g}")
    return tuple(found)
