"""Two models on the same cases, paired: the difference of each figure, its interval, and a test."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.answers import contract
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted, listed
from vesalius.metrics import Rows, resample

SURE = 0.05  # p below which, where the interval does not hold 0 either, one of two is called better
HINT = "compare(first, second, DATA), which scores both on the same cases"
SAME = ("positive", "unit", "tolerance_mm", "tolerance_px")
NO_PATIENTS = "No patients are known, so each case counts as one: intervals may be too narrow."
Summary = Callable[[Rows, Array], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of two models on the same `n` cases, and the second minus the first with its 95 % interval.

    `p` is the share of exchanges of the two models' answers, patient by patient, after which they differ at least as
    much as they do: how likely that is if it made no difference which is which. `better` is the name of the better one,
    empty where the interval holds 0 or `p` is not below `SURE`, so that it is undecided. `reason` says why a bound or
    `p` is missing.
    """

    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    better: str = ""
    reason: str = ""


def assert_comparable(first: Scorecard, second: Scorecard, names: tuple[str, str]) -> None:
    """Raise DataError where two scorecards are not about the same cases, truths and labels."""
    a, b = names
    for what, one, other in (
        ("kinds of answer", first.answer, second.answer),
        ("targets", first.target, second.target),
    ):
        if one != other:
            raise DataError(f"{a} and {b} have different {what}", found=f"{one} and {other}")
    if first.data_hash != second.data_hash:
        raise DataError(
            f"{a} and {b} were scored on different data",
            found=f"{first.data_hash[:12]} and {second.data_hash[:12]}: other cases, or another truth",
            hint=HINT,
        )
    if set(first.labels) != set(second.labels):
        raise DataError(
            f"{a} and {b} know different labels",
            found=f"{listed(first.labels, 6)}; and {listed(second.labels, 6)}",
        )
    for name in SAME:
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            raise DataError(
                f"{a} and {b} were scored with another {name.replace('_', ' ')}", found=f"{one} and {other}"
            )
    ids = [{str(case["case"]) for case in card.cases} for card in (first, second)]
    if ids[0] != ids[1]:
        both = len(ids[0] & ids[1])
        raise DataError(
            f"{a} and {b} were scored on different cases of these data",
            found=f"{counted(both, 'case')} in both, {len(ids[0]) - both} in {a} alone, {len(ids[1]) - both} in {b} "
            "alone, which may be what the other was trained on",
            hint=HINT,
        )


def aligned(first: Rows, second: Rows) -> Rows:
    """Return the second rows in the order of the first. Raises DataError where they are not of the same cases."""
    if set(first.case_ids) != set(second.case_ids) or len(first) != len(second):
        raise DataError(
            "the two models did not answer the same cases",
            found=f"{counted(len(set(first.case_ids) & set(second.case_ids)), 'case')} in both",
        )
    place = {case: k for k, case in enumerate(second.case_ids)}
    order = np.array([place[case] for case in first.case_ids], dtype=np.int64)
    columns = {name: column[order] for name, column in second.columns.items()}
    return replace(second, case_ids=first.case_ids, columns=columns, prepared={})


def together(answer: str, first: Rows, second: Rows) -> Rows:
    """Return the rows of two models, one after the other, ready for figures; labels in the first one's order.

    Raises DataError where a truth differs, or for a kind of answer whose metrics cannot join two tables.
    """
    module = metrics.for_answer(answer)
    if not hasattr(module, "joined"):
        raise DataError(f"answers of kind {answer} cannot be compared: their metrics do not join two tables")
    second = aligned(first, second)
    if tuple(first.info.get("labels", ())) != tuple(second.info.get("labels", ())):
        raise DataError(
            "the two models have their labels in different orders",
            found=f"{listed(first.info['labels'], 6)}; and {listed(second.info['labels'], 6)}",
            hint=HINT,
        )
    one, other = first.columns.get("y"), second.columns.get("y")
    if one is not None and other is not None and not np.array_equal(one, other):
        where = np.flatnonzero((one != other).reshape(len(first), -1).any(axis=1))
        raise DataError(
            "the two models were held against different truths",
            found=f"{counted(len(where), 'case')}, such as {first.case_ids[int(where[0])]}",
            hint=HINT,
        )
    joined: Rows = module.joined(first, second)
    return joined


def differences(
    answer: str,
    rows: Rows,
    *,
    patients: Sequence[str],
    names: tuple[str, str],
    resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Difference]:
    """Return every figure of two models, from what `together` made of their rows.

    The interval is that of a paired bootstrap: patients are drawn, then their cases, and both models are measured on
    the same draw (Efron & Tibshirani 1993; Davison & Hinkley 1997, section 3.8). The test exchanges the two models'
    answers to all cases of a patient at random (Good 2005, permutation tests of paired samples). Raises DataError for
    other than one patient a case.
    """
    n = len(rows) // 2
    if len(patients) != n:
        raise DataError("one patient a case is needed", found=f"{len(patients)} for {counted(n, 'case')}")
    module = metrics.for_answer(answer)
    summary: Summary = module.summary
    every = np.arange(n)
    points = summary(rows, every), summary(rows, every + n)
    counts = module.counts(rows)
    rng = np.random.default_rng(seed)
    alone = len(set(patients)) < 2
    drawn = [] if alone else resample(patients, rng, resamples)
    boot = [_less(summary(rows, i + n), summary(rows, i)) for i in drawn]
    codes = np.unique(np.array(patients), return_inverse=True)[1].ravel()
    swapped = []
    for _ in range(0 if alone else resamples):
        swap = (rng.random(codes.max() + 1) < 0.5)[codes]
        swapped.append(
            _less(
                summary(rows, np.where(swap, every, every + n)),
                summary(rows, np.where(swap, every + n, every)),
            )
        )
    alike = all(np.array_equal(c[:n], c[n:], equal_nan=c.dtype.kind == "f") for c in rows.columns.values())
    found = {}
    for name in points[0]:
        half = counts.get(name, 2 * n)
        made = _difference(answer, name, points, boot, swapped, names, n=-(-half // 2))
        found[name] = made if alike else _unsure_of_none(made)
    return found


def _less(second: Mapping[str, float], first: Mapping[str, float]) -> dict[str, float]:
    return {name: second.get(name, math.nan) - value for name, value in first.items()}


def _difference(
    answer: str,
    name: str,
    points: tuple[Mapping[str, float], Mapping[str, float]],
    boot: Sequence[Mapping[str, float]],
    swapped: Sequence[Mapping[str, float]],
    names: tuple[str, str],
    *,
    n: int,
) -> Difference:
    """Return one figure's difference, with bounds where it is defined on at least half of the resamples."""
    first, second = (p.get(name, math.nan) for p in points)
    change = second - first
    if not math.isfinite(change):
        return Difference(
            _number(first), _number(second), None, None, None, None, n, "", "not defined for both"
        )
    if n < 2:
        return Difference(
            first, second, change, None, None, None, n, "", "one case only: nothing to resample"
        )
    values = np.array([b[name] for b in boot])
    values = values[np.isfinite(values)]
    if not boot or len(values) < len(boot) / 2:
        why = "one patient only: nothing to resample" if not boot else "not defined on most resamples"
        return Difference(first, second, change, None, None, None, n, "", why)
    low, high = np.percentile(values, [2.5, 97.5])
    other = np.array([s[name] for s in swapped])
    other = other[np.isfinite(other)]
    p = (1 + int((np.abs(other) >= abs(change) - 1e-12).sum())) / (1 + len(other))
    made = Difference(first, second, change, float(low), float(high), p, n)
    return replace(made, better=_better(answer, name, made, names))


def _unsure_of_none(found: Difference) -> Difference:
    """Return a difference without the bounds 0 and 0 where the answers differ: the cases are too few to show it."""
    if (found.difference, found.low, found.high) != (0.0, 0.0, 0.0):
        return found
    return replace(found, low=None, high=None, reason="0 on every resample, though the answers differ")


def apart(found: Difference) -> bool:
    """Return whether the interval of a difference does not hold 0."""
    return found.low is not None and found.high is not None and not found.low <= 0 <= found.high


def directed(answer: str, name: str) -> str:
    """Return which way a figure is better, `higher` or `lower`; empty where nothing says it."""
    try:
        way = str(metrics.describe(answer, name)["better"])
    except (UnknownName, KeyError):
        return ""
    return way if way in ("higher", "lower") else ""


def _better(answer: str, name: str, found: Difference, names: tuple[str, str]) -> str:
    """Return which is better, where both the interval and the test say so; empty where it is undecided."""
    way = directed(answer, name)
    if not way or not apart(found) or found.low is None or found.p is None or found.p >= SURE:
        return ""
    return names[1] if (found.low > 0) == (way == "higher") else names[0]


def each_case(answer: str, rows: Rows) -> tuple[dict[str, Any], ...]:
    """Return how right both are on each case, and by how much the second is more so; nothing where no kind says it."""
    n = len(rows) // 2
    score = contract.of(answer).each(rows)
    if score is None:
        return ()
    return tuple(
        {
            "case": rows.case_ids[k],
            "first": _number(score[k]),
            "second": _number(score[k + n]),
            "change": _number(score[k + n] - score[k]),
        }
        for k in range(n)
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
