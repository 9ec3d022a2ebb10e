"""Metrics: one file = one kind of answer; how good answers are, each number with an interval.

A metric file declares, as literals that are read without importing it:

    ANSWER = "Scores"                     the kind of answer it judges
    DESCRIPTIONS = {"auc": {"text": …, "better": "higher", "low": 0.0, "high": 1.0, "unit": ""}, …}

and has `rows(…) -> Rows`, a table with one row a case; `summary(rows, index) -> dict[str, float]`, every metric
on a resample of those rows (NaN where it is not defined); `counts(rows) -> dict[str, int]`, how many cases each
metric speaks of; `excluded(rows) -> dict[str, int]`, what was left out and why; and `baseline(…)`, the trivial
answer to beat. A metric of one label is named `dice/liver`; `dice` alone is the mean over labels.

A file may have `joined(first, second) -> Rows`, the rows of two tables one after the other, whose figures are computed
as before: by it two models are compared with a test.

A file may have `standing(rows) -> dict[str, tuple[Array, ...]]`: of figures from 0 to 1 that do not stand on all cases,
which cases each group of them is that the figure could not be told without, `(N,)` of bits. Where all cases are right
a bootstrap has no width, and the patients of the smallest of these groups give the interval.

One whose answers have labels may have `occurrences(rows) -> dict[str, tuple[int, int, int]]`: for each label how
many truths have it, how many answers have it, and of how many cases that is known.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from vesalius.core import registry
from vesalius.core.errors import UnknownName
from vesalius.core.scorecard import Interval
from vesalius.metrics._decisions import agreement, bounded_rates, net_benefit, rates_at, rates_kept, wilson
from vesalius.metrics._ends import Standing, at_ends, standing, widened
from vesalius.metrics._intervals import HEEDLESS, bootstrap, bounds, resample
from vesalius.metrics._ranks import rank_auc, tied
from vesalius.metrics._rows import Rows
from vesalius.metrics._subset import Subset, subset

__all__ = [
    "HEEDLESS", "MUST", "Interval", "Rows", "Standing", "Subset", "agreement", "at_ends", "bootstrap", "bounded_rates",
    "bounds", "describe", "for_answer", "judges", "net_benefit", "rank_auc", "rates_at", "rates_kept",
    "resample", "standing", "subset", "tied", "widened", "wilson",
]  # fmt: skip

MUST = ("ANSWER", "DESCRIPTIONS", "rows", "summary", "counts", "excluded")


def for_answer(answer: str) -> ModuleType:
    """Return the file that judges a kind of answer (`"Scores"`). Raises UnknownName."""
    kinds = {registry.literals("metrics", s).get("ANSWER", ""): s for s in registry.stems("metrics")}
    if answer not in kinds:
        raise UnknownName("answer kind with metrics", answer, kinds)
    return registry.lookup("metrics", kinds[answer])


def judges(answer: str) -> bool:
    """Return whether some file judges this kind of answer; nothing is imported."""
    return any(registry.literals("metrics", s).get("ANSWER") == answer for s in registry.stems("metrics"))


def describe(answer: str, metric: str) -> dict[str, Any]:
    """Return what a metric means: `text`, `better` (higher or lower), `low` and `high` of its range, `unit`."""
    for stem in registry.stems("metrics"):
        text = registry.literals("metrics", stem)
        if text.get("ANSWER") == answer:
            known: dict[str, dict[str, Any]] = text["DESCRIPTIONS"]
            name = metric.partition("/")[0]
            if name not in known:
                raise UnknownName("metric", name, known)
            return known[name]
    raise UnknownName("answer kind with metrics", answer, ())
