"""Counts and measures of a cohort: patients, classes, sizes, spacings, intensities, label values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from vesalius.cohorts.targets import contract as kinds
from vesalius.core.cohort import Cohort
from vesalius.core.progress import Progress
from vesalius.reliability._records import CaseRecord, Channel
from vesalius.reliability._survey import Survey, survey
from vesalius.reliability.reports import ReportSummary, summary_of_reports
from vesalius.reliability.sources import Sources, sources_of
from vesalius.reliability.spread import Spread, spread

BINS = 40


@dataclass(frozen=True, slots=True)
class Intensity:
    """One channel over the cohort. Moments and extremes are exact; quantiles and `counts` come from a sample.

    `counts` are the pixels sampled in each of the equal steps between `p005` (0.5 %) and `p995` (99.5 %).
    """

    channel: str
    mean: float
    sd: float
    low: float
    p005: float
    median: float
    p995: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LabelCount:
    """One label: cases that have it, in masks its voxels, and where a case holds several things how many have it.

    `value` is what stands in the data.
    """

    value: int
    name: str
    cases: int
    voxels: int | None = None
    things: int | None = None


@dataclass(frozen=True, slots=True)
class TargetSummary:
    """One target: its kind, how many cases have it, its labels, and in words what its kind finds worth knowing."""

    name: str
    kind: str
    cases: int
    labels: tuple[LabelCount, ...]
    values: Spread | None = None
    told: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Summary:
    """What is in a cohort. Sizes are `(Z, Y, X)`, spacings `(x, y, z)` in millimetres.

    `without_patient` is how many cases have no patient id: each counts as a patient. `sources` is what cases bring
    beside one picture, `reports` what their reports are. Sizes, types and the like are of the cases that have an image.
    """

    cases: int
    patients: int
    patients_known: bool
    without_patient: int
    set_aside: int
    without_target: int
    splits: Mapping[str, int]
    modalities: Mapping[str, int]
    shapes: Mapping[str, int]
    size: tuple[Spread, Spread, Spread] | None
    spacing_mm: tuple[Spread, Spread, Spread] | None
    without_spacing: int
    orientations: Mapping[str, int]
    types: Mapping[str, int]
    intensities: tuple[Intensity, ...]
    targets: tuple[TargetSummary, ...]
    orphans: tuple[str, ...]
    sources: Sources = field(default_factory=Sources)
    reports: ReportSummary | None = None


def summarise(cohort: Cohort, *, progress: Progress | None = None) -> Summary:
    """Decode every case once and measure. Raises nothing for faulty cases: they are counted in `set_aside`."""
    return summary_of(survey(cohort, progress=progress, strict=False))


def summary_of(found: Survey) -> Summary:
    """Return the summary of a pass that was made already."""
    cohort, facts = found.cohort, found.good
    by_case = {c.id: c for c in cohort.cases}
    patients = {f.patient if f.patient is not None else f"case {f.case}" for f in facts}
    pictured = [f for f in facts if f.brought.images]
    spaced = [f.spacing_mm for f in pictured if f.spacing_mm is not None]
    orphans = [s.case for s in cohort.set_aside if s.reason.startswith(("a label without", "a mask in"))]
    orphans += [c.id for c in cohort.cases if cohort.targets and not c.targets]
    return Summary(
        cases=len(cohort.cases),
        patients=len(patients),
        patients_known=cohort.patients_known,
        without_patient=sum(f.patient is None for f in facts),
        set_aside=len(cohort.set_aside),
        without_target=sum(not c.targets for c in cohort.cases),
        splits=_count(str(by_case[f.case].split) for f in facts if by_case[f.case].split),
        modalities=_count(f.modality or "unknown" for f in pictured),
        shapes=_count("×".join(map(str, f.shape)) for f in pictured),
        size=_three([f.shape for f in pictured]),
        spacing_mm=_three(spaced),
        without_spacing=len(pictured) - len(spaced),
        orientations=_count(f.orientation or "unknown" for f in pictured),
        types=_count(f"{f.dtype}, {len(f.channels)} channel{'s' * (len(f.channels) != 1)}" for f in pictured),
        intensities=_intensities(facts),
        targets=tuple(_target(found, name) for name in cohort.targets),
        orphans=tuple(orphans),
        sources=sources_of([f.brought for f in facts]),
        reports=summary_of_reports([f.brought.report for f in facts if f.brought.report is not None]),
    )


def _count(words: object) -> dict[str, int]:
    return dict(Counter(words).most_common())  # type: ignore[call-overload]


def _three(rows: Sequence[Sequence[float]]) -> tuple[Spread, Spread, Spread] | None:
    if not rows:
        return None
    a, b, c = (spread(column) for column in np.array(rows, dtype=np.float64).T)
    return a, b, c


def _intensities(facts: Sequence[CaseRecord]) -> tuple[Intensity, ...]:
    by_name: dict[str, list[Channel]] = {}
    for fact in facts:
        for channel in fact.channels:
            by_name.setdefault(channel.name, []).append(channel)
    return tuple(_intensity(name, listed) for name, listed in by_name.items())


def _intensity(name: str, listed: Sequence[Channel]) -> Intensity:
    weights = np.array([c.count for c in listed], dtype=np.float64)
    means = np.array([c.mean for c in listed])
    mean = float(np.average(means, weights=weights))
    within = np.average([c.variance for c in listed], weights=weights)
    between = np.average((means - mean) ** 2, weights=weights)
    sample = np.concatenate([c.sample for c in listed])
    p005, median, p995 = (float(q) for q in np.quantile(sample, [0.005, 0.5, 0.995]))
    counts, _ = np.histogram(sample, BINS, (p005, p995 if p995 > p005 else p005 + 1))
    return Intensity(
        channel=name,
        mean=mean,
        sd=float(np.sqrt(within + between)),
        low=min(c.low for c in listed),
        p005=p005,
        median=median,
        p995=p995,
        high=max(c.high for c in listed),
        counts=tuple(int(n) for n in counts),
    )


def _target(found: Survey, name: str) -> TargetSummary:
    info = found.cohort.targets[name]
    values = [c.targets[name] for c in found.cohort.cases if name in c.targets]
    kind = kinds.of(info.kind)
    if kind.drawn:
        held = [f.voxels.get(name, {}) for f in found.good]
        labels = tuple(
            LabelCount(x.value, x.name, sum(x.value in v for v in held), sum(v.get(x.value, 0) for v in held))
            for x in info.labels
        )
    else:
        counts, things = kind.tally(values), kind.things(values)
        labels = tuple(
            LabelCount(x.value, x.name, counts[x.name], things=None if things is None else things[x.name])
            for x in info.labels
        )
    numbers = [n for value in values if (n := kind.number_of(value)) is not None]
    between = spread(np.array(numbers)) if numbers else None
    return TargetSummary(name, info.kind, len(values), labels, between, tuple(kind.told(values)))
