"""Giving each case's masks the values of their labels, and counting voxels anew where values changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vesalius import formats
from vesalius.core.case import IGNORED, Case, Ref, Target
from vesalius.core.cohort import Cohort
from vesalius.core.image import Array, Image

Pairs = tuple[tuple[int, int], ...]


def with_ignored(cohort: Cohort) -> Cohort:
    """Return the cohort with masks in which each target's `ignore` values are IGNORED."""
    ignored = {t.name: tuple((v, IGNORED) for v in t.ignore) for t in cohort.targets.values() if t.ignore}
    if not ignored:
        return cohort
    return replace(cohort, cases=tuple(with_values(case, ignored) for case in cohort.cases))


def with_values(case: Case, pairs: Mapping[str, Pairs]) -> Case:
    """Return the case with other values in its masks, by target; `pairs` are (value, label value)."""
    targets: dict[str, Target] = dict(case.targets)
    for name, new in pairs.items():
        item = targets.get(name)
        if isinstance(item, Ref):
            targets[name] = replace(item, values=_composed(item.values, new))
        elif isinstance(item, Image):
            targets[name] = formats.recoded(item, new)
    return case if targets == case.targets else replace(case, targets=targets)


def with_region(case: Case, region: Image | None) -> Case:
    """Return the case with its field of view cut at half where that has blurred edges, as JPEG leaves them."""
    if region is None or not formats.blurred(count(region.array)):
        return case
    pairs = tuple((v, int(v >= 128)) for v in range(1, 256))
    if isinstance(case.region, Ref):
        return replace(case, region=replace(case.region, values=pairs))
    return replace(case, region=formats.recoded(region, pairs))


def count(array: Array) -> dict[int, int]:
    """Return the number of voxels by value, without the ignored ones."""
    values, counts = np.unique(array, return_counts=True)
    return {int(v): int(n) for v, n in zip(values, counts, strict=True) if v != IGNORED}


def recounted(
    voxels: Mapping[str, Mapping[int, int]], before: Case, after: Case
) -> dict[str, dict[int, int]]:
    """Return voxels by label value of each mask of `after`, from those counted in `before`, the case as it was
    checked.
    """
    found: dict[str, dict[int, int]] = {}
    for name, counts in voxels.items():
        old, new = before.targets.get(name), after.targets.get(name)
        if isinstance(new, Image) and new is not old:
            found[name] = count(new.array)
        elif isinstance(old, Ref) and isinstance(new, Ref) and new.values != old.values:
            found[name] = mapped(counts, tuple(_between(old.values, new.values).items()))
        else:
            found[name] = dict(counts)
    return found


def mapped(counts: Mapping[int, int], pairs: Pairs) -> dict[int, int]:
    """Return the number of voxels by label value from that by value, without the ignored ones."""
    new, found = dict(pairs), dict[int, int]()
    for value, n in counts.items():
        label = new.get(value, value)
        if label != IGNORED:
            found[label] = found.get(label, 0) + n
    return found


def _composed(first: Pairs, second: Pairs) -> Pairs:
    then = dict(second)
    return tuple(sorted({**then, **{a: then.get(b, b) for a, b in first}}.items()))


def _between(old: Pairs, new: Pairs) -> dict[int, int]:
    """Return the new label value of each value that the old pairs led to."""
    now = dict(new)
    return {**now, **{b: now.get(a, a) for a, b in old}}
