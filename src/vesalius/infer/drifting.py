"""Drifting: what is said of new cases as they are answered, by the reference that a bundle keeps (`infer/drift.py`)."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.words import counted
from vesalius.infer.drift import DRIFT, Drift, drift_of
from vesalius.infer.evidence import UNKNOWN, Evidence

WINDOW = 50  # cases: the last so many say where a feature lies now
REMEMBERED = 10_000  # cases of which it is known that they were counted
UNTOLD = "nothing tells a drift: the bundle keeps no reference of what it learned from"


@dataclass(frozen=True, slots=True)
class Followed:
    """One feature: its largest evidence so far, whether it drifted, and at which percentile the last cases lie.

    `percentile` is the mean over the last cases of where they lie among those of the reference: 50 where nothing
    drifts. `evidence` is that of an e-value; 1 / evidence times the number of features bounds the chance of as much.
    """

    name: str
    drifted: bool
    evidence: float
    percentile: float | None


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What is known of the drift of the cases that were answered: `known` is False where there is no reference.

    `rate` is how often any drift is told where there is none, over all cases that ever come, as long as these come in
    no particular order. `reference` is how many cases the reference has, `untold` how many showed nothing to follow.
    """

    known: bool
    cases: int = 0
    reference: int = 0
    rate: float = 0.0
    untold: int = 0
    features: tuple[Followed, ...] = ()

    @property
    def drifted(self) -> tuple[Followed, ...]:
        """The features that drifted, the surest first."""
        return tuple(sorted((f for f in self.features if f.drifted), key=lambda f: -f.evidence))

    @property
    def sentence(self) -> str:
        """What a person must know, in one sentence."""
        if not self.known:
            return UNTOLD
        if not self.cases:
            return "no case was held against what the bundle learned from"
        many = counted(self.cases, "case")
        promise = f"{100 * self.rate:.2g} % of services or folders without a drift are called so"
        if not self.drifted:
            return f"no drift is told of {many}; {promise}"
        return f"drift: {many} differ from what the bundle learned from in {_listed(self.drifted)}; {promise}"

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        found = asdict(self)
        return {**found, "features": [asdict(f) for f in self.features], "drifted": bool(self.drifted),
                "sentence": self.sentence}  # fmt: skip


class Drifting:
    """Takes in the cases that a bundle answers, and says whether they drift. Safe for several threads at once.

    Nothing is kept of a case but into which bins its features fell, of the last `WINDOW`, and a hash of its name, so
    that one that is answered again is not counted again. What it holds does not grow. `reference` None says that the
    bundle has none.
    """

    def __init__(self, reference: Drift | None) -> None:
        self.reference = reference
        self._lock = threading.Lock()
        self._window: deque[Sequence[int]] = deque(maxlen=WINDOW)
        self._known: dict[int, None] = {}
        self._untold = 0
        if reference is not None:
            self._evidence = Evidence([int(g) for g in reference.gaps], len(reference.names))

    @classmethod
    def of(cls, bundle: Bundle) -> Drifting:
        """Return what follows the cases of a bundle from now on."""
        return cls(reference_of(bundle))

    def add(self, case: str, bins: Sequence[int]) -> None:
        """Take in one case by its bins (`Drift.bins`), unless it was counted before."""
        with self._lock:
            key = hash(case)
            if self.reference is None or key in self._known:
                return
            self._known[key] = None
            while len(self._known) > REMEMBERED:
                del self._known[next(iter(self._known))]
            if all(b == UNKNOWN for b in bins):
                self._untold += 1
                return
            self._evidence.add(bins)
            self._window.append(tuple(bins))

    def hear(self, case: Case, bins: Sequence[int]) -> None:
        """Take in one case by its bins, unless one of its patient was counted before."""
        self.add(whose(case.id, case.patient), bins)

    def report(self) -> DriftReport:
        """Return what is known by now."""
        if self.reference is None:
            return DriftReport(known=False)
        with self._lock:
            window = list(self._window)
            told = self._evidence.told(self.reference.rate)
            best, cases, untold = self._evidence.best.copy(), self._evidence.cases, self._untold
        features = []
        for f, name in enumerate(self.reference.names):
            seen = [self.reference.percentile(row[f]) for row in window if row[f] != UNKNOWN]
            middle = round(float(np.mean(seen)), 1) if seen else None
            features.append(Followed(name, told[f], float(f"{best[f]:.4g}"), middle))
        reference = self.reference
        return DriftReport(True, cases, reference.cases, reference.rate, untold, tuple(features))


def whose(case: str, patient: str | None) -> str:
    """Return the name by which a case counts: its patient's where that is known, since cases of one are much alike."""
    return patient or case


def reference_of(bundle: Bundle) -> Drift | None:
    """Return the reference that a bundle keeps; None where it keeps none."""
    return next((found for stage in bundle.stages if (found := drift_of(stage)) is not None), None)


def of_folder(reference: Drift | None, rows: Iterable[tuple[str, Sequence[int]]]) -> DriftReport:
    """Return the drift of cases that are all there, by the names by which they count (`whose`) and their bins.

    Their order is drawn anew, always alike for the same cases: a folder that is sorted by what it shows is no drift.
    """
    following, held = Drifting(reference), sorted(rows)
    for k in np.random.default_rng(len(held)).permutation(len(held)):
        following.add(*held[k])
    return following.report()


def _listed(found: Sequence[Followed]) -> str:
    return ", ".join(f"{f.name} ({_where(f)})" for f in found)


def _where(one: Followed) -> str:
    if one.percentile is None or 40 <= one.percentile <= 60:
        return "spread otherwise"
    return f"{'higher' if one.percentile > 50 else 'lower'}: now at its {one.percentile:.0f}th percentile"


__all__ = ["DRIFT", "DriftReport", "Drifting", "Followed", "of_folder", "reference_of", "whose"]
