"""Writing a mesh as an encapsulated STL or OBJ (PS3.3 A.85.1 and A.85.2), in the study and the frame of its source.

The document is of the Modality M3D; its unit is the millimetre, its coordinates are those of the source's frame of
reference, LPS. The images that it was made from are its source instances.
"""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import UID

from vesalius.core.answers import Answer
from vesalius.core.errors import OutputError
from vesalius.core.image import Image
from vesalius.dicom.write import study as studies

KIND, NUMBER = "M3D", 8
STL, OBJ = UID("1.2.840.10008.5.1.4.1.1.104.3"), UID("1.2.840.10008.5.1.4.1.1.104.4")
TYPES = {STL: "model/stl", OBJ: "model/obj"}
_MILLIMETRE = ("mm", "UCUM", "millimeter")
_PLANNING = ("129013", "DCM", "Planning Intent")  # of CID 7064
_TITLES = {  # of CID 7061, by the source's modality
    "CT": ("85040-4", "LN", "CT 3D CAM model"),
    "MR": ("85041-2", "LN", "MR 3D CAM model"),
    "US": ("129018", "DCM", "US 3D CAM model"),
}
_MOST = (1 << 32) - 2  # bytes of an element's value


def document(thing: Answer, data: bytes, kind: UID, source: Image | None) -> Dataset:
    """Return the data set around the bytes of an STL or an OBJ. Raises OutputError."""
    if len(data) > _MOST:
        raise OutputError(
            "a mesh too large for a DICOM element", found=f"{len(data):,} bytes", hint="--faces"
        )
    study = studies.study_of(thing, source)
    frame = study.first.get("FrameOfReferenceUID")
    if not frame:
        raise OutputError(
            "a mesh lies in a frame of reference, and its source has none", hint="STL, OBJ, PLY, GLB or 3MF"
        )
    made = Dataset()
    made.SOPClassUID, made.Modality = kind, KIND
    studies.fill(made, study, kind=f"{KIND} {TYPES[kind]}", what="mesh", number=NUMBER)
    made.DeviceSerialNumber = study.key[:16]
    made.FrameOfReferenceUID = frame
    made.PositionReferenceIndicator = str(study.first.get("PositionReferenceIndicator") or "")
    made.ContentDate, made.ContentTime = made.InstanceCreationDate, made.InstanceCreationTime
    made.AcquisitionDateTime = ""
    made.BurnedInAnnotation, made.RecognizableVisualFeatures = "NO", "YES"
    made.SourceInstanceSequence = [studies.referenced(head) for head in study.heads]
    made.ReferencedSeriesSequence = [_series(study)]
    made.DocumentTitle = f"{studies.MAKER} mesh ({studies.RESEARCH})"
    title = _TITLES.get(str(study.first.get("Modality") or ""))
    made.ConceptNameCodeSequence = [] if title is None else [studies.coded(title)]
    made.MIMETypeOfEncapsulatedDocument = TYPES[kind]
    made.EncapsulatedDocumentLength = len(data)
    made.EncapsulatedDocument = data + b"\0" * (len(data) % 2)
    made.MeasurementUnitsCodeSequence = [studies.coded(_MILLIMETRE)]
    made.ModelModification = made.ModelMirroring = "NO"
    made.ModelUsageCodeSequence = [studies.coded(_PLANNING)]
    made.ContentDescription = _described(thing)
    return made


def _series(study: studies.ResultStudy) -> Dataset:
    """Return the source's series with its instances (PS3.3 C.12.2)."""
    item = Dataset()
    item.SeriesInstanceUID = study.first.SeriesInstanceUID
    item.ReferencedInstanceSequence = [studies.referenced(head) for head in study.heads]
    return item


def _described(thing: Any) -> str:
    names = ", ".join(label.name for label in getattr(thing, "labels", ()))
    return (names if len(names.encode()) <= 64 and "\\" not in names else "") or "surface"
