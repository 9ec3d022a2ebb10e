"""What every measurement group of a report is made of: its beginning, its source images, its numbers, their units."""

from __future__ import annotations

import math
from typing import Any

from highdicom import sr
from pydicom.sr.coding import Code

from vesalius.core.cohort import Label
from vesalius.core.errors import OutputError
from vesalius.dicom.values import terms, ucum
from vesalius.dicom.write import study as studies

PRESENT, ABSENT = Code("52101004", "SCT", "Present"), Code("272519000", "SCT", "Absent")


def begun_with(name: str, label: Label | None, study: studies.ResultStudy) -> dict[str, Any]:
    """Return what every group begins with: its tracking identifier, the algorithm, and what was found and where."""
    from vesalius.dicom.write.seg import code

    begun: dict[str, Any] = {
        "tracking_identifier": sr.TrackingIdentifier(study.uid("track", name), name[:64] or "result"),
        "algorithm_id": sr.AlgorithmIdentification(name=studies.MAKER, version=study.version),
    }
    if label is not None:
        said = terms.terms_of(label)
        begun["finding_type"], begun["finding_category"] = code(said.type), code(said.category)
        site = said.organ or (said.type if said.side else None)
        if site:
            side = code(said.side) if said.side else None
            begun["finding_sites"] = [sr.FindingSite(code(site), laterality=side)]
    return begun


def source_images(study: studies.ResultStudy) -> list[Any]:
    """Return the source's objects: all of them, for all were looked at."""
    frames = None if study.frame is None else [study.frame]
    return [sr.SourceImageForMeasurementGroup(h.SOPClassUID, h.SOPInstanceUID, frames) for h in study.heads]


def measurement(name: Code, value: float, unit: Code) -> Any:
    """Return one number as a report holds it. Raises OutputError for one that is not finite."""
    if not math.isfinite(value):
        raise OutputError("a number that a report cannot hold", found=f"{name.meaning} {value}")
    return sr.Measurement(name=name, value=float(f"{value:.9g}"), unit=unit)


def unit_of(unit: str | None) -> Code:
    """Return a unit of measure in UCUM; of the private scheme where it is not known."""
    return Code(*ucum.term_of(unit))
