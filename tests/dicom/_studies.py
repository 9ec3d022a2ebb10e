"""Small DICOM objects, made element by element, and studies; and a reader of segmentations that knows only bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.image import Image
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient

ROW, COLUMN = (0.8, 0.6, 0.0), (-0.6, 0.8, 0.0)  # of an oblique plane; the normal is +z
TURNED = [*ROW, 0, 0, -1]  # a coronal plane; the normal is row × column
Change = Callable[[Dataset, int], None]  # what is different in plane k of a series
GRID = (8, 20, 26)  # (Z, Y, X) of the small studies
TURNS = {  # rows' and columns' directions, and whether the files' numbers run against the normal
    "oblique": (None, None, False),
    "reversed": (None, None, True),
    "sagittal": ((0, 1, 0), (0, 0, -1), False),
    "coronal": ((1, 0, 0), (0, 0, -1), True),
    "feet first": ((-1, 0, 0), (0, 1, 0), False),
    "double oblique": ((0.8, 0.6, 0.0), (-0.36, 0.48, 0.8), False),
}


def item(**values: object) -> Dataset:
    """A data set of these elements."""
    data = Dataset()
    for name, value in values.items():
        setattr(data, name, value)
    return data


def plane(k: int, uid: str) -> Dataset:
    """Plane k of a CT series `uid`: 4 × 5 pixels that hold 100 k … 100 k + 19."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = CTImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = f"1.2.3.{k + 1}"
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2", uid, "1.4"
    data.Modality, data.PatientID, data.SeriesDescription, data.SeriesNumber = "CT", "P1", "thorax", 3
    data.Rows, data.Columns, data.SamplesPerPixel, data.PhotometricInterpretation = 4, 5, 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelSpacing, data.SliceThickness = [0.5, 0.75], 2
    data.ImageOrientationPatient = [*ROW, *COLUMN]
    data.ImagePositionPatient = [10, 20, 30 + 2.5 * k]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.WindowCenter, data.WindowWidth = [40, 50], [400, 350]
    data.PixelData = (np.arange(20, dtype="<u2").reshape(4, 5) + 100 * k).tobytes()
    return data


def without(data: Dataset, *also: str) -> None:
    """Take a plane's place and rescale away."""
    placed = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    for name in (*placed, "RescaleSlope", "RescaleIntercept", *also):
        delattr(data, name)


def series(folder: Path, count: int = 4, change: Change | None = None) -> Ref:
    """Files whose names run against their order in space."""
    uid, paths = generate_uid(), []
    for k in range(count):
        data = plane(k, uid)
        if change is not None:
            change(data, k)
        paths.append(folder / f"IM{count - k}.dcm")
        data.save_as(paths[-1], enforce_file_format=True)
    return Ref(tuple(sorted(paths)))


def at(z: float, *, x: float = 0, y: float = 0, **content: object) -> Dataset:
    """A frame's own functional groups: its position, and what its frame content says."""
    return item(
        PlanePositionSequence=[item(ImagePositionPatient=[x, y, z])], FrameContentSequence=[item(**content)]
    )


def enhanced(
    path: Path,
    frames: Sequence[Dataset] | int,
    *,
    modality: str = "MR",
    spacing: tuple[float, float] = (1, 1),
    thickness: float = 2,
    **shared: object,
) -> Path:
    """A multi-frame file of 4 × 5 pixels whose frame k holds 20 k … 20 k + 19; without groups for a mere number."""
    data = plane(0, "1.3")
    count = frames if isinstance(frames, int) else len(frames)
    data.Modality, data.NumberOfFrames = modality, count
    without(data)
    data.PixelData = np.arange(20 * count, dtype="<u2").tobytes()
    if not isinstance(frames, int):
        data.SharedFunctionalGroupsSequence = [
            item(
                PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
                PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SliceThickness=thickness)],
                **shared,
            )
        ]
        data.PerFrameFunctionalGroupsSequence = list(frames)
    data.save_as(path, enforce_file_format=True)
    return path


def three_frames(path: Path) -> Path:
    """An enhanced CT of three frames that lie in another order than they are stored in, rescaled together."""
    rescale = [item(RescaleSlope=1, RescaleIntercept=-10)]
    frames = [at(z, x=1, y=2) for z in (8, 0, 4)]
    return enhanced(
        path, frames, modality="CT", spacing=(2, 3), thickness=4, PixelValueTransformationSequence=rescale
    )


def cine(path: Path, frames: int = 4, **values: object) -> Path:
    """An ultrasound in colour, its bytes counted through."""
    data = plane(0, "1.3")
    without(data)
    data.Modality, data.NumberOfFrames, data.SamplesPerPixel = "US", frames, 3
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PhotometricInterpretation, data.PlanarConfiguration = 7, "RGB", 0
    data.PixelData = np.arange(frames * 60, dtype=np.uint8).tobytes()
    for name, value in values.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def nuclear(path: Path, count: int, **values: object) -> Path:
    """Frames of 4 × 5 pixels, frame k holding 20 k … 20 k + 19, with one detector's place."""
    data = plane(0, "1.3")
    without(data, "SliceThickness")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.20"
    data.Modality, data.NumberOfFrames, data.PixelSpacing = "NM", count, [2, 3]
    data.PixelData = np.arange(20 * count, dtype="<u2").tobytes()
    where = item(ImagePositionPatient=[10, 20, 30], ImageOrientationPatient=TURNED)
    data.DetectorInformationSequence = [where]
    for name, value in values.items():
        setattr(data, name, value)
    data.save_as(path, enforce_file_format=True)
    return path


def make_study(folder: Path, turn: str = "oblique") -> Image:
    """A phantom's CT in files whose names run against their order, turned as named; read back."""
    row, column, against = TURNS[turn]
    study = patient(1, size=GRID)
    named = list(dicom_files(study))
    for k, (_, data) in enumerate(named):
        path = folder / f"IM{len(named) - k:03d}.dcm"
        path.write_bytes(data)
        if row is None and not against:
            continue
        head = pydicom.dcmread(path)
        if row is not None and column is not None:
            normal = np.cross(row, column)
            head.ImageOrientationPatient = [float(v) for v in (*row, *column)]
            head.ImagePositionPatient = [float(v) for v in np.array([-70.5, 31.25, 12.0]) + 2.75 * k * normal]
        if against:
            head.InstanceNumber = str(len(named) - k)
        head.save_as(path)
    return formats.read(Ref(tuple(sorted(folder.glob("*.dcm")))))


def by_hand(path: Path) -> dict[int, dict[tuple[float, ...], Any]]:
    """A binary segmentation's planes by segment number and position, unpacked bit by bit."""
    data = pydicom.dcmread(path)
    rows, columns, frames = int(data.Rows), int(data.Columns), int(data.NumberOfFrames)
    bits = np.unpackbits(np.frombuffer(data.PixelData, np.uint8), bitorder="little")
    planes = bits[: rows * columns * frames].reshape(frames, rows, columns)
    shared = data.SharedFunctionalGroupsSequence[0]
    found: dict[int, dict[tuple[float, ...], Any]] = {}
    for plane, own in zip(planes, data.PerFrameFunctionalGroupsSequence, strict=True):
        which = own if "SegmentIdentificationSequence" in own else shared
        number = int(which.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        place = own.PlanePositionSequence[0].ImagePositionPatient if "PlanePositionSequence" in own else ()
        found.setdefault(number, {})[tuple(round(float(v), 3) for v in place)] = plane
    return found
