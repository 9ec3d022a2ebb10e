"""A small DICOM series written on the spot, for tests of layouts and checks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian


def _write_series(
    folder: Path, *, patient: str, series: str, slices: int, suffix: str = ".dcm", seed: int = 0
) -> list[Path]:
    """`slices` CT slices of 8 × 8, 2 mm apart; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for k in range(slices):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = f"{series}.{k + 1}"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = folder / f"IM{k + 1:03d}{suffix}"
        data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID = CTImageStorage
        data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        data.StudyInstanceUID = "1.2.3"
        data.SeriesInstanceUID = series
        data.FrameOfReferenceUID = "1.2.3.9"
        data.PatientID = patient
        data.Modality = "CT"
        data.SeriesDescription = f"series {series[-1]}"
        data.InstanceNumber = k + 1
        data.ImagePositionPatient = [0, 0, 2 * k]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing = [1, 1]
        data.SliceThickness = 2
        data.Rows = data.Columns = 8
        data.SamplesPerPixel = 1
        data.PhotometricInterpretation = "MONOCHROME2"
        data.BitsAllocated = data.BitsStored = 16
        data.HighBit = 15
        data.PixelRepresentation = 1
        data.RescaleSlope = 1
        data.RescaleIntercept = 0
        data.PixelData = rng.integers(-500, 500, (8, 8)).astype(np.int16).tobytes()
        data.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


@pytest.fixture
def write_series() -> Callable[..., list[Path]]:
    """The function that writes one CT series into a folder."""
    return _write_series
