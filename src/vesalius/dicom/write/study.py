"""The study that DICOM results are written into: the source's headers, what is copied of them, and UIDs derived.

Of the source's patient and study modules (PS3.3 C.7.1, C.7.2) what is valid is copied; what the standard requires
(type 2) and the source lacks is empty. UIDs come from the bundle's hash, the source's series and objects, and the kind
of result: the same bundle makes of the same images the same objects again, and of a series that has grown, others.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import pydicom
from pydicom.config import RAISE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import PersonName, validate_value

from vesalius.core import archive, file_io, grids
from vesalius.core.answers import Answer
from vesalius.core.encoding import as_text
from vesalius.core.errors import FormatError, GeometryError, OutputError
from vesalius.core.image import Array, Image
from vesalius.core.version import VERSION
from vesalius.dicom import parser as raw
from vesalius.dicom.damage import DAMAGE
from vesalius.dicom.series import views
from vesalius.dicom.write.titles import MAKER as MAKER
from vesalius.dicom.write.titles import REMARKS as REMARKS
from vesalius.dicom.write.titles import RESEARCH as RESEARCH
from vesalius.dicom.write.titles import number_of, series_text

_NAMESPACE = uuid.UUID("6f0d5a0e-2f6b-5d0c-9a51-8c1d5f3f6a11")  # of the UIDs that are derived here
_SAME_PLACE_MM = 0.01

PATIENT = {  # keyword → whether it must be there, if only empty
    "PatientName": True,
    "PatientID": True,
    "IssuerOfPatientID": False,
    "PatientBirthDate": True,
    "PatientSex": True,
    "EthnicGroup": False,
    "PatientComments": False,
    "PatientIdentityRemoved": False,
    "DeidentificationMethod": False,
}
STUDY = {
    "StudyInstanceUID": True,
    "StudyDate": True,
    "StudyTime": True,
    "ReferringPhysicianName": True,
    "StudyID": True,
    "AccessionNumber": True,
    "StudyDescription": False,
    "PatientAge": False,
    "PatientSize": False,
    "PatientWeight": False,
}
_IMAGE = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality",
    "InstanceNumber", "ImageType", "FrameOfReferenceUID", "PositionReferenceIndicator", "Rows", "Columns",
    "NumberOfFrames", "EchoTime", "TemporalPositionIdentifier", "DiffusionBValue",
    "ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "SliceThickness",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "DimensionOrganizationSequence",
    "DimensionIndexSequence", "LossyImageCompression", "LossyImageCompressionRatio",
    "LossyImageCompressionMethod", "Laterality", "PatientOrientation", *views.NAMES,
)  # fmt: skip
_READ = ["SpecificCharacterSet", "SeriesDescription", *PATIENT, "DeidentificationMethodCodeSequence", *STUDY]
_NAMED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_SAME = ("EchoTime", "TemporalPositionIdentifier", "DiffusionBValue", "ImageType", "Rows", "Columns")


@dataclass(frozen=True, eq=False)
class ResultStudy:
    """What a result is written into.

    `heads` are the source's headers, cleaned, in the order of the planes, one for a multi-frame object. `key` names
    the bundle, or the answer itself where no bundle made it; and the stack or the frame that was read of a file that
    holds several. `frame` is then the number (from 1) of the frame. `by` is what the bundle is called, `part` which
    of its series' stacks or frames this is, in words.
    """

    heads: tuple[Dataset, ...]
    key: str
    bundle: str
    frame: int | None = None
    by: str = MAKER
    part: str = ""

    @property
    def first(self) -> Dataset:
        """The first plane's header, for what all share."""
        return self.heads[0]

    @property
    def version(self) -> str:
        """Vesalius's version and the beginning of the bundle's hash, which is the algorithm's version."""
        return f"{VERSION} bundle {self.bundle[:16]}" if self.bundle else VERSION

    def title(self, what: str) -> str:
        """Return the description of a result's series."""
        return series_text(what, self.first, by=self.by, part=self.part)

    def number(self, kind: int) -> int:
        """Return the number of a result's series: 1, the source's own (4 digits), 4 of bundle and images, the kind.

        So results lie behind what scanners number, in the order of their sources, each under a number of its own.
        """
        own = abs(number_of(self.first) or 0) % 10_000
        return 10**9 + own * 10**5 + int(self.uid("number").rpartition(".")[2]) % 10_000 * 10 + kind

    def made(self, kind: str, number: int) -> dict[str, Any]:
        """Return what highdicom is told of every object: its UIDs, its series' number, and what made it."""
        return {
            "series_instance_uid": self.uid(kind, "series"),
            "series_number": self.number(number),
            "sop_instance_uid": self.uid(kind, "instance"),
            "instance_number": 1,
            "manufacturer": MAKER,
            "manufacturer_model_name": MAKER,
            "software_versions": self.version,
            "device_serial_number": self.key[:16],
        }

    def uid(self, *what: str) -> UID:
        """Return the UID of what is named, below 2.25 (PS3.5 B.2), the same for the same bundle and source objects."""
        source = (str(self.first.SeriesInstanceUID), *sorted({str(h.SOPInstanceUID) for h in self.heads}))
        return _derived("\n".join((self.key, *source, *what)))

    def source_of(self, z: int, planes: Array | None) -> tuple[Dataset, int | None]:
        """Return the source object that holds plane `z`, and its frame's number (from 1) where it holds several.

        `planes` are the positions `(Z, 3)`; a frame is found by its own.
        """
        if len(self.heads) > 1:
            return self.heads[min(z, len(self.heads) - 1)], None
        if self.frame is not None:
            return self.first, self.frame
        frames = self.first.get("PerFrameFunctionalGroupsSequence") or []
        if len(frames) < 2 or planes is None:
            return self.first, None
        said = [
            f.PlanePositionSequence[0].ImagePositionPatient for f in frames if "PlanePositionSequence" in f
        ]
        if len(said) != len(frames):
            return self.first, None
        far = np.linalg.norm(np.array(said, np.float64) - planes[z], axis=1)
        return self.first, int(far.argmin()) + 1

    def planes(self, image: Image) -> Array | None:
        """Return each plane's position in LPS mm `(Z, 3)`: the source's own where they are the image's, else the
        image's.
        """
        if image.affine is None:
            return None
        index = np.array([[0, 0, z, 1] for z in range(image.shape[0])], np.float64)
        placed: Array = (index @ image.affine.T)[:, :3]
        said = [h.get("ImagePositionPatient") for h in self.heads]
        if len(said) != len(placed) or not all(said):
            return placed
        own = np.array(said, np.float64)
        step = np.linalg.norm(image.affine[:3, 2])
        return own if np.abs(own - placed).max() <= max(_SAME_PLACE_MM, 0.05 * step) else placed


def study_of(answer: Answer, source: Image | None) -> ResultStudy:
    """Return the study of the image that the answer was made from.

    Raises OutputError where it is not known, or another's.
    """
    where = source.source if source is not None else answer.source
    own = answer.source.series_uid
    if where.series_uid is None or not where.sop_uids:
        raise OutputError(
            "DICOM results are written into the study of their source, and this answer's is no DICOM or is not known",
            hint="answer the DICOM files of the image; in Python, vs.write(answer, path, source=their folder)",
        )
    if own is not None and own != where.series_uid:
        raise OutputError(
            "the answer was made from another series than its source", found=f"{where.series_uid}, not {own}"
        )
    if not where.files:
        raise OutputError(
            "the source's DICOM headers are needed, and only its UIDs are here",
            hint="vs.write(answer, path, source=the folder of its DICOM series)",
        )
    heads = {str(head.SOPInstanceUID): head for head in map(_head, where.files)}
    lost = [uid for uid in where.sop_uids if uid not in heads]
    if lost:
        raise OutputError("the source's files have changed since they were read", found=f"no {lost[0]}")
    planes = tuple(heads[uid] for uid in where.sop_uids)
    index = where.index if where.index is not None else answer.source.index
    frames = int(planes[0].get("NumberOfFrames") or 1)
    with making("result"):
        planes = tuple(views.seen(head, index) for head in planes)
    _give_frame_of_reference(planes)
    planes[0].update(_owner(where.files[0]))
    key = answer.bundle or hashlib.sha256(as_text(replace(answer, case_id="")).encode()).hexdigest()
    part = (where.member or answer.source.member, index if frames > 1 else None)
    if part != (None, None):  # others of the same file have results of their own
        key = hashlib.sha256(f"{key} {part}".encode()).hexdigest()
    if answer.source.revision:  # the images hold something else than they did under these UIDs
        key = hashlib.sha256(f"{key} {answer.source.revision}".encode()).hexdigest()
    frame = None if part[1] is None else part[1] + 1
    named = where.part or answer.source.part or part[0] or ("" if frame is None else f"frame {frame}")
    return ResultStudy(planes, key, answer.bundle, frame, answer.by or MAKER, named)


def _give_frame_of_reference(planes: tuple[Dataset, ...]) -> None:
    """Results have one where planes have places; where a source lacks it, one for all results of its series."""
    first = planes[0]
    groups = first.get("PerFrameFunctionalGroupsSequence") or ()
    placed = first.get("ImagePositionPatient") or any("PlanePositionSequence" in group for group in groups)
    if not placed or first.get("FrameOfReferenceUID"):
        return
    made = _derived(f"frame of reference {first.SeriesInstanceUID}")
    for head in planes:
        head.FrameOfReferenceUID = made


def _derived(text: str) -> UID:
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, text).int}")


def fill(data: Dataset, study: ResultStudy, *, kind: str, what: str, number: int) -> None:
    """Patient, study, series, equipment and identity of an object (PS3.3 C.7.1 to C.7.5, C.12.1)."""
    now = _now()
    copy_patient(data, study)
    data.SpecificCharacterSet = "ISO_IR 192"
    data.SOPInstanceUID = study.uid(kind, "instance")
    data.SeriesInstanceUID = study.uid(kind, "series")
    data.SeriesNumber, data.InstanceNumber = study.number(number), 1
    data.SeriesDescription = study.title(what)
    data.Manufacturer = data.ManufacturerModelName = MAKER
    data.SoftwareVersions = study.version
    data.InstanceCreationDate, data.InstanceCreationTime = now


def copy_patient(data: Dataset, study: ResultStudy) -> None:
    """Put the source's patient and study into an object."""
    for name in (*PATIENT, "DeidentificationMethodCodeSequence", *STUDY):
        if name in study.first:
            data[name] = study.first[name]


def remark(data: Dataset, answer: Answer) -> None:
    """Say in an image's comments (PS3.3 C.7.6.1) in what its source differs from what the model learned from."""
    if answer.outside:
        data.ImageComments = remarks_of(answer)


def remarks_of(answer: Answer) -> str:
    """Return in one text in what an answer's source differs from what the model learned from."""
    return shorten(f"{REMARKS}: {'; '.join(answer.outside or ())}", 900, placeholder=" …")


def orient(data: Dataset, study: ResultStudy) -> None:
    """Which way an image without a place lies: as its source says, or unknown (PS3.3 C.7.6.1.1.1)."""
    said = study.first.get("PatientOrientation")
    data.PatientOrientation = said if said and len(said) == 2 else ""


def side(study: ResultStudy) -> str:
    """Return the source's laterality, empty where it does not say one (PS3.3 C.7.3.1)."""
    said = str(study.first.get("Laterality") or "")
    return said if said in ("L", "R") else ""


def referenced(head: Dataset, frame: int | None = None) -> Dataset:
    """Return a reference to a source object, or to one frame of it (PS3.3 tables 10-11 and 10-3)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = head.SOPClassUID, head.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    return item


def coded(term: tuple[str, str, str]) -> Dataset:
    """Return a term as a code sequence's item (PS3.3 8.8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = term
    return item


def save(data: Dataset, path: Path, syntax: UID = ExplicitVRLittleEndian) -> None:
    """Write a Part 10 file, whole or not at all. Raises OutputError."""
    if not getattr(data, "file_meta", None):
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    with file_io.atomic(path) as file, warnings.catch_warnings(action="ignore"):
        pydicom.dcmwrite(file, data, enforce_file_format=True)


@contextlib.contextmanager
def making(what: str) -> Iterator[None]:
    """Turn what the libraries find wrong with a source or an answer into one OutputError; their warnings are quiet."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        found = shorten(str(error), 200, placeholder=" …") or type(error).__name__
        raise OutputError(f"no {what} can be made of this answer and its source", found=found) from error


def check_grid(image: Image, study: ResultStudy, source: Image | None) -> None:
    """Raise GeometryError unless the image lies on the source's grid."""
    planes = int(study.first.get("NumberOfFrames") or 1) if len(study.heads) == 1 else len(study.heads)
    wanted = (planes, int(study.first.Rows), int(study.first.Columns))
    if image.affine is None and image.shape != wanted:
        raise GeometryError(
            "the answer and its source have different shapes", found=f"{image.shape}, not {wanted}"
        )
    if source is not None and source.affine is not None and image.affine is not None:
        far = np.abs(source.affine - image.affine).max()
        if far > _SAME_PLACE_MM:
            words = grids.difference(image, source, tolerance_mm=_SAME_PLACE_MM)
            raise GeometryError(
                "the answer does not lie on its source's grid", found=words or f"{far:g} mm apart"
            )


def _read(path: Path, names: Iterable[str]) -> Dataset:
    """Return some elements of a source object. Raises OutputError."""
    try:
        raw.parse(path)  # which knows what is DICOM, with and without preamble
        with warnings.catch_warnings(action="ignore"), archive.open_file(path) as file:
            return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(names), force=True)
    except FormatError as error:
        raise OutputError(f"{error.what}: the source's header cannot be read", found=error.found) from error
    except DAMAGE as error:
        found = shorten(str(error), 120, placeholder=" …") or type(error).__name__
        raise OutputError(f"{path}: the source's header cannot be read", found=found) from error


def _head(path: Path) -> Dataset:
    """Return what a source object says of itself as an image. Raises OutputError."""
    read, head = _read(path, _IMAGE), Dataset()
    for name in _IMAGE:
        if read.get(name) not in (None, ""):
            head[name] = read[name]
    missing = [name for name in _NAMED if not head.get(name)]
    if missing:
        raise OutputError(f"{path}: a source without identity", found=f"no {missing[0]}")
    return head


def _owner(path: Path) -> Dataset:
    """Return the patient and the study of a source object, with what is not valid taken out. Raises OutputError."""
    read, head = _read(path, _READ), Dataset()
    with warnings.catch_warnings(action="ignore"):
        read.decode()
        for name, needed in {**PATIENT, **STUDY, "SeriesDescription": False}.items():
            value = _text(read, name)
            if value or needed:
                setattr(head, name, PersonName(value) if name.endswith("Name") else value)
    if head.PatientSex not in ("", "F", "M", "O"):
        head.PatientSex = ""
    codes = read.get("DeidentificationMethodCodeSequence")
    if codes:
        head.DeidentificationMethodCodeSequence = codes
    elif head.get("PatientIdentityRemoved") == "YES" and "DeidentificationMethod" not in head:
        del head.PatientIdentityRemoved  # which must say how
    return head


def _text(read: Dataset, name: str) -> str:
    """Return an element's value as text, empty where it is missing or not valid."""
    value: Any = read.get(name)
    if value is None or (not isinstance(value, str | PersonName) and isinstance(value, Iterable)):
        return ""
    text = str(value).strip()
    vr = read[name].VR
    try:
        validate_value(vr, text, RAISE)
    except ValueError:
        return ""
    return text


def _now() -> tuple[str, str]:
    from datetime import datetime

    now = datetime.now()
    return now.strftime("%Y%m%d"), now.strftime("%H%M%S")
