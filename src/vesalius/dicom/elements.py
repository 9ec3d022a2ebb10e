"""Values of single DICOM data elements, of a frame or a whole object: geometry, rescale, display."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast

from vesalius.dicom.series.geometry import Plane

FunctionalGroups = tuple[Any, ...]  # a frame's own functional groups, then the shared ones


def functional_groups(head: Any, frames: int) -> list[FunctionalGroups]:
    """For each frame its own and the shared functional groups; empty where there are none.

    Raises ValueError where frames have groups of their own, and more or fewer than there are frames.
    """
    own = list(head.get("PerFrameFunctionalGroupsSequence") or ())
    shared = tuple(head.get("SharedFunctionalGroupsSequence") or ())
    if own and len(own) != frames:
        raise ValueError(f"the functional groups of {len(own)} frames for {frames}")
    return [(item, *shared) for item in own] if own else [shared] * frames if shared else []


def sole_group(head: Any) -> FunctionalGroups | None:
    """Return the functional groups of an enhanced object of one frame; None where there are none, or more frames."""
    if int(head.get("NumberOfFrames") or 1) > 1:
        return None
    return next(iter(functional_groups(head, 1)), None)


def macro(group: FunctionalGroups | None, sequence: str) -> Any:
    """Return the first item of a functional group's sequence, or an empty mapping."""
    for item in group or ():
        if item.get(sequence):
            return item[sequence].value[0]
    return {}


def plane(head: Any, group: FunctionalGroups | None) -> Plane:
    """Return the geometry of a plane: a frame's functional groups before the object's own elements."""
    where, how = macro(group, "PlanePositionSequence"), macro(group, "PlaneOrientationSequence")
    measures = macro(group, "PixelMeasuresSequence")
    position = _floats(where, "ImagePositionPatient", 3) or _floats(head, "ImagePositionPatient", 3)
    orientation = _floats(how, "ImageOrientationPatient", 6) or _floats(head, "ImageOrientationPatient", 6)
    thickness = _floats(measures, "SliceThickness", 1) or _floats(head, "SliceThickness", 1)
    spacing, at = _spacing(measures if "PixelSpacing" in measures else head)
    deep = thickness[0] if thickness and thickness[0] > 0 else None
    return Plane(position, orientation, spacing, at, deep)


def _spacing(head: Any) -> tuple[tuple[float, float] | None, Literal["patient", "detector"]]:
    """(x, y) spacing, and whether it is at the patient or at the detector (PS3.3 10.7.1.3)."""
    said, imager = _floats(head, "PixelSpacing", 2), _floats(head, "ImagerPixelSpacing", 2)
    at: Literal["patient", "detector"] = "patient"
    if imager and (said is None or (said == imager and "PixelSpacingCalibrationType" not in head)):
        said, at = imager, "detector"
    if said is None or min(said) <= 0:
        return None, "patient"
    return (said[1], said[0]), at


def rescale(head: Any, group: FunctionalGroups | None) -> tuple[float, float]:
    """Return the slope and intercept, 1 and 0 where none are said (PS3.3 C.11.1)."""
    place = macro(group, "PixelValueTransformationSequence") or head
    slope, inter = _floats(place, "RescaleSlope", 1), _floats(place, "RescaleIntercept", 1)
    if slope and slope[0] == 0:
        raise ValueError("a rescale slope of 0")
    return (slope[0] if slope else 1.0), (inter[0] if inter else 0.0)


def is_rescaled(head: Any, group: FunctionalGroups | None) -> bool:
    """Return whether the modality's values differ from the stored ones, by a slope and intercept or a table."""
    return "ModalityLUTSequence" in head or rescale(head, group) != (1.0, 0.0)


def rescale_type(head: Any, group: FunctionalGroups | None) -> str | None:
    """Return the unit that rescaled values are said to have: HU, US (which is unspecified), …; None where it is not
    said.
    """
    return text(macro(group, "PixelValueTransformationSequence") or head, "RescaleType")


def frame_times(head: Any, frames: int) -> tuple[float, ...] | None:
    """Return the seconds from the first frame of a cine to each, or None where the object has none (PS3.3 C.7.6.5)."""
    vector = head.get("FrameTimeVector")
    if vector not in (None, "") and frames > 1:
        steps = [float(v) for v in vector]
        if len(steps) == frames and all(math.isfinite(v) and v >= 0 for v in steps):
            return tuple(float(t) / 1000 for t in itertools.accumulate([0.0, *steps[1:]]))
    step = number(head, "FrameTime")
    if step is None or step <= 0:
        rate = number(head, "CineRate") or number(head, "RecommendedDisplayFrameRate")
        step = 1000 / rate if rate is not None and rate > 0 else None
    return None if step is None else tuple(k * step / 1000 for k in range(frames))


def display(head: Any) -> dict[str, Any]:
    """Return the display settings of a viewer: photometric interpretation and the first window."""
    shown: dict[str, Any] = {"photometric": photometric(head)}
    if (function := text(head, "VOILUTFunction")) is not None:
        shown["voi_function"] = function
    if "VOILUTSequence" in head:
        shown["voi_lut"] = True  # it is there; presentation is the viewer's
    centre, width = head.get("WindowCenter"), head.get("WindowWidth")
    if centre is not None and width is not None:
        pair = [v[0] if isinstance(v, Sequence) and not isinstance(v, str) else v for v in (centre, width)]
        if all(v not in (None, "") for v in pair):
            shown["window"] = (float(pair[0]), float(pair[1]))
    return shown


def photometric(head: Any) -> str:
    """Return the photometric interpretation; MONOCHROME2 where it is missing."""
    return text(head, "PhotometricInterpretation") or "MONOCHROME2"


def _floats(head: Any, name: str, count: int) -> tuple[float, ...] | None:
    value = head.get(name)
    if value is None or value in ("", []):
        return None
    values = list(value) if count > 1 else [value]
    if len(values) != count:
        raise ValueError(f"{name} of {len(values)} values, not {count}")
    numbers = tuple(float(v) for v in values)
    if not all(math.isfinite(v) for v in numbers):
        raise ValueError(f"{name} that is not finite: {numbers}")
    return numbers


def text(head: Any, name: str) -> str | None:
    """Return an element as text, None where it is missing or empty."""
    value = head.get(name)
    return str(value) if value not in (None, "") else None


def words(head: Any, name: str) -> tuple[str, ...]:
    """Return an element of several values as texts; empty where it is missing."""
    value = head.get(name)
    if value in (None, ""):
        return ()
    return (value,) if isinstance(value, str) else tuple(str(v) for v in value)


def number(head: Any, name: str) -> float | None:
    """Return an element as one finite number, None where it is missing or empty."""
    found = _floats(head, name, 1)
    return found[0] if found else None


def integer(head: Any, name: str) -> int | None:
    """Return an element as a whole number, None where it is missing or empty."""
    value = head.get(name)
    return int(cast(Any, value)) if value not in (None, "") else None


def grid_offsets(head: Any, frames: int) -> tuple[float, ...] | None:
    """Return where the frames of a dose grid lie along its normal, in mm from the first (PS3.3 C.8.8.3.2)."""
    value = head.get("GridFrameOffsetVector")
    if value in (None, ""):
        return None
    offsets = [float(v) for v in (value if isinstance(value, Iterable) else [value])]
    if len(offsets) != frames:
        raise ValueError(f"{len(offsets)} frame offsets for {frames} frames")
    return tuple(o - offsets[0] for o in offsets)
