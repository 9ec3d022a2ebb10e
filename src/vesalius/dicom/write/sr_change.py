"""Writing what changed between two visits as a structured report after TID 1500, in the later visit's study.

Each thing that was measured is three groups with one tracking identifier: its size at the earlier visit with that
visit's images, its size at the later one with that one's, and the change between them, with the bounds within which it
lies and what can be told of it. Each group says its time point (TID 1502). What could not be told is no finding of
growth: that evaluation stands beside every change.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from vesalius.core.answers import Answer
from vesalius.core.cohort import Label
from vesalius.core.errors import OutputError
from vesalius.core.growth import Growth
from vesalius.core.moved import Moved
from vesalius.dicom.values import terms
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.sr import IMAGING, REPORTED, identity, observer
from vesalius.dicom.write.sr_parts import begun_with, measurement, source_images, unit_of

_QUANTITIES = {
    "volume": Code("118565006", "SCT", "Volume"),
    "area": Code("42798000", "SCT", "Area"),
    "number": Code("410681005", "SCT", "Count of entities"),
    "probability": Code("122157", "DCM", "Probability"),
}
_UNITS = {"mm²": "mm2", None: None}


def write(
    answers: Sequence[Answer],
    growths: Sequence[Growth],
    days: float | None,
    path: Path,
    *,
    moved: Sequence[Moved] = (),
) -> None:
    """Write the report of both answers' change into the later one's study. Raises OutputError, GeometryError.

    How far a surface in `moved` went stands in the group of its label's change.
    """
    earlier, later = (studies.study_of(answer, None) for answer in answers)
    if earlier.first.PatientID != later.first.PatientID:
        raise OutputError("a report of change is of one patient", hint="two visits of one PatientID")
    if not growths:
        raise OutputError("nothing was measured that a report of change could hold", hint="change.json")
    by_name = {one.name: one for one in moved}
    found = [
        group
        for growth in growths
        for group in _groups(growth, earlier, later, answers[1], days=days, moved=by_name.get(growth.name))
    ]
    with studies.making("report of change"):
        report = sr.MeasurementReport(
            observation_context=sr.ObservationContext(observer_device_context=observer(later)),
            procedure_reported=REPORTED.get(str(later.first.get("Modality")), IMAGING),
            imaging_measurements=found,
        )
        beside = ("change", str(earlier.first.SeriesInstanceUID))
        made = sr.ComprehensiveSR(
            evidence=[*later.heads, *earlier.heads], content=report[0], **identity(later, "change", *beside)
        )
    made.SoftwareVersions, made.ManufacturerModelName = later.version, studies.MAKER
    studies.copy_patient(made, later)
    studies.save(made, path)


def _groups(
    growth: Growth,
    earlier: studies.ResultStudy,
    later: studies.ResultStudy,
    answer: Answer,
    *,
    days: float | None,
    moved: Moved | None,
) -> list[Any]:
    name = _QUANTITIES.get(growth.quantity) or Code(*terms.private(growth.quantity))
    unit = unit_of(_UNITS.get(growth.unit, growth.unit))
    label = _label(growth, answer)
    made = []
    for when, order, study, size in (
        ("earlier visit", 1, earlier, growth.earlier),
        ("later visit", 2, later, growth.later),
    ):
        made.append(
            sr.MeasurementsAndQualitativeEvaluations(
                **begun_with(growth.name, label, later),
                time_point_context=sr.TimePointContext(when, time_point_order=order),
                measurements=[measurement(name, size, unit)],
                source_images=source_images(study),
            )
        )
    said = [
        sr.QualitativeEvaluation(
            Code(*terms.private("Change between visits")), Code(*terms.private(growth.verdict))
        )
    ]
    made.append(
        sr.MeasurementsAndQualitativeEvaluations(
            **begun_with(growth.name, label, later),
            time_point_context=sr.TimePointContext("change between both visits", time_point_order=2),
            measurements=[*_changes(growth, unit, days), *_surface(moved)],
            qualitative_evaluations=said,
            source_images=source_images(later),
        )
    )
    return made


def _changes(growth: Growth, unit: Code, days: float | None) -> list[Any]:
    """Return the change, the bounds within which it lies, its percent, its rate, and the days between."""

    def said(text: str, value: float, of: Code) -> Any:
        return measurement(Code(*terms.private(text)), value, of)

    found = [said(f"change of {growth.quantity}", growth.change, unit)]
    reach = growth.reach
    if reach is not None:
        ends = (("lower", reach.low), ("upper", reach.high))
        share = f"{100 * reach.share:g} %"
        found += [said(f"{side} bound of the change, {share}", x, unit) for side, x in ends if x is not None]
    if growth.percent is not None:
        found.append(said("change in percent", growth.percent, unit_of("%")))
    if days:
        found.append(said("days between both visits", days, unit_of("days")))
        year = growth.rates(days)["year"]
        found.append(said(f"change of {growth.quantity} a year", year, unit))
    return found


def _surface(moved: Moved | None) -> list[Any]:
    """Return how far the surface moved outward and inward, and the doubt of it, in mm."""
    if moved is None:
        return []
    told = [("mean, outward positive", moved.mean_mm)]
    for way, held in (("outward", moved.outward), ("inward", moved.inward)):
        told += [
            (f"{way}, mean", held.mean_mm),
            (f"{way}, 95th percentile", held.p95_mm),
            (f"{way}, most", held.most_mm),
        ]
    told += [] if moved.doubt_mm is None else [("doubt by the registration and the voxels", moved.doubt_mm)]
    return [
        measurement(Code(*terms.private(f"surface moved: {text}")), value, unit_of("mm"))
        for text, value in told
    ]


def _label(growth: Growth, answer: Answer) -> Label | None:
    labels: Sequence[Label] = getattr(answer, "labels", ())
    return next((label for label in labels if label.name == growth.name), None)
