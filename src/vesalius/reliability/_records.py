"""What one pass keeps of each case: numbers, two fingerprints and a thumbnail, never the pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from vesalius.cohorts import Decoded
from vesalius.cohorts.targets import contract as kinds
from vesalius.core.case import Case, Split
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Array, Image, Triple
from vesalius.prepare.seen import modality_of
from vesalius.reliability._thumbs import Frame, Small, fingerprint, thumbnail
from vesalius.reliability.reports import REPORT, report_record, text_hash
from vesalius.reliability.sources import NOTHING, Brought, course_record

PICTURE, COURSE = "picture", "time course"
SAMPLES = 2000  # pixels kept of a channel, evenly spread, for quantiles over the cohort


@dataclass(frozen=True, eq=False, slots=True)
class Channel:
    """One channel of one image: exact moments and extremes, and a sample for quantiles."""

    name: str
    count: int
    mean: float
    variance: float
    low: float
    high: float
    sample: Array  # (≤ SAMPLES,) float32


@dataclass(frozen=True, eq=False)
class CaseRecord:
    """One case as the reliability room sees it. `shape` is `(Z, Y, X)`, `spacing_mm` `(x, y, z)`."""

    case: str
    patient: str | None
    split: Split | None
    labels: Mapping[str, str]
    shape: tuple[int, int, int] = (0, 0, 0)
    channels: tuple[Channel, ...] = ()
    dtype: str = ""
    frames: int = 1
    spacing_mm: Triple | None = None
    orientation: str | None = None
    modality: str | None = None
    apart_mm: float = (
        0.0  # how far the two forms of a NIfTI put it apart, where that is more than half a voxel
    )
    pixels_sha256: str = ""
    print_: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    thumb: Small | None = None
    grey_in_colour: bool = False
    voxels: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    fault: str | None = None
    fatal: bool = False
    brought: Brought = NOTHING
    what: str = PICTURE  # what its hash is of
    looked: Mapping[str, Any] = field(default_factory=dict)  # what each look measured


def record_of(
    decoded: Decoded, *, keep_thumb: bool = True, infos: Mapping[str, TargetInfo] | None = None
) -> CaseRecord:
    """Measure one decoded case; of a faulty one only what can be said. `infos` are the cohort's targets."""
    case = decoded.case
    fault = decoded.fault.reason if decoded.fault else None
    fatal = decoded.fault.fatal if decoded.fault else False
    reference = decoded.reference
    if reference is None:
        return CaseRecord(
            case.id,
            case.patient,
            case.split,
            decoded.words,
            pixels_sha256=content_hash(decoded),
            fault=fault,
            fatal=fatal,
            brought=_brought(decoded),
            what=what_of(decoded),
        )
    first = next(iter(decoded.masks.values()), None)
    if first is None and keep_thumb:
        first = _shown(case, infos or {})
    frames = _frames(case, infos or {}) if first is None else []
    channels: list[Channel] = []
    for name, image in decoded.images.items():
        channels += _channels(name, image, len(decoded.images) > 1)
    return CaseRecord(
        case=case.id,
        patient=case.patient,
        split=case.split,
        labels=decoded.words,
        shape=reference.shape,
        channels=tuple(channels),
        dtype=reference.array.dtype.name,
        frames=1 if reference.times_s is None else reference.array.shape[0],
        spacing_mm=reference.spacing_mm,
        orientation=orientation(reference),
        modality=modality_of(reference, case.declared),
        apart_mm=_apart([*decoded.images.values(), *decoded.masks.values()]),
        pixels_sha256=content_hash(decoded),
        print_=fingerprint(reference),
        thumb=thumbnail(reference, first, frames) if keep_thumb else None,
        grey_in_colour=_is_grey(reference),
        voxels=decoded.values,
        fault=fault,
        fatal=fatal,
        brought=_brought(decoded),
    )


def _brought(decoded: Decoded) -> Brought:
    """Return what a case brings beside one picture."""
    case, reference = decoded.case, decoded.reference
    frames = [len(i.times_s) for i in decoded.images.values() if i.times_s is not None]
    apart = [
        name
        for name, image in decoded.images.items()
        if reference is not None
        and image.shape != reference.shape
        and (image.affine is None or reference.affine is None)
    ]
    return Brought(
        images=tuple(case.images),
        reference=case.reference,
        apart=tuple(apart),
        courses={name: course_record(course) for name, course in decoded.courses.items()},
        days=days_between(case),
        texts=tuple(case.texts),
        report=None if case.report is None else report_record(case.report),
        frames=max(frames, default=1),
    )


def days_between(case: Case) -> tuple[float, ...]:
    """Return the days from each earlier visit of a case to the next, and from the last to its own."""
    days = [*(v.days_before for v in case.earlier), 0.0]
    return tuple(float(a - b) for a, b in pairwise(days)) if len(days) > 1 else ()


def content_hash(decoded: Decoded) -> str:
    """Return hex SHA-256 over a case's decoded pixels; where it has none over its time courses, or else its report."""
    if decoded.images:
        return pixel_hash(decoded.images)
    if not decoded.courses:
        return text_hash(decoded.case.report or "")
    digest = hashlib.sha256()
    for name, course in sorted(decoded.courses.items()):
        digest.update(f"{name} {course.values.shape}".encode())
        digest.update(np.ascontiguousarray(course.values, np.float64).data)
    return digest.hexdigest()


def what_of(decoded: Decoded) -> str:
    """Return in a word what `content_hash` is of: a picture, a time course or a report."""
    return PICTURE if decoded.images else COURSE if decoded.courses else REPORT


def _frames(case: Case, infos: Mapping[str, TargetInfo]) -> list[Frame]:
    """Return the boxes of the first target that has some, each with the value of its label."""
    for name, info in infos.items():
        if name in case.targets and (boxes := kinds.of(info.kind).frames(case.targets[name])):
            values = {x.name: x.value for x in info.labels}
            return [(values[b.label], b) for b in boxes if b.label in values]
    return []


def _shown(case: Case, infos: Mapping[str, TargetInfo]) -> Image | None:
    """Return the label values of the first target that marks some without being a mask of them, if it can be read."""
    for name, info in infos.items():
        try:
            found = kinds.of(info.kind).shown(case.targets[name], info) if name in case.targets else None
        except VesaliusError:  # the finding about it says what is wrong
            return None
        if found is not None:
            return found
    return None


def _is_grey(image: Image) -> bool:
    """Return whether a picture in colour has three equal channels."""
    array = image.array
    return image.in_colour and all(
        np.array_equal(array[..., 0, :, :, :], array[..., k, :, :, :]) for k in (1, 2)
    )


def _apart(images: Sequence[Image]) -> float:
    """Return the most that two forms of one header lie apart among images, in mm; 0 where they agree to half a
    voxel.
    """
    said = [image.source.forms for image in images]
    return max((f.apart_mm for f in said if f is not None and f.disagree), default=0.0)


def pixel_hash(images: Mapping[str, Image]) -> str:
    """Return hex SHA-256 over decoded pixels, their type and shape: the same for any lossless file of the same
    picture.
    """
    digest = hashlib.sha256()
    for image in images.values():
        digest.update(f"{image.array.shape} {image.array.dtype.name}".encode())
        digest.update(np.ascontiguousarray(image.array).data)
    return digest.hexdigest()


def orientation(image: Image) -> str | None:
    """Return where the index axes x, y, z lead to, to the nearest of left, right, anterior … (`LPS`); '*' if
    oblique.
    """
    if image.affine is None or image.spacing_mm is None:
        return None
    directions = image.affine[:3, :3] / np.array(image.spacing_mm)
    text, oblique, taken = "", False, set()
    for column in directions.T:
        axis = int(np.abs(column).argmax())
        oblique |= abs(column[axis]) < 0.999
        taken.add(axis)
        text += ("RL", "AP", "IS")[axis][int(column[axis] > 0)]
    return text + ("*" if oblique or len(taken) < 3 else "")


def _channels(name: str, image: Image, several: bool) -> list[Channel]:
    array = image.array if image.times_s is None else np.moveaxis(image.array, 1, 0)
    found = []
    for k, values in enumerate(array):
        title = name if several or len(array) == 1 else f"channel {k}"
        if len(array) == 3 and not several and image.is_2d:
            title = ("red", "green", "blue")[k]
        flat = values.reshape(-1)
        step = max(1, flat.size // SAMPLES)
        finite = flat if flat.dtype.kind != "f" else flat[np.isfinite(flat)]
        if not finite.size:
            continue
        found.append(
            Channel(
                name=title,
                count=int(finite.size),
                mean=float(finite.mean(dtype=np.float64)),
                variance=float(finite.var(dtype=np.float64)),
                low=float(finite.min()),
                high=float(finite.max()),
                sample=finite[::step][:SAMPLES].astype(np.float32),
            )
        )
    return found
