"""What answers measure, as measurement groups of TID 1500: one a label, a box or a number, each to be tracked.

A probability is (122157, DCM, "Probability") without unit; a decision is whether a label's probability reaches the
operating point, or is the largest where labels exclude each other. Of grades the called one comes first, as a coded
evaluation with its probability, and with the ends of its range where one is promised. A mask's groups refer to the
segments that the same mask has as a SEG, where that was written. A box that is called is a closed polyline on each
plane that it reaches, its probability, and its longest side in the plane as (81827009, SCT, "Diameter") where a
pixel's size at the patient is known; other candidates are not written. A number of things is (410681005, SCT, "Count
of entities") of its label. A survival curve is told in `sr_curve.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage

from vesalius.core.answers import Answer
from vesalius.core.answers.boxes import Boxes
from vesalius.core.answers.curve import Curve
from vesalius.core.answers.instances import Instances
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Box, Ref
from vesalius.core.cohort import Label
from vesalius.core.errors import GeometryError
from vesalius.core.image import Image
from vesalius.dicom.values import terms
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.sr_curve import curve_groups
from vesalius.dicom.write.sr_parts import ABSENT, PRESENT, begun_with, measurement, source_images, unit_of

_PROBABILITY = Code("122157", "DCM", "Probability")
_VOLUME = Code("118565006", "SCT", "Volume")
_AREA = Code("42798000", "SCT", "Area")
_DIAMETER = Code("81827009", "SCT", "Diameter")
_COUNT = Code("410681005", "SCT", "Count of entities")
_DECISION = Code("DECISION", terms.PRIVATE, "Decision at the operating point")


@dataclass
class Found:
    """Measurement groups, and the objects besides the source that they refer to."""

    drawn: bool
    groups: list[Any] = field(default_factory=list)
    evidence: list[Dataset] = field(default_factory=list)


def groups(answer: Answer, study: studies.ResultStudy, source: Image | None, *, drawn: bool) -> Found:
    """Return the groups of an answer and, led by their names, of its parts; `drawn` where its SEG is there to refer to.

    Raises OutputError, GeometryError.
    """
    found = Found(drawn=drawn)
    _add(found, answer, study, source, "")
    return found


def _add(
    found: Found,
    answer: Answer,
    study: studies.ResultStudy,
    source: Image | None,
    lead: str,
    *,
    by_quantity: bool = False,
) -> None:
    if isinstance(answer, Scores):
        found.groups += _scores(answer, study, lead)
    elif isinstance(answer, Value):
        found.groups += _value(answer, study, lead, by_quantity=by_quantity)
    elif isinstance(answer, Mask):
        found.groups += _mask(found, answer, study, source, lead)
    elif isinstance(answer, Instances):
        found.groups += _instances(found, answer, study, source, lead)
    elif isinstance(answer, Curve):
        found.groups += curve_groups(answer, study, lead)
    elif isinstance(answer, Boxes):
        found.groups += _boxes(answer, study, source, lead)
    for name, part in answer.parts.items():
        _add(found, part, study, source, f"{lead}{name}: ", by_quantity=isinstance(answer, Numbers))


def _scores(answer: Scores, study: studies.ResultStudy, lead: str) -> list[Any]:
    made: list[Any] = _grade(answer, study, lead) if answer.decision else []
    called = answer.called if answer.decision else int(np.argmax(answer.p)) if len(answer.labels) else 0
    best = answer.labels[called].name if len(answer.labels) else ""
    for label, p in zip(answer.labels, answer.p, strict=True):
        if answer.kind == "multilabel" or label.name in answer.thresholds:
            limit = answer.thresholds.get(label.name)
            decided = None if limit is None else bool(p >= limit)
        else:
            decided = label.name == best
        said = (
            [] if decided is None else [sr.QualitativeEvaluation(_DECISION, PRESENT if decided else ABSENT)]
        )
        made.append(
            sr.MeasurementsAndQualitativeEvaluations(
                **begun_with(lead + label.name, label, study),
                measurements=[measurement(_PROBABILITY, float(p), unit_of(None))],
                qualitative_evaluations=said or None,
                source_images=source_images(study),
            )
        )
    return made


def _grade(answer: Scores, study: studies.ResultStudy, lead: str) -> list[Any]:
    """Return the group that says which grade is called, how likely it is, and between which grades a range lies."""
    said = {"Grade": answer.labels[answer.called]}
    held = answer.promise.labels if answer.promise is not None else None
    if answer.promise is not None and held:
        named = {x.name: x for x in answer.labels}
        said |= {
            f"Lowest grade, {answer.promise.share}": named[held[0]],
            f"Highest grade, {answer.promise.share}": named[held[-1]],
        }
    coded = {Code(*terms.private(name)): Code(*terms.degree(label)) for name, label in said.items()}
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            **begun_with(f"{lead}grade", None, study),
            measurements=[measurement(_PROBABILITY, float(answer.p[answer.called]), unit_of(None))],
            qualitative_evaluations=[sr.QualitativeEvaluation(*pair) for pair in coded.items()],
            source_images=source_images(study),
        )
    ]


def _value(answer: Value, study: studies.ResultStudy, lead: str, *, by_quantity: bool = False) -> list[Any]:
    """Return the number as a group that is tracked by its name; `by_quantity` names the measurement by what it is.

    A number of things is a finding of their label, and a count of entities.
    """
    name = lead.removesuffix(": ") or answer.quantity or "predicted value"
    said = answer.quantity if by_quantity and answer.quantity else name
    things = _things(answer)
    what = Code(*terms.private(said)) if things is None else _COUNT
    return [
        sr.MeasurementsAndQualitativeEvaluations(
            **begun_with(name, None if things is None else Label(0, things), study),
            measurements=[
                measurement(what, answer.x, unit_of(answer.unit)),
                *_bounds(answer, said),
            ],
            source_images=source_images(study),
        )
    ]


def _things(answer: Value) -> str | None:
    """Return of what a number is the count: `cell` of `cell count`, which has the unit 1 and is never below 0."""
    if answer.unit != "1" or answer.least != 0 or not (answer.quantity or "").endswith(" count"):
        return None
    return str(answer.quantity).removesuffix(" count")


def _bounds(answer: Value, name: str) -> list[Any]:
    """Return the bounds of a promised interval as measurements of their own; none where there is no such bound."""
    if answer.promise is None or answer.promise.interval is None:
        return []
    named = zip(("lower", "upper"), answer.promise.interval, strict=True)
    return [
        measurement(
            Code(*terms.private(f"{side} bound of {name}, {answer.promise.share}")),
            bound,
            unit_of(answer.unit),
        )
        for side, bound in named
        if bound is not None
    ]


def _instances(
    found: Found, answer: Instances, study: studies.ResultStudy, source: Image | None, lead: str
) -> list[Any]:
    """Return a group for each called instance, with its size and its probability, that refers to its segment.

    Where there are too many for a segment each, a group a label has the size of all of its things together.
    """
    from vesalius.dicom.write.seg import as_mask, has_segments

    mask = as_mask(answer)
    if not has_segments(answer):
        return _mask(found, mask, study, source, lead)
    sorts = {label.name: label for label in answer.labels}
    kinds = [sorts.get(answer.things[k].label) for k in answer.called]
    chances = [answer.things[k].p for k in answer.called]
    return _mask(found, mask, study, source, lead, sorts=kinds, p=chances)


def _mask(
    found: Found,
    mask: Mask,
    study: studies.ResultStudy,
    source: Image | None,
    lead: str,
    *,
    sorts: Sequence[Label | None] | None = None,
    p: Sequence[float] = (),
) -> list[Any]:
    """Volumes in ml; of a single plane areas in mm², or pixels where it has no spacing.

    `sorts` say of what sort each label is where it is a thing of its own, `p` how likely it is one.
    """
    image = mask.image
    if image.spacing_mm is None and source is not None:
        image = replace(image, spacing_mm=source.spacing_mm, spacing_at=source.spacing_at)
    drawn = (
        _segmentation(study) if found.drawn and not lead and mask.labels else None
    )  # of a part there is no segmentation
    if drawn is not None:
        found.evidence.append(drawn)
    made: list[Any] = []
    for k, label in enumerate(mask.labels, start=1):
        bits = mask.image.array[k - 1] != 0 if mask.overlapping else mask.image.array[0] == label.value
        measured = [_size(int(bits.sum()), image)]
        measured += [measurement(_PROBABILITY, float(p[k - 1]), unit_of(None))] if p else []
        begun = begun_with(lead + label.name, label if sorts is None else sorts[k - 1], study)
        if drawn is None:
            made.append(sr.MeasurementsAndQualitativeEvaluations(
                **begun, measurements=measured, source_images=source_images(study)))  # fmt: skip
        elif image.is_2d:
            head = study.first
            one = sr.ReferencedSegmentationFrame(
                drawn.SOPClassUID, drawn.SOPInstanceUID, frame_number=k, segment_number=k,
                source_image=sr.SourceImageForSegmentation(
                    head.SOPClassUID, head.SOPInstanceUID, None if study.frame is None else [study.frame]
                ),
            )  # fmt: skip
            del (
                one[0].ReferencedSOPSequence[0].ReferencedSegmentNumber
            )  # which a frame has by itself (table 10-3)
            made.append(sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                **begun, referenced_segment=one, measurements=measured))  # fmt: skip
        else:
            series = sr.SourceSeriesForSegmentation(study.first.SeriesInstanceUID)
            whole = sr.ReferencedSegment(
                drawn.SOPClassUID, drawn.SOPInstanceUID, segment_number=k, source_series=series
            )
            made.append(sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                **begun, referenced_segment=whole, measurements=measured))  # fmt: skip
    return made


def _size(count: int, image: Image) -> Any:
    if image.spacing_mm is None:
        return measurement(_AREA if image.is_2d else _VOLUME, count, unit_of("pixels"))
    x, y, z = image.spacing_mm
    if image.is_2d:
        return measurement(_AREA, count * x * y, unit_of("mm2"))
    return measurement(_VOLUME, count * x * y * z / 1000, unit_of("ml"))


def _segmentation(study: studies.ResultStudy) -> Dataset:
    """Return what identifies the segmentation that the same mask is written as."""
    from vesalius.dicom.write.seg import KIND

    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = SegmentationStorage, study.uid(KIND, "instance")
    data.SeriesInstanceUID, data.StudyInstanceUID = study.uid(KIND, "series"), study.first.StudyInstanceUID
    return data


def _boxes(answer: Boxes, study: studies.ResultStudy, source: Image | None, lead: str) -> list[Any]:
    """Return a group for each box that is called, the surest first, with its number in the answer."""
    named = {label.name: label for label in answer.labels}
    if (
        source is None and "PerFrameFunctionalGroupsSequence" in study.first
    ):  # which frame a plane is, its place says
        from vesalius.dicom.read.image import read

        source = read(Ref(answer.source.files, answer.source.member, answer.source.index))
    planes = study.planes(source) if source is not None else None
    pixel = _pixel_mm(study, source)
    made: list[Any] = []
    for k in answer.called:
        box = answer.boxes[k]
        regions = _regions(box, study, planes)
        begun = begun_with(f"{lead}{box.label} {k + 1}", named.get(box.label) or Label(0, box.label), study)
        measured = [measurement(_PROBABILITY, float(answer.p[k]), unit_of(None))]
        if pixel is not None:
            longest = max((box.high[2 - n] - box.low[2 - n]) * size for n, size in enumerate(pixel))
            measured.append(measurement(_DIAMETER, longest, unit_of("mm")))
        if len(regions) == 1:
            made.append(sr.PlanarROIMeasurementsAndQualitativeEvaluations(
                **begun, referenced_region=regions[0], measurements=measured))  # fmt: skip
        else:
            made.append(sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
                **begun, referenced_regions=regions, measurements=measured))  # fmt: skip
    return made


def _pixel_mm(study: studies.ResultStudy, source: Image | None) -> tuple[float, float] | None:
    """Return the size of a pixel at the patient `(x, y)`; None where that is not known, or only at the detector."""
    if source is not None:
        known = source.spacing_mm is not None and source.spacing_at != "detector"
        return source.spacing_mm[:2] if known and source.spacing_mm else None
    head = study.first
    if "ImageOrientationPatient" not in head or "PixelSpacing" not in head:
        return None
    down, across = (float(v) for v in head.PixelSpacing)
    return across, down


def _regions(box: Box, study: studies.ResultStudy, planes: Any) -> Sequence[Any]:
    """Return the box on each plane; (column, row) from the corner of the first pixel, as PS3.3 C.18.6.1.2 counts."""
    rows, columns = int(study.first.Rows), int(study.first.Columns)
    depth = len(study.heads) if len(study.heads) > 1 else int(study.first.get("NumberOfFrames") or 1)
    low, high = box.low, box.high
    first, last = max(0, math.floor(low[0])), min(depth, max(math.ceil(high[0]), math.floor(low[0]) + 1))
    top, bottom = np.clip((low[1], high[1]), 0, rows)
    left, right = np.clip((low[2], high[2]), 0, columns)
    if last <= first or bottom <= top or right <= left:
        raise GeometryError("a box that is empty or outside of its image", found=f"{low} to {high}")
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)], np.float64)
    made: list[Any] = []
    for z in range(first, last):
        head, frame = study.source_of(z, planes)
        image = sr.SourceImageForRegion(head.SOPClassUID, head.SOPInstanceUID, [frame] if frame else None)
        made.append(sr.ImageRegion("POLYLINE", corners, image))
    return made
