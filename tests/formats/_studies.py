"""Small DICOM studies to write into, and a reader of segmentations that knows only bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.image import Image
from vesalius.phantom.dicom import dicom_files
from vesalius.phantom.study import patient

GRID = (8, 20, 26)  # (Z, Y, X) of the small studies
TURNS = {  # rows' and columns' directions, and whether the files' numbers run against the normal
    "oblique": (None, None, False),
    "reversed": (None, None, True),
    "sagittal": ((0, 1, 0), (0, 0, -1), False),
    "coronal": ((1, 0, 0), (0, 0, -1), True),
    "feet first": ((-1, 0, 0), (0, 1, 0), False),
    "double oblique": ((0.8, 0.6, 0.0), (-0.36, 0.48, 0.8), False),
}


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
