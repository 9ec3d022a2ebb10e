"""An ultrasound cine whose frames are told apart by where they are bright."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

FRAMES, ROWS, COLUMNS, STEP = 8, 40, 64, 6


def block(k: int) -> slice:
    """The columns that are bright in a frame."""
    return slice(4 + STEP * k, 12 + STEP * k)


def cine(
    *, colour: bool = False, frame_ms: float = 250.0, steps_ms: list[float] | None = None
) -> tuple[bytes, np.ndarray[Any, Any]]:
    """An ultrasound cine of a bright block that moves to the right, and its pixels `(T, Y, X, C)`.

    `steps_ms` are the times from each frame to the next where they are not even, the first of them 0.
    """
    pixels = np.random.default_rng(4).integers(0, 20, (FRAMES, ROWS, COLUMNS, 3 if colour else 1), np.uint8)
    for k in range(FRAMES):
        pixels[k, 10:30, block(k)] += 200
        pixels[k, 10:30, block(k), 1:] //= 4
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.Modality, made.PatientID, made.PatientName = "US", "P1", "A^B"
    made.Rows, made.Columns, made.NumberOfFrames = ROWS, COLUMNS, FRAMES
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 7, 0, pixels.shape[-1]
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    made.FrameTime, made.FrameIncrementPointer = frame_ms, 0x00181063
    if steps_ms is not None:
        del made.FrameTime
        made.FrameTimeVector, made.FrameIncrementPointer = steps_ms, 0x00181065
    made.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue(), pixels
