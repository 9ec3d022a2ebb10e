"""Writing a Mask as a structure set: a closed planar contour a region, plane and label (PS3.3 A.19, C.8.8.5, C.8.8.6).

Contours lie in the planes of the source's slices, in LPS mm, whatever their direction; the outline runs half way
between pixel centres. A hole is cut out by a keyhole, which every reader fills alike; labels that overlap stay whole.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage

from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.cohort import Label
from vesalius.core.errors import GeometryError, OutputError
from vesalius.core.image import Array, Image
from vesalius.core.palette import colour_of, rgb
from vesalius.dicom.values import terms
from vesalius.dicom.write import study as studies
from vesalius.dicom.write.rt_contours import outlines

KIND, NUMBER = "RTSTRUCT", 2


def write(thing: Image | Answer, path: Path, *, source: Image | None = None) -> None:
    """Write a structure set into the source's study. Raises OutputError; GeometryError for a mask without place."""
    if not isinstance(thing, Mask):
        raise OutputError("a structure set holds a mask", found=type(thing).__name__)
    study = studies.study_of(thing, source)
    studies.check_grid(thing.image, study, source)
    planes = study.planes(thing.image)
    if planes is None or "FrameOfReferenceUID" not in study.first:
        raise GeometryError("contours are in patient coordinates, and this image has none", hint=".seg.dcm")
    # contours may be longer than the 65,534 bytes that an explicit VR allows a DS
    studies.save(structure_set(thing, study, planes), path, ImplicitVRLittleEndian)


def structure_set(mask: Mask, study: studies.ResultStudy, planes: Array) -> Dataset:
    """Return the data set, without file meta information. `planes` are the slices' positions `(Z, 3)` in LPS mm."""
    data = Dataset()
    data.SOPClassUID, data.Modality = RTStructureSetStorage, KIND
    studies.fill(data, study, kind=KIND, what="structure set", number=NUMBER)
    data.OperatorsName = ""
    data.FrameOfReferenceUID = study.first.FrameOfReferenceUID
    data.PositionReferenceIndicator = study.first.get("PositionReferenceIndicator") or ""
    data.StructureSetLabel = studies.MAKER
    data.StructureSetDescription = f"Automatic, for {studies.RESEARCH}"
    if mask.outside:
        data.StructureSetDescription += f". {studies.remarks_of(mask)}"
    data.StructureSetDate, data.StructureSetTime = data.InstanceCreationDate, data.InstanceCreationTime
    data.ApprovalStatus = "UNAPPROVED"
    data.ReferencedFrameOfReferenceSequence = [_frame_of_reference(study)]
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    data.RTROIObservationsSequence = []
    for number, label in enumerate(mask.labels, start=1):
        bits = mask.image.array[number - 1] != 0 if mask.overlapping else mask.image.array[0] == label.value
        data.StructureSetROISequence.append(_roi(number, label, study))
        data.ROIContourSequence.append(_contours(number, label, bits, mask.image, planes=planes, study=study))
        data.RTROIObservationsSequence.append(_observation(number, label))
    return data


def _frame_of_reference(study: studies.ResultStudy) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = study.first.SeriesInstanceUID
    series.ContourImageSequence = [studies.referenced(head) for head in study.heads]
    inside = Dataset()
    inside.ReferencedSOPClassUID = (
        "1.2.840.10008.3.1.2.3.1"  # a study, by a retired class, as everybody writes it
    )
    inside.ReferencedSOPInstanceUID = study.first.StudyInstanceUID
    inside.RTReferencedSeriesSequence = [series]
    frame = Dataset()
    frame.FrameOfReferenceUID = study.first.FrameOfReferenceUID
    frame.RTReferencedStudySequence = [inside]
    return frame


def _roi(number: int, label: Label, study: studies.ResultStudy) -> Dataset:
    item = Dataset()
    item.ROINumber, item.ROIName = number, label.name[:64] or f"label {label.value}"
    item.ReferencedFrameOfReferenceUID = study.first.FrameOfReferenceUID
    item.ROIDescription = f"value {label.value} of the label map, by {studies.MAKER} {study.version}"
    item.ROIGenerationAlgorithm = "AUTOMATIC"
    return item


def _observation(number: int, label: Label) -> Dataset:
    said = terms.terms_of(label)
    item = Dataset()
    item.ObservationNumber = item.ReferencedROINumber = number
    item.RTROIInterpretedType = "ORGAN" if said.category == terms.STRUCTURE else ""
    item.ROIInterpreter = ""
    code = studies.coded(said.type)
    if said.side:
        code.SegmentedPropertyTypeModifierCodeSequence = [studies.coded(said.side)]
    item.RTROIIdentificationCodeSequence = [code]
    return item


def _contours(
    number: int, label: Label, bits: Array, image: Image, *, planes: Array, study: studies.ResultStudy
) -> Dataset:
    item = Dataset()
    item.ReferencedROINumber = number
    item.ROIDisplayColor = list(rgb(colour_of(label, number - 1)))
    found = []
    if image.affine is None:
        raise GeometryError("contours need an affine")
    along = image.affine[:3, :2].T  # (x, y) of an index → LPS mm
    for z in np.flatnonzero(bits.any(axis=(1, 2))):
        for ring in outlines(bits[z]):
            image_of = studies.referenced(*study.source_of(int(z), planes))
            found.append(_contour(ring @ along + planes[z], image_of))
            found[-1].ContourNumber = len(found)
    if found:
        item.ContourSequence = found
    return item


def _contour(points: Array, image: Dataset) -> Dataset:
    item = Dataset()
    item.ContourImageSequence = [image]
    item.ContourGeometricType = "CLOSED_PLANAR" if len(points) > 1 else "POINT"
    item.NumberOfContourPoints = len(points)
    item.ContourData = [f"{v:.4f}" for v in points.ravel()]
    return item
