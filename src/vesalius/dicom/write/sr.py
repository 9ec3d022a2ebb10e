"""Writing answers as structured reports: measurements after TID 1500, texts after TID 2000 (PS3.16 annex A).

A mask's report refers to its segmentation where that was written before, beside it. What an answer's parts say stands
in the same report, led by the part's name. Reports are neither complete, nor final, nor verified: nobody has read them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import highdicom as hd
from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import MultiFrameTrueColorSecondaryCaptureImageStorage

from vesalius.core.answers import Answer
from vesalius.core.answers.text import Text
from vesalius.core.errors import FormatError, OutputError
from vesalius.core.image import Image
from vesalius.dicom import parser as raw
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.looked import looked
from vesalius.dicom.write.sc import KIND as SC
from vesalius.dicom.write.sr_edit import date_and_time, edited_identity, person
from vesalius.dicom.write.sr_measurements import groups
from vesalius.dicom.write.sr_sentences import Seen
from vesalius.dicom.write.sr_text import content, remarks, remarks_item

KIND, NUMBER = "SR", 3

REPORTED = {
    "CT": Code("77477000", "SCT", "Computed tomography"),
    "MR": Code("113091000", "SCT", "Magnetic resonance imaging"),
    "PT": Code("82918005", "SCT", "Positron emission tomography"),
    "US": Code("16310003", "SCT", "Ultrasonography"),
}
IMAGING = Code("363679005", "SCT", "Imaging procedure")


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a report into the source's study. Raises OutputError, GeometryError."""
    if isinstance(thing, Image):
        raise OutputError("a report holds answers, not images", found="an Image")
    study = studies.study_of(thing, source)
    with studies.making("report"):
        if isinstance(thing, Text):
            made = _text(thing, study, path)
        else:
            made = _measured(thing, study, source, drawn=_has_segmentation(path, study))
    made.SoftwareVersions, made.ManufacturerModelName = study.version, studies.MAKER
    studies.copy_patient(made, study)
    studies.save(made, path)


def _text(answer: Text, study: studies.ResultStudy, path: Path) -> Any:
    shown = looked(answer)
    capture = _capture(study) if shown and _is_beside(path, ".sc.dcm", study, SC) else None
    edit = answer.edit
    seen = Seen(study, shown, capture)
    observers = [observer(study)] if edit is None else [person(edit), observer(study)]
    made = sr.EnhancedSR(
        evidence=[*study.heads, *([] if capture is None else [capture])],
        content=content(answer, observers, seen),
        **(identity(study, "report") | ({} if edit is None else edited_identity(study, edit))),
    )
    if edit is not None:
        made.ContentDate, made.ContentTime = date_and_time(edit)
    return made


def _has_segmentation(path: Path, study: studies.ResultStudy) -> bool:
    from vesalius.dicom.write.seg import KIND as SEG

    return _is_beside(path, ".seg.dcm", study, SEG)


def _is_beside(path: Path, suffix: str, study: studies.ResultStudy, kind: str) -> bool:
    """Return whether another object of the same answer lies beside the report, under its name: `x.seg.dcm` beside
    `x.sr.dcm`.
    """
    beside = path.with_name(f"{path.name[: -len('.sr.dcm')]}{suffix}")
    if not path.name.lower().endswith(".sr.dcm") or not beside.is_file():
        return False
    try:
        return str(raw.parse(beside).head.get("SOPInstanceUID")) == str(study.uid(kind, "instance"))
    except FormatError:
        return False


def _capture(study: studies.ResultStudy) -> Dataset:
    """Return what identifies the capture of where the model looked."""
    data = Dataset()
    data.SOPClassUID = MultiFrameTrueColorSecondaryCaptureImageStorage
    data.SOPInstanceUID = study.uid(SC, "instance")
    data.SeriesInstanceUID, data.StudyInstanceUID = study.uid(SC, "series"), study.first.StudyInstanceUID
    return data


def _measured(answer: Answer, study: studies.ResultStudy, source: Image | None, *, drawn: bool) -> Any:
    found = groups(answer, study, source, drawn=drawn)
    if not found.groups:
        raise OutputError(
            "nothing in this answer that a report can hold", found=type(answer).__name__, hint=".json"
        )
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer(study)),
        procedure_reported=REPORTED.get(str(study.first.get("Modality")), IMAGING),
        imaging_measurements=found.groups,
    )
    said = remarks(answer)
    if said:
        report[0].ContentSequence.append(remarks_item(said))
    return sr.ComprehensiveSR(
        evidence=[*study.heads, *found.evidence], content=report[0], **identity(study, "measurements")
    )


def identity(study: studies.ResultStudy, what: str, *beside: str) -> dict[str, Any]:
    """Return what a report is known by; `beside` tells it from the other reports of the same images."""
    from vesalius.dicom.write.seg import schemes

    return {
        "series_instance_uid": study.uid(KIND, "series", *beside),
        "series_number": study.number(NUMBER),
        "sop_instance_uid": study.uid(KIND, "instance", *beside),
        "instance_number": 1,
        "manufacturer": studies.MAKER,
        "series_description": study.title(what),
        "specific_character_set": "ISO_IR 192",
        "coding_schemes": schemes(),
    }


def observer(study: studies.ResultStudy) -> Any:
    """Return who observed it: this software, with the bundle as its version."""
    said = sr.DeviceObserverIdentifyingAttributes(
        uid=study.uid("device"),
        name=studies.MAKER,
        manufacturer_name=studies.MAKER,
        model_name=study.version,
        serial_number=study.key[:16],
    )
    return sr.ObserverContext(observer_type=hd.sr.CodedConcept("121007", "DCM", "Device"),
                              observer_identifying_attributes=said)  # fmt: skip
