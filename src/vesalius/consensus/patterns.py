"""Patterns: the different combinations of what experts said, and how often each occurs in each case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array

UNSEEN = -1  # an expert did not see the case, or says that nobody knows
FAST = 1 << 22  # codes up to which voxels are counted in one table


@dataclass(frozen=True, eq=False)
class Patterns:
    """What `experts` said, as P different combinations of labels.

    `calls` `(P, E)` are places in `labels`, UNSEEN where an expert says nothing. `at`, `case`, `count` `(M,)` say that
    pattern `at` occurs `count` times in case number `case`. `patients` `(C,)` names the patient of each case. Where
    `background` is True, label 0 is what is left when nothing is marked.
    """

    calls: Array
    at: Array
    case: Array
    count: Array
    experts: tuple[str, ...]
    labels: tuple[str, ...]
    patients: tuple[str, ...]
    background: bool = False

    @property
    def cases(self) -> int:
        """Return how many cases there are."""
        return len(self.patients)

    @property
    def seen(self) -> Array:
        """Return who says something in each pattern, `(P, E)` bool."""
        found: Array = self.calls != UNSEEN
        return found

    def totals(self, weights: Array | None = None) -> Array:
        """Return how often each pattern occurs, `(P,)`; `weights` `(C,)` is how often each case counts."""
        counts = self.count if weights is None else self.count * weights[self.case]
        found: Array = np.bincount(self.at, weights=counts, minlength=len(self.calls))
        return found

    def by_case(self, values: Array) -> Array:
        """Return the sum over each case of a value of each pattern, `(C,)`."""
        found: Array = np.bincount(self.case, weights=self.count * values[self.at], minlength=self.cases)
        return found

    def of_label(self, place: int) -> Patterns:
        """Return whether each expert marks one label, as labels 0 (something else) and 1."""
        calls = np.where(self.seen, (self.calls == place).astype(np.int16), np.int16(UNSEEN))
        return regrouped(replace(self, calls=calls, labels=("other", self.labels[place]), background=True))


def regrouped(patterns: Patterns) -> Patterns:
    """Return these patterns with equal ones joined into one."""
    calls, where = np.unique(patterns.calls, axis=0, return_inverse=True)
    return replace(patterns, calls=calls, at=np.ravel(where)[patterns.at])


def of_classes(
    calls: Array, *, experts: Sequence[str], labels: Sequence[str], patients: Sequence[str] | None = None
) -> Patterns:
    """Return the patterns of one call an expert and case: `calls` `(C, E)`, places of labels or UNSEEN.

    Raises DataError for shapes and places that cannot be.
    """
    calls = np.asarray(calls)
    if calls.ndim != 2 or calls.shape[1] != len(experts):
        raise DataError(
            "calls are a table of cases and experts", found=f"shape {calls.shape} for {len(experts)} experts"
        )
    if calls.size and (calls.min() < UNSEEN or calls.max() >= len(labels)):
        raise DataError(
            "calls are places of labels, -1 where an expert says nothing",
            found=f"{calls.min()} … {calls.max()} of {len(labels)} labels",
        )
    many = len(calls)
    who = tuple(map(str, range(many))) if patients is None else tuple(patients)
    if len(who) != many:
        raise DataError("one patient a case is needed", found=f"{len(who)} for {many} cases")
    rows, at = np.unique(calls.astype(np.int16), axis=0, return_inverse=True)
    return Patterns(rows, np.ravel(at), np.arange(many), np.ones(many), tuple(experts), tuple(labels), who)


@dataclass(frozen=True, eq=False)
class Counted:
    """The patterns of one case of masks: their codes, in order, and how many voxels have each."""

    codes: Array
    counts: Array


@dataclass(frozen=True)
class Coder:
    """Numbers for patterns of `experts` experts and `labels` labels, the background among these."""

    experts: int
    labels: int

    def __post_init__(self) -> None:
        if self.experts * np.log2(self.labels + 1) > 62:
            raise DataError(
                "too many experts and labels to be joined at once",
                found=f"{self.experts} experts, {self.labels} labels",
                hint="fewer experts, or one label at a time",
            )

    def coded(self, calls: Sequence[Array | None]) -> Array:
        """Return the pattern of each voxel as a number, `(Z, Y, X)` int64; None stands for an expert without a mask.

        `calls` holds an array `(Z, Y, X)` of places an expert, UNSEEN where nothing is known. Raises DataError where
        no expert has a mask.
        """
        first = next((c for c in calls if c is not None), None)
        if first is None or len(calls) != self.experts:
            raise DataError("no expert has a mask of this case")
        code = np.zeros(first.shape, np.int64)
        for one in reversed(calls):
            code *= self.labels + 1
            if one is not None:
                code += one.astype(np.int64) + 1
        return code

    def counted(self, code: Array) -> Counted:
        """Return which codes occur, and how often."""
        flat = code.reshape(-1)
        if (self.labels + 1) ** self.experts <= FAST:
            counts = np.bincount(flat)
            codes = np.flatnonzero(counts)
            return Counted(codes, counts[codes])
        codes, counts = np.unique(flat, return_counts=True)
        return Counted(codes, counts)

    def calls(self, codes: Array) -> Array:
        """Return the calls of each code, `(P, E)` int16."""
        left, found = np.asarray(codes, np.int64).copy(), []
        for _ in range(self.experts):
            found.append((left % (self.labels + 1) - 1).astype(np.int16))
            left //= self.labels + 1
        return np.stack(found, axis=1)


def of_masks(
    counted: Sequence[Counted],
    coder: Coder,
    *,
    experts: Sequence[str],
    labels: Sequence[str],
    patients: Sequence[str] | None = None,
) -> tuple[Patterns, Array]:
    """Return the patterns of masks, counted a case at a time, and the codes `(P,)` of them in order.

    The first label is the background.
    """
    codes = np.unique(np.concatenate([c.codes for c in counted])) if counted else np.zeros(0, np.int64)
    who = tuple(map(str, range(len(counted)))) if patients is None else tuple(patients)
    made = Patterns(
        coder.calls(codes),
        np.concatenate([np.searchsorted(codes, c.codes) for c in counted]),
        np.repeat(np.arange(len(counted)), [len(c.codes) for c in counted]),
        np.concatenate([c.counts for c in counted]).astype(np.float64),
        tuple(experts),
        tuple(labels),
        who,
        background=True,
    )
    return made, codes
