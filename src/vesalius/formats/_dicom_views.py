"""One file of many frames as the source of a result: the frame or the stack that was read, as writers expect it.

A nuclear study's vectors become functional groups, and one frame of several an object of that frame alone, so that
highdicom finds the place of each; what then refers to the frame has its number in the file (PS3.3 table 10-3).
"""

from __future__ import annotations

from typing import Any

from pydicom.dataset import Dataset

from vesalius.formats import _dicom_nuclear as nuclear

NAMES = (
    "SliceVector",
    "EnergyWindowVector",
    "DetectorVector",
    "RRIntervalVector",
    "TimeSlotVector",
    "SpacingBetweenSlices",
    "DetectorInformationSequence",
)
_OWN, _SHARED = "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"


def seen(head: Dataset, index: int | None) -> Dataset:
    """The header as that of the frames that were read: all of them, or frame `index` alone. Raises ValueError."""
    frames = int(head.get("NumberOfFrames") or 1)
    own = list(head.get(_OWN) or ())
    if not own and not head.get(_SHARED):
        own = [group for group, *_ in nuclear.frame_groups(head, frames)]
    for name in NAMES:
        if name in head:
            delattr(head, name)
    if index is not None and frames > 1:
        own = [own[index] if own else Dataset()]
        head.NumberOfFrames = 1
    if own:
        setattr(head, _OWN, own)
        setattr(head, _SHARED, [_shared(head, own[0])])
    return head


def _shared(head: Dataset, own: Dataset) -> Dataset:
    """What all frames share, in which highdicom looks for their measures; those of the first where it has its own."""
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
