"""DICOM bytes of a study: one CT series of single-frame files, the same on every run.

CT Image IOD, PS3.3 A.3; geometry as in PS3.3 C.7.6.2.1.1. Explicit VR Little Endian, not compressed.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterator

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from vesalius.phantom.abdomen.patient import AbdomenPatient
from vesalius.phantom.common.uids import decimal, uid

INTERCEPT = -1024
_FIRST = datetime.date(2020, 1, 1)


def dicom_files(study: AbdomenPatient) -> Iterator[tuple[str, bytes]]:
    """Yield file name and bytes of each axial slice, from the feet to the head."""
    common = _common(study)
    for k in range(study.image.shape[0]):
        yield f"IM{k + 1:04d}.dcm", _slice(study, common, k)


def _key(study: AbdomenPatient) -> tuple[object, ...]:
    """Return what tells a study from every other; a twin without a finding, or a later visit, is another one."""
    key: tuple[object, ...] = (study.seed, study.index, study.image.shape)
    key = (*key, study.without) if study.without else key
    return (*key, "day", study.days) if study.days else key


def _common(study: AbdomenPatient) -> dict[str, object]:
    """Return the elements that all slices of a study share, by DICOM keyword."""
    key = _key(study)
    day = (_FIRST + datetime.timedelta(days=study.days)).strftime("%Y%m%d")
    x, y, z = study.acquisition.spacing_mm
    cosines = study.affine[:3, :2] / np.array([x, y])
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SOPClassUID": CTImageStorage,
        "StudyDate": day,
        "SeriesDate": day,
        "StudyTime": "120000",
        "AccessionNumber": "",
        "Modality": "CT",
        "Manufacturer": "Vesalius phantom",
        "ReferringPhysicianName": "",
        "StudyDescription": "Abdomen, portal venous (synthetic)",
        "SeriesDescription": "Axial",
        "PatientName": f"Phantom^{study.patient}",
        "PatientID": study.patient,
        "PatientBirthDate": "",
        "PatientSex": study.person.sex,
        "PatientAge": f"{int(study.person.age_years):03d}Y",
        "BodyPartExamined": "ABDOMEN",
        "KVP": "120",
        "SliceThickness": decimal(z),
        "PatientPosition": "HFS",
        "StudyInstanceUID": uid(*key, "study"),
        "SeriesInstanceUID": uid(*key, "series"),
        "FrameOfReferenceUID": uid(*key, "frame"),
        "StudyID": "1",
        "SeriesNumber": "1",
        "AcquisitionNumber": "1",
        "PositionReferenceIndicator": "",
        "ImageOrientationPatient": [decimal(v) for v in cosines.T.ravel()],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": study.image.shape[1],
        "Columns": study.image.shape[2],
        "PixelSpacing": [decimal(y), decimal(x)],
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "WindowCenter": "60",
        "WindowWidth": "400",
        "RescaleIntercept": str(INTERCEPT),
        "RescaleSlope": "1",
        "RescaleType": "HU",
    }


def _slice(study: AbdomenPatient, common: dict[str, object], k: int) -> bytes:
    instance = uid(*_key(study), "slice", k)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "VESALIUS_PHANTOM"
    data = Dataset()
    for keyword, value in common.items():
        setattr(data, keyword, value)
    data.SOPInstanceUID = instance
    data.InstanceNumber = str(k + 1)
    data.ImagePositionPatient = [decimal(v) for v in (study.affine @ np.array([0, 0, k, 1.0]))[:3]]
    stored = (study.image[k].astype(np.int32) - INTERCEPT).astype("<u2")
    data.add_new("PixelData", "OW", stored.tobytes())
    buffer = io.BytesIO()
    file = FileDataset(buffer, data, file_meta=meta, preamble=b"\0" * 128)
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
