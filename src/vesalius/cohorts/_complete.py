"""Cases that lack an image, or whose images lie on grids of their own: kept at reading, set aside for most tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vesalius.cohorts._build import some
from vesalius.core.case import Case, role_of
from vesalius.core.cohort import Cohort, SetAside, cohort_digest
from vesalius.core.errors import DataError

FEW = (
    0.1  # of all cases: so many may lack an image and be set aside, where all images are channels of one grid
)


def usual_reference(cases: Sequence[Case]) -> str | None:
    """Return the name of the reference image that most cases have; None where no case has one."""
    counts = Counter(c.reference for c in cases if c.reference is not None)
    return counts.most_common(1)[0][0] if counts else None


def brings_sets(cohort: Cohort, apart: Mapping[str, str] | None = None) -> bool:
    """Return whether a cohort's images are sets, of which any may be missing, and not channels that few cases lack.

    They are where more than FEW of the cases lack an image or have images on grids of their own (`apart`), and where
    the images of a case have no order.
    """
    if any(role_of(name) != name for case in cohort.cases for name in case.images):
        return True
    odd = [c for c in cohort.cases if _why(c, cohort.expected, apart or {}) is not None]
    return len(odd) > FEW * len(cohort.cases) and any(c.images for c in cohort.cases)


def with_complete(cohort: Cohort, apart: Mapping[str, str] | None = None) -> Cohort:
    """Return the cohort for a task that needs every image of every case, on grids that can be made one.

    Cases that lack one of the `expected` images are set aside by name, and so are those in `apart`, case id → what is
    wrong with its grids. Raises DataError where the images of a case have no order: nothing says which is which then.
    """
    cases, apart = cohort.cases, apart or {}
    unordered = next((n for c in cases for n in c.images if role_of(n) != n and not n.endswith("#1")), None)
    if unordered is not None:
        raise DataError(
            "the images of a case have no order, and this task must know which is which",
            found=f"'{unordered}'",
            hint="--column view=NAME for what they differ in, or --column id=NAME of the images for a case an image",
        )
    pictured = any(c.images for c in cases)
    reasons = {c.id: why for c in cases if pictured and (why := _why(c, cohort.expected, apart)) is not None}
    if not reasons:
        return cohort
    kept = tuple(c for c in cases if c.id not in reasons)
    digests = {c.id: cohort.digests[c.id] for c in kept if c.id in cohort.digests}
    return replace(
        cohort,
        cases=kept,
        set_aside=(*cohort.set_aside, *(SetAside(name, why) for name, why in reasons.items())),
        digests=digests,
        hash=cohort_digest(digests) if len(digests) == len(kept) and cohort.hash else "",
    )


def _why(case: Case, wanted: Sequence[str], apart: Mapping[str, str]) -> str | None:
    """Return why a case must be set aside; None where it need not be."""
    if not case.images:
        return "it has no image"
    missing = [name for name in wanted if name not in case.images]
    if missing:
        return f"no image '{some(missing)}', which most cases have"
    return apart.get(case.id)
