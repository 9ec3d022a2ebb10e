"""Support: which arms were given to patients like this one; where only one was, nothing tells of another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vesalius.benefit.propensity import Propensity, fit_propensity
from vesalius.benefit.trial import Trial
from vesalius.benefit.weighting import TRIM
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.words import listed

SMALLEST = 20  # patients of a group
CHANCE = 1e-4  # that a group of so many lacks an arm although it is as likely there as among all
DEPTH = 4  # conditions of a group
NEAR = 0.5  # standard deviations beyond all who were given an arm, within which a patient is still like them


@dataclass(frozen=True)
class Group:
    """Patients who share some conditions, and how many of them were given each arm.

    `conditions`: (column, at most or above, bound) each. It holds counts and bounds, no patient.
    """

    conditions: tuple[tuple[int, bool, float], ...]
    counts: tuple[int, ...]

    def holds(self, x: Array) -> Array:
        """Return who belongs to it, `(N,)` of bits."""
        inside = np.ones(len(x), bool)
        for column, below, bound in self.conditions:
            inside &= (x[:, column] <= bound) == below
        return inside

    def words(self, names: tuple[str, ...]) -> str:
        """Return the conditions in words: `stage > 2, age <= 61`."""
        said = [f"{names[c]} {'<=' if below else '>'} {bound:.4g}" for c, below, bound in self.conditions]
        return ", ".join(said) or "all patients"


@dataclass(frozen=True, eq=False)
class Support:
    """What is needed to tell which arms were given to patients like one: a propensity, groups, and ranges by arm.

    `low` and `high` `(A, F)`: between which each column lies for patients like those of each arm: their least and their
    greatest, and half a standard deviation more.
    """

    names: tuple[str, ...]
    arms: tuple[str, ...]
    propensity: Propensity
    groups: tuple[Group, ...]
    low: Array
    high: Array
    trim: float

    def supported(self, x: Array) -> Array:
        """Return which arms were given to patients like these, `(N, A)` of bits, of `x` `(N, F)`. Raises DataError."""
        rows = _finite(np.atleast_2d(np.asarray(x, np.float64)), self.names)
        likely = self.propensity.of(rows) >= self.trim
        within = ((rows[:, None] >= self.low) & (rows[:, None] <= self.high)).all(axis=2)
        found = likely & within
        for group in self.groups:
            found[group.holds(rows)] &= np.array(group.counts) > 0
        return np.asarray(found)

    def reasons(self, x: Array) -> dict[str, str]:
        """Return why arms were not given to patients like this one, arm by arm; `x` `(F,)`. Empty where all were.

        Raises DataError where a value is not known.
        """
        row = _finite(np.asarray(x, np.float64)[None], self.names)
        chance = self.propensity.of(row)[0]
        group = next(g for g in self.groups if g.holds(row)[0])
        found = {}
        for k, arm in enumerate(self.arms):
            out = np.flatnonzero((row[0] < self.low[k]) | (row[0] > self.high[k]))
            if len(out):
                c = int(out[0])
                found[arm] = (
                    f"{self.names[c]} {row[0, c]:.4g} is far from all who were given it "
                    f"({self.low[k, c]:.4g} to {self.high[k, c]:.4g})"
                )
            elif not group.counts[k]:
                found[arm] = f"given to none of {sum(group.counts)} patients with {group.words(self.names)}"
            elif chance[k] < self.trim:
                found[arm] = f"the chance to be given it is {chance[k]:.2g}"
        return found

    def assert_supported(self, x: Array) -> None:
        """Raise DataError where an arm was not given to patients like this one, `(F,)`."""
        why = self.reasons(x)
        if not why:
            return
        had = [a for a in self.arms if a not in why]
        only = f"only {listed(had)}" if had else "none of the treatments"
        raise DataError(
            f"patients like this one had {only}, so that nothing tells what another would change",
            found="; ".join(f"{arm}: {text}" for arm, text in why.items()),
            hint="a cohort in which patients like this one were given either",
        )


def _finite(rows: Array, names: tuple[str, ...]) -> Array:
    """Return rows of x as they are. Raises DataError where a column is missing, or a value of one."""
    if rows.ndim != 2 or rows.shape[1] != len(names):
        raise DataError(f"need the columns {listed(names)}", found=f"shape {rows.shape}")
    unknown = np.flatnonzero(~np.isfinite(rows).all(axis=0))
    if len(unknown):
        raise DataError(f"'{names[unknown[0]]}' is not known, so that nothing tells who is like this patient")
    return rows


def fit_support(trial: Trial, *, trim: float = TRIM) -> Support:
    """Learn which arms were given to whom.

    Groups are the leaves of a tree that parts patients by what they were given (Gini), as in Danelian et al. 2023;
    none is so small that chance alone might empty it. Where chance decided on the arms for all, there is but one
    group. Raises DataError.
    """
    rows = [trial.x[trial.arm == k] for k in range(len(trial.arms))]
    count = np.array([len(r) for r in rows])
    if not count.all():
        raise DataError(f"the arm '{trial.arms[int(np.argmin(count))]}' was never given")
    near = NEAR * trial.x.std(axis=0)
    share = float(count.min()) / len(trial)
    smallest = max(SMALLEST, math.ceil(math.log(CHANCE) / math.log(1 - share)))
    return Support(
        trial.names,
        trial.arms,
        fit_propensity(trial),
        tuple(_leaves(trial.x, np.eye(len(trial.arms))[trial.arm], (), DEPTH, smallest)),
        np.stack([r.min(axis=0) for r in rows]) - near,
        np.stack([r.max(axis=0) for r in rows]) + near,
        trim if trial.randomised is not True else 0.0,
    )


def _leaves(
    x: Array, given: Array, conditions: tuple[tuple[int, bool, float], ...], depth: int, smallest: int
) -> list[Group]:
    """Return the groups below this one; itself where no bound parts it into two that are large enough."""
    bound = _best(x, given, smallest) if depth else None
    if bound is None:
        return [Group(conditions, tuple(int(n) for n in given.sum(axis=0)))]
    column, value = bound
    low = x[:, column] <= value
    return [
        leaf
        for below, part in ((True, low), (False, ~low))
        for leaf in _leaves(x[part], given[part], (*conditions, (column, below, value)), depth - 1, smallest)
    ]


def _best(x: Array, given: Array, smallest: int) -> tuple[int, float] | None:
    """Return the column and the bound whose sides are the purest in what they were given; None without a gain."""
    n, total = len(x), given.sum(axis=0)
    best, found = float((total**2).sum() / n) + 1e-9, None
    for column in range(x.shape[1]):
        order = np.argsort(x[:, column], kind="stable")
        value, low = x[order, column], np.cumsum(given[order], axis=0)
        size = np.arange(1, n + 1)
        allowed = np.flatnonzero(
            (value[:-1] < value[1:]) & (size[:-1] >= smallest) & (n - size[:-1] >= smallest)
        )
        if not len(allowed):
            continue
        left, k = low[allowed], size[allowed]
        purity = (left**2).sum(axis=1) / k + ((total - left) ** 2).sum(axis=1) / (n - k)
        at = int(np.argmax(purity))
        if purity[at] > best:
            best, found = (
                float(purity[at]),
                (column, float((value[allowed[at]] + value[allowed[at] + 1]) / 2)),
            )
    return found
