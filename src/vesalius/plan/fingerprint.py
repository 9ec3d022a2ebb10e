"""Fingerprint: what a cohort is like, measured while its cases are decoded anyway, on training cases alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Triple
from vesalius.plan.facts import Facts, shared_channels
from vesalius.prepare.covariates import Covariate, look_at


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A cohort in numbers. Spacings are `(x, y, z)` in mm; shapes `(Z, Y, X)` in canonical axes, as they are at the
    median spacing where every volume has one."""

    cases: int
    patients: int
    images: tuple[str, ...]
    channels: int
    grey: bool
    flat: bool
    shape_median: tuple[int, int, int]
    shape_max: tuple[int, int, int]
    spacing_median: Triple | None
    spacing_known: bool
    unit: str | None
    bits: int | None
    low: float
    high: float
    mean: float
    sd: float
    inside: bool
    classes: Mapping[str, int]
    voxels: Mapping[str, float]
    labels: tuple[str, ...]
    sided: bool
    channel_names: tuple[str, ...] = ()
    covariates: Mapping[str, Covariate] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def fingerprint(
    cohort: Cohort, measured: Mapping[str, Facts], training: Sequence[Case], target: TargetInfo | None
) -> Fingerprint:
    """Put the facts of the training cases together. Raises DataError where no image is in all of them."""
    found = [measured[c.id] for c in training if c.id in measured]
    shapes = np.array([f.shape for f in found])
    spacings = [f.spacing_mm for f in found if f.spacing_mm is not None]
    spacing = _median(spacings) if spacings else None
    if spacing is not None and len(spacings) == len(found) and (shapes[:, 0] > 1).any():
        own = np.array([s[::-1] for s in spacings])
        shapes = np.maximum((shapes * own / np.array(spacing[::-1])).round(), 1).astype(int)
    units = {f.unit for f in found}
    if units == {None} and cohort.modalities and all(m.upper().startswith("CT") for m in cohort.modalities):
        units = {"HU"}  # a CT's values are Hounsfield units, and its author says that it is one
    channels, names = shared_channels(training, measured, images := _images(training))
    bits = {f.bits for f in found}
    within = [f.inside for f in found if f.inside is not None]
    use_inside = bool(within) and units == {"HU"}
    rows = within if use_inside else [(f.low, f.high, f.mean, f.sd) for f in found]
    low, high, mean, sd = np.median(np.array(rows), axis=0)
    counted: Counter[str] = Counter()
    if target is not None:
        values = [c.targets[target.name] for c in training if target.name in c.targets]
        counted = kinds.of(target.kind).tally(values)
    median, largest = np.median(shapes, axis=0).round().astype(int), shapes.max(axis=0)
    return Fingerprint(
        cases=len(training),
        patients=len({c.patient or c.id for c in training}),
        images=images,
        channels=channels,
        grey=all(f.grey for f in found),
        flat=bool((shapes[:, 0] == 1).all()),
        shape_median=(int(median[0]), int(median[1]), int(median[2])),
        shape_max=(int(largest[0]), int(largest[1]), int(largest[2])),
        spacing_median=spacing,
        spacing_known=len(spacings) == len(found),
        unit=next(iter(units)) if len(units) == 1 else None,
        bits=next(iter(bits)) if len(bits) == 1 else None,
        low=float(low),
        high=float(high),
        mean=float(mean),
        sd=float(sd),
        inside=use_inside,
        classes=dict(counted),
        voxels=_shares(found, target),
        labels=tuple(x.name for x in target.labels) if target else (),
        sided=sided(target.labels) if target else False,
        channel_names=names,
        covariates=look_at(training, named=cohort.covariates),
    )


def _images(training: Sequence[Case]) -> tuple[str, ...]:
    """Return the names of the images that every case has, the reference first.

    Where no case has an image it is the one name `image`, as a plan must name one.
    Raises DataError where cases have images, and none in common.
    """
    if not any(case.images for case in training):
        return ("image",)
    reference = training[0].reference
    shared = set.intersection(*(set(c.images) for c in training))
    if not shared:
        names = Counter(n for c in training for n in c.images)
        raise DataError(
            f"the {len(training)} cases to learn from have no image in common",
            found=", ".join(f"'{n}' in {k}" for n, k in names.most_common(4)),
            hint="images of the same names in every case; a table can name one column for each",
        )
    return tuple(sorted(shared, key=lambda n: (n != reference, n)))


def _shares(found: Sequence[Facts], target: TargetInfo | None) -> dict[str, float]:
    """Return the share of all voxels that each label of a mask has; empty without masks."""
    counted: Counter[int] = Counter()
    for one in found:
        counted.update(dict(one.voxels))
    total = sum(counted.values())
    if not total or target is None:
        return {}
    return {x.name: counted[x.value] / total for x in target.labels}


def _median(spacings: Sequence[Triple]) -> Triple:
    x, y, z = np.median(np.array(spacings), axis=0)
    return round(float(x), 6), round(float(y), 6), round(float(z), 6)


def sided(labels: Sequence[Label]) -> bool:
    """Return whether any label names a side of the body, so that left and right may not be exchanged."""
    words = {"left", "right", "l", "r", "lt", "rt", "links", "rechts", "gauche", "droite", "sin", "dex"}
    for label in labels:
        parts = "".join(ch if ch.isalnum() else " " for ch in label.name.lower()).split()
        if words & set(parts):
            return True
    return False
