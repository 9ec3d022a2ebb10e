"""Bytes of a cine as NIfTI with four axes, as DICOM of many frames and as an npz archive, the same on every run."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Sequence
from typing import Any

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

from vesalius.core.errors import OutputError
from vesalius.core.image import Array
from vesalius.phantom.common.uids import decimal, uid

MILLIMETRES = 10.0  # in the centimetres that DICOM's regions of ultrasound count in


def nifti_gz(frames: Array, spacing_mm: tuple[float, float], step_s: float) -> bytes:
    """Return gzipped NIfTI-1 of frames `(T, Y, X)` that lie `step_s` apart; `spacing_mm` is `(x, y)`.

    Both forms have code 0, since no cine says where it lies in the body; the gzip header has no time in it.
    """
    image: Any = nib.Nifti1Image(np.ascontiguousarray(frames.transpose(2, 1, 0)[:, :, None]), None)  # type: ignore[no-untyped-call]
    head = image.header
    head.set_zooms((*spacing_mm, 1.0, step_s))
    head.set_xyzt_units("mm", "sec")
    head["qform_code"], head["sform_code"] = 0, 0
    return gzip.compress(bytes(image.to_bytes()), compresslevel=1, mtime=0)


def npz(frames: Array, spacing_mm: tuple[float, float], times_s: Sequence[float]) -> bytes:
    """Return an archive of frames `(T, Y, X)` with their times, as Vesalius itself writes one."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        array=frames[:, None, None],
        axes=np.array("TCZYX"),
        spacing_mm=np.array((*spacing_mm, 1.0)),
        spacing_at=np.array("patient"),
        times_s=np.asarray(times_s, np.float64),
    )
    return buffer.getvalue()


def dicom(
    frames: Array,
    spacing_mm: tuple[float, float],
    times_s: Sequence[float],
    *,
    patient: str,
    case: str,
    words: str,
) -> bytes:
    """Return an Ultrasound Multi-frame Image (PS3.3 A.7) of grey frames `(T, Y, X)` uint8.

    Even times are its FrameTime, uneven ones its FrameTimeVector (PS3.3 C.7.6.5). `spacing_mm` is `(x, y)`, and its
    region says it, too (PS3.3 C.8.5.5). UIDs follow from the pixels. `words` describe the series.

    Raises OutputError for frames that are not uint8, or times that do not fit them.
    """
    many, rows, columns = frames.shape
    if frames.dtype != np.uint8 or len(times_s) != many:
        found = f"{frames.dtype} and {len(times_s)} times for {many} frames"
        raise OutputError("a phantom's DICOM cine holds uint8 frames and a time each", found=found)
    key = case, hashlib.sha256(np.ascontiguousarray(frames).tobytes()).hexdigest()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = uid(*key, "instance")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "VESALIUS_PHANTOM"
    data = Dataset()
    for keyword, value in _said(key, patient, words).items():
        setattr(data, keyword, value)
    data.Rows, data.Columns, data.NumberOfFrames = rows, columns, many
    data.PixelSpacing = [decimal(spacing_mm[1]), decimal(spacing_mm[0])]
    data.SequenceOfUltrasoundRegions = [_region(rows, columns, spacing_mm)]
    steps = np.round(1000 * np.diff(times_s), 4)
    if np.ptp(steps) < 1e-3:
        data.FrameTime, data.FrameIncrementPointer = decimal(float(steps[0])), 0x00181063
    else:
        data.FrameTimeVector = ["0", *(decimal(float(step)) for step in steps)]
        data.FrameIncrementPointer = 0x00181065
    pixels = frames.tobytes()
    data.add_new("PixelData", "OB", pixels + b"\0" * (len(pixels) % 2))
    buffer = io.BytesIO()
    file = FileDataset(buffer, data, file_meta=meta, preamble=b"\0" * 128)
    file.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _said(key: tuple[str, str], patient: str, words: str) -> dict[str, object]:
    """Return what a cine says of itself beside its pixels, by DICOM keyword."""
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "SOPClassUID": UltrasoundMultiFrameImageStorage,
        "SOPInstanceUID": uid(*key, "instance"),
        "StudyDate": "20200101",
        "StudyTime": "120000",
        "AccessionNumber": "",
        "Modality": "US",
        "Manufacturer": "Vesalius phantom",
        "ReferringPhysicianName": "",
        "SeriesDescription": words,
        "PatientName": f"Phantom^{patient}",
        "PatientID": patient,
        "PatientBirthDate": "",
        "PatientSex": "",
        "StudyInstanceUID": uid(*key, "study"),
        "SeriesInstanceUID": uid(*key, "series"),
        "StudyID": "1",
        "SeriesNumber": "1",
        "InstanceNumber": "1",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "LossyImageCompression": "00",
    }


def _region(rows: int, columns: int, spacing_mm: tuple[float, float]) -> Dataset:
    """Return the one region of a picture, which is tissue (1) in two dimensions (1), in centimetres (3)."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = 0, 0
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = columns - 1, rows - 1
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = (s / MILLIMETRES for s in spacing_mm)
    return region
