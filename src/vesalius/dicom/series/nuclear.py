"""Nuclear medicine's frames: reconstructed slices by their vectors, as functional groups; and the times of planar ones.

Slices lie along the normal of the first one's rows and columns, by the sign of their spacing (PS3.3 C.8.4.15), from
the position that their detector's item has (C.8.4.11). Gated ones have times where one R-R interval says how long a
frame is (C.8.4.14); energy windows, detectors and R-R intervals are stacks of their own. Projections are no slices.
Source: PS3.3 C.8.4.8 (frame increment pointers), C.8.4.13 (phases of a dynamic study).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from vesalius.dicom import elements

_APART = {
    "EnergyWindowVector": "energy window",
    "DetectorVector": "detector",
    "RRIntervalVector": "r-r interval",
}
VIEWS = (*_APART, "RotationVector", "AngularViewVector", "PhaseVector", "TimeSliceVector", "TimeSlotVector")


def frame_groups(head: Any, frames: int) -> list[elements.FunctionalGroups]:
    """Return each frame's own and shared functional groups, or what vectors say in their place.

    Empty where neither is there.
    Raises ValueError for vectors of another length, and for slices whose place does not follow from them.
    """
    found = elements.functional_groups(head, frames)
    if found or frames < 2 or not head.get("SliceVector"):
        return found
    slices, slots = _vector(head, "SliceVector", frames), _vector(head, "TimeSlotVector", frames)
    apart = {words: _vector(head, name, frames) for name, words in _APART.items()}
    apart = {words: numbers for words, numbers in apart.items() if len(set(numbers)) > 1}
    spacing = elements.number(head, "SpacingBetweenSlices")
    if spacing in (None, 0) or slices[0] != 1:
        raise ValueError(f"slices from number {slices[0]} on, {spacing} mm apart, whose place is not known")
    detectors = _vector(head, "DetectorVector", frames)
    made: list[elements.FunctionalGroups] = []
    for k in range(frames):
        group = _placed(head, detectors[k] if detectors else 1, (slices[k] - 1) * float(spacing or 0))
        content = Dataset()
        content.StackID = ", ".join(f"{words} {numbers[k]}" for words, numbers in apart.items())[:64]
        if len(set(slots)) > 1:
            content.TemporalPositionIndex = slots[k]
            step = _frame_ms(head)
            if step is not None:
                timing = Dataset()
                timing.TemporalPositionTimeOffset = (slots[k] - 1) * step / 1000
                group.TemporalPositionSequence = [timing]
        group.FrameContentSequence = [content]
        made.append((group,))
    return made


def frame_times(head: Any, frames: int) -> tuple[float, ...] | None:
    """Return when each frame of a dynamic study began, in seconds after the first; None of other studies.

    A study that shows several views at once has no such times either.
    """
    phases = _vector(head, "PhaseVector", frames)
    several = any(len(set(_vector(head, name, frames))) > 1 for name in _APART)
    if not phases or several or list(phases) != sorted(phases):
        return None
    items = list(head.get("PhaseInformationSequence") or ())
    now, found = 0.0, []
    for number in dict.fromkeys(phases):
        if not 1 <= number <= len(items):
            return None
        item = items[number - 1]
        each = elements.number(item, "ActualFrameDuration")
        if each is None or each <= 0:
            return None
        now += elements.number(item, "PhaseDelay") or 0.0
        for _ in range(phases.count(number)):
            found.append(now / 1000)
            now += each + (elements.number(item, "PauseBetweenFrames") or 0.0)
    return tuple(t - found[0] for t in found)


def _vector(head: Any, name: str, frames: int) -> list[int]:
    """Return a number for each frame; empty where there is no such vector."""
    value = head.get(name)
    if value in (None, ""):
        return []
    numbers = [int(v) for v in value] if isinstance(value, Sequence) else [int(value)]
    if len(numbers) != frames:
        raise ValueError(f"{name} of {len(numbers)} values for {frames} frames")
    return numbers


def _placed(head: Any, detector: int, along: float) -> Any:
    """Position, orientation and pixel measures of a slice, `along` mm from the first."""
    items = list(head.get("DetectorInformationSequence") or ())
    item: Any = items[detector - 1] if 1 <= detector <= len(items) else items[0] if len(items) == 1 else {}
    first = elements.plane(item if item.get("ImageOrientationPatient") else head, None)
    if first.position is None or first.orientation is None:
        raise ValueError("reconstructed slices without a position or an orientation")
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    where, how, measures, group = Dataset(), Dataset(), Dataset(), Dataset()
    where.ImagePositionPatient = [f"{v:.9g}" for v in np.array(first.position) + along * normal]
    how.ImageOrientationPatient = [f"{v:.9g}" for v in first.orientation]
    spacing = head.get("PixelSpacing")
    if spacing:
        measures.PixelSpacing = list(spacing)
    group.PlanePositionSequence, group.PlaneOrientationSequence = [where], [how]
    group.PixelMeasuresSequence = [measures]
    return group


def _frame_ms(head: Any) -> float | None:
    """Return how long one of a gated study's time slots is, where one R-R interval says it."""
    gated = list(head.get("GatedInformationSequence") or ())
    data = list(gated[0].get("DataInformationSequence") or ()) if len(gated) == 1 else []
    found = elements.number(data[0], "FrameTime") if len(data) == 1 else None
    return found if found is not None and found > 0 else None
