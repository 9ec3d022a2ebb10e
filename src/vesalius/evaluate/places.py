"""Places: how well a field that an answer brings shows where something is, by the area under ROC, precision and PRO.

AUROC and AP are over all points of all cases together. PRO is the per-region overlap: the mean over regions of the
share of each that is called, against the share of the other points that is called wrongly, up to 0.3 of these, as a
share of 0.3 (Bergmann, Batzner, Fauser, Sattlegger, Steger, "The MVTec anomaly detection dataset", IJCV 129, 2021).
Points are counted by the first 16 bits of their value as a float, so that memory is bounded: values that differ by less
than 0.8 % are ties, which count half. Intervals are a bootstrap over patients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from vesalius.answers.drawing.panels import Cell, Table, measured
from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.answers.map import field_of
from vesalius.core.bundle import State
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.interval import Interval
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import counted
from vesalius.metrics import resample
from vesalius.prepare.case import load_mask
from vesalius.tasks.contract import Task

REACH = 0.3  # of the points outside of regions: up to here PRO counts
RESAMPLES = 400
NAMES = {"auroc": "AUROC of points", "ap": "average precision of points", "pro": "per-region overlap, to 0.3"}
SAYS = (
    "Of all points of all cases together, those inside of the drawn regions against all others; the share of points "
    "that lie inside is what average precision comes to by chance. The per-region overlap counts every region alike, "
    "however large it is."
)


@dataclass(frozen=True, eq=False)
class Counts:
    """What is counted of one case, by key: points inside, points outside, and summed shares of its `many` regions."""

    keys: Array
    inside: Array
    outside: Array
    shares: Array
    many: int


@dataclass
class Places:
    """Collects the fields of one part of answers, a case at a time."""

    part: str = ""
    cases: list[str] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    counts: list[Counts] = field(default_factory=list)

    def add(self, case: str, patient: str, field: Image, truth: Image) -> None:
        """Count one case. Raises DataError where the regions lie on another grid than the field."""
        if truth.shape != field.shape or (apart := grids.difference(field, truth)) is not None:
            found = f"{truth.shape}, not {field.shape}" if truth.shape != field.shape else apart
            raise DataError(f"case {case}: the drawn regions lie on another grid than the image", found=found)
        self.cases.append(case)
        self.patients.append(patient)
        self.counts.append(counts_of(field.array[0], truth.array[0] > 0))

    def found(self) -> dict[str, Any]:
        """Return what a scorecard keeps; nothing where no case was counted."""
        if not self.counts:
            return {}
        table = _Table(self.counts)
        one = np.ones(len(self.counts))
        whole = table.figures(one)
        drawn = resample(self.patients, np.random.default_rng(0), RESAMPLES)
        each = [table.figures(np.bincount(index, minlength=len(one)).astype(float)) for index in drawn]
        figures = {
            name: asdict(_interval(value, [e[name] for e in each], len(one))) for name, value in whole.items()
        }
        return {
            "part": self.part,
            "figures": figures,
            "chance": table.chance,
            "cases": len(self.cases),
            "with_regions": sum(c.many > 0 for c in self.counts),
            "regions": sum(c.many for c in self.counts),
            "resamples": RESAMPLES,
        }


class Fields:
    """Counts those parts of answers of which a task says where something is (`Task.regions`)."""

    def __init__(self, task: Task, state: State) -> None:
        self.task, self.state, self.held = task, state, Places()

    def add(self, case: Case, answer: Answer) -> None:
        """Count one case. Raises DataError where its regions lie on another grid than its image."""
        with calling(f"task {self.task.name}", self.task, "regions", case=case.id):
            told = dict(self.task.regions(case, self.state))
        for name, item in told.items():
            part = answer.parts.get(name)
            seen = None if part is None else field_of(part)
            if seen is not None:
                truth = load_mask(item) if item is not None else seen
                inside = truth.array[:1] > 0 if item is not None else np.zeros_like(seen.array, dtype=bool)
                self.held.part = name
                regions = replace(truth, array=inside)
                self.held.add(case.id, str(case.patient or case.id), seen, regions)

    def found(self) -> dict[str, Any]:
        """Return what a scorecard keeps; nothing where no case was counted."""
        return self.held.found()


def counts_of(values: Array, inside: Array) -> Counts:
    """Return the counts of one field `(Z, Y, X)` of numbers from 0 on, and of bits that say where regions are.

    Points where the field says nothing are left out. Regions are what hangs together, corners included.
    """
    from scipy.ndimage import generate_binary_structure, label

    known = np.isfinite(values)
    labels, many = label(inside & known, structure=generate_binary_structure(3, 3))
    key = np.maximum(values[known], 0).astype(np.float32).view(np.uint32) >> 16
    keys, place = np.unique(key, return_inverse=True)
    of, n = labels[known], len(keys)
    sizes = np.bincount(of, minlength=many + 1).astype(float)
    weights = np.where(of > 0, 1.0 / sizes[of], 0.0)
    return Counts(
        keys,
        np.bincount(place, weights=of > 0, minlength=n),
        np.bincount(place, weights=of == 0, minlength=n),
        np.bincount(place, weights=weights, minlength=n),
        many,
    )


class _Table:
    """The counts of all cases on one scale of falling keys, `(N, K)` each."""

    def __init__(self, counts: Sequence[Counts]) -> None:
        keys = np.unique(np.concatenate([c.keys for c in counts]))[::-1]
        place = {int(k): i for i, k in enumerate(keys)}
        self.inside, self.outside, self.shares = (np.zeros((len(counts), len(keys))) for _ in range(3))
        for row, one in enumerate(counts):
            at = [place[int(k)] for k in one.keys]
            self.inside[row, at], self.outside[row, at], self.shares[row, at] = (
                one.inside,
                one.outside,
                one.shares,
            )
        self.many = np.array([c.many for c in counts], dtype=float)

    @property
    def chance(self) -> float:
        """The share of points that lie inside of regions."""
        return float(self.inside.sum() / (self.inside.sum() + self.outside.sum()))

    def figures(self, weight: Array) -> dict[str, float]:
        """Return the figures of cases that count `weight` times each, `(N,)`; NaN where one is not defined."""
        inside, outside = np.cumsum(weight @ self.inside), np.cumsum(weight @ self.outside)
        shares, many = np.cumsum(weight @ self.shares), float(weight @ self.many)
        if inside[-1] <= 0 or outside[-1] <= 0:
            return dict.fromkeys(NAMES, float("nan"))
        right, wrong = np.r_[0.0, inside / inside[-1]], np.r_[0.0, outside / outside[-1]]
        called = np.maximum(inside + outside, 1e-12)
        return {
            "auroc": float(np.trapezoid(right, wrong)),
            "ap": float((np.diff(right) * inside / called).sum()),
            "pro": up_to(wrong, np.r_[0.0, shares / many], REACH),
        }


def up_to(wrong: Array, overlap: Array, reach: float) -> float:
    """Return the area under a rising curve up to `reach`, as a share of `reach`; between points it is a line."""
    end = float(np.interp(reach, wrong, overlap))
    inner = wrong < reach
    return float(np.trapezoid(np.r_[overlap[inner], end], np.r_[wrong[inner], reach]) / reach)


def _interval(value: float, drawn: Sequence[float], n: int) -> Interval:
    known = [x for x in drawn if np.isfinite(x)]
    if not np.isfinite(value) or not known:
        return Interval(None, None, None, n, len(drawn) - len(known), "no region, or nothing else")
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(value, float(low), float(high), n, len(drawn) - len(known))


def panels(card: Scorecard) -> list[Table]:
    """Return the table of figures of places; none of a card that has none."""
    found: Mapping[str, Any] = getattr(card, "places", {})
    if not found:
        return []
    rows = [(Cell(NAMES[name]), measured(Interval(**one))) for name, one in found["figures"].items()]
    return [Table(f"Where: {found['part']}", ("figure", "value"), rows, f"{_of(found)} {SAYS}")]


def lines(card: Scorecard) -> list[str]:
    """Return the same for a terminal."""
    found = card.places
    said = [f"{NAMES[name]} {Interval(**one)}" for name, one in found["figures"].items()]
    return [f"{found['part']}: {', '.join(said)}; {_of(found)}"] if said else []


def _of(found: Mapping[str, Any]) -> str:
    return (
        f"{counted(found['regions'], 'region')} in {found['with_regions']} of {counted(found['cases'], 'case')}, "
        f"{100 * found['chance']:.2g} % of all points."
    )
