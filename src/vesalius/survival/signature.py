"""A signature: what a risk, such as that of an image, adds to factors that are known anyway, by Cox models of both."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.known import absent, word
from vesalius.survival.added import LikelihoodRatio, likelihood_ratio
from vesalius.survival.cox import Cox, fit_cox
from vesalius.survival.nomogram import Factor
from vesalius.survival.observed import Observed
from vesalius.survival.partial import ALL
from vesalius.survival.proportional import Proportional, proportional_hazards

RISK = "risk"  # the column of the risk, in standard deviations
FEWEST = 10  # events for each column of a model (Peduzzi 1995)
CATEGORIES = 8  # of a factor in words
ENDS = (0.01, 0.99)  # of a factor's values, between which it is drawn
FOLDS = 10

Known = Mapping[str, Sequence[float | str | None]]  # factor → its value in each patient


@dataclass(frozen=True, eq=False)
class Table:
    """Factors as columns `(N, F)`: numbers as they are, words as bits against the most frequent one.

    `rows` are the places of the patients of whom every factor is known; `left_out` says of each factor that is none
    why.
    """

    x: Array
    names: tuple[str, ...]
    factors: tuple[Factor, ...]
    rows: Array
    left_out: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Signature:
    """Two Cox models of the same patients, of the factors alone and with the risk, and what tells them apart.

    `x` `(N, F + 1)` is the table of the second one, whose last column is the risk in standard deviations. `before` and
    `after` `(N,)` are the logarithms of the cumulative hazard at `days` by models of both kinds that were fitted on
    nine tenths of the patients to which a patient does not belong, so that they can be scored.
    """

    factors: tuple[Factor, ...]
    x: Array
    clinic: Cox
    both: Cox
    test: LikelihoodRatio
    proportional: tuple[Proportional, ...]
    days: float
    before: Array
    after: Array

    def free(self, log_hazard: Array) -> Array:
        """Return the chance to be without the event at `days`, of `before` or `after`."""
        return np.asarray(np.exp(-np.exp(log_hazard)))


def tabled(known: Known) -> Table:
    """Return factors as columns. A factor that is constant, or has more than `CATEGORIES` words, is left out.

    Raises DataError where nothing is left.
    """
    many = {len(values) for values in known.values()}
    if len(many) > 1:
        raise DataError("need each factor of each patient", found=f"{sorted(many)} values")
    left_out = {name: why for name, values in known.items() if (why := _unfit(values))}
    fit = {name: values for name, values in known.items() if name not in left_out}
    if not fit:
        said = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise DataError("no factor to compare with", found=said or "none is named")
    rows = np.flatnonzero(np.all([[_there(v) for v in values] for values in fit.values()], axis=0))
    columns: dict[str, Array] = {}
    factors = []
    for name, values in fit.items():
        told = [values[k] for k in rows.tolist()]
        found, factor = _columns(name, told)
        if not found:
            left_out[name] = "the same in all patients of whom every factor is known"
            continue
        columns |= found
        factors.append(factor)
    if not columns:
        raise DataError("no factor differs between the patients of whom every factor is known")
    x = np.stack([*columns.values()], axis=1)
    return Table(x, tuple(columns), tuple(factors), rows, left_out)


def signature(
    risk: Array, table: Table, observed: Observed, days: float, *, people: Sequence[Hashable]
) -> Signature:
    """Return what a risk `(N,)` adds to the factors of `table`; risk, `observed` and `people` are of its `rows`.

    The risk must come from a model that was not fitted on these patients. `people` says who belongs together: nobody is
    in both parts of a fold. Raises DataError where there are fewer than `FEWEST` events for each column of the larger
    model, and where a model cannot be fitted.
    """
    columns = len(table.names) + 1
    events = int(observed.happened.sum())
    if events < FEWEST * columns:
        raise DataError(
            f"too few events for a model of {columns} columns",
            found=f"{events}",
            hint=f"{FEWEST * columns} or more",
        )
    spread = float(np.std(risk))
    if not spread > 0:
        raise DataError("the risk is the same in all patients")
    z = (np.asarray(risk, np.float64) - float(np.mean(risk))) / spread
    x = np.column_stack([table.x, z])
    names = (*table.names, RISK)
    clinic, both = fit_cox(table.x, observed, names=table.names), fit_cox(x, observed, names=names)
    return Signature(
        factors=(*table.factors, Factor(RISK, (RISK,))),
        x=x,
        clinic=clinic,
        both=both,
        test=likelihood_ratio(clinic, both),
        proportional=proportional_hazards(both, x, observed),
        days=days,
        before=_of_others(table.x, observed, table.names, days, people),
        after=_of_others(x, observed, names, days, people),
    )


def within(x: Array) -> Array:
    """Return columns `(N, F)` without their outermost values, of which an axis would show single patients."""
    low, high = np.quantile(x, ENDS, axis=0)
    few = np.array([len(np.unique(column)) <= CATEGORIES for column in x.T])
    return np.where(few, x, np.clip(x, low, high))


def _of_others(
    x: Array, observed: Observed, names: Sequence[str], days: float, people: Sequence[Hashable]
) -> Array:
    """Return the log of each patient's cumulative hazard at a day, by a model of the other folds."""
    codes = np.unique([f"{type(p).__name__}:{p}" for p in people], return_inverse=True)[1]
    dealt = np.random.default_rng(0).permutation(int(codes.max()) + 1) % FOLDS
    fold = dealt[codes]
    found = np.full(len(x), np.nan)
    for k in range(FOLDS):
        own = fold == k
        if not own.any():
            continue
        model = fit_cox(x[~own], observed.where(~own), names=names)
        base = float(model.baseline[ALL].at(days))
        if not base > 0:
            raise DataError(f"nobody had the event by day {days:g} in one of the folds")
        found[own] = model.log_hazard(x[own]) + np.log(base)
    return found


def _unfit(values: Sequence[float | str | None]) -> str:
    """Return why values are no factor; empty where they are one."""
    told = {v for v in values if _there(v)}
    if not told:
        return "not known of any patient"
    if len(told) < 2:
        return "the same in all patients"
    words = {v for v in told if isinstance(v, str)}
    if words and len(told) > CATEGORIES:
        return f"{len(told)} different words, more than {CATEGORIES}"
    return ""


def _there(value: float | str | None) -> bool:
    if not absent(value) and isinstance(value, float) and not np.isfinite(value):
        raise DataError("a factor's value is infinite")
    return not absent(value)


def _columns(name: str, values: Sequence[float | str | None]) -> tuple[dict[str, Array], Factor]:
    """Return a factor's columns by name, none where it does not differ."""
    if not any(isinstance(v, str) for v in values):
        numbers = np.array(values, np.float64)
        return ({name: numbers} if len(np.unique(numbers)) > 1 else {}), Factor(name, (name,))
    words = [word(v) for v in values if v is not None]
    counts = {word: words.count(word) for word in sorted(set(words))}
    reference = max(counts, key=lambda word: counts[word])
    others = [word for word in counts if word != reference]
    found = {f"{name}: {word}": np.array([w == word for w in words], np.float64) for word in others}
    return found, Factor(name, tuple(found), reference=f"{name}: {reference}")
