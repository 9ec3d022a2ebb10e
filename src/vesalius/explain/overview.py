"""Overview: what the explanations of many cases come to, from their rows: how faithful, how often withheld, and why."""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from vesalius import metrics
from vesalius.core.image import Array
from vesalius.core.operating import clopper_pearson
from vesalius.core.scorecard import Interval
from vesalius.explain.mean import MeanMap

COVARIATE = "covariate "
WORDS = ("case", "asked", "method", "fails")
NOT_FIGURES = ("case_seconds",)
MOST_ASKED = 12  # things asked that are told apart; a page of more would not be read
Row = Mapping[str, str]
Pair = tuple[str, str]


@dataclass(frozen=True, eq=False)
class Method:
    """What one method's maps of what was asked come to, over the `cases` that it was tried on.

    `held` is the share whose map may be shown, `withheld` how often each reason kept one back, `figures` the means over
    all that were measured, `medians` the same in the middle (a gain is a ratio, and single cases may have a huge one),
    `beside` by covariate the mean of its size and the mean with its sign.
    """

    method: str
    cases: int
    held: Interval
    withheld: Mapping[str, int]
    figures: Mapping[str, Interval]
    medians: Mapping[str, Interval]
    beside: Mapping[str, tuple[Interval, Interval]] = field(default_factory=dict)
    mean: MeanMap | None = None


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked in the same words of `cases`, and each method's part."""

    words: str
    cases: int
    methods: tuple[Method, ...]


@dataclass(frozen=True, eq=False)
class Overview:
    """The explanations of a whole cohort. `left_out` are rarer things asked, which are in the table alone.

    `agreement` is the mean rank correlation of each two methods over the cases where both hold. `gains` are by case the
    mean gain of its maps, and `grid` says on which grid the mean maps lie.
    """

    model: str
    bundle: str
    case_ids: tuple[str, ...]
    asked: tuple[Asked, ...]
    left_out: tuple[str, ...]
    agreement: Mapping[Pair, Interval]
    gains: Mapping[str, float]
    grid: str
    patients_known: bool
    set_aside: int = 0
    in_common: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """Return all figures as JSON takes them."""
        return {
            "bundle": self.bundle,
            "cases": len(self.case_ids),
            "set_aside": self.set_aside,
            "patients_known": self.patients_known,
            "grid": self.grid,
            "asked": {
                a.words: {"cases": a.cases, "methods": {m.method: _json(m) for m in a.methods}}
                for a in self.asked
            },
            "left_out": list(self.left_out),
            "agreement": [
                {"one": a, "other": b, **_short(found)} for (a, b), found in self.agreement.items()
            ],
            "nearest_have_in_common": dict(self.in_common),
        }


def methods_of(
    rows: Sequence[Row], patients: Mapping[str, str], means: Mapping[Pair, MeanMap]
) -> tuple[tuple[Asked, ...], tuple[str, ...]]:
    """Return what was asked, the most often asked first, with each method's part; and what was asked too rarely.

    `rows` are those of `explanations.csv`, `patients` by case, `means` by what was asked and method.
    """
    counts = Counter(
        {words: len({r["case"] for r in rows if r["asked"] == words}) for words in _each(rows, "asked")}
    )
    kept = [words for words, _ in counts.most_common(MOST_ASKED)]
    found = []
    for words in kept:
        mine = [r for r in rows if r["asked"] == words]
        each = tuple(
            _method([r for r in mine if r["method"] == name], name, patients, means.get((words, name)))
            for name in _each(mine, "method")
        )
        found.append(Asked(words, counts[words], each))
    return tuple(found), tuple(w for w in counts if w not in kept)


def means_of(
    values: Mapping[str, Array], cases: Sequence[str], patients: Mapping[str, str], *, middle: bool = False
) -> dict[str, Interval]:
    """Return the mean of each column, `(N,)` with NaN where a case has none, with its interval over patients.

    With `middle` it is the median.
    """
    average = np.nanmedian if middle else np.nanmean
    counted = {name: int(np.isfinite(column).sum()) for name, column in values.items()}
    rows = metrics.Rows(tuple(cases), dict(values))

    def summary(given: metrics.Rows, index: Array) -> dict[str, float]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a resample may hold no case that has a figure
            return {name: float(average(given[name][index])) for name in values}

    return metrics.bootstrap(rows, summary, patients=[patients[c] for c in cases], counts=counted)


def gains_of(rows: Sequence[Row]) -> dict[str, float]:
    """Return by case the mean gain of the maps that were measured."""
    found: dict[str, list[float]] = {}
    for row in rows:
        value = _number(row.get("gain"))
        if math.isfinite(value):
            found.setdefault(row["case"], []).append(value)
    return {case: float(np.mean(values)) for case, values in found.items()}


def why(reason: str) -> str:
    """Return a reason without the figures of its case, so that equal reasons are counted together."""
    return re.sub(r"\s*\([^()]*\)", "", reason).strip()


def _method(rows: Sequence[Row], name: str, patients: Mapping[str, str], mean: MeanMap | None) -> Method:
    cases = [r["case"] for r in rows]
    names = list(dict.fromkeys(key for r in rows for key, value in r.items() if value and key not in WORDS))
    columns = {key: np.array([_number(r.get(key)) for r in rows]) for key in names if key not in NOT_FIGURES}
    columns = {key: column for key, column in columns.items() if np.isfinite(column).any()}
    held = np.array([0.0 if r["fails"] else 1.0 for r in rows])
    beside = {key.removeprefix(COVARIATE): c for key, c in columns.items() if key.startswith(COVARIATE)}
    figures = {key: c for key, c in columns.items() if not key.startswith(COVARIATE)}
    every = means_of({"held": held, **figures}, cases, patients)
    sized = means_of({k: np.abs(c) for k, c in beside.items()}, cases, patients) if beside else {}
    signed = means_of(beside, cases, patients) if beside else {}
    return Method(
        name,
        len(cases),
        _bounded(every.pop("held"), len({patients[c] for c in cases})),
        dict(Counter(why(r["fails"]) for r in rows if r["fails"]).most_common()),
        every,
        means_of(figures, cases, patients, middle=True) if figures else {},
        {key: (sized[key], signed[key]) for key in beside},
        mean,
    )


def _bounded(share: Interval, patients: int) -> Interval:
    """Return a share with an interval that says how few patients it stands on where all or none have it.

    There the bootstrap has no width, or there is none.
    """
    if share.value not in (0.0, 1.0):
        return share
    low, high = clopper_pearson(round(share.value * patients), patients)
    return replace(share, low=low, high=high, reason="")


def _json(method: Method) -> dict[str, Any]:
    mean = method.mean
    about: dict[str, Any] = {
        "cases": method.cases,
        "held": _short(method.held),
        "withheld": dict(method.withheld),
        "figures": {name: _short(found) for name, found in method.figures.items()},
        "medians": {name: _short(found) for name, found in method.medians.items()},
        "covariates": {n: {"size": _short(a), "signed": _short(b)} for n, (a, b) in method.beside.items()},
    }
    if mean is not None and mean.fields:
        about["mean_map"] = {
            "cases": mean.fields,
            "halves_alike": mean.halves,
            "like_the_middle": mean.like_middle,
        }
    return about


def _short(found: Interval) -> dict[str, Any]:
    return {k: v for k, v in asdict(found).items() if k in ("value", "low", "high", "n")}


def _each(rows: Sequence[Row], name: str) -> list[str]:
    return list(dict.fromkeys(r[name] for r in rows))


def _number(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan
