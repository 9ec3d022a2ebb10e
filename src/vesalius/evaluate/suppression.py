"""Suppression: which groups' figures are withheld, so that nobody can work out those of a few patients.

A group of too few patients is withheld. With figures of all cases and of all other groups, what is missing is found by
subtraction. So some patients of the large groups are left out of their groups' figures, until all that is missing is of
enough patients (`thinned`); and where that does not do, further groups are withheld (`withheld`, complementary
suppression; Willenborg and de Waal 2001, chapter 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from vesalius.core.image import Array

Key = tuple[str, ...]  # of a group: its value in each column of the grouping
Named = tuple[Key, Key]  # a group of a grouping: the grouping's columns, and the key

LEFT_OUT = "left out"
SMALL = "fewer than {n} patients"
COMPLEMENT = "withheld, so that a group of fewer than {n} patients cannot be worked out from the others"


def thinned(
    keys: Sequence[Key], patients: Sequence[str], smallest: int, rng: np.random.Generator
) -> list[Key]:
    """Return the group of each case, `LEFT_OUT` where its patient, drawn at random, is left out.

    As many patients are left out of the groups of at least `smallest` as there must be so that they and those of the
    smaller groups together are `smallest`; none where no group is small, and none of a group that would become small.
    """
    held: dict[Key, set[str]] = {}
    for key, patient in zip(keys, patients, strict=True):
        held.setdefault(key, set()).add(patient)
    few = set().union(*(who for who in held.values() if len(who) < smallest))
    large = {key: who for key, who in held.items() if len(who) >= smallest}
    out: set[str] = set()
    for patient in rng.permutation(sorted(set(patients) - few)) if few else ():
        if len(few) + len(out) >= smallest:
            break
        own = [key for key, who in large.items() if patient in who]
        if all(len(large[key] - out) > smallest for key in own):
            out.add(str(patient))
    return [
        (LEFT_OUT,) * len(key) if patient in out else key for key, patient in zip(keys, patients, strict=True)
    ]


def withheld(
    groupings: Mapping[Key, Sequence[Key]], patients: Sequence[str], smallest: int
) -> dict[Key, dict[Key, str]]:
    """Return for each grouping which groups are withheld, and why.

    `groupings` gives by columns the group of each case, `patients` the patient of each. The figures of all cases
    together are taken to be known. Until nothing changes, a further group is withheld where

    - the withheld groups of a grouping together have fewer than `smallest` patients,
    - a sum or difference of two shown groups, and of all cases, is of fewer than `smallest` patients,
    - a withheld group of fewer than `smallest` patients is a sum or difference of what is shown: its indicator lies in
      the span of theirs, over all groupings at once.

    Figures of groups whose patients overlap are treated as sums over cases.
    """
    who = np.unique(np.array(patients), return_inverse=True)[1].ravel()
    cases: dict[Named, Array] = {}
    for columns, keys in groupings.items():
        for key in dict.fromkeys(keys):
            cases[columns, key] = np.array([k == key for k in keys])
    found = _Audit(cases, who, smallest)
    while found.next_one():
        pass
    return {
        columns: {
            key: (SMALL if found.people[at] < smallest else COMPLEMENT).format(n=smallest)
            for at in found.hidden
            if at[0] == columns
            for key in (at[1],)
        }
        for columns in groupings
    }


class _Audit:
    """Which groups are hidden so far; `next_one` hides one more where what is shown gives too much away."""

    def __init__(self, cases: Mapping[Named, Array], who: Array, smallest: int) -> None:
        self.cases, self.who, self.smallest = cases, who, smallest
        self.people = {at: self.count(bits) for at, bits in cases.items()}
        self.small = [at for at, n in self.people.items() if n < smallest]
        self.hidden: list[Named] = list(self.small)

    def count(self, bits: Array) -> int:
        """Return how many patients have a case among these."""
        return len(np.unique(self.who[bits]))

    @property
    def shown(self) -> list[Named]:
        """Return the groups that are not hidden, those of the fewest patients first."""
        return sorted((at for at in self.cases if at not in self.hidden), key=lambda at: self.people[at])

    def next_one(self) -> bool:
        """Hide one more group where that is needed; return whether it was."""
        at = self._few_together() or self._within() or self._summed()
        if at is not None:
            self.hidden.append(at)
        return at is not None

    def _few_together(self) -> Named | None:
        """Return the smallest shown group of a grouping whose hidden groups are too few patients together."""
        for columns in dict.fromkeys(at[0] for at in self.hidden):
            together = np.any([self.cases[at] for at in self.hidden if at[0] == columns], axis=0)
            rest = [at for at in self.shown if at[0] == columns]
            if rest and self.count(together) < self.smallest:
                return rest[0]
        return None

    def _within(self) -> Named | None:
        """Return one of two shown groups of which, with all cases, a sum or difference is too few patients."""
        finest = sorted(
            self.shown, key=lambda at: -len(at[0])
        )  # a part of two columns goes before one of one
        every = np.ones(len(self.who), dtype=np.int64)
        nothing = 0 * every
        outer: list[tuple[Named | None, Array]] = [(None, nothing)]
        outer += [(at, self.cases[at].astype(np.int64)) for at in finest]
        for (b, large), (a, part) in combinations(outer, 2):
            for left in (every - part - large, large - part, part - large, part + large - every):
                few = left.min() >= 0 and left.max() == 1 and self.count(left == 1) < self.smallest
                if few:
                    return min((at for at in (a, b) if at), key=lambda at: (-len(at[0]), self.people[at]))
        return None

    def _summed(self) -> Named | None:
        """Return a shown group to hide where a hidden small one is a sum or difference of those that are shown."""
        shown = self.shown
        known = np.array([np.ones(len(self.who)), *(self.cases[at].astype(float) for at in shown)])
        kinds, place = np.unique(known, axis=1, return_inverse=True)  # cases alike in all that is shown
        place = place.ravel()
        for at in self.small:
            bits = self.cases[at]
            share = np.array([bits[place == k].mean() for k in range(kinds.shape[1])])
            if not np.isin(share, (0.0, 1.0)).all():
                continue  # it cuts through cases that nothing shown tells apart
            best = np.linalg.lstsq(kinds.T, share, rcond=None)[0]
            if np.abs(kinds.T @ best - share).max() > 1e-8:
                continue
            used = [s for s, weight in zip(shown, best[1:], strict=True) if abs(weight) > 1e-8]
            same = [s for s in used if s[0] == at[0]]
            if (
                used
            ):  # nothing but all cases is needed where the group is all cases: then nothing can be hidden
                return (same or used)[0]
        return None
