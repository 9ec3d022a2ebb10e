"""Small data sets with planted identifiers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"


def ct(*, patient: str = "MRN-774411", number: int = 1, sop_class: str = CT) -> Dataset:
    """One CT slice with the least that its IOD asks for."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = sop_class
    data.SOPClassUID = sop_class
    data.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.1.{number}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID = (
        "1.2.826.0.1.3680043.8.498.2",
        "1.2.826.0.1.3680043.8.498.3",
    )
    data.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.4"
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = (
        "Doe^Jane",
        patient,
        "19500102",
        "F",
    )
    data.StudyDate, data.StudyTime, data.AccessionNumber, data.StudyID = (
        "20240305",
        "101112",
        "ACC998877",
        "S1",
    )
    data.ReferringPhysicianName, data.Modality, data.SeriesNumber, data.InstanceNumber = (
        "Who^Doctor",
        "CT",
        1,
        number,
    )
    data.Manufacturer, data.PositionReferenceIndicator, data.AcquisitionNumber, data.KVP = (
        "ACME",
        "",
        1,
        "120",
    )
    data.ImageType, data.PatientPosition = ["ORIGINAL", "PRIMARY", "AXIAL"], "HFS"
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness, data.RescaleIntercept, data.RescaleSlope = [1, 1], 1, -1024, 1
    data.SamplesPerPixel, data.PhotometricInterpretation, data.Rows, data.Columns = 1, "MONOCHROME2", 8, 8
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.arange(64, dtype="<u2").tobytes()
    return data


def save(data: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return path
