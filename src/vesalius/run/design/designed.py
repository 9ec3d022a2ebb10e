"""A design from what was given: the image is checked, what is missing found, the part designed, its place told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.errors import UsageError
from vesalius.core.progress import Progress
from vesalius.run.design.given import Given
from vesalius.run.design.missing import Missing, Sources, missing_of, way_of
from vesalius.run.design.place import place_of
from vesalius.run.design.result import Design
from vesalius.shapes.design.designing import design
from vesalius.shapes.design.holes import assert_fit

WORK = "designing"


def designed(
    bone: Given,
    sources: Sources,
    *,
    by: str | None,
    values: Mapping[str, Any],
    axis: Sequence[float] | None,
    number: int | None,
    progress: Progress,
) -> Design:
    """Return the part for a bone's defect. Raises DataError where there is none, or a rule cannot be kept."""
    progress.start(WORK, 3)
    notes = assert_fit(bone.image)
    way = way_of(by, sources)
    missing = missing_of(bone, way, sources)
    progress.advance(WORK)
    affine = np.asarray(bone.image.affine)
    part = design(bone.bone, missing.array, affine, values=values, axis=_direction(axis), number=number)
    progress.advance(WORK)
    place = place_of(bone.bone, part.hole.missing, affine)
    progress.finish(WORK)
    said = (*notes, *missing.notes, *part.notes, *_doubts(missing, place))
    return Design(part, bone.image, bone.bone, way, bone.case.id, place, said)


def _doubts(missing: Missing, place: str) -> tuple[str, ...]:
    """Return what argues against a way in this place: a mirror image holds nothing where its other half is missing."""
    if missing.by == "mirror" and place.startswith("across"):
        return (
            "the defect crosses the midline, where a mirror image shows a hole, too: look whether it is closed",
        )
    return ()


def _direction(axis: Sequence[float] | None) -> np.ndarray[Any, Any] | None:
    if axis is None:
        return None
    found = np.asarray([*axis], dtype=np.float64)
    if found.shape != (3,) or not np.isfinite(found).all() or not np.any(found):
        raise UsageError(
            "the axis is three numbers in LPS, not all zero", found=str([*axis]), hint="--axis 0,0,1"
        )
    return found
