"""One file of many frames as the source of a result: the frame or the stack that was read, as writers expect it.

A nuclear study's vectors and a dose grid's offsets become functional groups, and one frame of several an object of
that frame alone, so that highdicom finds the place of each; what then refers to the frame has its number in the file
(PS3.3 table 10-3).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from vesalius.dicom import elements
from vesalius.dicom.series import nuclear

NAMES = (
    "SliceVector",
    "EnergyWindowVector",
    "DetectorVector",
    "RRIntervalVector",
    "TimeSlotVector",
    "SpacingBetweenSlices",
    "DetectorInformationSequence",
    "GridFrameOffsetVector",
)
_MAY_HAVE_FRAMES = (  # classes in which the number of frames may be left out, where highdicom looks for it
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.12.2",
    "1.2.840.10008.5.1.4.1.1.481.1",
    "1.2.840.10008.5.1.4.1.1.481.2",
)
_OWN, _SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"


def seen(head: Dataset, index: int | None) -> Dataset:
    """Return the header as that of the frames that were read: all of them, or frame `index` alone.

    Raises ValueError.
    """
    frames = int(head.get("NumberOfFrames") or 1)
    own = list(head.get(_OWN) or ())
    if not own and not head.get(_SHARED):
        own = [group for group, *_ in nuclear.frame_groups(head, frames)] or _of_grid(head, frames)
    if str(head.get("SOPClassUID")) in _MAY_HAVE_FRAMES:
        head.NumberOfFrames = frames
    for name in NAMES:
        if name in head:
            delattr(head, name)
    if index is not None and frames > 1:
        own = [own[index] if own else Dataset()]
        head.NumberOfFrames = 1
    elif frames == 1 and "NumberOfFrames" in head:
        own = own or [Dataset()]
    if own:
        setattr(head, _OWN, own)
        setattr(head, _SHARED, [_shared(head, own[0])])
    return head


def _of_grid(head: Dataset, frames: int) -> list[Dataset]:
    """Return the place of each frame of a dose grid, as functional groups; empty where it is none."""
    offsets, first = elements.grid_offsets(head, frames), elements.plane(head, None)
    if offsets is None or first.position is None or first.orientation is None:
        return []
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    found = []
    for offset in offsets:
        where, how, group = Dataset(), Dataset(), Dataset()
        where.ImagePositionPatient = [f"{v:.9g}" for v in np.array(first.position) + offset * normal]
        how.ImageOrientationPatient = list(head.ImageOrientationPatient)
        group.PlanePositionSequence, group.PlaneOrientationSequence = [where], [how]
        found.append(group)
    return found


def _shared(head: Dataset, own: Dataset) -> Dataset:
    """Return what all frames share, in which highdicom looks for their measures; those of the first where it has its
    own.
    """
    shared: Dataset = head[_SHARED].value[0] if head.get(_SHARED) else Dataset()
    for name in ("PixelMeasuresSequence", "PlaneOrientationSequence"):
        if name not in shared and name in own:
            shared[name] = own[name]
    if "PixelMeasuresSequence" not in shared:
        measures = Dataset()
        if head.get("PixelSpacing"):
            measures.PixelSpacing = head.PixelSpacing
        shared.PixelMeasuresSequence = [measures]
    return shared


def refer_to(made: Any, frame: int | None) -> None:
    """Put the frame's number in the file, where it is one of several, into an object's references to its source."""
    if frame is None:
        return
    for group in made.get(_OWN) or ():
        for derived in group.get("DerivationImageSequence") or ():
            for item in derived.get("SourceImageSequence") or ():
                item.ReferencedFrameNumber = frame
